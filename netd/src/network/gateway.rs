//! Which endpoints lead a container out, for each family one, and what is published where. Endpoints are in Docker's
//! order: priority, networks that are not internal, those that lead out for both families, name. The first that leads
//! out for a family is its gateway. Names are searched in the same order.

#[cfg(test)]
mod tests;

use std::{
    cmp::Reverse,
    collections::HashSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use libnet::{
    host::DefaultRoute,
    ports::{PortRequest, PublishedPort},
    types::{Family, Internal, NetworkId},
};

use super::answers::{Matched, Published};

/// An endpoint, as far as the choice needs to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) network: NetworkId,
    pub(super) name: String,
    pub(super) priority: i64,
    pub(super) internal: Internal,
    /// Where packets can leave through the network.
    pub(super) route: DefaultRoute,
    /// Whether the host takes part, so that ports can lead here.
    pub(super) publishes: bool,
    /// Where ports are published whose request names no address.
    pub(super) host_ip: Option<IpAddr>,
}

/// A port that a container has, and the network in which it leads to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) network: NetworkId,
    pub(super) port: PublishedPort,
}

/// Whether a port of one address family can lead to a container that has the other one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crossing {
    /// The daemon relays it.
    Relayed,
    /// It can't.
    None,
}

/// What an endpoint does for its container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Role {
    /// The default routes that lead through it.
    pub(super) route: DefaultRoute,
    /// The ports that lead to it.
    pub(super) ports: Vec<PortRequest>,
}

/// The candidates, the best first.
pub(super) fn order(mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    candidates.sort_by(|a, b| key(a).cmp(&key(b)));
    candidates
}

fn key(candidate: &Candidate) -> (Reverse<i64>, bool, Reverse<usize>, &str) {
    let families = [Family::V4, Family::V6].into_iter().filter(|family| leads(candidate, *family)).count();
    let internal = candidate.internal == Internal::Yes;
    (Reverse(candidate.priority), internal, Reverse(families), &candidate.name)
}

fn leads(candidate: &Candidate, family: Family) -> bool {
    candidate.route.leads(family)
}

/// The role of each candidate, given in [`order`]: `requests` are the ports that the container asks for, `published`
/// what it got for them already, which keeps its numbers.
///
/// A port of an address of the host leads to the gateway of its family or, where there is none and ports are relayed, to
/// that of the other one. What two gateways share is published by one of them first: when its number is known, the roles
/// say that the other one is to follow.
pub(super) fn roles(
    candidates: &[Candidate],
    requests: &[PortRequest],
    published: &[Held],
    crossing: Crossing,
) -> Vec<(NetworkId, Role)> {
    let leader = |family| candidates.iter().find(|candidate| leads(candidate, family)).map(|it| it.network);
    let (v4, v6) = (leader(Family::V4), leader(Family::V6));
    let is_v4_place = |ip: IpAddr| ip.is_ipv4();
    let v4_first = candidates.iter().any(|candidate| {
        Some(candidate.network) == v4 && candidate.publishes && candidate.host_ip.is_none_or(is_v4_place)
    });
    let crosses = crossing == Crossing::Relayed;
    let direct_v4 = |held: &&Held| held.port.host_port.is_none() && held.port.host_ip.is_ipv4();
    let direct_v4 = Published::new(published.iter().filter(direct_v4).map(|held| &held.port));
    let role = |candidate: &Candidate| {
        let is = |who: Option<NetworkId>| who == Some(candidate.network);
        let pick = |v4: bool, v6: bool| {
            [(v4, Family::V4), (v6, Family::V6)].into_iter().filter(|(on, _)| *on).map(|(_, family)| family)
        };
        let route = pick(is(v4), is(v6))
            .fold(DefaultRoute::None, |route, family| route.with(family, candidate.route));
        let carries = |own: Option<NetworkId>, other| is(own.or(other).filter(|_| own.is_some() || crosses));
        let carried: Vec<_> =
            pick(carries(v4, v6), carries(v6, v4)).filter(|_| candidate.publishes).collect();
        // What has no port of the host is the business of its network, and is asked for anew in another one.
        let seen = |held: &&Held| held.port.host_port.is_some() || held.network == candidate.network;
        let published: Vec<_> = published.iter().filter(seen).map(|held| held.port).collect();
        let (direct_v4, v6_led) = (&direct_v4, v6.is_some());
        let ports = Ports { requests, published: &published, direct_v4, v4_first, v6_led };
        (candidate.network, Role { route, ports: ports.of(&carried, candidate.host_ip) })
    };
    candidates.iter().map(role).collect()
}

/// The ports of a container.
struct Ports<'a> {
    requests: &'a [PortRequest],
    published: &'a [PublishedPort],
    /// Those of IPv4 that have no port of the host, wherever they are.
    direct_v4: &'a Published<'a>,
    /// Whether an IPv4 gateway publishes ports whose request names no address: their number is the one that it gets.
    v4_first: bool,
    v6_led: bool,
}

impl Ports<'_> {
    /// Those of these families; `host_ip` is where a request goes that names no address.
    fn of(&self, families: &[Family], host_ip: Option<IpAddr>) -> Vec<PortRequest> {
        let mine = |ip: IpAddr| families.contains(&Family::of(ip));
        let places: Vec<IpAddr> = match host_ip {
            Some(ip) => Some(ip).into_iter().filter(|ip| mine(*ip)).collect(),
            None => families.iter().map(|family| any(*family)).collect(),
        };
        let Matched { named, nameless, unanswered } = Matched::new(self.requests, self.published);
        let stays = |port: &&PublishedPort| {
            places.contains(&port.host_ip) || port.host_port.is_none() && mine(port.host_ip)
        };
        let kept = named.iter().filter(|port| mine(port.host_ip)).chain(nameless.iter().filter(stays));
        let followers = self.followers(&nameless, &places);
        let new = unanswered.into_iter().filter_map(|request| match request.host_ip {
            Some(ip) => mine(ip).then_some(*request),
            None => self.nameless(families, &places, *request),
        });
        kept.map(PublishedPort::exactly).chain(followers).chain(new).collect()
    }

    /// What was asked for at no address in particular, and has its number elsewhere alone: in the other family, or where
    /// another network wants it. A host without IPv6 has none of it, and can't lead out for IPv6 either.
    fn followers(&self, nameless: &[PublishedPort], places: &[IpAddr]) -> Vec<PortRequest> {
        let (mut followers, mut known) = (Vec::new(), HashSet::new());
        let there: HashSet<_> = nameless.iter().copied().collect();
        for port in nameless.iter().filter(|port| port.host_port.is_some()) {
            let at = |ip: IpAddr| PublishedPort { host_ip: ip, ..*port };
            let has = |ip: &&IpAddr| {
                let direct = PublishedPort { host_port: None, ..at(any(Family::of(**ip))) };
                there.contains(&at(**ip)) || there.contains(&direct)
            };
            let new: Vec<_> = if places.len() > 1 && !places.iter().any(|ip| has(&ip)) {
                vec![PortRequest { host_ip: None, ..port.exactly() }]
            } else {
                let can = |ip: &&IpAddr| self.v6_led || **ip != any(Family::V6);
                let lacking = places.iter().filter(can).filter(|ip| !has(ip));
                lacking.map(|ip| at(*ip).exactly()).collect()
            };
            followers.extend(new.into_iter().filter(|new| known.insert(*new)));
        }
        followers
    }

    /// A request that names no address, as far as these families go.
    fn nameless(&self, families: &[Family], places: &[IpAddr], request: PortRequest) -> Option<PortRequest> {
        let direct = || self.direct_v4.answer(&request);
        match (families, places) {
            // The number is the one that IPv4 gets, if it gets any.
            ([Family::V6], _) if self.v4_first && !direct() => None,
            (_, []) => None,
            (_, [place]) => Some(PortRequest { host_ip: Some(*place), ..request }),
            _ => Some(request),
        }
    }
}

fn any(family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
        Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
    }
}
