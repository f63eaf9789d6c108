//! What one network or one endpoint adds to the sets.

use std::{collections::BTreeSet, net::IpAddr};

use ipnetwork::IpNetwork;

use super::{Elements, SetId};
use crate::{
    firewall::{
        DirectRouting, FirewallEndpoint, FirewallNetwork, FirewallOptions, Guard, Guarding, Opening,
        nft::{
            set::{Data, Entry, Tuple, Value},
            verdict::Verdict,
        },
    },
    ports::PublishedPort,
    types::{Family, GatewayAccess, GatewayMode, Icc, IfName, Internal, Masquerade, NetworkId, Port, Proto},
};

/// Digits of an id in the comment of an element: as many as names of links and namespaces carry.
pub(super) const DIGITS: usize = 12;

/// The elements of a network.
pub(super) fn of_network(options: &FirewallOptions, network: &FirewallNetwork) -> Elements {
    let comment = network.id.short(DIGITS);
    let mut elements = Elements::new();
    let mut add = |set, key: Vec<Value>, data| {
        elements.insert((set, Tuple(key)), Entry { data, comment: comment.clone() });
    };
    let link = || Value::IfName(network.link.clone());
    add(SetId::Bridges, vec![link()], Data::None);
    add(SetId::Hairpin, vec![link(), link()], Data::None);
    if network.icc == Icc::Allowed {
        add(SetId::Pairs, vec![link(), link()], Data::Verdict(Verdict::Accept));
    }
    for (set, key) in of_host(options, network) {
        add(set, key, Data::None);
    }
    if network.internal == Internal::Yes {
        add(SetId::Internal, vec![link()], Data::None);
        return elements;
    }
    for trusted in &network.exposure.trusted {
        add(SetId::Trusted, vec![Value::IfName(trusted.clone()), link()], Data::None);
    }
    for (family, subnet) in network.subnets() {
        for (set, key, data) in of_family(network, family, subnet) {
            add(set, key, data);
        }
    }
    elements
}

/// What containers reach of the host itself, and don't.
fn of_host(options: &FirewallOptions, network: &FirewallNetwork) -> Vec<(SetId, Vec<Value>)> {
    let link = || Value::IfName(network.link.clone());
    let hidden = |port: &Port| (SetId::Private, vec![link(), Value::Proto(Proto::Tcp), Value::Port(*port)]);
    let mut all: Vec<_> = options.private.iter().map(hidden).collect();
    if network.exposure.gateway == GatewayAccess::Members {
        for ip in network.gateways() {
            let (gateways, near, ip) = match ip {
                IpAddr::V4(v4) => (SetId::Gateways4, SetId::Near4, Value::V4(v4)),
                IpAddr::V6(v6) => (SetId::Gateways6, SetId::Near6, Value::V6(v6)),
            };
            all.extend([(gateways, vec![ip.clone()]), (near, vec![link(), ip])]);
        }
    }
    all
}

/// What a network that leads out adds in one family.
fn of_family(network: &FirewallNetwork, family: Family, subnet: IpNetwork) -> Vec<(SetId, Vec<Value>, Data)> {
    let link = || Value::IfName(network.link.clone());
    let mode = network.exposure.mode(family);
    let mut all = Vec::new();
    match mode {
        GatewayMode::Routed => {
            all.push((SetId::DirectProtocols, vec![link(), Value::Icmp(family)], Data::None));
        }
        GatewayMode::NatUnprotected => {
            all.push((SetId::Unprotected, vec![link(), Value::NfProto(family)], Data::None));
        }
        GatewayMode::Nat | GatewayMode::Isolated => {}
    }
    if network.masquerade == Masquerade::Yes && mode != GatewayMode::Routed {
        let (set, sources, source) = match family {
            Family::V4 => (SetId::Masquerade4, SetId::Source4, network.exposure.v4_source.map(Value::V4)),
            Family::V6 => (SetId::Masquerade6, SetId::Source6, network.exposure.v6_source.map(Value::V6)),
        };
        all.push((set, vec![Value::Subnet(subnet)], Data::None));
        all.extend(source.map(|source| (sources, vec![link()], Data::Tuple(Tuple(vec![source])))));
    }
    all
}

/// The elements of an endpoint in its network.
pub(super) fn of_endpoint(
    options: &FirewallOptions,
    network: &FirewallNetwork,
    endpoint: &FirewallEndpoint,
) -> Elements {
    let comment = endpoint.id.short(DIGITS);
    let mut elements = Elements::new();
    if let (Some(guard), Guarding::On) = (&endpoint.guard, options.guarding) {
        let entry = || Entry { data: Data::None, comment: comment.clone() };
        elements.extend(of_guard(guard).map(|(set, key)| ((set, Tuple(key)), entry())));
    }
    // The way into an internal network is closed, published or not.
    if network.internal == Internal::Yes {
        return elements;
    }
    for port in &endpoint.ports {
        let all = match target(endpoint, port) {
            Some(target) => of_port(options, &network.link, port, target),
            // A port of the other family can't be reached by rewriting addresses.
            None if endpoint.addresses().next().is_some() => answered(port).into_iter().collect(),
            None => Vec::new(),
        };
        elements.extend(all.into_iter().map(|(key, data)| (key, Entry { data, comment: comment.clone() })));
    }
    elements
}

/// A port that leads to an address of a container in the network of `link`.
fn of_port(
    options: &FirewallOptions,
    link: &IfName,
    port: &PublishedPort,
    target: Value,
) -> Vec<((SetId, Tuple), Data)> {
    let (link, proto) = (Value::IfName(link.clone()), Value::Proto(port.proto));
    let way = Tuple(vec![link, target.clone(), proto, Value::Port(port.container)]);
    let (published, direct) = match port.host_ip {
        IpAddr::V4(_) => (SetId::Published4, SetId::Direct4),
        IpAddr::V6(_) => (SetId::Published6, SetId::Direct6),
    };
    let mut all = Vec::new();
    if let Some(number) = port.host_port {
        let data = Data::Tuple(Tuple(vec![target, Value::Port(port.container)]));
        all.extend([(dnat_key(port, number), data), ((published, way.clone()), Data::None)]);
    }
    if port.host_port.is_none() || options.direct_routing == DirectRouting::Allowed {
        all.push(((direct, way), Data::None));
    }
    all
}

/// A port that the host answers by itself ([`crate::ports::Relay`]): no other process can have it there. SCTP is not
/// answered.
fn answered(port: &PublishedPort) -> Option<((SetId, Tuple), Data)> {
    let number = port.host_port.filter(|_| port.proto != Proto::Sctp)?;
    let (set, at) = match port.host_ip {
        ip if ip.is_unspecified() => (SetId::AnsweredAny, Value::NfProto(Family::of(ip))),
        IpAddr::V4(ip) => (SetId::Answered4, Value::V4(ip)),
        IpAddr::V6(ip) => (SetId::Answered6, Value::V6(ip)),
    };
    Some(((set, Tuple(vec![at, Value::Proto(port.proto), Value::Port(number)])), Data::None))
}

/// Where frames of a guarded endpoint may come from.
fn of_guard(guard: &Guard) -> impl Iterator<Item = (SetId, Vec<Value>)> {
    let port = || Value::IfName(guard.port.clone());
    let sender = move |ip: IpAddr| match ip {
        IpAddr::V4(v4) => (SetId::Sender4, vec![port(), Value::Ether(guard.mac), Value::V4(v4)]),
        IpAddr::V6(v6) => (SetId::Sender6, vec![port(), Value::Ether(guard.mac), Value::V6(v6)]),
    };
    let guarded = (SetId::Guarded, vec![Value::IfName(guard.port.clone())]);
    [guarded].into_iter().chain(guard.senders().map(sender))
}

/// Where the first packets of connections to a published port are looked up and counted: the way to the container is
/// `link` and `target`.
pub(crate) fn lookup(port: &PublishedPort, link: &IfName, target: IpAddr) -> (SetId, Tuple) {
    match port.host_port {
        Some(number) => dnat_key(port, number),
        None => {
            let (set, target) = match target {
                IpAddr::V4(ip) => (SetId::Direct4, Value::V4(ip)),
                IpAddr::V6(ip) => (SetId::Direct6, Value::V6(ip)),
            };
            let link = Value::IfName(link.clone());
            (set, Tuple(vec![link, target, Value::Proto(port.proto), Value::Port(port.container)]))
        }
    }
}

/// The elements of what the containers of a network may reach of each other though they are kept apart.
pub(super) fn of_links(network: NetworkId, openings: &BTreeSet<Opening>) -> Elements {
    let comment = network.short(DIGITS);
    let element = |opening: &Opening| {
        let (set, from, to) = match (opening.from, opening.to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => (SetId::Links4, Value::V4(from), Value::V4(to)),
            (IpAddr::V6(from), IpAddr::V6(to)) => (SetId::Links6, Value::V6(from), Value::V6(to)),
            _ => return None,
        };
        let (proto, port) = opening.at;
        let key = Tuple(vec![from, to, Value::Proto(proto), Value::Port(port)]);
        Some(((set, key), Entry { data: Data::None, comment: comment.clone() }))
    };
    openings.iter().filter_map(element).collect()
}

fn target(endpoint: &FirewallEndpoint, port: &PublishedPort) -> Option<Value> {
    match port.host_ip {
        IpAddr::V4(_) => endpoint.v4.map(Value::V4),
        IpAddr::V6(_) => endpoint.v6.map(Value::V6),
    }
}

fn dnat_key(port: &PublishedPort, number: Port) -> (SetId, Tuple) {
    let (proto, number) = (Value::Proto(port.proto), Value::Port(number));
    match port.host_ip {
        ip if ip.is_unspecified() => {
            let set = if ip.is_ipv4() { SetId::DnatAny4 } else { SetId::DnatAny6 };
            (set, Tuple(vec![proto, number]))
        }
        IpAddr::V4(ip) => (SetId::DnatAddress4, Tuple(vec![Value::V4(ip), proto, number])),
        IpAddr::V6(ip) => (SetId::DnatAddress6, Tuple(vec![Value::V6(ip), proto, number])),
    }
}
