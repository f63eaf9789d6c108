//! What the addresses and routes of a host cover, kept up with what the kernel tells of changes: a value. To read all of
//! it anew for every network would make the thousandth cost as much as the ten before it together.
//!
//! Where the kernel is silent (it tells of no IPv4 route that goes because a gateway became unreachable), this errs on
//! the side of too much.

use std::collections::{BTreeMap, BTreeSet};

use ipnetwork::IpNetwork;
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    link::{LinkAttribute, LinkFlags, LinkMessage},
    route::{RouteAttribute, RouteHeader, RouteMessage, RouteType},
};

use super::{as_address, as_route, decides};
use crate::{
    ipam::{encloses, masked},
    types::Mtu,
};

/// Links with the subnets that they are in or lead to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Covered {
    /// By index; 0 has the routes that lead to no link, or to several.
    links: BTreeMap<u32, Near>,
}

/// What is near a link.
#[derive(Debug, Default, PartialEq, Eq)]
struct Near {
    group: u32,
    mtu: Option<Mtu>,
    addresses: BTreeSet<IpNetwork>,
    routes: BTreeMap<Key, RouteType>,
}

/// What of a link is our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Own<'o> {
    /// The link.
    Whole,
    /// These subnets.
    Subnets(&'o [IpNetwork]),
}

/// What tells the routes of a link apart.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    table: u32,
    metric: u32,
    to: IpNetwork,
}

impl Covered {
    /// Takes in a link, address or route that the kernel shows or tells of.
    pub(crate) fn hear(&mut self, message: &RouteNetlinkMessage) {
        match message {
            RouteNetlinkMessage::NewLink(link) => self.link(link),
            // The bridge tells so of a port that leaves it.
            RouteNetlinkMessage::DelLink(link) if link.header.interface_family == AddressFamily::Unspec => {
                self.links.remove(&link.header.index);
            }
            RouteNetlinkMessage::NewAddress(address) => {
                let address = as_address(address);
                address.map(|found| self.near(found.link).addresses.insert(found.address));
            }
            RouteNetlinkMessage::DelAddress(address) => {
                let address = as_address(address);
                address.map(|found| self.near(found.link).addresses.remove(&found.address));
            }
            RouteNetlinkMessage::NewRoute(route) => {
                let (link, key) = if decides(route) { keyed(route).unzip() } else { (None, None) };
                link.zip(key).map(|(link, key)| self.near(link).routes.insert(key, route.header.kind));
            }
            RouteNetlinkMessage::DelRoute(route) => {
                keyed(route).map(|(link, key)| self.near(link).routes.remove(&key));
            }
            _ => {}
        }
    }

    /// Forgets the route in whose place this one came: it may have led to another link.
    pub(crate) fn make_way(&mut self, message: &RouteNetlinkMessage) {
        let RouteNetlinkMessage::NewRoute(route) = message else { return };
        if let Some((_, key)) = keyed(route) {
            self.links.values_mut().for_each(|near| near.routes.retain(|other, _| *other != key));
        }
    }

    /// The subnets, default routes left out; `own` says of a link, by its index and group, what else is left out of what is
    /// near it, with all that is within that.
    pub(crate) fn subnets<'o>(&self, own: impl Fn(u32, u32) -> Own<'o>) -> BTreeSet<IpNetwork> {
        let mut subnets = BTreeSet::new();
        for (index, near) in &self.links {
            let Own::Subnets(own) = own(*index, near.group) else { continue };
            let all = near.addresses.iter().chain(near.routes.keys().map(|key| &key.to));
            let counts =
                |subnet: &&IpNetwork| !is_default(subnet) && !own.iter().any(|own| encloses(own, subnet));
            subnets.extend(all.filter(counts).map(masked));
        }
        subnets
    }

    /// The MTU of the link that the main table's default route leads out of, IPv4's first.
    pub(crate) fn egress_mtu(&self) -> Option<Mtu> {
        let main = u32::from(RouteHeader::RT_TABLE_MAIN);
        let leads_out = |(key, kind): &(&Key, &RouteType)| {
            key.table == main && key.to.prefix() == 0 && **kind == RouteType::Unicast
        };
        let routes = self.links.values().flat_map(|near| {
            near.routes.iter().filter(leads_out).map(|(key, _)| (key.to.is_ipv6(), key.metric, near.mtu))
        });
        routes.min_by_key(|(v6, metric, _)| (*v6, *metric)).and_then(|(_, _, mtu)| mtu)
    }

    fn link(&mut self, LinkMessage { header, attributes, .. }: &LinkMessage) {
        if header.interface_family != AddressFamily::Unspec {
            return;
        }
        let near = self.near(header.index);
        for attribute in attributes {
            match attribute {
                LinkAttribute::Group(group) => near.group = *group,
                LinkAttribute::Mtu(mtu) => near.mtu = Mtu::try_from(*mtu).ok(),
                _ => {}
            }
        }
        // Without a word it loses all routes then but those to its own addresses.
        if !header.flags.contains(LinkFlags::Up) {
            near.routes.retain(|_, kind| *kind == RouteType::Local);
        }
    }

    fn near(&mut self, link: u32) -> &mut Near {
        self.links.entry(link).or_default()
    }
}

fn keyed(message: &RouteMessage) -> Option<(u32, Key)> {
    let route = as_route(message)?;
    let (mut table, mut metric) = (u32::from(message.header.table), 0);
    for attribute in &message.attributes {
        match attribute {
            // The header has room for 255 tables.
            RouteAttribute::Table(number) => table = *number,
            RouteAttribute::Priority(number) => metric = *number,
            _ => {}
        }
    }
    Some((route.link.unwrap_or(0), Key { table, metric, to: route.to }))
}

/// A VPN that takes everything over often has two routes, to either half of all addresses, so that the host's own default
/// route stays as it is. No network could keep clear of them.
fn is_default(subnet: &IpNetwork) -> bool {
    subnet.prefix() <= 1
}
