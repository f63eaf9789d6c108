//! `/pontoon/namespaces`: list, attach, detach.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    routing::{get, post},
};
use netd_api::namespaces::{Attach, Attached, Detach, Namespace};

use super::{Api, body::JsonBody, status::Answer};

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/pontoon/namespaces", get(list))
        .route("/pontoon/namespaces/attach", post(attach))
        .route("/pontoon/namespaces/detach", post(detach))
}

async fn list(State(api): State<Arc<Api>>) -> Json<Vec<Namespace>> {
    Json(api.engine.containers.namespaces())
}

async fn attach(
    State(api): State<Arc<Api>>,
    JsonBody(ask): JsonBody<Attach>,
) -> Answer<(StatusCode, Json<Attached>)> {
    Ok((StatusCode::CREATED, Json(api.engine.containers.attach_namespace(ask).await?)))
}

async fn detach(State(api): State<Arc<Api>>, JsonBody(ask): JsonBody<Detach>) -> Answer<StatusCode> {
    api.engine.containers.detach_namespace(ask).await?;
    Ok(StatusCode::NO_CONTENT)
}
