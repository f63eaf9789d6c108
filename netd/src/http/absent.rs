//! What Docker has and this daemon does not: swarm and plugins. Clients ask for them in passing, so the answers are
//! those of a Docker that is not part of a swarm and has no plugins.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::Path,
    routing::{any, get},
};
use serde_json::{Value, json};

use super::{
    Api,
    status::{Answer, Failure},
};
use crate::error::Kind;

pub(super) fn routes() -> Router<Arc<Api>> {
    let swarm = ["/swarm", "/nodes", "/services", "/tasks", "/secrets", "/configs"];
    let routes = swarm.into_iter().fold(Router::new(), |routes, path| {
        routes.route(path, any(no_swarm)).route(&format!("{path}/{{*rest}}"), any(no_swarm))
    });
    routes
        .route("/plugins", get(no_plugins))
        .route("/plugins/{name}/json", get(no_plugin))
        .route("/grpc", any(no_buildkit))
}

async fn no_swarm() -> Failure {
    Failure::new(
        Kind::Unavailable,
        "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm and try again.",
    )
}

async fn no_plugins() -> Json<Value> {
    Json(json!([]))
}

async fn no_plugin(Path(name): Path<String>) -> Answer<()> {
    Err(Failure::new(Kind::NotFound, format!("plugin \"{name}\" not found")))
}

async fn no_buildkit() -> Failure {
    Failure::new(Kind::NotImplemented, "BuildKit is not supported by this daemon")
}
