//! `/exec`: processes beside a container's own.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{FromRequest as _, Path, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use netd_api::{
    extras::{ExecStart, IdResponse},
    models,
};

use super::{
    Api,
    body::{JsonBody, OptionalJson, Query},
    containers::Size,
    hijack::Hijack,
    keys::DetachKeys,
    status::Answer,
    version::Version,
};
use crate::{
    container::{ContainerError, ExecStarted, Framing},
    error::chain,
};

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/containers/{reference}/exec", post(create))
        .route("/exec/{id}/start", post(start))
        .route("/exec/{id}/resize", post(resize))
        .route("/exec/{id}/json", get(inspect))
}

async fn create(
    State(api): State<Arc<Api>>,
    Path(reference): Path<String>,
    JsonBody(ask): JsonBody<models::ExecConfig>,
) -> Answer<(StatusCode, Json<IdResponse>)> {
    // A sequence that can't be typed is refused now, not when it is missed.
    DetachKeys::parse(ask.detach_keys.as_deref())?;
    Ok((StatusCode::CREATED, Json(api.engine.containers.exec_create(&reference, ask).await?)))
}

async fn start(
    State(api): State<Arc<Api>>,
    version: Version,
    Path(id): Path<String>,
    mut request: Request,
) -> Answer<Response> {
    let hijack = Hijack::of(&mut request, version);
    let OptionalJson(ask) = OptionalJson::<ExecStart>::from_request(request, &()).await?;
    let (containers, detach) = (&api.engine.containers, ask.detach);
    let framing = if ask.tty { Framing::Raw } else { Framing::Frames };
    let keys = DetachKeys::parse(containers.exec_detach_keys(&id).as_deref())?;
    match containers.exec_start(&id, ask).await {
        Ok(ExecStarted::Detached) => Ok(StatusCode::OK.into_response()),
        Ok(ExecStarted::Attached(stream)) => Ok(hijack.answer(stream, Some(keys))),
        // The docker CLI expects the reason on the stream, and asks for the exit code afterwards.
        Err(error @ ContainerError::Runtime(_)) if !detach => {
            let text = format!("OCI runtime exec failed: exec failed: {}: unknown\r\n", chain(&error));
            Ok(hijack.refuse(&text, framing))
        }
        Err(error) => Err(error.into()),
    }
}

async fn resize(State(api): State<Arc<Api>>, Path(id): Path<String>, Query(size): Query<Size>) -> Answer<()> {
    Ok(api.engine.containers.exec_resize(&id, size.h, size.w).await?)
}

async fn inspect(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
) -> Answer<Json<models::ExecInspectResponse>> {
    Ok(Json(api.engine.containers.exec_inspect(&id).await?))
}
