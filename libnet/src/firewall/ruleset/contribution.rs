//! What one network or one endpoint adds to the sets.

use std::net::IpAddr;

use ipnetwork::IpNetwork;

use super::{Elements, SetId};
use crate::{
    firewall::{
        FirewallEndpoint, FirewallNetwork,
        nft::{
            expr::Verdict,
            set::{Data, Entry, Tuple, Value},
        },
    },
    ports::PublishedPort,
    types::{Icc, Internal, Masquerade},
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
    } else if network.masquerade == Masquerade::Yes {
        if let Some(subnet) =
            network.v4.and_then(|net| IpNetwork::new(net.network().into(), net.prefix()).ok())
        {
            add(SetId::Masquerade4, vec![Value::Subnet(subnet)], Data::None);
        }
        if let Some(subnet) =
            network.v6.and_then(|net| IpNetwork::new(net.network().into(), net.prefix()).ok())
        {
            add(SetId::Masquerade6, vec![Value::Subnet(subnet)], Data::None);
        }
    }
    elements
}

/// The elements of an endpoint in its network.
pub(super) fn of_endpoint(network: &FirewallNetwork, endpoint: &FirewallEndpoint) -> Elements {
    let comment = endpoint.id.short(DIGITS);
    let mut elements = Elements::new();
    // The way into an internal network is closed, published or not.
    if network.internal == Internal::Yes {
        return elements;
    }
    for port in &endpoint.ports {
        // A port of the other family can't be reached by rewriting addresses.
        let Some(target) = target(endpoint, port) else { continue };
        let data = Data::Tuple(Tuple(vec![target.clone(), Value::Port(port.container)]));
        elements.insert(dnat_key(port), Entry { data, comment: comment.clone() });
        let set = if port.host_ip.is_ipv4() { SetId::Published4 } else { SetId::Published6 };
        let link = Value::IfName(network.link.clone());
        let way = Tuple(vec![link, target, Value::Proto(port.proto), Value::Port(port.container)]);
        elements.insert((set, way), Entry { data: Data::None, comment: comment.clone() });
    }
    elements
}

fn target(endpoint: &FirewallEndpoint, port: &PublishedPort) -> Option<Value> {
    match port.host_ip {
        IpAddr::V4(_) => endpoint.v4.map(Value::V4),
        IpAddr::V6(_) => endpoint.v6.map(Value::V6),
    }
}

fn dnat_key(port: &PublishedPort) -> (SetId, Tuple) {
    let (proto, number) = (Value::Proto(port.proto), Value::Port(port.host_port));
    match port.host_ip {
        ip if ip.is_unspecified() => {
            let set = if ip.is_ipv4() { SetId::DnatAny4 } else { SetId::DnatAny6 };
            (set, Tuple(vec![proto, number]))
        }
        IpAddr::V4(ip) => (SetId::DnatAddress4, Tuple(vec![Value::V4(ip), proto, number])),
        IpAddr::V6(ip) => (SetId::DnatAddress6, Tuple(vec![Value::V6(ip), proto, number])),
    }
}
