//! The API: each handler parses what came in, calls the engine, and writes what comes out as Docker does. Nothing is
//! decided here.

mod absent;
mod alone;
mod body;
mod containers;
mod doctor;
mod events;
mod exec;
mod firewall;
mod hijack;
mod images;
mod keys;
mod metrics;
mod names;
mod namespaces;
mod networks;
mod older;
mod ports;
mod server;
mod shape;
mod status;
mod streams;
mod system;
mod tidy;
mod version;
mod volumes;

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::Request,
    middleware,
    response::{IntoResponse, Response},
};

pub(crate) use alone::Pruning;
pub(crate) use metrics::router as metrics_router;
pub(crate) use server::Server;
use status::Failure;

use crate::{config::Config, engine::Engine, system::Facts};

/// What the handlers work on.
pub(crate) struct Api {
    /// Everything that the daemon does.
    pub(crate) engine: Arc<Engine>,
    /// What does not change.
    pub(crate) facts: Facts,
    /// What the daemon is told, and told again by SIGHUP.
    pub(crate) config: Arc<ArcSwap<Config>>,
    /// Had by whoever prunes networks or containers.
    pub(crate) pruning: Pruning,
}

/// All routes, behind what is common to them. Must be called in a runtime.
pub(crate) fn router(api: Arc<Api>) -> Router {
    let routes = Router::new()
        .merge(system::routes())
        .merge(events::routes())
        .merge(networks::routes())
        .merge(names::routes())
        .merge(ports::routes())
        .merge(namespaces::routes())
        .merge(firewall::routes())
        .merge(doctor::routes())
        .merge(containers::routes())
        .merge(streams::routes())
        .merge(exec::routes())
        .merge(images::routes())
        .merge(volumes::routes())
        .merge(absent::routes())
        .fallback(not_found)
        .method_not_allowed_fallback(not_found)
        .layer(DefaultBodyLimit::max(body::LIMIT))
        .with_state(api);
    // The version must be off the path before the path is matched, hence the router around the router.
    let router = Router::new()
        .fallback_service(routes)
        .layer(middleware::from_fn(networks::escape_names))
        .layer(middleware::from_fn(version::negotiate));
    tidy::tidied(router)
}

async fn not_found(request: Request<axum::body::Body>) -> Response {
    tracing::debug!(method = %request.method(), path = request.uri().path(), "no such page");
    Failure::page_not_found().into_response()
}
