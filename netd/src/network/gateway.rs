//! Which endpoints lead a container out, for each family one, and what is published where. Endpoints are in Docker's
//! order: priority, networks that are not internal, those that lead out for both families, name. The first that leads
//! out for a family is its gateway. Names are searched in the same order.

use std::{
    cmp::Reverse,
    collections::HashSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use libnet::{
    host::DefaultRoute,
    ports::{HostPort, PortRequest, PublishedPort},
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
        kept.map(exactly).chain(followers).chain(new).collect()
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
                vec![PortRequest { host_ip: None, ..exactly(port) }]
            } else {
                let can = |ip: &&IpAddr| self.v6_led || **ip != any(Family::V6);
                let lacking = places.iter().filter(can).filter(|ip| !has(ip));
                lacking.map(|ip| exactly(&at(*ip))).collect()
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

/// A port that was published, to be asked for again.
pub(super) fn exactly(port: &PublishedPort) -> PortRequest {
    PortRequest {
        host_ip: Some(port.host_ip),
        host: port.host_port.map_or(HostPort::Direct, HostPort::Exactly),
        container: port.container,
        proto: port.proto,
    }
}

#[cfg(test)]
mod tests {
    use libnet::types::{Port, Proto};

    use super::*;

    fn candidate(name: &str, priority: i64, families: &str) -> Candidate {
        let mut id = [0; 32];
        id[..name.len()].copy_from_slice(name.as_bytes());
        let all = DefaultRoute::Via {
            v4: families.contains('4').then(|| "10.0.0.1".parse().unwrap()),
            v6: families.contains('6').then(|| "fd00::1".parse().unwrap()),
        };
        let internal = if families.is_empty() { Internal::Yes } else { Internal::No };
        let route = if families.is_empty() { DefaultRoute::None } else { all };
        Candidate {
            network: NetworkId::from_bytes(id),
            name: name.to_owned(),
            priority,
            internal,
            route,
            publishes: true,
            host_ip: None,
        }
    }

    fn request(host_ip: &str, host: u16) -> PortRequest {
        let host = Port::new(host).map_or(HostPort::Ephemeral, HostPort::Exactly);
        PortRequest {
            host_ip: host_ip.parse().ok(),
            host,
            container: Port::new(80).unwrap(),
            proto: Proto::Tcp,
        }
    }

    fn published(host_ip: &str, port: u16) -> PublishedPort {
        let (host_port, container) = (Port::new(port).unwrap(), Port::new(80).unwrap());
        PublishedPort {
            host_ip: host_ip.parse().unwrap(),
            host_port: Some(host_port),
            container,
            proto: Proto::Tcp,
        }
    }

    /// `name 4 6 address:port…` for those that do anything.
    fn roles_of(candidates: &[Candidate], requests: &[PortRequest], has: &[PublishedPort]) -> Vec<String> {
        roles_with(Crossing::Relayed, candidates, requests, has)
    }

    fn roles_with(
        crossing: Crossing,
        candidates: &[Candidate],
        requests: &[PortRequest],
        has: &[PublishedPort],
    ) -> Vec<String> {
        let names: std::collections::HashMap<_, _> =
            candidates.iter().map(|candidate| (candidate.network, candidate.name.clone())).collect();
        let network = NetworkId::from_bytes([255; 32]);
        let has: Vec<_> = has.iter().map(|port| Held { network, port: *port }).collect();
        let roles = roles(&order(candidates.to_vec()), requests, &has, crossing);
        let text = |(network, role): (NetworkId, Role)| {
            let led = [(Family::V4, "4"), (Family::V6, "6")];
            let led = led.into_iter().filter(|(family, _)| role.route.leads(*family));
            let ports = role.ports.iter().map(|port| {
                let ip = port.host_ip.map_or_else(|| "*".to_owned(), |ip| ip.to_string());
                match port.host {
                    HostPort::Exactly(number) => format!("{ip} {number}"),
                    _ => format!("{ip} any"),
                }
            });
            let words: Vec<_> = led.map(|(_, word)| word.to_owned()).chain(ports).collect();
            (!words.is_empty()).then(|| format!("{}: {}", names[&network], words.join(", ")))
        };
        roles.into_iter().filter_map(text).collect()
    }

    #[test]
    fn priority_then_families_then_name_then_nobody() {
        let table: [(&[Candidate], &[&str]); 7] = [
            (&[candidate("web", 0, "4"), candidate("db", 0, "4")], &["db: 4"]),
            (&[candidate("web", 1, "4"), candidate("db", 0, "4")], &["web: 4"]),
            (&[candidate("web", -1, "4"), candidate("db", -2, "4")], &["web: 4"]),
            (&[candidate("web", 0, "4"), candidate("db", 9, "")], &["web: 4"]),
            (&[candidate("a", 0, "4"), candidate("b", 0, "46")], &["b: 4, 6"]),
            (&[candidate("a", 1, "4"), candidate("b", 0, "46")], &["a: 4", "b: 6"]),
            (&[candidate("db", 9, "")], &[]),
        ];
        for (candidates, expected) in table {
            assert_eq!(roles_of(candidates, &[], &[]), *expected, "{candidates:?}");
        }
        let names = |list: Vec<Candidate>| order(list).into_iter().map(|c| c.name).collect::<Vec<_>>();
        let all = vec![
            candidate("b", 0, "4"),
            candidate("y", 0, ""),
            candidate("z", 9, ""),
            candidate("a", 0, "4"),
        ];
        assert_eq!(names(all), ["z", "a", "b", "y"]);
    }

    #[test]
    fn ports_follow_the_gateway_of_their_family() {
        let (four, six, both) =
            (candidate("four", 1, "4"), candidate("six", 0, "6"), candidate("both", 0, "46"));
        let everywhere = [request("", 0)];
        let one = |candidate: &Candidate, has: &[PublishedPort]| {
            roles_of(std::slice::from_ref(candidate), &everywhere, has)
        };
        assert_eq!(one(&four, &[]), ["four: 4, * any"]);
        assert_eq!(one(&six, &[]), ["six: 6, * any"]);
        // The host has no IPv6: nothing is missing.
        assert_eq!(one(&four, &[published("0.0.0.0", 99)]), ["four: 4, 0.0.0.0 99"]);
        assert_eq!(one(&both, &[published("::", 99)]), ["both: 4, 6, :: 99, 0.0.0.0 99"]);

        let pair = [four.clone(), six.clone()];
        assert_eq!(roles_of(&pair, &everywhere, &[]), ["four: 4, 0.0.0.0 any", "six: 6"]);
        let half = [published("0.0.0.0", 99)];
        assert_eq!(roles_of(&pair, &everywhere, &half), ["four: 4, 0.0.0.0 99", "six: 6, :: 99"]);
        let whole = [half[0], published("::", 99)];
        assert_eq!(roles_of(&pair, &everywhere, &whole), ["four: 4, 0.0.0.0 99", "six: 6, :: 99"]);
        assert_eq!(roles_of(&[four], &everywhere, &whole), ["four: 4, 0.0.0.0 99, :: 99"]);

        let named = [request("192.0.2.1", 80), request("::1", 81)];
        assert_eq!(roles_of(&pair, &named, &[]), ["four: 4, 192.0.2.1 80", "six: 6, ::1 81"]);
        assert_eq!(roles_of(&[six], &named, &[]), ["six: 6, 192.0.2.1 80, ::1 81"]);
    }

    #[test]
    fn without_a_relay_a_port_leads_within_its_family() {
        let (four, six) = (candidate("four", 1, "4"), candidate("six", 0, "6"));
        let one = |candidate: &Candidate, requests: &[PortRequest], has: &[PublishedPort]| {
            roles_with(Crossing::None, std::slice::from_ref(candidate), requests, has)
        };
        let everywhere = [request("", 0)];
        assert_eq!(one(&four, &everywhere, &[]), ["four: 4, 0.0.0.0 any"]);
        assert_eq!(one(&six, &everywhere, &[]), ["six: 6, :: any"]);
        // What is published stays so, without a twin.
        assert_eq!(one(&four, &everywhere, &[published("0.0.0.0", 99)]), ["four: 4, 0.0.0.0 99"]);
        assert_eq!(one(&six, &everywhere, &[published("::", 99)]), ["six: 6, :: 99"]);
        let named = [request("192.0.2.1", 80), request("::1", 81)];
        assert_eq!(one(&four, &named, &[]), ["four: 4, 192.0.2.1 80"]);
        assert_eq!(one(&six, &named, &[]), ["six: 6, ::1 81"]);
    }

    #[test]
    fn equal_requests_have_a_number_each() {
        let has = [published("::", 98), published("::", 99)];
        let twice = [request("", 0), request("", 0)];
        let both = roles_of(&[candidate("both", 0, "46")], &twice, &has);
        assert_eq!(both, ["both: 4, 6, :: 98, :: 99, 0.0.0.0 98, 0.0.0.0 99"]);
    }

    #[test]
    fn who_takes_any_number_takes_none_that_another_asked_for() {
        let both = [candidate("both", 0, "46")];
        let has = [published("0.0.0.0", 99), published("::", 99)];
        let more = [request("", 0), request("", 99)];
        assert_eq!(roles_of(&both, &more, &has), ["both: 4, 6, 0.0.0.0 99, :: 99, * any"]);
        let twice = [request("", 0), request("", 0)];
        assert_eq!(roles_of(&both, &twice, &has), ["both: 4, 6, 0.0.0.0 99, :: 99, * any"]);
        let two = [has[0], has[1], published("0.0.0.0", 98), published("::", 98)];
        assert_eq!(roles_of(&both, &twice[..1], &two), ["both: 4, 6, 0.0.0.0 99, :: 99"]);
    }

    #[test]
    fn a_network_may_say_where_its_ports_go() {
        let local = Candidate { host_ip: "127.0.0.1".parse().ok(), ..candidate("a", 0, "4") };
        assert_eq!(roles_of(std::slice::from_ref(&local), &[request("", 80)], &[]), ["a: 4, 127.0.0.1 80"]);
        assert_eq!(
            roles_of(&[local], &[request("", 80)], &[published("127.0.0.1", 80)]),
            ["a: 4, 127.0.0.1 80"]
        );
    }

    #[test]
    fn ports_that_move_go_where_their_new_network_wants_them() {
        let bound = |ip: &str, of: Candidate| Candidate { host_ip: ip.parse().ok(), ..of };
        let (any, here) = ([request("", 0)], published("127.0.0.1", 99));
        let everywhere = [published("0.0.0.0", 99), published("::", 99)];
        let local = bound("127.0.0.1", candidate("a", 0, "4"));
        let roles = |candidate: &Candidate, has: &[PublishedPort]| {
            roles_of(std::slice::from_ref(candidate), &any, has)
        };
        assert_eq!(roles(&local, &everywhere), ["a: 4, 127.0.0.1 99"]);
        assert_eq!(roles(&candidate("a", 0, "4"), &[here]), ["a: 4, * 99"]);
        assert_eq!(roles(&bound("::1", candidate("a", 0, "46")), &[here]), ["a: 4, 6, ::1 99"]);
        assert_eq!(roles(&bound("::1", candidate("a", 0, "4")), &everywhere), ["a: 4, ::1 99"]);
        // The request itself names an address: it is where it was.
        let both = [request("127.0.0.1", 99), request("", 0)];
        assert_eq!(roles_of(&[candidate("a", 0, "4")], &both, &[here]), ["a: 4, 127.0.0.1 99, * any"]);

        // Two gateways have a number together, each where its network wants it.
        let pair = [bound("127.0.0.1", candidate("four", 1, "4")), candidate("six", 0, "6")];
        assert_eq!(roles_of(&pair, &any, &[]), ["four: 4, 127.0.0.1 any", "six: 6"]);
        assert_eq!(roles_of(&pair, &any, &[here]), ["four: 4, 127.0.0.1 99", "six: 6, :: 99"]);
        let pair = [candidate("four", 1, "4"), bound("fd00::9", candidate("six", 0, "6"))];
        assert_eq!(roles_of(&pair, &any, &[]), ["four: 4, 0.0.0.0 any", "six: 6"]);
        let four = published("0.0.0.0", 99);
        assert_eq!(roles_of(&pair, &any, &[four]), ["four: 4, 0.0.0.0 99", "six: 6, fd00::9 99"]);
        // Who publishes nothing is not waited for.
        let lan = Candidate { publishes: false, ..candidate("four", 1, "4") };
        assert_eq!(roles_of(&[lan, candidate("six", 0, "6")], &any, &[]), ["four: 4", "six: 6, :: any"]);
    }
}
