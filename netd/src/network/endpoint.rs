//! What an endpoint may ask for, and what it looks like: pure functions of a network and an ask.

use libnet::{
    host::DefaultRoute,
    types::{ContainerId, IfName},
};

use super::{
    Chosen, EndpointAsk, EndpointView, NetworkError, Problems,
    record::{EndpointRecord, NetworkRecord, SubnetRecord},
};

/// The name of the interface inside.
pub(super) const IFNAME: &str = "com.docker.network.endpoint.ifname";
/// Said by clients that also say it elsewhere; both are known from the ask.
const SAID_ELSEWHERE: [&str; 2] =
    ["com.docker.network.endpoint.exposedports", "com.docker.network.endpoint.macaddress"];

/// Whether the network can take such an endpoint.
pub(super) fn check(network: &NetworkRecord, ask: &EndpointAsk) -> Result<(), NetworkError> {
    if network.template().is_some() {
        return Err(NetworkError::TemplateOnly(network.name.clone()));
    }
    let mut problems = Problems::default();
    let user_defined = !network.default;
    if !user_defined && (ask.v4.is_some() || ask.v6.is_some()) {
        problems.push("user specified IP address is supported on user defined networks only");
    } else {
        check_address(network.v4.as_ref(), ask.v4.map(Into::into), &mut problems);
        check_address(network.v6.as_ref(), ask.v6.map(Into::into), &mut problems);
    }
    if !user_defined && !ask.aliases.is_empty() {
        problems.push("network-scoped alias is supported only for containers in user defined networks");
    }
    if !network.has_macs() && ask.mac.is_some() {
        problems.push("ipvlan interfaces do not support custom mac address assignment");
    }
    if !network.driver.attaches() && ask.mac.is_some() {
        problems.push(format!("conflicting options: mac-address and the network mode {}", network.name));
    }
    for key in ask.driver_opts.keys() {
        check_option(key, &mut problems);
    }
    problems.into_result(NetworkError::InvalidEndpoint)?;
    wanted_ifname(ask).map(|_| ())
}

fn check_address(subnet: Option<&SubnetRecord>, ip: Option<std::net::IpAddr>, problems: &mut Problems) {
    let Some(ip) = ip else { return };
    match subnet {
        Some(subnet) if subnet.chosen == Chosen::ByUser => {
            if !subnet.net.contains(ip) {
                problems.push(format!("no configured subnet or ip-range contain the IP address {ip}"));
            }
        }
        _ => problems.push(
            "user specified IP address is supported only when connecting to networks with user configured subnets",
        ),
    }
}

fn check_option(key: &str, problems: &mut Problems) {
    let known = key == IFNAME || SAID_ELSEWHERE.contains(&key);
    if !known && (key.starts_with("com.docker.network.") || !key.contains('.')) {
        problems.push(format!("endpoint option \"{key}\" is not supported"));
    }
}

/// The interface name that an endpoint asks for.
pub(super) fn wanted_ifname(ask: &EndpointAsk) -> Result<Option<IfName>, NetworkError> {
    let wrong = |value: &String, reason: String| NetworkError::InvalidOption {
        key: IFNAME.to_owned(),
        value: value.clone(),
        reason,
    };
    let Some(value) = ask.driver_opts.get(IFNAME) else { return Ok(None) };
    match value.parse::<IfName>() {
        Ok(name) if name.as_str() == "lo" => Err(wrong(value, "lo is the loopback interface".to_owned())),
        Ok(name) => Ok(Some(name)),
        Err(error) => Err(wrong(value, error.to_string())),
    }
}

/// Where a container sends what is for none of its networks, if this network leads it out.
pub(super) fn route(network: &NetworkRecord) -> DefaultRoute {
    if network.is_routed_by_parent() {
        return DefaultRoute::Out { v4: network.v4.is_some(), v6: network.v6.is_some() };
    }
    DefaultRoute::Via { v4: network.router_v4(), v6: network.router_v6() }
}

/// The record of an endpoint that has nothing in the kernel yet.
pub(super) fn record(container: ContainerId, ask: &EndpointAsk) -> EndpointRecord {
    EndpointRecord {
        id: ask.endpoint,
        container,
        network: ask.network,
        name: ask.name.clone(),
        aliases: ask.aliases.clone(),
        links: ask.links.clone(),
        exposed: ask.exposed.clone(),
        gw_priority: ask.gw_priority,
        spec: None,
        ports: Vec::new(),
        is_gateway: false,
    }
}

/// All names of an endpoint: container name, aliases, short id, host name; each once, as it is first written.
pub(super) fn names(record: &EndpointRecord, hostname: &str) -> Vec<String> {
    let short = record.container.short(12);
    let all = [record.name.as_str()].into_iter().chain(record.aliases.iter().map(String::as_str));
    let mut names: Vec<String> = Vec::new();
    for name in all.chain([short.as_str(), hostname]) {
        if !name.is_empty() && !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name.to_owned());
        }
    }
    names
}

/// An endpoint as its users see it.
pub(super) fn view(network: &NetworkRecord, record: &EndpointRecord, hostname: &str) -> EndpointView {
    let spec = record.spec.as_ref();
    EndpointView {
        network: network.id,
        network_name: network.name.clone(),
        endpoint: record.id,
        mac: spec.filter(|_| network.has_macs()).map(|spec| spec.mac),
        v4: spec.and_then(|spec| spec.v4),
        gateway_v4: spec.and_then(|spec| spec.v4).and_then(|_| network.router_v4()),
        v6: spec.and_then(|spec| spec.v6),
        gateway_v6: spec.and_then(|spec| spec.v6).and_then(|_| network.router_v6()),
        ports: record.ports.clone(),
        dns_names: if network.has_names() { names(record, hostname) } else { Vec::new() },
        ifname: spec.map(|spec| spec.ifname.clone()),
        is_gateway: record.is_gateway,
    }
}
