//! Requests over a connection of their own: JSON as the daemon sent it, streams, and connections that stop being HTTP.

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, UPGRADE};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

use super::{API_VERSION, Client, Host};
use crate::error::CliError;

/// A connection behind the answer 101: bytes both ways; shutting it down tells the daemon that no input follows.
pub(crate) type Stream = TokioIo<hyper::upgrade::Upgraded>;

/// What is sent along.
pub(crate) enum Body<'a> {
    None,
    Json(&'a Value),
}

pub(super) async fn dial(host: &Host) -> Result<UnixStream, CliError> {
    UnixStream::connect(host.path())
        .await
        .map_err(|source| CliError::NoDaemon { host: host.to_string(), source })
}

impl Client {
    /// JSON as the daemon sent it.
    pub(crate) async fn get(&self, path_and_query: &str) -> Result<Value, CliError> {
        self.json(Method::GET, path_and_query, Body::None).await
    }

    /// The answer to a POST as the daemon sent it; `null` where it sent nothing.
    pub(crate) async fn post(&self, path_and_query: &str, body: Body<'_>) -> Result<Value, CliError> {
        self.json(Method::POST, path_and_query, body).await
    }

    /// The answer to a DELETE as the daemon sent it.
    pub(crate) async fn delete(&self, path_and_query: &str) -> Result<Value, CliError> {
        self.json(Method::DELETE, path_and_query, Body::None).await
    }

    async fn json(&self, method: Method, path_and_query: &str, body: Body<'_>) -> Result<Value, CliError> {
        let response = self.request(method, path_and_query, body, false).await?;
        let bytes = response.into_body().collect().await.map_err(|e| lost(&e))?.to_bytes();
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes)
            .map_err(|source| CliError::Answer { what: path_and_query.to_owned(), source })
    }

    /// A long answer, as it comes. The daemon has answered with its headers when this returns.
    pub(crate) async fn stream(&self, method: Method, path_and_query: &str) -> Result<Incoming, CliError> {
        Ok(self.request(method, path_and_query, Body::None, false).await?.into_body())
    }

    /// A long answer that is one JSON value after another.
    pub(crate) async fn json_lines(
        &self,
        method: Method,
        path_and_query: &str,
    ) -> Result<JsonLines, CliError> {
        let body = self.stream(method, path_and_query).await?;
        Ok(JsonLines { body, buffer: BytesMut::new() })
    }

    /// Turns the connection into a plain stream of bytes.
    pub(crate) async fn upgrade(&self, path_and_query: &str, body: Body<'_>) -> Result<Stream, CliError> {
        let response = self.request(Method::POST, path_and_query, body, true).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(CliError::NoUpgrade { status: response.status().as_u16() });
        }
        Ok(TokioIo::new(hyper::upgrade::on(response).await.map_err(|e| lost(&e))?))
    }

    async fn request(
        &self,
        method: Method,
        path_and_query: &str,
        body: Body<'_>,
        upgrade: bool,
    ) -> Result<Response<Incoming>, CliError> {
        let io = TokioIo::new(dial(&self.host).await?);
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(io).await.map_err(|e| lost(&e))?;
        tokio::spawn(connection.with_upgrades());
        let version = API_VERSION;
        let uri = format!("/v{}.{}{path_and_query}", version.major_version, version.minor_version);
        let mut request = Request::builder().method(method).uri(uri).header(HOST, "pontoon");
        if upgrade {
            request = request.header(CONNECTION, "Upgrade").header(UPGRADE, "tcp");
        }
        let content = match body {
            Body::None => Bytes::new(),
            Body::Json(value) => {
                request = request.header(CONTENT_TYPE, "application/json");
                Bytes::from(value.to_string())
            }
        };
        let request = request.body(Full::new(content)).map_err(|e| CliError::Lost(e.to_string()))?;
        let response = sender.send_request(request).await.map_err(|e| lost(&e))?;
        if response.status().is_success() || matches!(response.status().as_u16(), 101 | 304) {
            return Ok(response);
        }
        Err(refusal(response).await)
    }
}

/// The daemon's own words, where it sent any.
async fn refusal(response: Response<Incoming>) -> CliError {
    let status = response.status().as_u16();
    let bytes = match response.into_body().collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return lost(&error),
    };
    let json: Option<Value> = serde_json::from_slice(&bytes).ok();
    let message = json.as_ref().and_then(|v| v.get("message")).and_then(Value::as_str).map(str::to_owned);
    let message = message.unwrap_or_else(|| String::from_utf8_lossy(&bytes).trim().to_owned());
    CliError::Daemon { status, message }
}

fn lost(error: &hyper::Error) -> CliError {
    CliError::Lost(error.to_string())
}

/// JSON values one after another.
pub(crate) struct JsonLines {
    body: Incoming,
    buffer: BytesMut,
}

impl JsonLines {
    /// The next value; `None` when the daemon has said all.
    pub(crate) async fn next(&mut self) -> Result<Option<Value>, CliError> {
        loop {
            if let Some(value) = self.take()? {
                return Ok(Some(value));
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(frame) => {
                    if let Ok(data) = frame.map_err(|e| lost(&e))?.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
            }
        }
    }

    /// A whole value from the front of the buffer.
    fn take(&mut self) -> Result<Option<Value>, CliError> {
        let mut values = serde_json::Deserializer::from_slice(&self.buffer).into_iter::<Value>();
        match values.next() {
            None => Ok(None),
            Some(Ok(value)) => {
                let used = values.byte_offset();
                let _ = self.buffer.split_to(used);
                Ok(Some(value))
            }
            Some(Err(error)) if error.is_eof() => Ok(None),
            Some(Err(source)) => Err(CliError::Answer { what: "a stream".to_owned(), source }),
        }
    }
}
