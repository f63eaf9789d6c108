//! What an endpoint may ask for, and what it looks like: pure functions of a network and an ask.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use libnet::{
    host::{DefaultRoute, EndpointSpec},
    types::{ContainerId, Family},
};

use super::{
    Chosen, EndpointAsk, EndpointView, NetworkError, Problems,
    driver_opts::DriverOpts,
    gateway::Candidate,
    record::{EndpointRecord, NetworkRecord},
};

/// Whether the network can take such an endpoint; its options.
pub(super) fn check(network: &NetworkRecord, ask: &EndpointAsk) -> Result<DriverOpts, NetworkError> {
    if network.template().is_some() {
        return Err(NetworkError::TemplateOnly(network.name.clone()));
    }
    let mut problems = Problems::default();
    let user_defined = !network.default;
    if !user_defined && (ask.v4.is_some() || ask.v6.is_some()) {
        problems.push("user specified IP address is supported on user defined networks only");
    } else {
        check_address(network, ask.v4.map(Into::into), &mut problems);
        check_address(network, ask.v6.map(Into::into), &mut problems);
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
    if !network.driver.attaches() && !ask.link_local.is_empty() {
        problems.push(format!("conflicting options: link-local-ip and the network mode {}", network.name));
    }
    let options = DriverOpts::read(&ask.driver_opts, &mut problems);
    problems.into_result(NetworkError::InvalidEndpoint)?;
    options.traffic.check(network.driver)?;
    Ok(options)
}

fn check_address(network: &NetworkRecord, ip: Option<IpAddr>, problems: &mut Problems) {
    let Some(ip) = ip else { return };
    let mut configured =
        network.subnets_of(Family::of(ip)).filter(|subnet| subnet.chosen == Chosen::ByUser).peekable();
    if configured.peek().is_none() {
        problems.push(
            "user specified IP address is supported only when connecting to networks with user configured subnets",
        );
    } else if !configured.any(|subnet| subnet.net.contains(ip)) {
        problems.push(format!("no configured subnet or ip-range contain the IP address {ip}"));
    }
}

/// A link-local address in its subnet: RFC 3927 has one of 16 bits, RFC 4291 of 64.
pub(super) fn link_local(ip: IpAddr) -> Option<IpNetwork> {
    IpNetwork::new(ip, if ip.is_ipv4() { 16 } else { 64 }).ok()
}

/// Where a container with these addresses sends what is for none of its networks, as far as this network leads it out.
pub(super) fn route(network: &NetworkRecord, spec: &EndpointSpec) -> DefaultRoute {
    if !network.leads_out() {
        return DefaultRoute::None;
    }
    let all = if network.is_routed_by_parent() {
        DefaultRoute::Out { v4: true, v6: true }
    } else {
        let v4 = spec.v4.and_then(|own| network.router_v4(own));
        DefaultRoute::Via { v4, v6: spec.v6.and_then(|own| network.router_v6(own)) }
    };
    let has = [(spec.v4.is_some(), Family::V4), (spec.v6.is_some(), Family::V6)];
    let families = has.into_iter().filter(|(has, _)| *has).map(|(_, family)| family);
    families.fold(DefaultRoute::None, |route, family| route.with(family, all))
}

/// An endpoint, as far as the choice of the gateways needs to know it.
pub(super) fn candidate(network: &NetworkRecord, gw_priority: i64, spec: Option<&EndpointSpec>) -> Candidate {
    Candidate {
        network: network.id,
        name: network.name.clone(),
        priority: gw_priority,
        internal: network.internal,
        route: spec.map(|spec| route(network, spec)).unwrap_or_default(),
        publishes: network.publishes(),
        host_ip: network.bridge.as_ref().and_then(|bridge| bridge.host_ip),
    }
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
    }
}

/// All names of an endpoint: container name, aliases, short id, host name; each once, as it is first written.
pub(super) fn names(record: &EndpointRecord, hostname: &str) -> Vec<String> {
    names_of(record.container, &record.name, &record.aliases, hostname)
}

pub(super) fn names_of(
    container: ContainerId,
    name: &str,
    aliases: &[String],
    hostname: &str,
) -> Vec<String> {
    let short = container.short(12);
    let all = [name].into_iter().chain(aliases.iter().map(String::as_str));
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
        gateway_v4: spec.and_then(|spec| spec.v4).and_then(|own| network.router_v4(own)),
        v6: spec.and_then(|spec| spec.v6),
        gateway_v6: spec.and_then(|spec| spec.v6).and_then(|own| network.router_v6(own)),
        ports: record.ports.clone(),
        dns_names: if network.has_names() { names(record, hostname) } else { Vec::new() },
        ifname: spec.map(|spec| spec.ifname.clone()),
        is_gateway: record.route() != DefaultRoute::None,
    }
}
