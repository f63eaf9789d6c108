//! `GET /metrics`, on an address of its own (`--metrics-addr`): nothing else is to be had there.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};

use crate::{
    engine::Engine,
    metrics::{Measured, page},
};

/// What is served where Prometheus looks.
pub(crate) fn router(engine: Arc<Engine>) -> Router {
    let not_found = || async { (StatusCode::NOT_FOUND, "see /metrics\n") };
    Router::new().route("/metrics", get(metrics)).fallback(not_found).with_state(engine)
}

async fn metrics(State(engine): State<Arc<Engine>>) -> impl IntoResponse {
    let measured = Measured {
        dns: engine.networks.dns_totals(),
        containers: engine.containers.counts(),
        networks: engine.networks.count(),
        repairs: engine.repairs.count(),
        relayed: engine.relay.as_ref().map(|relay| relay.carried()).unwrap_or_default(),
    };
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page(&measured))
}
