//! What one network or one endpoint adds to the sets.

use std::net::IpAddr;

use ipnetwork::IpNetwork;

use super::{Elements, SetId};
use crate::{
    firewall::{
        DirectRouting, FirewallEndpoint, FirewallNetwork,
        nft::{
            set::{Data, Entry, Tuple, Value},
            verdict::Verdict,
        },
    },
    ports::PublishedPort,
    types::{Family, GatewayMode, Icc, Internal, Masquerade, Port},
};

/// Digits of an id in the comment of an element: as many as names of links and namespaces carry.
const DIGITS: usize = 12;

/// The elements of a network.
pub(super) fn of_network(network: &FirewallNetwork) -> Elements {
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
    routing: DirectRouting,
    network: &FirewallNetwork,
    endpoint: &FirewallEndpoint,
) -> Elements {
    let comment = endpoint.id.short(DIGITS);
    let mut elements = Elements::new();
    // The way into an internal network is closed, published or not.
    if network.internal == Internal::Yes {
        return elements;
    }
    for port in &endpoint.ports {
        // A port of the other family can't be reached by rewriting addresses.
        let Some(target) = target(endpoint, port) else { continue };
        let mut add =
            |(set, key), data| elements.insert((set, key), Entry { data, comment: comment.clone() });
        let link = Value::IfName(network.link.clone());
        let way = Tuple(vec![link, target.clone(), Value::Proto(port.proto), Value::Port(port.container)]);
        let (published, direct) = match port.host_ip {
            IpAddr::V4(_) => (SetId::Published4, SetId::Direct4),
            IpAddr::V6(_) => (SetId::Published6, SetId::Direct6),
        };
        if let Some(number) = port.host_port {
            let data = Data::Tuple(Tuple(vec![target, Value::Port(port.container)]));
            add(dnat_key(port, number), data);
            add((published, way.clone()), Data::None);
        }
        if port.host_port.is_none() || routing == DirectRouting::Allowed {
            add((direct, way), Data::None);
        }
    }
    elements
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
