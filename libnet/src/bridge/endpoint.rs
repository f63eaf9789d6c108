//! Plans for endpoints.

use ipnetwork::IpNetwork;

use super::{
    Inside, Join, Parting, Step, limits,
    names::{Owner, detour, host_link, host_mac},
    publish::{ask_for_loopback, requests},
};
use crate::{
    firewall::FirewallEndpoint,
    host::{BridgeNetwork, EndpointSpec},
    link::veth::PortFlags,
    types::{Announce, Icc, IfName, Interval, Rates, Setting, Times},
};

/// What a plan has to know of the host.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Circumstances {
    /// The host sends bridged frames through its IP firewall, where a frame can be turned round to the port that it came
    /// from.
    pub(crate) bridge_filtered: bool,
    /// An address of the endpoint was another interface's until a moment ago.
    pub(crate) address_moved: bool,
    /// Somebody else made the sandbox: what a new interface begins with there is not known.
    pub(crate) foreign_settings: bool,
}

/// When the neighbours of an endpoint are told whose its addresses are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    Never,
    /// As soon as the interface is up, and again.
    AtOnce,
    /// So often, after each other.
    Times(Times, Interval),
}

impl Telling {
    pub(crate) fn of(announce: Announce, on: Circumstances) -> Self {
        match announce {
            Announce::WhatMoved if on.address_moved => Self::AtOnce,
            Announce::WhatMoved => Self::Never,
            Announce::Always { times, .. } if times.get() == 0 => Self::Never,
            Announce::Always { times, every } => Self::Times(times, every),
        }
    }
}

/// The steps that attach an endpoint.
pub(crate) fn attach(net: &BridgeNetwork, ep: &EndpointSpec, on: Circumstances) -> Vec<Step> {
    let mut steps = Vec::with_capacity(7);
    let who = FirewallEndpoint::new(ep, &[]);
    let ports = requests(net, &who, &ep.ports);
    let loopback = ask_for_loopback(net, &who, &ports);
    if !ports.is_empty() {
        steps.push(Step::ReservePorts(ports));
    }
    if loopback {
        steps.push(Step::OpenLoopback(net.id));
    }
    // Before there is a way out.
    if let Some(restriction) = ep.restriction(&net.link) {
        steps.push(Step::Restrict(Box::new(restriction)));
    }
    // With the ports that are reserved. Before there is a frame to be judged.
    steps.push(Step::AdmitEndpoint(who));
    steps.push(Step::Join(Box::new(join(net, ep, on.bridge_filtered))));
    steps.extend(limits(ep));
    let telling = Telling::of(net.announce, on);
    steps.extend(within(ep, Some(host_link(&ep.id)), on, telling));
    steps
}

/// The steps inside, once the interface is there; `host` is the host's end that it is connected to.
pub(crate) fn within(
    ep: &EndpointSpec,
    host: Option<IfName>,
    on: Circumstances,
    telling: Telling,
) -> impl Iterator<Item = Step> {
    let usual = inside_settings(ep, on, telling);
    let usual = Some(usual).filter(|settings| !settings.is_empty()).map(Step::SetInside);
    let asked = Some(ep.settings.clone()).filter(|settings| !settings.is_empty()).map(Step::Tune);
    // Behind the raising of the interface, which would announce once more.
    let counted = matches!(telling, Telling::Times(..)).then(|| Step::SetInside(announcing(ep)));
    [usual, asked, Some(Step::Configure(inside(ep, host))), counted].into_iter().flatten()
}

/// New interfaces of a sandbox of ours start without IPv6, and silently.
fn inside_settings(ep: &EndpointSpec, on: Circumstances, telling: Telling) -> Vec<Setting> {
    let as_ours = OURS.into_iter().filter(|_| on.foreign_settings);
    let has_v6 = ep.v6.is_some() || ep.link_local.iter().any(IpNetwork::is_ipv6);
    let disabled = if has_v6 { Some("0") } else { on.foreign_settings.then_some("1") };
    let v6 = disabled.map(|value| ("ipv6", "disable_ipv6", value));
    let setting = |(family, key, value)| Setting::new(format!("{family}/conf/{}/{key}", ep.ifname), value);
    let announcing = announcing(ep).into_iter().filter(|_| telling == Telling::AtOnce);
    announcing.chain(as_ours.chain(v6).map(setting)).collect()
}

/// What makes the kernel announce an interface's addresses when it is raised or its Ethernet address is set.
fn announcing(ep: &EndpointSpec) -> Vec<Setting> {
    let v4 = ep.v4.map(|_| format!("ipv4/conf/{}/arp_notify", ep.ifname));
    let v6 = ep.v6.map(|_| format!("ipv6/conf/{}/ndisc_notify", ep.ifname));
    v4.into_iter().chain(v6).map(|key| Setting::new(key, "1")).collect()
}

/// What interfaces in sandboxes of ours begin with: see `netns::ready`.
const OURS: [(&str, &str, &str); 3] =
    [("ipv6", "accept_dad", "0"), ("ipv6", "accept_ra", "0"), ("ipv6", "autoconf", "0")];

/// What becomes of the sandbox that an endpoint leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It goes on, and may join a network at once: the interface must be out of its way.
    Lives,
    /// It ends, and takes its interfaces along.
    Ends,
}

/// The steps that detach an endpoint: first no packet, then no rule, then the ports for others.
pub(crate) fn detach(who: &FirewallEndpoint, rates: Rates, sandbox: Fate) -> Vec<Step> {
    let endpoint = who.id;
    let detour = rates.out.map(|_| Step::Condemn(detour(&endpoint)));
    let neighbours = who.addresses().collect();
    let part = Step::Part(Parting { network: who.network, link: host_link(&endpoint), neighbours });
    let aside = (sandbox == Fate::Lives).then_some(Step::SetAside(endpoint));
    let rest = [Step::ExpelEndpoint(endpoint), Step::ReleasePorts, Step::Leave(endpoint)];
    [part].into_iter().chain(detour).chain(aside).chain(rest).collect()
}

/// What the bridge does with a port of this network. Isolated ports can't reach each other where bridged frames pass no
/// firewall. Where they do (`br_netfilter`), the firewall keeps them apart, and it must: a published port of a
/// neighbour is then reached by a frame that is bridged from port to port after its destination was rewritten.
pub(crate) fn flags(net: &BridgeNetwork, bridge_filtered: bool) -> PortFlags {
    PortFlags { isolated: net.icc == Icc::Denied && !bridge_filtered, hairpin: bridge_filtered }
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

/// The end inside, with the host's end that it is connected to.
fn inside(ep: &EndpointSpec, host: Option<IfName>) -> Inside {
    Inside {
        host,
        name: ep.ifname.clone(),
        addresses: ep.addresses().chain(ep.link_local.iter().copied()).collect(),
        default_route: ep.default_route,
    }
}
