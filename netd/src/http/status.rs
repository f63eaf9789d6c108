//! The one map from kinds of failure to HTTP statuses, and the body of every error.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use netd_api::extras::ErrorMessage;

use crate::error::{EngineError, Kind, chain};

/// A request that failed: the status and what the user reads.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    message: String,
}

/// What a handler returns.
pub(super) type Answer<T> = Result<T, Failure>;

/// The status of a kind, as in moby's daemon/server/httpstatus.
pub(super) const fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::NotModified => StatusCode::NOT_MODIFIED,
        Kind::InvalidParameter => StatusCode::BAD_REQUEST,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::NotImplemented => StatusCode::NOT_IMPLEMENTED,
        Kind::System => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl Failure {
    /// A failure that is found before the engine is asked.
    pub(super) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { status: status(kind), message: message.into() }
    }

    /// What the user reads.
    #[cfg(test)]
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// A body that is larger than any request needs.
    pub(super) fn too_large() -> Self {
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, message: "the request body is too large".to_owned() }
    }

    /// What is not served here at all.
    pub(super) fn page_not_found() -> Self {
        Self::new(Kind::NotFound, "page not found")
    }
}

impl<E: Into<EngineError>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        Self::new(error.kind(), chain(&error))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        if self.status == StatusCode::NOT_MODIFIED {
            return self.status.into_response();
        }
        if self.status.is_server_error() {
            tracing::warn!(status = self.status.as_u16(), error = self.message, "request failed");
        } else {
            tracing::debug!(status = self.status.as_u16(), error = self.message, "request refused");
        }
        (self.status, Json(ErrorMessage { message: self.message })).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_dockers() {
        let table = [
            (Kind::NotModified, 304),
            (Kind::InvalidParameter, 400),
            (Kind::Forbidden, 403),
            (Kind::NotFound, 404),
            (Kind::Conflict, 409),
            (Kind::System, 500),
            (Kind::NotImplemented, 501),
            (Kind::Unavailable, 503),
        ];
        for (kind, number) in table {
            assert_eq!(status(kind).as_u16(), number);
        }
    }
}
