//! What is there against what is declared: the difference, as values. Pure.

use std::collections::{BTreeSet, HashMap, HashSet};

use ipnetwork::IpNetwork;

use super::names::{BRIDGE, CONDEMNED, GROUP, Owner, VLAN, bridge_mac, host_link, is_sandbox};
use crate::{
    host::{BridgeNetwork, Declared, EndpointSpec, NetworkSpec, ParentNetwork},
    ipam::masked,
    observe::{Link, Snapshot},
    types::{EndpointId, IfName, NetworkId},
};

/// What is known to be in use, whatever was declared: a declaration may be older than what was made meanwhile.
#[derive(Debug, Default)]
pub(crate) struct InUse {
    pub(crate) networks: BTreeSet<NetworkId>,
    /// The links that they are on.
    pub(crate) links: BTreeSet<IfName>,
    pub(crate) endpoints: BTreeSet<EndpointId>,
    pub(crate) sandboxes: BTreeSet<String>,
}

/// What is to be done.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Difference {
    /// Links of ours that nobody declared.
    pub(crate) ghosts: Vec<IfName>,
    /// Sandboxes that nobody declared.
    pub(crate) ghost_sandboxes: Vec<String>,
    /// Networks whose bridge or parent is gone or not as it should be.
    pub(crate) broken: Vec<NetworkId>,
    /// Networks that are right but for the route to a subnet: each with the gateway's address there, which the bridge has.
    pub(crate) unrouted: Vec<(NetworkId, IpNetwork)>,
    /// Host ends that are out of their bridge or down.
    pub(crate) loose: Vec<EndpointSpec>,
    /// What can't be made again from here, in words.
    pub(crate) lost: Vec<String>,
}

/// Compares a host with what is declared for it. `sandboxes` are the names in the folder of namespaces.
pub(crate) fn compare(
    declared: &Declared,
    in_use: &InUse,
    seen: &Snapshot,
    sandboxes: &[String],
) -> Difference {
    let owned: HashMap<Owner, &Link> = owned_links(seen).collect();
    let networks: HashMap<NetworkId, &NetworkSpec> =
        declared.networks.iter().map(|net| (net.id(), net)).collect();
    let endpoints: HashMap<EndpointId, &EndpointSpec> =
        declared_endpoints(declared).map(|ep| (ep.id, ep)).collect();
    let mut difference = Difference::default();

    for (owner, link) in &owned {
        let known = match owner {
            Owner::Network(id) => networks.contains_key(id) || in_use.networks.contains(id),
            Owner::Endpoint(id) | Owner::Detour(id) => {
                endpoints.contains_key(id) || in_use.endpoints.contains(id)
            }
        };
        if !known {
            difference.ghosts.push(link.name.clone());
        }
    }
    difference.ghosts.extend(ghost_vlans(declared, in_use, seen));
    // What a daemon was killed before marking; if its network is declared, a bridge is made anew.
    let unmarked = |link: &&Link| link.group == GROUP && Owner::of_link(link).is_none();
    difference.ghosts.extend(alive(seen).filter(unmarked).map(|link| link.name.clone()));
    compare_networks(declared, &owned, seen, &mut difference);
    for ep in declared_endpoints(declared) {
        // An endpoint on a parent is known to its sandbox alone; whoever adopts it looks there.
        if let Some(NetworkSpec::Parent(_)) = networks.get(&ep.network) {
            continue;
        }
        match owned.get(&Owner::Endpoint(ep.id)) {
            None => difference.lost.push(format!("endpoint {:?}: link {} is gone", ep.id, host_link(&ep.id))),
            Some(link) => {
                let bridge = match networks.get(&ep.network) {
                    Some(NetworkSpec::Bridge(net)) => bridge_of(net, &owned, seen).map(|bridge| bridge.index),
                    _ => None,
                };
                if !link.up || link.bridge.is_none() || link.bridge != bridge {
                    difference.loose.push(ep.clone());
                }
            }
        }
    }
    let wanted: BTreeSet<&str> = declared.sandboxes.iter().map(|sandbox| sandbox.name.as_str()).collect();
    let ghost = |name: &&String| {
        is_sandbox(name) && !wanted.contains(name.as_str()) && !in_use.sandboxes.contains(name.as_str())
    };
    difference.ghost_sandboxes = sandboxes.iter().filter(ghost).cloned().collect();
    // Borrowed ones have no name there.
    let gone = wanted.iter().filter(|name| is_sandbox(name) && !sandboxes.iter().any(|there| there == *name));
    difference.lost.extend(gone.map(|name| format!("sandbox {name}: its namespace is gone")));
    difference.ghosts.sort();
    difference
}

fn compare_networks(
    declared: &Declared,
    owned: &HashMap<Owner, &Link>,
    seen: &Snapshot,
    difference: &mut Difference,
) {
    let addresses = seen.addresses.iter().map(|on| (on.link, on.address)).collect();
    let routed = seen.routes.iter().map(|route| route.to).collect();
    for net in &declared.networks {
        match net {
            NetworkSpec::Bridge(net) => match bridge_of(net, owned, seen) {
                Some(link) if is_right(net, link, &addresses) => {
                    difference.unrouted.extend(unrouted(net, link, &routed));
                }
                _ => difference.broken.push(net.id),
            },
            NetworkSpec::Parent(net) if has_parent(net, seen) => {}
            NetworkSpec::Parent(net) => difference.broken.push(net.id),
        }
    }
}

fn owned_links(seen: &Snapshot) -> impl Iterator<Item = (Owner, &Link)> {
    alive(seen).filter_map(|link| Some((Owner::of_link(link)?, link)))
}

/// The bridge of a network: one of ours says so itself.
fn bridge_of<'a>(
    net: &BridgeNetwork,
    owned: &HashMap<Owner, &'a Link>,
    seen: &'a Snapshot,
) -> Option<&'a Link> {
    match net.lent {
        None => owned.get(&Owner::Network(net.id)).copied(),
        Some(_) => alive(seen).find(|link| link.name == net.link && link.kind == BRIDGE),
    }
}

fn alive(seen: &Snapshot) -> impl Iterator<Item = &Link> {
    seen.links.iter().filter(|link| link.group != CONDEMNED)
}

/// VLANs of ours that no network is on.
fn ghost_vlans(declared: &Declared, in_use: &InUse, seen: &Snapshot) -> impl Iterator<Item = IfName> {
    let used = |link: &Link| {
        in_use.links.contains(&link.name) || declared.networks.iter().any(|net| *net.link() == link.name)
    };
    let ours = |link: &&Link| link.alias.as_deref() == Some(VLAN);
    alive(seen).filter(ours).filter(move |link| !used(link)).map(|link| link.name.clone())
}

fn has_parent(net: &ParentNetwork, seen: &Snapshot) -> bool {
    alive(seen).any(|link| link.name == *net.parent.link())
}

fn declared_endpoints(declared: &Declared) -> impl Iterator<Item = &EndpointSpec> {
    declared.sandboxes.iter().flat_map(|sandbox| &sandbox.endpoints).map(|endpoint| &endpoint.spec)
}

fn is_right(net: &BridgeNetwork, link: &Link, addresses: &HashSet<(u32, IpNetwork)>) -> bool {
    let has = |address| addresses.contains(&(link.index, address));
    let sized = net.lent.is_some() || link.mtu == Some(net.mtu);
    let known = net.lent.is_some() || link.mac == bridge_mac(&net.id).octets();
    link.name == net.link && link.up && sized && known && net.gateways().all(has)
}

/// The kernel makes these routes with the bridge's addresses, and does not make them again when somebody takes them away. Where
/// another route leads to just that subnet, its maker knows why; a bridge in a VRF has its routes elsewhere.
fn unrouted(net: &BridgeNetwork, link: &Link, routed: &HashSet<IpNetwork>) -> Vec<(NetworkId, IpNetwork)> {
    let is_alone = |gateway: &IpNetwork| gateway.prefix() == if gateway.is_ipv4() { 32 } else { 128 };
    let missing = |gateway: &IpNetwork| {
        link.bridge.is_none() && !is_alone(gateway) && !routed.contains(&masked(gateway))
    };
    net.gateways().filter(missing).map(|gateway| (net.id, gateway)).collect()
}
