//! What users write after `-p`: `[ip:][host port or range]:container port or range[/proto]`, or the long form
//! `published=8080,target=80,protocol=tcp`. Splitting and texts are Docker's (`nat.ParsePortSpec` of go-connections,
//! `convertToStandardNotation` of its CLI).

use std::{collections::HashMap, net::IpAddr};

use super::{HostPort, PortRequest};
use crate::types::{PortRange, Proto};

/// One port of what a user wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParsedPort {
    /// What is asked for.
    pub request: PortRequest,
}

/// A text that publishes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// A field of the long form without name or value.
    #[error("invalid publish opts format (should be name=value but got '{0}')")]
    Field(String),
    /// No address of either family.
    #[error("invalid IP address: {0}")]
    Address(String),
    /// A bracket that isn't closed.
    #[error("invalid IP address {0}: address {0}:: missing ']' in address")]
    Bracket(String),
    /// Nothing behind the last colon.
    #[error("no port specified: {0}<empty>")]
    NoPort(String),
    /// The port of the container is none.
    #[error("invalid containerPort: {0}")]
    Container(String),
    /// The port of the host is none.
    #[error("invalid hostPort: {0}")]
    Host(String),
    /// Ranges of different length.
    #[error("invalid ranges specified for container and host Ports: {container} and {host}")]
    Ranges {
        /// The container's.
        container: String,
        /// The host's.
        host: String,
    },
    /// Neither tcp, udp nor sctp.
    #[error("invalid proto: {0}")]
    Proto(String),
}

/// Reads what stands after `-p`.
///
/// # Errors
/// If it makes no sense, in Docker's words.
///
/// ```
/// let ports = libnet::ports::parse_publish("127.0.0.1:8080-8081:80-81/udp").unwrap();
/// assert_eq!(ports.len(), 2);
/// ```
pub fn parse_publish(text: &str) -> Result<Vec<ParsedPort>, PublishError> {
    if text.contains('=') { parse_short(&short_form(text)?) } else { parse_short(text) }
}

/// The long form in the short one's notation. Other names are left out, as Docker's CLI does.
fn short_form(text: &str) -> Result<String, PublishError> {
    let mut fields = HashMap::from([("protocol", "tcp")]);
    for field in text.split(',') {
        let wrong = || PublishError::Field(field.to_owned());
        let (name, value) = field.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(wrong)?;
        fields.insert(name, value);
    }
    let field = |name| fields.get(name).copied().unwrap_or_default();
    Ok(format!("{}:{}/{}", field("published"), field("target"), field("protocol")))
}

fn parse_short(text: &str) -> Result<Vec<ParsedPort>, PublishError> {
    let (ip, host, container) = split(text);
    let (container, proto) = split_proto(container);
    let host_ip = address(ip)?;
    if container.is_empty() {
        return Err(PublishError::NoPort(text.to_owned()));
    }
    let ports: PortRange = container.parse().map_err(|_| PublishError::Container(container.to_owned()))?;
    let hosts = host_range(host)?;
    let single = ports.count() == 1;
    if !host.is_empty() && !single && hosts.map_or(1, PortRange::count) != ports.count() {
        return Err(PublishError::Ranges { container: container.to_owned(), host: host.to_owned() });
    }
    let proto: Proto = proto.parse().map_err(|_| PublishError::Proto(proto.to_owned()))?;
    let request = |container, host| ParsedPort { request: PortRequest { host_ip, host, container, proto } };
    Ok(match hosts {
        None => ports.iter().map(|port| request(port, HostPort::Ephemeral)).collect(),
        Some(range) if single && range.count() > 1 => vec![request(ports.first(), HostPort::OneOf(range))],
        Some(range) => {
            let pairs = ports.iter().zip(range.iter());
            pairs.map(|(port, host)| request(port, HostPort::Exactly(host))).collect()
        }
    })
}

/// Address, port of the host, port of the container: the last two colons count.
fn split(text: &str) -> (&str, &str, &str) {
    let Some((rest, container)) = text.rsplit_once(':') else { return ("", "", text) };
    match rest.rsplit_once(':') {
        Some((ip, host)) => (ip, host, container),
        None => ("", rest, container),
    }
}

fn split_proto(container: &str) -> (&str, &str) {
    match container.split('/').collect::<Vec<_>>().as_slice() {
        [port, proto, ..] if !proto.is_empty() && !port.is_empty() => (port, proto),
        [port, ..] => (port, "tcp"),
        [] => ("", "tcp"),
    }
}

fn address(text: &str) -> Result<Option<IpAddr>, PublishError> {
    if text.is_empty() {
        return Ok(None);
    }
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').ok_or_else(|| PublishError::Bracket(text.to_owned()))?,
        None => text,
    };
    let ip: IpAddr = bare.parse().map_err(|_| PublishError::Address(bare.to_owned()))?;
    Ok(Some(ip.to_canonical()))
}

/// `None`: any free port, written as nothing or as zero.
fn host_range(text: &str) -> Result<Option<PortRange>, PublishError> {
    let is_zero = !text.is_empty() && text.bytes().all(|byte| byte == b'0');
    if text.is_empty() || is_zero {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| PublishError::Host(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::types::Port;

    fn texts(text: &str) -> String {
        match parse_publish(text) {
            Ok(ports) => ports.iter().map(|port| one(&port.request)).collect::<Vec<_>>().join(" "),
            Err(error) => format!("error: {error}"),
        }
    }

    fn one(request: &PortRequest) -> String {
        let host = match request.host {
            HostPort::Ephemeral => "*".to_owned(),
            HostPort::Exactly(port) => port.to_string(),
            HostPort::OneOf(range) => format!("[{range}]"),
            HostPort::Direct => "none".to_owned(),
        };
        let ip = request.host_ip.map_or("any".to_owned(), |ip| ip.to_string());
        format!("{ip},{host}->{}/{}", request.container, request.proto)
    }

    #[test]
    fn every_form() {
        let table = [
            ("80", "any,*->80/tcp"),
            ("80/udp", "any,*->80/udp"),
            ("80/", "any,*->80/tcp"),
            ("80/TCP", "any,*->80/tcp"),
            (":80", "any,*->80/tcp"),
            ("0:80", "any,*->80/tcp"),
            ("8080:80", "any,8080->80/tcp"),
            ("8080:80/sctp", "any,8080->80/sctp"),
            ("8080-8082:80", "any,[8080-8082]->80/tcp"),
            ("8080-8081:80-81", "any,8080->80/tcp any,8081->81/tcp"),
            ("80-81", "any,*->80/tcp any,*->81/tcp"),
            ("127.0.0.1:8080:80", "127.0.0.1,8080->80/tcp"),
            ("127.0.0.1::80", "127.0.0.1,*->80/tcp"),
            ("0.0.0.0:8080:80", "0.0.0.0,8080->80/tcp"),
            ("[::]:8080:80", "::,8080->80/tcp"),
            ("[::1]::80/udp", "::1,*->80/udp"),
            ("::1:8080:80", "::1,8080->80/tcp"),
            ("::ffff:192.0.2.1:8080:80", "192.0.2.1,8080->80/tcp"),
            ("published=8080,target=80", "any,8080->80/tcp"),
            ("target=53,protocol=udp", "any,*->53/udp"),
            ("published=8080,target=80,mode=host,x=y", "any,8080->80/tcp"),
            ("published=8080-8081,target=80-81", "any,8080->80/tcp any,8081->81/tcp"),
        ];
        for (text, expected) in table {
            assert_eq!(texts(text), expected, "{text}");
        }
    }

    #[test]
    fn refusals_in_docker_s_words() {
        let table = [
            ("", "no port specified: <empty>"),
            ("8080:", "no port specified: 8080:<empty>"),
            ("a", "invalid containerPort: a"),
            ("0", "invalid containerPort: 0"),
            ("65536", "invalid containerPort: 65536"),
            ("81-80", "invalid containerPort: 81-80"),
            ("a:80", "invalid hostPort: a"),
            ("99999:80", "invalid hostPort: 99999"),
            ("8081-8080:80", "invalid hostPort: 8081-8080"),
            ("8080-8083:80-81", "invalid ranges specified for container and host Ports: 80-81 and 8080-8083"),
            ("8080:80-81", "invalid ranges specified for container and host Ports: 80-81 and 8080"),
            ("0:80-81", "invalid ranges specified for container and host Ports: 80-81 and 0"),
            ("8080:80/icmp", "invalid proto: icmp"),
            ("x:8080:80", "invalid IP address: x"),
            ("1.2.3:8080:80", "invalid IP address: 1.2.3"),
            ("[::1:8080:80", "invalid IP address [::1: address [::1:: missing ']' in address"),
            ("a=", "no port specified: :/tcp<empty>"),
            ("=80", "invalid publish opts format (should be name=value but got '=80')"),
            ("target=80,x", "invalid publish opts format (should be name=value but got 'x')"),
        ];
        for (text, expected) in table {
            assert_eq!(texts(text), format!("error: {expected}"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[0-9a-z:/=,.\\[\\]-]{0,30}|\\PC{0,30}") {
            if let Ok(ports) = parse_publish(&text) {
                prop_assert!(!ports.is_empty());
            }
        }

        #[test]
        fn ranges_go_side_by_side(host in 1..60_000u16, container in 1..60_000u16, more in 1..50u16) {
            let text = format!("{host}-{}:{container}-{}", host + more, container + more);
            let ports = parse_publish(&text).unwrap();
            prop_assert_eq!(ports.len(), usize::from(more) + 1);
            for (index, port) in (0..).zip(ports) {
                prop_assert_eq!(port.request.host, HostPort::Exactly(Port::new(host + index).unwrap()));
                prop_assert_eq!(port.request.container.get(), container + index);
            }
        }
    }
}
