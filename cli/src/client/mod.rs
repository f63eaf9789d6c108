//! The daemon's socket. Requests whose answers are typed go through bollard ([`Client::docker`]); what is shown to the
//! user as the daemon sent it, and streams, go through [`raw`], since a typed model would drop fields and order.

mod host;
mod raw;

use bollard::{ClientVersion, Docker};

use crate::error::CliError;

pub(crate) use host::{Host, HostError};
pub(crate) use raw::{Body, JsonLines, Stream};

/// The version of the Docker Engine API that this client speaks.
const API_VERSION: ClientVersion = ClientVersion { major_version: 1, minor_version: 50 };

/// A stop may wait for as long as its user says: bollard's own limit must never be what ends it.
const NO_LIMIT_SECONDS: u64 = 10 * 365 * 24 * 3600;

/// A way to the daemon. Nothing is connected before the first request, and each has a connection of its own.
#[derive(Debug)]
pub(crate) struct Client {
    host: Host,
}

impl Client {
    pub(crate) fn new(host: Host) -> Self {
        Self { host }
    }

    /// Typed requests; looks first whether somebody listens, because bollard does not say why nobody does.
    pub(crate) async fn docker(&self) -> Result<Docker, CliError> {
        raw::dial(&self.host).await?;
        let path = self.host.path().to_string_lossy();
        Ok(Docker::connect_with_unix(&path, NO_LIMIT_SECONDS, &API_VERSION)?)
    }
}

/// A piece of a path or query, percent-encoded.
pub(crate) fn query_escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// A query of what is given, with `?` before it; empty if nothing is.
pub(crate) fn query(pairs: &[(&str, Option<String>)]) -> String {
    let given = pairs.iter().filter_map(|(key, value)| Some((key, value.as_ref()?)));
    let parts: Vec<String> = given.map(|(key, value)| format!("{key}={}", query_escape(value))).collect();
    if parts.is_empty() { String::new() } else { format!("?{}", parts.join("&")) }
}

/// `Some("1")` where it is set: how the API writes flags.
pub(crate) fn flag(set: bool) -> Option<String> {
    set.then(|| "1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_holds_what_is_given() {
        assert_eq!(query(&[("a", None)]), "");
        assert_eq!(
            query(&[("a", flag(true)), ("b", flag(false)), ("c", Some("x y/ü".to_owned()))]),
            "?a=1&c=x%20y%2F%C3%BC"
        );
    }
}
