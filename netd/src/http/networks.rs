//! `/networks`: list, inspect, create, connect, disconnect, remove, prune.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, Request, State},
    http::{Method, StatusCode},
    middleware::Next,
    response::Response,
    routing::{MethodRouter, get, post},
};
use netd_api::{Filters, models};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Api,
    body::{GoJson, Query},
    shape,
    status::{Answer, Failure},
    version::{self, Version},
};
use crate::error::Kind;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Listed {
    filters: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Inspected {
    verbose: Option<String>,
    scope: Option<String>,
}

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/networks", get(list))
        .route("/networks/create", network("create").post(create))
        .route("/networks/prune", network("prune").post(prune))
        .route("/networks/{reference}", get(inspect).delete(remove))
        .route("/networks/{reference}/connect", post(connect))
        .route("/networks/{reference}/disconnect", post(disconnect))
}

/// Names of networks and of links have slashes, and clients leave them as they are: they are escaped before the path is
/// routed.
pub(super) async fn escape_names(mut request: Request, next: Next) -> Response {
    let removes =
        request.method() == Method::DELETE && request.uri().query().is_some_and(|it| it.contains("link="));
    let path = request.uri().path();
    let path = if removes { link(path) } else { escaped(path) };
    if let Some(path) = path
        && let Some(uri) = version::at(request.uri(), &path)
    {
        *request.uri_mut() = uri;
    }
    next.run(request).await
}

/// The path with the name in one piece, if it is not.
fn escaped(path: &str) -> Option<String> {
    const TAILS: [&str; 3] = ["/connect", "/disconnect", "/records"];
    let named = path.strip_prefix("/networks/")?;
    let tail = TAILS.into_iter().find(|tail| named.ends_with(tail)).unwrap_or_default();
    let name = named.strip_suffix(tail)?;
    name.contains('/').then(|| format!("/networks/{}{tail}", name.replace('/', "%2F")))
}

/// The path with the name of a link in one piece, if it is not.
fn link(path: &str) -> Option<String> {
    let named = path.strip_prefix("/containers/")?.trim_matches('/');
    named.contains('/').then(|| format!("/containers/{}", named.replace('/', "%2F")))
}

/// A network whose name is that of a request.
fn network(name: &'static str) -> MethodRouter<Arc<Api>> {
    let path = move || Path(name.to_owned());
    get(move |api, asked| inspect(api, path(), asked)).delete(move |api| remove(api, path()))
}

async fn list(
    State(api): State<Arc<Api>>,
    version: Version,
    Query(asked): Query<Listed>,
) -> Answer<Json<Value>> {
    let filters = Filters::parse(asked.filters.as_deref())?;
    let mut networks = api.engine.networks.list(&filters)?;
    if version.knows(28) {
        // Who wants to know who is in a network inspects it.
        networks.iter_mut().for_each(|network| network.containers = None);
    }
    Ok(Json(networks.iter().map(shape::network).collect()))
}

async fn inspect(
    State(api): State<Arc<Api>>,
    Path(reference): Path<String>,
    Query(asked): Query<Inspected>,
) -> Answer<Json<Value>> {
    // It asks for the services of a swarm, of which there are none.
    if let Some(verbose) = asked.verbose.filter(|text| !text.is_empty())
        && netd_api::parse_bool(&verbose).is_none()
    {
        let why = format!("strconv.ParseBool: parsing \"{verbose}\": invalid syntax");
        let text = format!("invalid value for verbose: {verbose}: {why}");
        return Err(Failure::new(Kind::InvalidParameter, text));
    }
    let scope = asked.scope.as_deref().filter(|scope| !scope.is_empty());
    Ok(Json(shape::network(&api.engine.networks.inspect(&reference, scope)?)))
}

async fn create(
    State(api): State<Arc<Api>>,
    version: Version,
    GoJson(mut ask): GoJson<models::NetworkCreateRequest>,
) -> Answer<(StatusCode, Json<models::NetworkCreateResponse>)> {
    if !version.knows(48) {
        ask.enable_ipv4 = None;
    }
    let id = api.engine.networks.create(ask).await?.to_string();
    Ok((StatusCode::CREATED, Json(models::NetworkCreateResponse { id, warning: String::new() })))
}

async fn connect(
    State(api): State<Arc<Api>>,
    Path(reference): Path<String>,
    GoJson(ask): GoJson<models::NetworkConnectRequest>,
) -> Answer<()> {
    Ok(api.engine.containers.connect(&reference, ask).await?)
}

async fn disconnect(
    State(api): State<Arc<Api>>,
    Path(reference): Path<String>,
    GoJson(ask): GoJson<models::NetworkDisconnectRequest>,
) -> Answer<()> {
    Ok(api.engine.containers.disconnect(&reference, ask).await?)
}

async fn remove(State(api): State<Arc<Api>>, Path(reference): Path<String>) -> Answer<StatusCode> {
    api.engine.networks.remove(&reference).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn prune(State(api): State<Arc<Api>>, Query(asked): Query<Listed>) -> Answer<Json<Value>> {
    let filters = Filters::parse(asked.filters.as_deref())?;
    let networks = api.engine.networks.clone();
    let removed = api.pruning.alone(async move { Ok(networks.prune(&filters).await?) }).await?;
    // Go writes an empty list as null.
    let removed = if removed.is_empty() { Value::Null } else { json!(removed) };
    Ok(Json(json!({"NetworksDeleted": removed})))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_piece_of_the_path() {
        let table = [
            ("/networks/a/b", Some("/networks/a%2Fb")),
            ("/networks/a/b/c/connect", Some("/networks/a%2Fb%2Fc/connect")),
            ("/networks//records", None),
            ("/networks/a/records", None),
            ("/networks/a%2Fb", None),
            ("/networks/create", None),
            ("/networks", None),
            ("/containers/a/b", None),
        ];
        for (path, expected) in table {
            assert_eq!(escaped(path).as_deref(), expected, "{path}");
        }
        assert_eq!(link("/containers/web/db").as_deref(), Some("/containers/web%2Fdb"));
        assert_eq!(link("/containers//web/db").as_deref(), Some("/containers/web%2Fdb"));
        assert_eq!(link("/containers/web"), None);
    }
}
