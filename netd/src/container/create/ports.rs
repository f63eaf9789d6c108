//! Published and exposed ports: `PortBindings`, `PublishAllPorts` and `ExposedPorts` into port requests.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use libnet::{
    ports::{HostPort, PortRequest},
    types::{Port, PortRange, Proto},
};
use netd_api::models;

use crate::container::{ContainerError, error::invalid, folded::Folded};

/// A port of a container.
pub(in crate::container) type Exposed = (Port, Proto);

/// What is to be published, and all ports that are shown: exposed ones and published ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::container) struct Ports {
    pub(in crate::container) requests: Vec<PortRequest>,
    pub(in crate::container) exposed: BTreeSet<Exposed>,
}

/// Reads what a request says about ports.
pub(in crate::container) fn read(
    config: &Folded<models::ContainerConfig>,
    host: &Folded<models::HostConfig>,
) -> Result<Ports, ContainerError> {
    let mut exposed = BTreeSet::new();
    for text in config.ports().iter().flatten() {
        exposed.extend(range(text)?);
    }
    // Sorted: the same request must give the same ports at every start.
    let mut requests = Vec::new();
    let bindings: BTreeMap<_, _> = host.ports().into_iter().flatten().collect();
    for (key, bindings) in bindings {
        let (container, proto) = port(&key)?;
        exposed.insert((container, proto));
        for binding in bindings.iter().flatten() {
            let (host_ip, host) = (host_ip(binding)?, host_port(binding)?);
            requests.push(PortRequest { host_ip, host, container, proto });
        }
    }
    if host.publish_all_ports == Some(true) {
        let bound: BTreeSet<_> = requests.iter().map(|request| (request.container, request.proto)).collect();
        let free = exposed.difference(&bound);
        requests.extend(free.map(|&(container, proto)| PortRequest {
            host_ip: None,
            host: HostPort::Ephemeral,
            container,
            proto,
        }));
    }
    Ok(Ports { requests, exposed })
}

/// `80`, `80/tcp`.
pub(in crate::container) fn port(text: &str) -> Result<Exposed, ContainerError> {
    let (number, proto) = text.split_once('/').unwrap_or((text, "tcp"));
    let wrong = |error: &dyn std::fmt::Display| {
        ContainerError::Invalid(format!("invalid port specification: \"{text}\": {error}"))
    };
    Ok((number.parse().map_err(|error| wrong(&error))?, proto.parse().map_err(|error| wrong(&error))?))
}

/// `80/tcp`, `8000-8010/udp`.
fn range(text: &str) -> Result<Vec<Exposed>, ContainerError> {
    let (numbers, proto) = text.split_once('/').unwrap_or((text, "tcp"));
    let wrong = |error: &dyn std::fmt::Display| {
        ContainerError::Invalid(format!("invalid port specification: \"{text}\": {error}"))
    };
    let proto: Proto = proto.parse().map_err(|error| wrong(&error))?;
    let ports: PortRange = numbers.parse().map_err(|error| wrong(&error))?;
    Ok(ports.iter().map(|port| (port, proto)).collect())
}

/// The address of the host; `None`: all of them, or where the network says.
pub(in crate::container) fn host_ip(binding: &models::PortBinding) -> Result<Option<IpAddr>, ContainerError> {
    let text = binding.host_ip.as_deref().unwrap_or_default();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    match bare {
        "" => Ok(None),
        _ => match bare.parse::<IpAddr>() {
            // `::ffff:192.0.2.1` is an address of IPv4, as in `-p`.
            Ok(ip) => Ok(Some(ip.to_canonical())),
            Err(_) => invalid(format!("invalid IP address: {text}")),
        },
    }
}

/// The port of the host.
pub(in crate::container) fn host_port(binding: &models::PortBinding) -> Result<HostPort, ContainerError> {
    let text = binding.host_port.as_deref().unwrap_or_default();
    match text {
        "" | "0" => Ok(HostPort::Ephemeral),
        _ => match text.parse::<PortRange>() {
            Ok(range) if range.count() == 1 => Ok(HostPort::Exactly(range.first())),
            Ok(range) => Ok(HostPort::OneOf(range)),
            Err(_) => invalid(format!("invalid port specification: \"{text}\"")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(config: serde_json::Value, host: serde_json::Value) -> Result<Ports, ContainerError> {
        read(&serde_json::from_value(config).unwrap(), &serde_json::from_value(host).unwrap())
    }

    fn number(port: u16) -> Port {
        Port::new(port).unwrap()
    }

    #[test]
    fn bindings_become_requests() {
        let host = serde_json::json!({"PortBindings": {
            "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}, {"HostIp": "[::1]", "HostPort": ""}],
            "53/udp": [{"HostPort": "5000-5010"}],
            "9/sctp": null,
            "90/tcp": [{"HostIp": "::ffff:127.0.0.1", "HostPort": "9090"}],
        }});
        let ports = ask(serde_json::json!({"ExposedPorts": {"7000-7001/tcp": {}}}), host).unwrap();
        assert_eq!(ports.exposed.len(), 6);
        let seen: Vec<_> =
            ports.requests.iter().map(|port| (port.container.get(), port.host_ip, port.host)).collect();
        let range = PortRange::new(number(5000), number(5010)).unwrap();
        assert_eq!(
            seen,
            [
                (53, None, HostPort::OneOf(range)),
                (80, Some("127.0.0.1".parse().unwrap()), HostPort::Exactly(number(8080))),
                (80, Some("::1".parse().unwrap()), HostPort::Ephemeral),
                (90, Some("127.0.0.1".parse().unwrap()), HostPort::Exactly(number(9090))),
            ]
        );
    }

    #[test]
    fn all_means_what_is_exposed_and_not_published_yet() {
        let host =
            serde_json::json!({"PublishAllPorts": true, "PortBindings": {"80/tcp": [{"HostPort": "1"}]}});
        let ports = ask(serde_json::json!({"ExposedPorts": {"80/tcp": {}, "81/tcp": {}}}), host).unwrap();
        let seen: Vec<_> = ports.requests.iter().map(|port| (port.container.get(), port.host)).collect();
        assert_eq!(seen, [(80, HostPort::Exactly(number(1))), (81, HostPort::Ephemeral)]);
    }

    #[test]
    fn what_is_no_port_is_refused() {
        for host in [
            serde_json::json!({"PortBindings": {"0/tcp": []}}),
            serde_json::json!({"PortBindings": {"80/icmp": []}}),
            serde_json::json!({"PortBindings": {"80/tcp": [{"HostPort": "70000"}]}}),
            serde_json::json!({"PortBindings": {"80/tcp": [{"HostPort": "90-80"}]}}),
            serde_json::json!({"PortBindings": {"80/tcp": [{"HostIp": "1.2.3", "HostPort": "80"}]}}),
        ] {
            assert!(ask(serde_json::json!({}), host.clone()).is_err(), "{host}");
        }
    }
}
