//! `/containers`: what is done to containers and asked of them, except for their streams ([`super::streams`]).

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use netd_api::{Filters, models};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Api,
    body::{JsonBody, Query, number, switch},
    older, shape,
    status::{Answer, Failure},
    version::Version,
};
use crate::{
    container::{CreateAsk, Done, ListAsk, RemoveAsk, StopAsk},
    error::Kind,
};

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/containers/json", get(list))
        .route("/containers/create", post(create))
        .route("/containers/prune", post(prune))
        .route("/containers/{reference}", delete(remove))
        .route("/containers/{reference}/json", get(inspect))
        .route("/containers/{reference}/start", post(start))
        .route("/containers/{reference}/stop", post(stop))
        .route("/containers/{reference}/restart", post(restart))
        .route("/containers/{reference}/kill", post(kill))
        .route("/containers/{reference}/pause", post(pause))
        .route("/containers/{reference}/unpause", post(unpause))
        .route("/containers/{reference}/rename", post(rename))
        .route("/containers/{reference}/resize", post(resize))
        .route("/containers/{reference}/update", post(update))
        .route("/containers/{reference}/top", get(top))
        .route(
            "/containers/{reference}/changes",
            get(|| unsupported("listing the changes of a container's files")),
        )
        .route("/containers/{reference}/export", get(|| unsupported("exporting a container's files")))
        .route(
            "/containers/{reference}/archive",
            get(|| unsupported("copying from containers")).put(|| unsupported("copying to containers")),
        )
}

async fn unsupported(what: &'static str) -> Answer<()> {
    Err(Failure::new(Kind::NotImplemented, format!("{what} is not supported by this daemon")))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Listed {
    #[serde(deserialize_with = "switch")]
    all: bool,
    #[serde(deserialize_with = "number")]
    limit: Option<i64>,
    #[serde(deserialize_with = "switch")]
    size: bool,
    filters: Option<String>,
}

async fn list(State(api): State<Arc<Api>>, Query(asked): Query<Listed>) -> Answer<Json<Value>> {
    let ask = ListAsk {
        all: asked.all,
        limit: asked.limit.unwrap_or(0),
        size: asked.size,
        filters: Filters::parse(asked.filters.as_deref())?,
    };
    Ok(Json(api.engine.containers.list(ask).await?.iter().map(shape::container).collect()))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Created {
    name: Option<String>,
    platform: Option<String>,
}

/// The body of `create`: the models know only what the newest version has.
#[derive(Debug, Deserialize)]
struct CreateBody {
    #[serde(rename = "MacAddress", default)]
    mac_address: Option<String>,
    #[serde(flatten)]
    body: models::ContainerCreateBody,
}

async fn create(
    State(api): State<Arc<Api>>,
    version: Version,
    Query(asked): Query<Created>,
    JsonBody(CreateBody { mac_address, mut body }): JsonBody<CreateBody>,
) -> Answer<(StatusCode, Json<models::ContainerCreateResponse>)> {
    let mac_address = mac_address.filter(|mac| !mac.is_empty());
    let warnings = older::translate(&mut body, mac_address.as_deref(), version)?;
    let ask = CreateAsk { name: asked.name, platform: asked.platform, body };
    let mut created = api.engine.containers.create(ask).await?;
    created.warnings.extend(warnings);
    Ok((StatusCode::CREATED, Json(created)))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Inspected {
    #[serde(deserialize_with = "switch")]
    size: bool,
}

async fn inspect(
    State(api): State<Arc<Api>>,
    version: Version,
    Path(reference): Path<String>,
    Query(asked): Query<Inspected>,
) -> Answer<Json<Value>> {
    let detail = api.engine.containers.inspect(&reference, asked.size).await?;
    Ok(Json(shape::container_detail(detail, version)))
}

async fn start(
    State(api): State<Arc<Api>>,
    Path(reference): Path<String>,
    headers: HeaderMap,
) -> Answer<StatusCode> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    // As in Docker, `{}` is no body.
    if length.unwrap_or(0_u64) > 2 {
        return Err(Failure::new(
            Kind::InvalidParameter,
            "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24",
        ));
    }
    Ok(done(api.engine.containers.start(&reference).await?))
}

fn done(done: Done) -> StatusCode {
    match done {
        Done::Changed => StatusCode::NO_CONTENT,
        Done::Already => StatusCode::NOT_MODIFIED,
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Stopped {
    #[serde(deserialize_with = "number")]
    t: Option<i64>,
    signal: Option<String>,
}

impl From<Stopped> for StopAsk {
    fn from(asked: Stopped) -> Self {
        Self { signal: asked.signal.filter(|signal| !signal.is_empty()), timeout: asked.t }
    }
}

async fn stop(
    State(api): State<Arc<Api>>,
    Path(reference): Path<String>,
    Query(asked): Query<Stopped>,
) -> Answer<StatusCode> {
    Ok(done(api.engine.containers.stop(&reference, asked.into()).await?))
}

async fn restart(
    State(api): State<Arc<Api>>,
    Path(reference): Path<String>,
    Query(asked): Query<Stopped>,
) -> Answer<StatusCode> {
    api.engine.containers.restart(&reference, asked.into()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn kill(
    State(api): State<Arc<Api>>,
    Path(reference): Path<String>,
    Query(asked): Query<Stopped>,
) -> Answer<StatusCode> {
    let signal = asked.signal.as_deref().filter(|signal| !signal.is_empty());
    api.engine.containers.kill(&reference, signal).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn pause(State(api): State<Arc<Api>>, Path(reference): Path<String>) -> Answer<StatusCode> {
    api.engine.containers.pause(&reference).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn unpause(State(api): State<Arc<Api>>, Path(reference): Path<String>) -> Answer<StatusCode> {
    api.engine.containers.unpause(&reference).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Renamed {
    name: String,
}

async fn rename(
    State(api): State<Arc<Api>>,
    Path(reference): Path<String>,
    Query(asked): Query<Renamed>,
) -> Answer<StatusCode> {
    api.engine.containers.rename(&reference, &asked.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The size of a client's terminal.
#[derive(Debug, Deserialize)]
pub(super) struct Size {
    /// Rows.
    pub(super) h: u16,
    /// Columns.
    pub(super) w: u16,
}

async fn resize(
    State(api): State<Arc<Api>>,
    Path(reference): Path<String>,
    Query(size): Query<Size>,
) -> Answer<()> {
    Ok(api.engine.containers.resize(&reference, size.h, size.w).await?)
}

async fn update(
    State(api): State<Arc<Api>>,
    Path(reference): Path<String>,
    JsonBody(ask): JsonBody<models::ContainerUpdateBody>,
) -> Answer<Response> {
    Ok(Json(api.engine.containers.update(&reference, ask).await?).into_response())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Removed {
    #[serde(deserialize_with = "switch")]
    v: bool,
    #[serde(deserialize_with = "switch")]
    force: bool,
    #[serde(deserialize_with = "switch")]
    link: bool,
}

async fn remove(
    State(api): State<Arc<Api>>,
    Path(reference): Path<String>,
    Query(asked): Query<Removed>,
) -> Answer<StatusCode> {
    let ask = RemoveAsk { force: asked.force, volumes: asked.v, link: asked.link };
    api.engine.containers.remove(&reference, ask).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Topped {
    ps_args: String,
}

async fn top(
    State(api): State<Arc<Api>>,
    Path(reference): Path<String>,
    Query(asked): Query<Topped>,
) -> Answer<Json<models::ContainerTopResponse>> {
    let arguments = if asked.ps_args.is_empty() { "-ef" } else { &asked.ps_args };
    Ok(Json(api.engine.containers.top(&reference, arguments).await?))
}

async fn prune(
    State(api): State<Arc<Api>>,
    Query(asked): Query<Listed>,
) -> Answer<Json<models::ContainerPruneResponse>> {
    let filters = Filters::parse(asked.filters.as_deref())?;
    let containers = api.engine.containers.clone();
    Ok(Json(api.pruning.alone(async move { Ok(containers.prune(filters).await?) }).await?))
}
