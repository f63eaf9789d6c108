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
use tokio::time::Instant;

use super::{
    Api,
    body::{JsonBody, Query},
    status::{Answer, Failure},
    streams::{json_streamed, line},
};
use crate::{
    engine::Clock,
    error::Kind,
    names::{EGRESS, Followed, Refused, Seen, word},
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
    let followed = api.engine.networks.dns_follow(container, &reference)?;
    Ok(json_streamed(Body::from_stream(lines(followed, api.engine.clock.clone()))))
}

/// A line per question and per refused connection, until the container's name service ends or the reader goes.
fn lines(
    followed: Followed,
    clock: Clock,
) -> impl futures_util::Stream<Item = Result<bytes::Bytes, Infallible>> {
    stream::unfold((followed, clock), |(mut followed, clock)| async move {
        let (seen, lost) = followed.next().await?;
        let shown = match seen {
            Seen::Asked(asked) => question(&asked, &clock),
            Seen::Refused(refused) => connection(refused, &clock),
        };
        Some((Ok(line(&DnsAsked { lost, ..shown })), (followed, clock)))
    })
}

fn question(asked: &Asked, clock: &Clock) -> DnsAsked {
    DnsAsked {
        time: time(asked.at, clock),
        name: asked.name.clone(),
        kind: asked.kind.to_string(),
        outcome: word(asked.outcome).to_owned(),
        micros: u64::try_from(asked.took.as_micros()).unwrap_or(u64::MAX),
        address: None,
        lost: 0,
    }
}

fn connection(refused: Refused, clock: &Clock) -> DnsAsked {
    let Refused { at, name, attempt } = refused;
    DnsAsked {
        time: time(at.into_std(), clock),
        // As questions have it.
        name: if name.is_empty() { name } else { name + "." },
        kind: format!("{}/{}", attempt.port, attempt.proto),
        outcome: "dropped".to_owned(),
        micros: 0,
        address: Some(attempt.to.to_string()),
        lost: 0,
    }
}

fn time(at: std::time::Instant, clock: &Clock) -> String {
    let ago = Instant::now().into_std().saturating_duration_since(at);
    let now = clock();
    netd_api::time::rfc3339(now.checked_sub(ago).unwrap_or(now))
}
