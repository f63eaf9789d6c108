//! `_ping`, `version`, `info`, `system/df`, `auth`: the daemon itself.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, HeaderValue, Method, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use netd_api::{Filters, models};
use serde_json::{Value, json};

use super::{
    Api, shape,
    status::{Answer, Failure},
};
use crate::{
    container::ListAsk,
    error::Kind,
    image::HostImage,
    system::{Counts, Present},
};

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/_ping", get(ping))
        .route("/version", get(version))
        .route("/info", get(info))
        .route("/system/df", get(disk_usage))
        .route("/auth", post(auth))
}

/// The first request of every client: the headers say what the daemon is.
async fn ping(method: Method) -> Response {
    let headers = HeaderMap::from_iter([
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store, must-revalidate")),
        (header::PRAGMA, HeaderValue::from_static("no-cache")),
        (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
    ]);
    let mut response = if method == Method::HEAD { ().into_response() } else { "OK".into_response() };
    response.headers_mut().extend(headers);
    response.headers_mut().insert("builder-version", HeaderValue::from_static("1"));
    response.headers_mut().insert("swarm", HeaderValue::from_static("inactive"));
    response
}

async fn version(State(api): State<Arc<Api>>) -> Json<models::SystemVersion> {
    Json(api.facts.version())
}

async fn info(State(api): State<Arc<Api>>) -> Json<models::SystemInfo> {
    let descriptors = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    let engine = &api.engine;
    let (running, paused, stopped) = engine.containers.counts();
    let now = Present {
        counts: Counts { running, paused, stopped, listeners: engine.events.listeners(), descriptors },
        drivers: engine.networks.drivers().await,
        forwards_v4: engine.networks.forwards_v4().await,
        time: (engine.clock)(),
    };
    Json(api.facts.info(&api.config.load(), &now))
}

/// The shape of before API 1.52. What volumes take is not measured; `-1` says so.
async fn disk_usage(State(api): State<Arc<Api>>) -> Answer<Json<Value>> {
    let engine = &api.engine;
    let containers = engine.containers.list(ListAsk { all: true, size: true, ..ListAsk::default() }).await?;
    let image = HostImage.summary(i64::try_from(containers.len()).unwrap_or(i64::MAX));
    let volumes = engine.volumes.list(Filters::default()).await?.volumes.unwrap_or_default();
    let measured = |volume| {
        let mut volume = shape::volume(volume);
        volume["UsageData"] = json!({"Size": -1, "RefCount": -1});
        volume
    };
    Ok(Json(json!({
        "LayersSize": 0,
        "Images": [image],
        "Containers": containers.iter().map(shape::container).collect::<Vec<_>>(),
        "Volumes": volumes.iter().map(measured).collect::<Vec<_>>(),
        "BuildCache": [],
    })))
}

async fn auth() -> Answer<()> {
    Err(Failure::new(Kind::NotImplemented, "this daemon talks to no registry: there is nothing to log in to"))
}
