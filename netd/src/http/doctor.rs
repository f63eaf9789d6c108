//! `/pontoon/doctor`: looks at the host, and puts right what differs.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
};
use netd_api::doctor::Examination;

use super::Api;

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new().route("/pontoon/doctor", get(examine)).route("/pontoon/doctor/repair", post(repair))
}

async fn examine(State(api): State<Arc<Api>>) -> Json<Examination> {
    Json(api.engine.examine().await)
}

async fn repair(State(api): State<Arc<Api>>) -> Json<Examination> {
    Json(api.engine.repair().await)
}
