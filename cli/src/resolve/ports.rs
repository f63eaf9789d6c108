//! `-p`, `--expose`: to the ports and bindings of a request. The grammar itself is libnet's.

use std::collections::HashMap;

use bollard::models::PortBinding;
use libnet::ports::HostPort;
use libnet::types::{PortRange, Proto};

use super::Invalid;

/// Bindings by container port, such as `80/tcp`.
pub(crate) type Bindings = HashMap<String, Option<Vec<PortBinding>>>;

/// The ports that are served and how they are published; exposed ones in order, each once.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Ports {
    pub(crate) exposed: Vec<String>,
    pub(crate) bindings: Bindings,
}

pub(crate) fn ports(publish: &[String], expose: &[String]) -> Result<Ports, Invalid> {
    let mut ports = Ports::default();
    for text in publish {
        for parsed in libnet::ports::parse_publish(text).map_err(|error| Invalid(error.to_string()))? {
            let request = parsed.request;
            let key = format!("{}/{}", request.container, request.proto);
            expose_one(&mut ports.exposed, &key);
            let binding = PortBinding {
                host_ip: Some(request.host_ip.map(|ip| ip.to_string()).unwrap_or_default()),
                host_port: Some(host_port(request.host)),
            };
            ports.bindings.entry(key).or_default().get_or_insert_default().push(binding);
        }
    }
    for text in expose {
        for key in exposed(text)? {
            expose_one(&mut ports.exposed, &key);
        }
    }
    Ok(ports)
}

fn expose_one(exposed: &mut Vec<String>, key: &str) {
    if !exposed.iter().any(|known| known == key) {
        exposed.push(key.to_owned());
    }
}

fn host_port(port: HostPort) -> String {
    match port {
        // Nobody writes the last: it is what a routed network makes of the others.
        HostPort::Ephemeral | HostPort::Direct => String::new(),
        HostPort::Exactly(port) => port.to_string(),
        HostPort::OneOf(range) => range.to_string(),
    }
}

/// `--expose port[-port][/proto]`.
fn exposed(text: &str) -> Result<Vec<String>, Invalid> {
    if text.contains(':') {
        return Err(Invalid(format!("invalid port format for --expose: {text}")));
    }
    let (range, proto) = text.split_once('/').unwrap_or((text, "tcp"));
    let wrong =
        |reason: String| Invalid(format!("invalid range format for --expose: {text}, error: {reason}"));
    let proto: Proto = proto.parse().map_err(|_| wrong(format!("invalid proto: {proto}")))?;
    for end in range.split('-') {
        if end.parse::<u16>().is_err() {
            return Err(wrong(format!("strconv.ParseUint: parsing {end:?}: invalid syntax")));
        }
    }
    let range: PortRange = range.parse().map_err(|_| wrong("invalid range specified for port".to_owned()))?;
    Ok(range.iter().map(|port| format!("{port}/{proto}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(items: &[&str]) -> Vec<String> {
        items.iter().map(|i| (*i).to_owned()).collect()
    }

    #[test]
    fn published_ports_are_exposed_too() {
        let ports = ports(&list(&["8080:80", "127.0.0.1::53/udp"]), &list(&["80", "9000-9001"])).unwrap();
        assert_eq!(ports.exposed, ["80/tcp", "53/udp", "9000/tcp", "9001/tcp"]);
        let bound = |key: &str| ports.bindings[key].clone().unwrap().remove(0);
        assert_eq!(bound("80/tcp").host_port.as_deref(), Some("8080"));
        assert_eq!(bound("80/tcp").host_ip.as_deref(), Some(""));
        assert_eq!(bound("53/udp").host_ip.as_deref(), Some("127.0.0.1"));
        assert_eq!(bound("53/udp").host_port.as_deref(), Some(""));
    }

    #[test]
    fn a_bad_port_has_docker_s_text() {
        let publish = [
            ("99999:80", "invalid hostPort: 99999"),
            ("a", "invalid containerPort: a"),
            ("80-82:1-2", "invalid ranges specified for container and host Ports: 1-2 and 80-82"),
            ("80/foo", "invalid proto: foo"),
            ("1.2.3:1:2", "invalid IP address: 1.2.3"),
        ];
        for (text, expected) in publish {
            assert_eq!(ports(&list(&[text]), &[]).unwrap_err().0, expected, "{text}");
        }
        let expected =
            "invalid range format for --expose: a, error: strconv.ParseUint: parsing \"a\": invalid syntax";
        assert_eq!(ports(&[], &list(&["a"])).unwrap_err().0, expected);
    }
}
