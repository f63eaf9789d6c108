//! What the addresses and routes of a host cover, kept up with what the kernel tells of changes: a value. To read all of
//! it anew for every network would make the thousandth cost as much as the ten before it together; so would to go through
//! what is near each bridge of ours.
//!
//! Where the kernel is silent (it tells of no IPv4 route that goes because a gateway became unreachable), this errs on
//! the side of too much.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

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
#[derive(Debug, Default)]
pub(crate) struct Covered {
    /// By index; 0 has the routes that lead to no link, or to several.
    links: BTreeMap<u32, Near>,
    /// Default routes, by the index of the link that they lead out of.
    ways_out: BTreeMap<(u32, Key), RouteType>,
}

/// What is near a link.
#[derive(Debug, Default)]
struct Near {
    group: u32,
    mtu: Option<Mtu>,
    addresses: BTreeSet<IpNetwork>,
    routes: BTreeMap<Key, RouteType>,
    /// What was asked last, since anything here has changed.
    asked: Option<Asked>,
}

/// Which subnets near a link were not its own.
#[derive(Debug)]
struct Asked {
    own: Option<Arc<[IpNetwork]>>,
    others: Box<[IpNetwork]>,
}

/// What of a link is our own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Own<'o> {
    /// The link.
    Whole,
    /// These subnets, or none. Other subnets are another value: what is the same one is not compared.
    Subnets(Option<&'o Arc<[IpNetwork]>>),
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
                self.lose_ways_out(link.header.index);
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
                if let Some((link, key)) = keyed(route).filter(|_| decides(route)) {
                    self.route(link, key, route.header.kind);
                }
            }
            RouteNetlinkMessage::DelRoute(route) => {
                if let Some((link, key)) = keyed(route) {
                    self.no_route(link, key);
                }
            }
            _ => {}
        }
    }

    /// Forgets the route in whose place this one came: it may have led to another link.
    pub(crate) fn make_way(&mut self, message: &RouteNetlinkMessage) {
        let RouteNetlinkMessage::NewRoute(route) = message else { return };
        if let Some((_, key)) = keyed(route) {
            let had = self.links.values_mut().filter_map(|near| near.routes.remove(&key).map(|_| near));
            had.for_each(|near| near.asked = None);
            self.ways_out.retain(|(_, other), _| *other != key);
        }
    }

    /// The subnets, default routes left out; `own` says of a link, by its index and group, what else is left out of what is
    /// near it, with all that is within that.
    pub(crate) fn subnets<'o>(&mut self, own: impl Fn(u32, u32) -> Own<'o>) -> BTreeSet<IpNetwork> {
        let mut subnets = BTreeSet::new();
        for (index, near) in &mut self.links {
            if let Own::Subnets(own) = own(*index, near.group) {
                subnets.extend(near.others(own));
            }
        }
        subnets
    }

    /// The MTU of the link that the main table's default route leads out of, IPv4's first.
    pub(crate) fn egress_mtu(&self) -> Option<Mtu> {
        let main = u32::from(RouteHeader::RT_TABLE_MAIN);
        let leads_out = |((_, key), kind): &(&(u32, Key), &RouteType)| {
            key.table == main && key.to.prefix() == 0 && **kind == RouteType::Unicast
        };
        let routes = self.ways_out.iter().filter(leads_out);
        let first = routes.min_by_key(|((_, key), _)| (key.to.is_ipv6(), key.metric));
        first.and_then(|((link, _), _)| self.links.get(link)?.mtu)
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
            self.lose_ways_out(header.index);
        }
    }

    fn route(&mut self, link: u32, key: Key, kind: RouteType) {
        if is_default(&key.to) {
            self.ways_out.insert((link, key), kind);
        } else {
            self.near(link).routes.insert(key, kind);
        }
    }

    fn no_route(&mut self, link: u32, key: Key) {
        if is_default(&key.to) {
            self.ways_out.remove(&(link, key));
        } else {
            self.near(link).routes.remove(&key);
        }
    }

    fn lose_ways_out(&mut self, link: u32) {
        self.ways_out.retain(|(by, _), _| *by != link);
    }

    /// What is near a link, to be changed.
    fn near(&mut self, link: u32) -> &mut Near {
        let near = self.links.entry(link).or_default();
        near.asked = None;
        near
    }
}

impl Near {
    /// The subnets that are not within the link's own.
    fn others(&mut self, own: Option<&Arc<[IpNetwork]>>) -> &[IpNetwork] {
        let same = |asked: &Asked| match (&asked.own, own) {
            (Some(before), Some(now)) => Arc::ptr_eq(before, now),
            (before, now) => before.is_none() && now.is_none(),
        };
        let known = self.asked.take().filter(same);
        let asked = known.unwrap_or_else(|| Asked { own: own.cloned(), others: self.all_but(own) });
        &self.asked.insert(asked).others
    }

    fn all_but(&self, own: Option<&Arc<[IpNetwork]>>) -> Box<[IpNetwork]> {
        let all = self.addresses.iter().chain(self.routes.keys().map(|key| &key.to));
        let is_own = |subnet: &IpNetwork| own.is_some_and(|own| own.iter().any(|own| encloses(own, subnet)));
        all.filter(|subnet| !is_default(subnet) && !is_own(subnet)).map(masked).collect()
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::link::address;

    fn subnet(text: &str) -> IpNetwork {
        text.parse().unwrap()
    }

    #[test]
    fn others_are_what_is_not_the_link_s_own() {
        let mut covered = Covered::default();
        let own: Arc<[_]> = Arc::new([subnet("10.1.0.0/16")]);
        covered.hear(&address::add(7, subnet("10.1.2.1/24")).message);
        covered.hear(&address::add(8, subnet("10.3.0.1/24")).message);
        let of = |link, _| Own::Subnets((link == 7).then_some(&own));
        assert_eq!(covered.subnets(of), [subnet("10.3.0.0/24")].into());
        covered.hear(&address::add(7, subnet("10.2.0.1/24")).message);
        assert_eq!(covered.subnets(of), [subnet("10.2.0.0/24"), subnet("10.3.0.0/24")].into());
        assert_eq!(covered.subnets(|_, _| Own::Whole), [].into());
        assert_eq!(covered.subnets(|_, _| Own::Subnets(None)).len(), 3);
    }

    proptest! {
        /// What was asked before changes no answer: one who hears all first says the same.
        #[test]
        fn asking_between_changes_nothing(
            changes in proptest::collection::vec((any::<bool>(), 1..4_u32, 0..4_u8, 0..3_usize), 0..40),
        ) {
            let owns: [Option<Arc<[IpNetwork]>>; 3] =
                [None, Some(Arc::new([subnet("10.0.0.0/15")])), Some(Arc::new([subnet("10.2.0.0/16")]))];
            let (mut asked, mut silent) = (Covered::default(), Covered::default());
            for (comes, link, second, own) in changes {
                let address = subnet(&format!("10.{second}.0.1/16"));
                let change = if comes { address::add } else { address::delete };
                let message = change(link, address).message;
                asked.hear(&message);
                silent.hear(&message);
                let of = |_, _| Own::Subnets(owns[own].as_ref());
                let seen = asked.subnets(of);
                silent.links.values_mut().for_each(|near| near.asked = None);
                prop_assert_eq!(seen, silent.subnets(of));
            }
        }
    }
}
