//! What Docker's API has no place for: `/containers/{id}/ports`, the published ports of a container that exists.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    routing::post,
};
use netd_api::{models, ports::PortBindings};
use serde::Deserialize;

use super::{
    Api,
    body::{JsonBody, Query},
    status::{Answer, Failure},
};
use crate::{container::PortsAsk, error::Kind};

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new().route("/containers/{reference}/ports", post(add).delete(remove))
}

async fn add(
    State(api): State<Arc<Api>>,
    Path(reference): Path<String>,
    JsonBody(ask): JsonBody<PortBindings>,
) -> Answer<StatusCode> {
    api.engine.containers.change_ports(&reference, PortsAsk::Add(ask.port_bindings)).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize)]
struct Gone {
    /// A JSON object like the `PortBindings` of a request.
    bindings: String,
}

async fn remove(
    State(api): State<Arc<Api>>,
    Path(reference): Path<String>,
    Query(asked): Query<Gone>,
) -> Answer<StatusCode> {
    let bindings: models::PortMap = serde_json::from_str(&asked.bindings)
        .map_err(|error| Failure::new(Kind::InvalidParameter, format!("invalid bindings: {error}")))?;
    api.engine.containers.change_ports(&reference, PortsAsk::Remove(bindings)).await?;
    Ok(StatusCode::NO_CONTENT)
}
