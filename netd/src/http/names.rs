//! What Docker's API has no place for: `/dns/records/{network}`, `/dns`, and a container's own view of names at
//! `/containers/{id}/dns`.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
    routing::get,
};
use dns::Asked;
use futures_util::stream;
use netd_api::dns::{DnsAsked, DnsName, DnsRecord, DnsReply, EgressReport};
use serde::Deserialize;
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::Instant,
};

use super::{
    Api,
    body::{JsonBody, Query},
    status::{Answer, Failure},
    streams::{json_streamed, line},
};
use crate::{
    engine::Clock,
    error::Kind,
    names::{EGRESS, word},
};

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/dns/records/{*reference}", get(records).post(add).delete(remove))
        .route("/dns", get(names))
        .route("/containers/{reference}/dns", get(query))
        .route("/containers/{reference}/dns/log", get(log))
        .route("/containers/{reference}/egress", get(egress))
}

async fn records(State(api): State<Arc<Api>>, Path(reference): Path<String>) -> Answer<Json<Vec<DnsRecord>>> {
    Ok(Json(api.engine.networks.records(&reference)?))
}

async fn add(
    State(api): State<Arc<Api>>,
    Path(reference): Path<String>,
    JsonBody(record): JsonBody<DnsRecord>,
) -> Answer<StatusCode> {
    api.engine.networks.add_record(&reference, record).await?;
    Ok(StatusCode::CREATED)
}

#[derive(Debug, Deserialize)]
struct Removed {
    name: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    value: Option<String>,
}

async fn remove(
    State(api): State<Arc<Api>>,
    Path(reference): Path<String>,
    Query(asked): Query<Removed>,
) -> Answer<Json<Vec<DnsRecord>>> {
    let Removed { name, kind, value } = asked;
    Ok(Json(api.engine.networks.remove_records(&reference, name, kind, value).await?))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Listed {
    container: Option<String>,
    network: Option<String>,
}

async fn names(State(api): State<Arc<Api>>, Query(asked): Query<Listed>) -> Answer<Json<Vec<DnsName>>> {
    let container = match asked.container.as_deref().filter(|text| !text.is_empty()) {
        Some(reference) => Some(api.engine.containers.network_owner(reference)?),
        None => None,
    };
    let network = asked.network.as_deref().filter(|text| !text.is_empty());
    Ok(Json(api.engine.networks.names(network, container)?))
}

#[derive(Debug, Deserialize)]
struct Question {
    name: String,
    #[serde(rename = "type", default)]
    kind: String,
}

async fn query(
    State(api): State<Arc<Api>>,
    Path(reference): Path<String>,
    Query(asked): Query<Question>,
) -> Answer<Json<DnsReply>> {
    let container = api.engine.containers.network_owner(&reference)?;
    Ok(Json(api.engine.networks.dns_query(container, &reference, &asked.name, &asked.kind).await?))
}

async fn egress(State(api): State<Arc<Api>>, Path(reference): Path<String>) -> Answer<Json<EgressReport>> {
    let container = api.engine.containers.network_owner(&reference)?;
    match api.engine.networks.egress(container).await? {
        Some(report) => Ok(Json(report)),
        None => {
            let text = format!("egress of container {reference} is not restricted: see label {EGRESS}");
            Err(Failure::new(Kind::NotFound, text))
        }
    }
}

async fn log(State(api): State<Arc<Api>>, Path(reference): Path<String>) -> Answer<Response> {
    let container = api.engine.containers.network_owner(&reference)?;
    let asked = api.engine.networks.dns_follow(container, &reference)?;
    Ok(json_streamed(Body::from_stream(lines(asked, api.engine.clock.clone()))))
}

/// A line per question, until the container's name service ends or the reader goes.
fn lines(
    asked: Receiver<Asked>,
    clock: Clock,
) -> impl futures_util::Stream<Item = Result<bytes::Bytes, Infallible>> {
    stream::unfold((asked, clock, 0), |(mut asked, clock, mut lost)| async move {
        loop {
            match asked.recv().await {
                Ok(one) => return Some((Ok(line(&shown(&one, &clock, lost))), (asked, clock, 0))),
                Err(RecvError::Lagged(more)) => lost += more,
                Err(RecvError::Closed) => return None,
            }
        }
    })
}

fn shown(asked: &Asked, clock: &Clock, lost: u64) -> DnsAsked {
    let ago = Instant::now().into_std().saturating_duration_since(asked.at);
    let now = clock();
    DnsAsked {
        time: netd_api::time::rfc3339(now.checked_sub(ago).unwrap_or(now)),
        name: asked.name.clone(),
        kind: asked.kind.to_string(),
        outcome: word(asked.outcome).to_owned(),
        micros: u64::try_from(asked.took.as_micros()).unwrap_or(u64::MAX),
        lost,
    }
}
