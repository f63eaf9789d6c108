//! Bodies and queries of requests, read as Docker's daemon reads them: same leniency, same complaints.

use axum::{
    extract::{FromRequest, FromRequestParts, Request, rejection::BytesRejection},
    http::{HeaderMap, header, request::Parts},
};
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::status::Failure;
use crate::error::Kind;

/// No request that is understood here is longer.
pub(super) const LIMIT: usize = 8 << 20;

/// A JSON body that must be there.
#[derive(Debug)]
pub(super) struct JsonBody<T>(pub(super) T);

/// A JSON body that must be there; fields that must be, and are not, are empty, as for Go.
#[derive(Debug)]
pub(super) struct GoJson<T>(pub(super) T);

/// A JSON body that may be missing.
#[derive(Debug)]
pub(super) struct OptionalJson<T>(pub(super) T);

/// The query string. Switches are as loose as Docker's: `1`, `true`, `True`; what is not said has its default.
#[derive(Debug)]
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let (headers, bytes) = read(request, state).await?;
        if bytes.is_empty() {
            return Err(bad("invalid JSON: got EOF while reading request body"));
        }
        json_content(&headers)?;
        parse(&bytes).map(Self)
    }
}

impl<T: DeserializeOwned + Serialize + Default, S: Send + Sync> FromRequest<S> for GoJson<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let JsonBody(mut said) = JsonBody::<Map<String, Value>>::from_request(request, state).await?;
        said.retain(|_, value| !value.is_null());
        // What may be missing in a model is not in its default.
        if let Ok(Value::Object(empty)) = serde_json::to_value(T::default()) {
            for (key, value) in empty {
                said.entry(key).or_insert(value);
            }
        }
        read_model(Value::Object(said)).map(Self)
    }
}

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalJson<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let (headers, bytes) = read(request, state).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        json_content(&headers)?;
        parse(&bytes).map(Self)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        match axum::extract::Query::try_from_uri(&parts.uri) {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(rejection) => Err(bad(rejection.body_text())),
        }
    }
}

fn bad(message: impl Into<String>) -> Failure {
    Failure::new(Kind::InvalidParameter, message)
}

async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<(HeaderMap, Bytes), Failure> {
    let headers = request.headers().clone();
    match Bytes::from_request(request, state).await {
        Ok(bytes) => Ok((headers, bytes)),
        Err(BytesRejection::FailedToBufferBody(error)) if error.status().as_u16() == 413 => {
            Err(Failure::too_large())
        }
        Err(error) => Err(bad(error.body_text())),
    }
}

fn json_content(headers: &HeaderMap) -> Result<(), Failure> {
    let Some(given) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let given = given.to_str().unwrap_or_default();
    let kind = given.split(';').next().unwrap_or_default().trim();
    if kind.is_empty() || kind.eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(bad(format!("unsupported Content-Type header ({kind}): must be 'application/json'")))
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    let mut value: Value =
        serde_json::from_slice(bytes).map_err(|error| bad(format!("invalid JSON: {error}")))?;
    if !value.is_object() {
        // The models would take a list for an object without keys.
        return Err(bad("invalid JSON: the body should be an object"));
    }
    as_go_reads(&mut value);
    read_model(value)
}

fn read_model<T: DeserializeOwned>(value: Value) -> Result<T, Failure> {
    serde_json::from_value(value).map_err(|error| bad(format!("invalid JSON: {error}")))
}

/// Evens out what Go's decoder, and Docker's own types, take and the models don't: a command that is one word instead
/// of a list, and `null` for an empty object inside an object.
fn as_go_reads(value: &mut Value) {
    let Value::Object(body) = value else { return };
    for key in ["Cmd", "Entrypoint", "Shell"] {
        if let Some(word @ Value::String(_)) = body.get_mut(key) {
            *word = Value::Array(vec![word.take()]);
        }
    }
    for path in [&["ExposedPorts"][..], &["Volumes"], &["NetworkingConfig", "EndpointsConfig"]] {
        let found = path.iter().try_fold(&mut *body, |at, key| match at.get_mut(*key) {
            Some(Value::Object(inner)) => Some(inner),
            _ => None,
        });
        for inner in found.into_iter().flat_map(Map::values_mut) {
            if inner.is_null() {
                *inner = Value::Object(Map::new());
            }
        }
    }
}

/// `1`, `true` and their like in a query; everything else, even nonsense, is true too, except what Go calls false.
pub(super) fn switch<'de, D: serde::Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    let text: String = serde::Deserialize::deserialize(from)?;
    let text = text.trim().to_ascii_lowercase();
    Ok(!matches!(text.as_str(), "" | "0" | "no" | "false" | "none"))
}

/// A number in a query; an empty one is not said.
pub(super) fn number<'de, D, N>(from: D) -> Result<Option<N>, D::Error>
where
    D: serde::Deserializer<'de>,
    N: std::str::FromStr<Err: std::fmt::Display>,
{
    let text: String = serde::Deserialize::deserialize(from)?;
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = |error| serde::de::Error::custom(format!("\"{text}\" is not a number here: {error}"));
    text.parse().map(Some).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use netd_api::models::ContainerCreateBody;

    #[test]
    fn what_go_takes_is_taken() {
        let body: ContainerCreateBody = parse(
            br#"{"Image":"host","Cmd":"ls","Entrypoint":null,"ExposedPorts":{"80/tcp":null},
                "NetworkingConfig":{"EndpointsConfig":{"web":null}},"Unknown":1,
                "HostConfig":{"MemorySwappiness":-1,"ConsoleSize":[0,0],"Binds":null,"CgroupnsMode":"",
                "RestartPolicy":{"Name":"no","MaximumRetryCount":0},"Isolation":"","LogConfig":{"Type":"","Config":{}}}}"#,
        )
        .unwrap();
        assert_eq!(body.cmd, Some(vec!["ls".to_owned()]));
        assert_eq!(body.exposed_ports, Some(vec!["80/tcp".to_owned()]));
        assert!(body.networking_config.unwrap().endpoints_config.unwrap().contains_key("web"));
    }

    #[test]
    fn a_query_reads_switches_and_numbers() {
        #[derive(serde::Deserialize, Default, PartialEq, Debug)]
        #[serde(default)]
        struct Example {
            #[serde(deserialize_with = "switch")]
            all: bool,
            #[serde(deserialize_with = "number")]
            limit: Option<i64>,
        }
        let read = |query: &str| {
            let uri = format!("/x?{query}").parse().unwrap();
            axum::extract::Query::<Example>::try_from_uri(&uri).map(|query| query.0)
        };
        for yes in ["all=1", "all=true", "all=True", "all=yes"] {
            assert!(read(yes).unwrap().all, "{yes}");
        }
        for no in ["", "all=0", "all=false", "all="] {
            assert!(!read(no).unwrap().all, "{no}");
        }
        assert_eq!(read("limit=-1").unwrap().limit, Some(-1));
        assert_eq!(read("limit=").unwrap().limit, None);
        assert!(read("limit=many").is_err());
    }
}
