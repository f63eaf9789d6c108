//! `/networks`: list, inspect, create, connect, disconnect, remove, prune.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{get, post},
};
use netd_api::{Filters, models};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Api,
    body::{JsonBody, Query},
    shape,
    status::Answer,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Listed {
    filters: Option<String>,
}

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/networks", get(list))
        .route("/networks/create", post(create))
        .route("/networks/prune", post(prune))
        .route("/networks/{reference}", get(inspect).delete(remove))
        .route("/networks/{reference}/connect", post(connect))
        .route("/networks/{reference}/disconnect", post(disconnect))
}

async fn list(State(api): State<Arc<Api>>, Query(asked): Query<Listed>) -> Answer<Json<Value>> {
    let filters = Filters::parse(asked.filters.as_deref())?;
    Ok(Json(api.engine.networks.list(&filters)?.iter().map(shape::network).collect()))
}

async fn inspect(State(api): State<Arc<Api>>, Path(reference): Path<String>) -> Answer<Json<Value>> {
    Ok(Json(shape::network(&api.engine.networks.inspect(&reference)?)))
}

async fn create(
    State(api): State<Arc<Api>>,
    JsonBody(ask): JsonBody<models::NetworkCreateRequest>,
) -> Answer<(StatusCode, Json<models::NetworkCreateResponse>)> {
    let id = api.engine.networks.create(ask).await?.to_string();
    Ok((StatusCode::CREATED, Json(models::NetworkCreateResponse { id, warning: String::new() })))
}

async fn connect(
    State(api): State<Arc<Api>>,
    Path(reference): Path<String>,
    JsonBody(ask): JsonBody<models::NetworkConnectRequest>,
) -> Answer<()> {
    Ok(api.engine.containers.connect(&reference, ask).await?)
}

async fn disconnect(
    State(api): State<Arc<Api>>,
    Path(reference): Path<String>,
    JsonBody(ask): JsonBody<models::NetworkDisconnectRequest>,
) -> Answer<()> {
    Ok(api.engine.containers.disconnect(&reference, ask).await?)
}

async fn remove(State(api): State<Arc<Api>>, Path(reference): Path<String>) -> Answer<StatusCode> {
    api.engine.networks.remove(&reference).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn prune(State(api): State<Arc<Api>>, Query(asked): Query<Listed>) -> Answer<Json<Value>> {
    let filters = Filters::parse(asked.filters.as_deref())?;
    let removed = api.engine.networks.prune(&filters).await?;
    // Go writes an empty list as null.
    let removed = if removed.is_empty() { Value::Null } else { json!(removed) };
    Ok(Json(json!({"NetworksDeleted": removed})))
}
