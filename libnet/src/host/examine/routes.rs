//! The host's routes against its networks: what is for a network has to leave by its bridge. Pure.

use ipnetwork::IpNetwork;

use super::{Area, Finding};
use crate::{
    host::{BridgeNetwork, NetworkSpec},
    ipam::masked,
    observe::{Link, Route, Snapshot},
};

/// What is wrong with the routes to networks whose bridges are as they should be.
pub(super) fn examine_routes(networks: &[NetworkSpec], seen: &Snapshot) -> Vec<Finding> {
    let bridges = networks.iter().filter_map(|net| match net {
        NetworkSpec::Bridge(net) => Some(net),
        NetworkSpec::Parent(_) => None,
    });
    bridges.flat_map(|net| of_network(net, seen)).collect()
}

fn of_network(net: &BridgeNetwork, seen: &Snapshot) -> Vec<Finding> {
    let Some(bridge) = seen.links.iter().find(|link| link.name == net.link && link.up) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for gateway in net.gateways().filter(|gateway| has(bridge, gateway, seen)) {
        let (subnet, name) = (masked(&gateway), &net.name);
        let others = seen.routes.iter().filter(|route| takes_from(route, subnet, bridge, seen));
        findings.extend(others.map(|route| {
            let to = route.to;
            let by = seen.links.iter().find(|link| Some(link.index) == route.link);
            let by = by.map_or_else(|| "elsewhere".to_owned(), |link| format!("by {}", link.name));
            let what = format!("route {to} leads {by}, and is a part of network {name} ({subnet})");
            Finding::wrong(
                Area::Links,
                what,
                format!("ip route delete {to}; or another subnet for the network"),
            )
        }));
    }
    findings
}

fn has(bridge: &Link, gateway: &IpNetwork, seen: &Snapshot) -> bool {
    let alone = gateway.prefix() == if gateway.is_ipv4() { 32 } else { 128 };
    !alone && seen.addresses.iter().any(|on| on.link == bridge.index && on.address == *gateway)
}

/// Of two routes the longer prefix counts; of two with the same it is their metric, which says what its maker meant.
fn takes_from(route: &Route, subnet: IpNetwork, bridge: &Link, seen: &Snapshot) -> bool {
    let own = Some(bridge.index);
    let is_shared = || seen.routes.iter().any(|other| other.to == subnet && other.link == own);
    route.link != own
        && subnet.contains(route.to.ip())
        && (route.to.prefix() > subnet.prefix() || route.to == subnet && !is_shared())
}
