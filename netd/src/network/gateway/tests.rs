use libnet::{
    ports::HostPort,
    types::{Port, Proto},
};

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
    PortRequest { host_ip: host_ip.parse().ok(), host, container: Port::new(80).unwrap(), proto: Proto::Tcp }
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
    let all =
        vec![candidate("b", 0, "4"), candidate("y", 0, ""), candidate("z", 9, ""), candidate("a", 0, "4")];
    assert_eq!(names(all), ["z", "a", "b", "y"]);
}

#[test]
fn ports_follow_the_gateway_of_their_family() {
    let (four, six, both) = (candidate("four", 1, "4"), candidate("six", 0, "6"), candidate("both", 0, "46"));
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
    assert_eq!(roles_of(&[local], &[request("", 80)], &[published("127.0.0.1", 80)]), ["a: 4, 127.0.0.1 80"]);
}

#[test]
fn ports_that_move_go_where_their_new_network_wants_them() {
    let bound = |ip: &str, of: Candidate| Candidate { host_ip: ip.parse().ok(), ..of };
    let (any, here) = ([request("", 0)], published("127.0.0.1", 99));
    let everywhere = [published("0.0.0.0", 99), published("::", 99)];
    let local = bound("127.0.0.1", candidate("a", 0, "4"));
    let roles =
        |candidate: &Candidate, has: &[PublishedPort]| roles_of(std::slice::from_ref(candidate), &any, has);
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
