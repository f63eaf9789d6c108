//! `HostConfig.PortBindings` of a container that exists already: bindings come and go. Pure.

use std::{collections::BTreeSet, net::IpAddr};

use libnet::{
    ports::{HostPort, PortRequest, PublishedPort},
    types::Port,
};
use netd_api::models::{PortBinding, PortMap};

use super::{
    ContainerError,
    create::ports::{Exposed, host_ip, host_port, port},
};

/// What is to become of a container's bindings.
#[derive(Clone, Debug, PartialEq)]
pub enum PortsAsk {
    /// These come.
    Add(PortMap),
    /// Those that look like these go; what a binding leaves empty may be anything.
    Remove(PortMap),
}

/// Changes the bindings of container `name`, whose ports are published as `live` says. Those come back that go by a number
/// which was any: who asked for any as well is to keep its own ([`keep`]).
pub(super) fn change(
    bindings: &mut PortMap,
    ask: PortsAsk,
    live: &[PublishedPort],
    name: &str,
) -> Result<Vec<PublishedPort>, ContainerError> {
    let mut gone = Vec::new();
    match ask {
        PortsAsk::Add(more) => {
            for (key, more) in more {
                let here = bindings.entry(normal(port(&key)?)).or_default().get_or_insert_default();
                here.extend(more.unwrap_or_default());
            }
        }
        PortsAsk::Remove(all) => {
            for (key, patterns) in all {
                gone.extend(remove(bindings, port(&key)?, patterns.as_deref(), live, name)?);
            }
        }
    }
    Ok(gone)
}

/// Makes what `-P` publishes bindings like others, so that each can go without the rest.
pub(super) fn spell_out(bindings: &mut PortMap, exposed: &BTreeSet<Exposed>) {
    for port in exposed {
        let here = bindings.entry(normal(*port)).or_default().get_or_insert_default();
        if here.is_empty() {
            here.push(PortBinding { host_ip: None, host_port: None });
        }
    }
}

/// Gives each request that takes any number, or any of some, the number that it has among `live`; those that are `gone`
/// are nobody's.
pub(super) fn keep(requests: &mut [PortRequest], live: &[PublishedPort], gone: &[PublishedPort]) {
    let mut free: Vec<&PublishedPort> = live.iter().filter(|port| !gone.contains(port)).collect();
    // As they got them: who has the least choice first.
    let mut by_choice: Vec<&mut PortRequest> = requests.iter_mut().collect();
    by_choice.sort_by_key(|request| choice(request.host, request.host_ip));
    for request in by_choice {
        let is_own = |port: &PublishedPort| {
            (port.container, port.proto) == (request.container, request.proto)
                && request.host_ip.is_none_or(|ip| ip == port.host_ip)
                && port.host_port.is_some_and(|number| may_be(request.host, number))
        };
        if let Some(number) = free.iter().find(|port| is_own(port)).and_then(|port| port.host_port) {
            free.retain(|port| !(is_own(port) && port.host_port == Some(number)));
            request.host = HostPort::Exactly(number);
        }
    }
}

fn remove(
    bindings: &mut PortMap,
    inside: Exposed,
    patterns: Option<&[PortBinding]>,
    live: &[PublishedPort],
    name: &str,
) -> Result<Vec<PublishedPort>, ContainerError> {
    let key = normal(inside);
    let any = [PortBinding { host_ip: None, host_port: None }];
    let patterns = patterns.filter(|patterns| !patterns.is_empty()).unwrap_or(&any);
    let here = bindings.entry(key.clone()).or_default().get_or_insert_default();
    let mut gone = Vec::new();
    for pattern in patterns {
        let before = here.len();
        here.retain(|binding| !is_like(binding, pattern));
        if here.len() < before {
            continue;
        }
        let numbered = take_numbered(here, inside, pattern, live);
        if numbered.is_empty() {
            let host = [said(pattern.host_ip.as_ref()), said(pattern.host_port.as_ref())];
            let host: Vec<&str> = host.into_iter().filter(|text| !text.is_empty()).collect();
            let port = if host.is_empty() { key } else { format!("{}:{key}", host.join(":")) };
            return Err(ContainerError::Missing(format!("No public port '{port}' published for {name}")));
        }
        gone.extend(numbered);
    }
    bindings.retain(|_, here| here.as_ref().is_none_or(|here| !here.is_empty()));
    Ok(gone)
}

fn is_like(binding: &PortBinding, pattern: &PortBinding) -> bool {
    let like = |wanted: Option<&String>, found: Option<&String>| {
        said(wanted).is_empty() || said(wanted) == said(found)
    };
    like(pattern.host_ip.as_ref(), binding.host_ip.as_ref())
        && like(pattern.host_port.as_ref(), binding.host_port.as_ref())
}

/// Takes out the bindings that got the number of a pattern, though they don't name it; what is published by them.
fn take_numbered(
    here: &mut Vec<PortBinding>,
    (container, proto): Exposed,
    pattern: &PortBinding,
    live: &[PublishedPort],
) -> Vec<PublishedPort> {
    let Ok(HostPort::Exactly(number)) = host_port(pattern) else { return Vec::new() };
    let is_it = |port: &&PublishedPort| {
        (port.container, port.proto, port.host_port) == (container, proto, Some(number))
    };
    let (mut left, mut gone): (Vec<PublishedPort>, _) =
        (live.iter().filter(is_it).copied().collect(), Vec::new());
    while let Some(index) = place_of(here, pattern, &left) {
        let binding = here.remove(index);
        gone.extend(left.extract_if(.., |port| got(&binding, port)));
    }
    gone
}

/// The binding that got one of these ports: of several the one that had the least choice.
fn place_of(bindings: &[PortBinding], pattern: &PortBinding, ports: &[PublishedPort]) -> Option<usize> {
    let wanted = said(pattern.host_ip.as_ref());
    let is_it = |binding: &PortBinding| {
        (wanted.is_empty() || wanted == said(binding.host_ip.as_ref()))
            && ports.iter().any(|port| got(binding, port))
    };
    let choice_of = |binding: &PortBinding| {
        choice(host_port(binding).unwrap_or(HostPort::Direct), host_ip(binding).ok().flatten())
    };
    let fitting = bindings.iter().enumerate().filter(|(_, binding)| is_it(binding));
    fitting.min_by_key(|(_, binding)| choice_of(binding)).map(|(index, _)| index)
}

/// Whether a binding may have got a port.
fn got(binding: &PortBinding, port: &PublishedPort) -> bool {
    let ip = host_ip(binding).ok().flatten();
    let host = host_port(binding).unwrap_or(HostPort::Direct);
    ip.is_none_or(|ip| ip == port.host_ip) && port.host_port.is_some_and(|number| may_be(host, number))
}

/// How much choice a request leaves, in numbers and in addresses.
const fn choice(host: HostPort, ip: Option<IpAddr>) -> (u8, bool) {
    let numbers = match host {
        HostPort::Exactly(_) | HostPort::Direct => 0,
        HostPort::OneOf(_) => 1,
        HostPort::Ephemeral => 2,
    };
    (numbers, ip.is_none())
}

/// Whether a request may have got this number.
fn may_be(host: HostPort, number: Port) -> bool {
    match host {
        HostPort::Ephemeral => true,
        HostPort::OneOf(range) => range.iter().any(|port| port == number),
        HostPort::Exactly(port) => port == number,
        HostPort::Direct => false,
    }
}

fn said(text: Option<&String>) -> &str {
    text.map(String::as_str).unwrap_or_default()
}

/// `80` is `80/tcp`.
fn normal((number, proto): Exposed) -> String {
    format!("{number}/{proto}")
}

#[cfg(test)]
mod tests {
    use libnet::types::Proto;

    use super::*;

    fn map(value: serde_json::Value) -> PortMap {
        serde_json::from_value(value).unwrap()
    }

    fn at(ip: &str, number: u16) -> PublishedPort {
        PublishedPort {
            host_ip: ip.parse().unwrap(),
            host_port: Port::new(number),
            container: Port::new(80).unwrap(),
            proto: Proto::Tcp,
        }
    }

    #[test]
    fn bindings_come_and_go() {
        let mut bindings = map(serde_json::json!({"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}));
        let more = serde_json::json!({"80": [{"HostIp": "127.0.0.1", "HostPort": "9090"}], "53/udp": [{}]});
        change(&mut bindings, PortsAsk::Add(map(more)), &[], "web").unwrap();
        let expected = serde_json::json!({
            "80/tcp": [{"HostIp": "", "HostPort": "8080"}, {"HostIp": "127.0.0.1", "HostPort": "9090"}],
            "53/udp": [{}],
        });
        assert_eq!(bindings, map(expected));

        let mut go = |value| change(&mut bindings, PortsAsk::Remove(map(value)), &[], "web");
        go(serde_json::json!({"53/udp": null})).unwrap();
        go(serde_json::json!({"80/tcp": [{"HostPort": "9090"}]})).unwrap();
        let error =
            go(serde_json::json!({"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]})).unwrap_err();
        assert_eq!(error.to_string(), "No public port '127.0.0.1:8080:80/tcp' published for web");
        let error = go(serde_json::json!({"81": []})).unwrap_err();
        assert_eq!(error.to_string(), "No public port '81/tcp' published for web");
        assert!(go(serde_json::json!({"80/icmp": []})).is_err());
        go(serde_json::json!({"80/tcp": []})).unwrap();
        assert!(bindings.is_empty());
    }

    #[test]
    fn what_was_published_with_all_goes_alone() {
        let mut bindings = map(serde_json::json!({"80/tcp": [{"HostPort": "8080"}], "81/tcp": null}));
        let exposed = [80, 81, 82].map(|number| (Port::new(number).unwrap(), Proto::Tcp));
        spell_out(&mut bindings, &exposed.into());
        change(&mut bindings, PortsAsk::Remove(map(serde_json::json!({"81": []}))), &[], "web").unwrap();
        let left = serde_json::json!({"80/tcp": [{"HostPort": "8080"}], "82/tcp": [{}]});
        assert_eq!(bindings, map(left));
    }

    #[test]
    fn a_number_that_was_any_is_known() {
        let live = [at("0.0.0.0", 32_768), at("::", 32_768), at("127.0.0.1", 32_769), at("0.0.0.0", 8003)];
        let bound = serde_json::json!({"80/tcp": [
            {"HostIp": "", "HostPort": ""},
            {"HostIp": "127.0.0.1", "HostPort": "0"},
            {"HostIp": "", "HostPort": "8000-8010"},
        ]});
        let left = |pattern: serde_json::Value| {
            let mut bindings = map(bound.clone());
            let gone = change(
                &mut bindings,
                PortsAsk::Remove(map(serde_json::json!({"80": [pattern]}))),
                &live,
                "web",
            );
            let here = bindings["80/tcp"].clone().unwrap_or_default();
            let hosts: Vec<String> =
                here.iter().map(|binding| said(binding.host_port.as_ref()).to_owned()).collect();
            gone.map(|gone| (hosts.join(" "), gone.len())).map_err(|error| error.to_string())
        };
        assert_eq!(left(serde_json::json!({"HostPort": "32768"})), Ok(("0 8000-8010".to_owned(), 2)));
        assert_eq!(left(serde_json::json!({"HostPort": "32769"})), Ok((" 8000-8010".to_owned(), 1)));
        assert_eq!(left(serde_json::json!({"HostPort": "8003"})), Ok((" 0".to_owned(), 1)));
        // Those that differ in their address alone have one number.
        let one = [at("127.0.0.1", 32_770), at("192.0.2.1", 32_770), at("0.0.0.0", 32_771)];
        let bound =
            map(serde_json::json!({"80/tcp": [{"HostIp": "127.0.0.1"}, {"HostIp": "192.0.2.1"}, {}]}));
        for (ip, left, gone) in [("", 1, 2), ("192.0.2.1", 2, 1)] {
            let mut bindings = bound.clone();
            let pattern = map(serde_json::json!({"80": [{"HostIp": ip, "HostPort": "32770"}]}));
            let went = change(&mut bindings, PortsAsk::Remove(pattern), &one, "web").unwrap();
            assert_eq!((bindings["80/tcp"].as_ref().unwrap().len(), went.len()), (left, gone), "{ip}");
        }
        for (ip, port) in [("", "32770"), ("127.0.0.1", "32768"), ("", "8004")] {
            left(serde_json::json!({"HostIp": ip, "HostPort": port})).unwrap_err();
        }
    }

    #[test]
    fn who_has_any_number_keeps_its_own() {
        let any = |ip: &str| PortRequest {
            host_ip: ip.parse().ok(),
            host: HostPort::Ephemeral,
            container: Port::new(80).unwrap(),
            proto: Proto::Tcp,
        };
        let live = [at("0.0.0.0", 1), at("0.0.0.0", 2), at("127.0.0.1", 3), at("::", 2), at("0.0.0.0", 4)];
        let exactly = PortRequest { host: HostPort::Exactly(Port::new(4).unwrap()), ..any("") };
        let mut requests = [any(""), any("127.0.0.1"), exactly, any("")];
        keep(&mut requests, &live, &[at("0.0.0.0", 1)]);
        let numbers = requests.map(|request| match request.host {
            HostPort::Exactly(port) => port.get(),
            _ => 0,
        });
        assert_eq!(numbers, [2, 3, 4, 0]);
    }
}
