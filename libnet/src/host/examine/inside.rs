//! The inside of a namespace against what is declared for it. Whoever may change the network there may have meant it; nobody
//! watches it, and it costs four questions to the kernel. Pure.

use ipnetwork::IpNetwork;

use super::Severity;
use crate::{
    host::{DefaultRoute, EndpointSpec},
    observe::{Link, Snapshot},
    types::Family,
};

/// How the inside of a namespace differs from what its endpoints are declared as.
pub fn examine_inside<'a>(
    endpoints: impl IntoIterator<Item = &'a EndpointSpec>,
    seen: &Snapshot,
) -> Vec<(Severity, String)> {
    endpoints.into_iter().flat_map(|ep| of_endpoint(ep, seen)).collect()
}

fn of_endpoint(ep: &EndpointSpec, seen: &Snapshot) -> Vec<(Severity, String)> {
    let name = &ep.ifname;
    let Some(link) = link_of(ep, seen) else {
        return vec![(Severity::Wrong, format!("interface {name} is gone"))];
    };
    if !link.up {
        return vec![(Severity::Wrong, format!("interface {name} is down"))];
    }
    let has =
        |address: &IpNetwork| seen.addresses.iter().any(|on| on.link == link.index && on.address == *address);
    let declared = ep.addresses().chain(ep.link_local.iter().copied());
    let lost = declared.filter(|address| !has(address));
    let mut found: Vec<_> =
        lost.map(|address| (Severity::Wrong, format!("interface {name} is without {address}"))).collect();
    found.extend([Family::V4, Family::V6].into_iter().filter_map(|family| of_route(ep, link, family, seen)));
    found
}

/// One that was given another name there is known by its Ethernet address.
fn link_of<'a>(ep: &EndpointSpec, seen: &'a Snapshot) -> Option<&'a Link> {
    let named = seen.links.iter().find(|link| link.name == ep.ifname);
    named.or_else(|| seen.links.iter().find(|link| link.mac == ep.mac.octets()[..]))
}

fn of_route(ep: &EndpointSpec, link: &Link, family: Family, seen: &Snapshot) -> Option<(Severity, String)> {
    if !ep.default_route.leads(family) {
        return None;
    }
    let hop = match (ep.default_route, family) {
        (DefaultRoute::Via { v4, .. }, Family::V4) => v4.map(Into::into),
        (DefaultRoute::Via { v6, .. }, Family::V6) => v6.map(Into::into),
        _ => None,
    };
    let mut routes =
        seen.routes.iter().filter(|route| route.to.prefix() == 0 && Family::of(route.to.ip()) == family);
    let (name, family) = (&ep.ifname, if family == Family::V4 { "IPv4" } else { "IPv6" });
    match routes.clone().any(|route| route.link == Some(link.index) && route.gateway == hop) {
        true => None,
        false if routes.next().is_some() => {
            Some((Severity::Note, format!("the {family} default route no longer leads out of {name}")))
        }
        false => Some((Severity::Wrong, format!("there is no {family} default route; it led out of {name}"))),
    }
}
