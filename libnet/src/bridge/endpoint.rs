//! Plans for endpoints.

use super::{
    Inside, Join, Parting, Setting, Step,
    names::{Owner, host_link, host_mac},
};
use crate::{
    firewall::FirewallEndpoint,
    host::{BridgeNetwork, DefaultRoute, EndpointSpec},
    link::veth::PortFlags,
    ports::PortRequest,
    types::Icc,
};

/// The steps that attach an endpoint. `bridge_filtered`: the host sends bridged frames through its IP firewall, where a
/// frame can be turned round to the port that it came from.
pub(crate) fn attach(net: &BridgeNetwork, ep: &EndpointSpec, bridge_filtered: bool) -> Vec<Step> {
    let mut steps = Vec::with_capacity(5);
    let ports = requests(net, ep);
    if !ports.is_empty() {
        steps.push(Step::ReservePorts(ports));
    }
    steps.push(Step::Join(Box::new(join(net, ep, bridge_filtered))));
    if ep.v6.is_some() {
        // New interfaces of a sandbox start without.
        steps.push(Step::SetInside(vec![Setting::new(format!("ipv6/conf/{}/disable_ipv6", ep.ifname), "0")]));
    }
    steps.push(Step::Configure(inside(ep)));
    // The ports join when they are reserved.
    steps.push(Step::AdmitEndpoint(FirewallEndpoint::new(ep, &[])));
    steps
}

/// The steps that detach an endpoint: first no packet, then no rule, then the ports for others.
pub(crate) fn detach(who: &FirewallEndpoint) -> Vec<Step> {
    let endpoint = who.id;
    let neighbours = who.addresses().collect();
    vec![
        Step::Part(Parting { network: who.network, link: host_link(&endpoint), neighbours }),
        Step::ExpelEndpoint(endpoint),
        Step::ReleasePorts,
        Step::Leave(endpoint),
    ]
}

/// What the bridge does with a port of this network. Isolated ports can't reach each other where bridged frames pass no
/// firewall. Where they do (`br_netfilter`), the firewall keeps them apart, and it must: a published port of a
/// neighbour is then reached by a frame that is bridged from port to port after its destination was rewritten.
pub(crate) fn flags(net: &BridgeNetwork, bridge_filtered: bool) -> PortFlags {
    PortFlags { isolated: net.icc == Icc::Denied && !bridge_filtered, hairpin: bridge_filtered }
}

fn requests(net: &BridgeNetwork, ep: &EndpointSpec) -> Vec<PortRequest> {
    let on = |port: &PortRequest| PortRequest { host_ip: port.host_ip.or(net.default_host_ip), ..*port };
    ep.ports.iter().map(on).collect()
}

fn join(net: &BridgeNetwork, ep: &EndpointSpec, bridge_filtered: bool) -> Join {
    Join {
        endpoint: ep.id,
        network: net.id,
        host: host_link(&ep.id),
        host_mac: host_mac(&ep.id),
        alias: Owner::Endpoint(ep.id).alias(&ep.label),
        flags: flags(net, bridge_filtered),
        mtu: ep.mtu,
        inside: ep.ifname.clone(),
        mac: ep.mac,
        neighbours: ep.addresses().map(|address| address.ip()).collect(),
    }
}

fn inside(ep: &EndpointSpec) -> Inside {
    let (gateway_v4, gateway_v6) = match ep.default_route {
        DefaultRoute::None => (None, None),
        DefaultRoute::Via { v4, v6 } => (v4, v6),
    };
    Inside { name: ep.ifname.clone(), addresses: ep.addresses().collect(), gateway_v4, gateway_v6 }
}
