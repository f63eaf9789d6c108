//! `/volumes`: list, inspect, create, remove, prune.

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
    body::{OptionalJson, Query, switch},
    shape,
    status::Answer,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    filters: Option<String>,
    #[serde(deserialize_with = "switch")]
    force: bool,
}

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/volumes", get(list))
        .route("/volumes/create", post(create))
        .route("/volumes/prune", post(prune))
        .route("/volumes/{name}", get(inspect).delete(remove))
}

async fn list(State(api): State<Arc<Api>>, Query(asked): Query<Asked>) -> Answer<Json<Value>> {
    let filters = Filters::parse(asked.filters.as_deref())?;
    let list = api.engine.volumes.list(filters).await?;
    let volumes: Vec<Value> = list.volumes.iter().flatten().map(shape::volume).collect();
    Ok(Json(json!({"Volumes": volumes, "Warnings": list.warnings})))
}

async fn inspect(State(api): State<Arc<Api>>, Path(name): Path<String>) -> Answer<Json<Value>> {
    Ok(Json(shape::volume(&api.engine.volumes.inspect(&name).await?)))
}

async fn create(
    State(api): State<Arc<Api>>,
    OptionalJson(ask): OptionalJson<models::VolumeCreateRequest>,
) -> Answer<(StatusCode, Json<Value>)> {
    Ok((StatusCode::CREATED, Json(shape::volume(&api.engine.volumes.create(ask).await?))))
}

async fn remove(
    State(api): State<Arc<Api>>,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Answer<StatusCode> {
    api.engine.volumes.remove(&name, asked.force).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn prune(
    State(api): State<Arc<Api>>,
    Query(asked): Query<Asked>,
) -> Answer<Json<models::VolumePruneResponse>> {
    let filters = Filters::parse(asked.filters.as_deref())?;
    Ok(Json(api.engine.volumes.prune(filters).await?))
}
