//! The macvlan and ipvlan drivers, pure: the plans for networks on a link of the host and for endpoints in them, and what
//! names of such links mean. The steps are those of the bridge driver and a few more.

mod name;
#[cfg(test)]
mod tests;

pub(crate) use name::sub_interface;

use crate::{
    bridge::{self, Circumstances, Hang, Step, Telling, names::Owner},
    host::{Child, EndpointSpec, IpvlanMode, Parent, ParentNetwork},
    types::{EndpointId, Setting},
};

/// The steps that make a network.
pub(crate) fn create(net: &ParentNetwork) -> Vec<Step> {
    let mut steps = vec![Step::FindParent(Box::new(net.clone()))];
    if let Parent::Island(link) = &net.parent {
        // Before it is up: it needs no addresses, and is to send nothing of its own to its containers.
        steps.push(Step::Set(vec![Setting::new(format!("ipv6/conf/{link}/disable_ipv6"), "1")]));
        steps.push(Step::Raise(link.clone(), Owner::Network(net.id).alias(&net.name)));
    }
    steps
}

/// The steps that take a network away.
pub(crate) fn remove(net: &ParentNetwork) -> Vec<Step> {
    match &net.parent {
        Parent::Island(link) => vec![Step::Condemn(link.clone())],
        Parent::Link(link) => vec![Step::LeaveParent(link.clone())],
    }
}

/// The steps that attach an endpoint. Who is on the far side of the parent is not known here, and may know the address as
/// somebody else's: it is announced unless the network says never.
pub(crate) fn attach(net: &ParentNetwork, ep: &EndpointSpec, on: Circumstances) -> Vec<Step> {
    let mut steps = vec![Step::Hang(Box::new(hang(net, ep)))];
    steps.extend(bridge::within(ep, None, on, telling(net)));
    steps
}

/// The steps that detach an endpoint.
pub(crate) fn detach(id: EndpointId) -> Vec<Step> {
    vec![Step::Unhang(id)]
}

/// When addresses in a network are announced: on layer 3, there is nobody to tell.
pub(crate) fn telling(net: &ParentNetwork) -> Telling {
    let unknown = Circumstances { address_moved: true, ..Circumstances::default() };
    match net.kind {
        Child::Ipvlan(mode, _) if mode != IpvlanMode::L2 => Telling::Never,
        Child::Ipvlan(..) | Child::Macvlan(_) => Telling::of(net.announce, unknown),
    }
}

fn hang(net: &ParentNetwork, ep: &EndpointSpec) -> Hang {
    Hang {
        endpoint: ep.id,
        parent: net.parent.link().clone(),
        kind: net.kind,
        name: ep.ifname.clone(),
        mac: ep.mac,
        mtu: net.mtu,
        alias: Owner::Endpoint(ep.id).alias(&ep.label),
    }
}
