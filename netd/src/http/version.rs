//! The version of the API that a request is made in: the first part of its path. It is taken off before the request
//! is routed, so that every path is written once; handlers that care ask for it.

use axum::{
    extract::{FromRequestParts, Request},
    http::{HeaderValue, Uri, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use netd_api::{
    ApiVersion, VersionError,
    version::{NEWEST, split_path},
};

use super::status::Failure;
use crate::error::Kind;

/// The version that a request is made in; the newest if its path has none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Version(pub(super) ApiVersion);

impl Version {
    /// Whether the client knows what came with 1.`minor`.
    pub(super) fn knows(self, minor: u16) -> bool {
        self.0 >= ApiVersion::new(1, minor)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Version {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get().copied().unwrap_or(Self(NEWEST)))
    }
}

impl From<VersionError> for Failure {
    fn from(error: VersionError) -> Self {
        Self::new(Kind::InvalidParameter, error.to_string())
    }
}

/// Takes the version off the path, and puts the headers on the answer that every client reads.
pub(super) async fn negotiate(mut request: Request, next: Next) -> Response {
    let (version, rest) = split_path(request.uri().path());
    let version = match version.map(ApiVersion::supported) {
        Some(Err(error)) => return with_headers(Failure::from(error).into_response()),
        Some(Ok(version)) => Some((version, rest.to_owned())),
        None => None,
    };
    if let Some((version, path)) = version {
        if let Some(uri) = at(request.uri(), &path) {
            *request.uri_mut() = uri;
        }
        request.extensions_mut().insert(Version(version));
    }
    with_headers(next.run(request).await)
}

/// The same URI with another path.
pub(super) fn at(uri: &Uri, path: &str) -> Option<Uri> {
    match uri.query() {
        Some(query) => format!("{path}?{query}").parse().ok(),
        None => path.parse().ok(),
    }
}

fn with_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert("api-version", HeaderValue::from_static("1.50"));
    headers.insert("docker-experimental", HeaderValue::from_static("false"));
    headers.insert("ostype", HeaderValue::from_static("linux"));
    headers.insert(
        header::SERVER,
        HeaderValue::from_static(concat!("Pontoon/", env!("CARGO_PKG_VERSION"), " (linux)")),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_says_the_newest_version() {
        let response = with_headers(().into_response());
        assert_eq!(response.headers()["api-version"], NEWEST.to_string());
    }

    #[test]
    fn the_query_stays_with_the_path() {
        let uri: Uri = "/v1.41/containers/json?all=1&filters=%7B%7D".parse().unwrap();
        assert_eq!(at(&uri, "/containers/json").unwrap(), "/containers/json?all=1&filters=%7B%7D");
    }
}
