//! What a container says, and says it for as long as someone listens: attach, logs, stats, and the wait for its end.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderValue, header},
    response::Response,
    routing::{get, post},
};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use netd_api::models;
use serde::{Deserialize, Serialize};

use super::{
    Api,
    body::{Query, switch},
    hijack::{Hijack, content_type},
    keys::DetachKeys,
    status::{Answer, Failure},
    version::Version,
};
use crate::{
    container::{AttachAsk, ContainerError, LogsAsk, StatsAsk, WaitCondition},
    error::{Kind, chain},
};

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/containers/{reference}/attach", post(attach))
        .route("/containers/{reference}/attach/ws", get(no_websocket))
        .route("/containers/{reference}/logs", get(logs))
        .route("/containers/{reference}/stats", get(stats))
        .route("/containers/{reference}/wait", post(wait))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Attached {
    detach_keys: Option<String>,
    #[serde(deserialize_with = "switch")]
    logs: bool,
    #[serde(deserialize_with = "switch")]
    stream: bool,
    #[serde(deserialize_with = "switch")]
    stdin: bool,
    #[serde(deserialize_with = "switch")]
    stdout: bool,
    #[serde(deserialize_with = "switch")]
    stderr: bool,
}

async fn attach(
    State(api): State<Arc<Api>>,
    version: Version,
    Path(reference): Path<String>,
    Query(asked): Query<Attached>,
    mut request: Request,
) -> Answer<Response> {
    let keys = DetachKeys::parse(asked.detach_keys.as_deref())?;
    let ask = AttachAsk {
        stdin: asked.stdin,
        stdout: asked.stdout,
        stderr: asked.stderr,
        logs: asked.logs,
        stream: asked.stream,
    };
    let attached = api.engine.containers.attach(&reference, ask).await?;
    Ok(Hijack::of(&mut request, version).answer(attached, asked.stdin.then_some(keys)))
}

async fn no_websocket() -> Failure {
    Failure::new(Kind::NotImplemented, "attaching over a websocket is not supported by this daemon")
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Logged {
    #[serde(deserialize_with = "switch")]
    follow: bool,
    #[serde(deserialize_with = "switch")]
    stdout: bool,
    #[serde(deserialize_with = "switch")]
    stderr: bool,
    #[serde(deserialize_with = "switch")]
    timestamps: bool,
    since: Option<String>,
    until: Option<String>,
    tail: Option<String>,
}

async fn logs(
    State(api): State<Arc<Api>>,
    version: Version,
    Path(reference): Path<String>,
    Query(asked): Query<Logged>,
) -> Answer<Response> {
    if !asked.stdout && !asked.stderr {
        return Err(Failure::new(
            Kind::InvalidParameter,
            "Bad parameters: you must choose at least one stream",
        ));
    }
    let ask = LogsAsk {
        stdout: asked.stdout,
        stderr: asked.stderr,
        since: asked.since,
        until: asked.until,
        tail: asked.tail,
        timestamps: asked.timestamps,
        follow: asked.follow,
    };
    let logs = api.engine.containers.logs(&reference, ask).await?;
    let kind = content_type(logs.framing, version);
    Ok(streamed(kind, Body::from_stream(logs.body)))
}

fn streamed(kind: HeaderValue, body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

pub(super) fn json_streamed(body: Body) -> Response {
    streamed(HeaderValue::from_static("application/json"), body)
}

pub(super) fn line(value: &impl Serialize) -> Bytes {
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line.into()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Measured {
    stream: Option<String>,
    #[serde(deserialize_with = "switch")]
    one_shot: bool,
}

async fn stats(
    State(api): State<Arc<Api>>,
    Path(reference): Path<String>,
    Query(asked): Query<Measured>,
) -> Answer<Response> {
    // The one switch that is on unless it is said to be off.
    let on = asked
        .stream
        .is_none_or(|text| !matches!(text.to_ascii_lowercase().as_str(), "" | "0" | "no" | "false"));
    let ask = match (on, asked.one_shot) {
        (true, true) => {
            return Err(Failure::new(Kind::InvalidParameter, "cannot have stream=true and one-shot=true"));
        }
        (true, false) => StatsAsk::Stream,
        (false, true) => StatsAsk::OneShot,
        (false, false) => StatsAsk::Single,
    };
    let samples = api.engine.containers.stats(&reference, ask).await?;
    Ok(json_streamed(Body::from_stream(samples.map(|sample| Ok::<_, Infallible>(line(&sample))))))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Waited {
    condition: String,
}

/// The headers go out at once, the answer when it is there: the docker CLI starts the container in between.
async fn wait(
    State(api): State<Arc<Api>>,
    Path(reference): Path<String>,
    Query(asked): Query<Waited>,
) -> Answer<Response> {
    let condition: WaitCondition = asked.condition.parse()?;
    let exit = api.engine.containers.wait(&reference, condition)?;
    let answer = stream::once(async move { Ok::<_, Infallible>(line(&ended(exit.await, condition))) });
    Ok(json_streamed(Body::from_stream(answer)))
}

fn ended(
    exit: Result<models::ContainerWaitResponse, ContainerError>,
    condition: WaitCondition,
) -> models::ContainerWaitResponse {
    let failed = |error| models::ContainerWaitResponse {
        status_code: 125,
        error: Some(models::ContainerWaitExitError { message: Some(chain(&error)) }),
    };
    let mut answer = exit.unwrap_or_else(failed);
    if condition == WaitCondition::Removed {
        // Removed is what was waited for: a start that failed before has been told to whoever started it.
        answer.error = None;
    }
    answer
}
