//! Table `inet pontoon` as the kernel holds it, for every option; what survives whom; what a change costs.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test may")]

use std::{net::IpAddr, time::Duration};

use libnet::{
    firewall::{
        Change, DeclaredFirewall, DirectRouting, Firewall, FirewallEndpoint, FirewallNetwork,
        FirewallOptions, Guard,
    },
    ports::PublishedPort,
    types::{EndpointId, Exposure, GatewayMode, Icc, Internal, MacAddr, Masquerade, NetworkId, Port, Proto},
};
use nix::time::{ClockId, clock_gettime};
use tests::{Golden, Host, Lab};

fn network(number: u8) -> FirewallNetwork {
    FirewallNetwork {
        id: NetworkId::from_bytes([number; 32]),
        link: format!("br-{number}").parse().unwrap(),
        v4: Some(format!("10.0.{number}.1/24").parse().unwrap()),
        v6: Some(format!("fd00:0:0:{number}::1/64").parse().unwrap()),
        internal: Internal::No,
        icc: Icc::Allowed,
        masquerade: Masquerade::Yes,
        exposure: Exposure::default(),
    }
}

fn port(number: u16) -> Port {
    Port::new(number).unwrap()
}

fn published(host_ip: &str, host_port: u16, container: u16, proto: Proto) -> PublishedPort {
    let host_ip: IpAddr = host_ip.parse().unwrap();
    PublishedPort { host_ip, host_port: Some(port(host_port)), container: port(container), proto }
}

fn endpoint(network: u8, number: u8, ports: Vec<PublishedPort>) -> FirewallEndpoint {
    let mut id = [network; 32];
    id[0] = number;
    FirewallEndpoint {
        id: EndpointId::from_bytes(id),
        network: NetworkId::from_bytes([network; 32]),
        sandbox: None,
        v4: Some([10, 0, network, number].into()),
        v6: Some(format!("fd00:0:0:{network}::{number:x}").parse().unwrap()),
        ports,
        guard: None,
    }
}

/// An endpoint that sends from its own addresses alone.
fn guarded(network: u8, number: u8) -> FirewallEndpoint {
    let endpoint = endpoint(network, number, Vec::new());
    let guard = Guard {
        port: "veth0401010".parse().unwrap(),
        mac: MacAddr::local([2, 0x42, 0, 0, network, number]),
        addresses: endpoint.v4.map(IpAddr::V4).into_iter().chain(endpoint.v6.map(IpAddr::V6)).collect(),
    };
    FirewallEndpoint { guard: Some(guard), ..endpoint }
}

/// A port that is reached by the container's own address.
fn direct(host_ip: &str, container: u16) -> PublishedPort {
    PublishedPort { host_port: None, ..published(host_ip, 1, container, Proto::Tcp) }
}

fn exposed(number: u8, exposure: Exposure) -> FirewallNetwork {
    FirewallNetwork { exposure, ..network(number) }
}

fn modes(v4: GatewayMode, v6: GatewayMode) -> Exposure {
    Exposure { v4, v6, ..Exposure::default() }
}

fn sources() -> Exposure {
    Exposure {
        v4_source: Some([192, 0, 2, 10].into()),
        v6_source: Some("2001:db8::10".parse().unwrap()),
        ..Exposure::default()
    }
}

fn trusting() -> Exposure {
    Exposure { trusted: ["lan0", "lan1"].map(|name| name.parse().unwrap()).into(), ..Exposure::default() }
}

/// `nft` breaks lines of elements as it likes and shows those of hashed sets in any order.
fn normal(listing: &str) -> String {
    let mut normal = String::new();
    let mut rest = listing;
    while let Some((before, after)) = rest.split_once("elements = { ") {
        let (list, after) = after.split_once(" }").unwrap();
        let mut elements: Vec<&str> = list.split(',').map(str::trim).collect();
        elements.sort_unstable();
        normal.push_str(&format!("{before}elements = {{ {} }}", elements.join(", ")));
        rest = after;
    }
    (normal + rest).trim_end().to_owned()
}

#[track_caller]
fn assert_kernel_holds(host: &Host, firewall: &Firewall) {
    let listed = host.exec(["nft", "-s", "list", "ruleset"]).ok();
    assert_eq!(normal(&listed), normal(&firewall.ruleset().to_string()));
}

/// What is right already stays as it is: every rule and set keeps its handle, the user's packets their way.
#[track_caller]
fn assert_replace_touches_nothing(host: &Host, firewall: &Firewall) {
    let handles = || host.exec(["nft", "-a", "-s", "list", "ruleset"]).ok();
    let before = handles();
    firewall.replace(firewall.declared()).unwrap();
    assert_eq!(handles(), before);
}

/// A state of the firewall, how it comes about, and what the documentation says of it.
struct Step {
    name: &'static str,
    text: &'static str,
    changes: Vec<Change>,
}

fn gateway_modes() -> Vec<Change> {
    vec![
        Change::AddNetwork(exposed(7, modes(GatewayMode::Routed, GatewayMode::Routed))),
        Change::AddNetwork(exposed(8, modes(GatewayMode::NatUnprotected, GatewayMode::NatUnprotected))),
        Change::AddNetwork(exposed(9, modes(GatewayMode::Nat, GatewayMode::Routed))),
        Change::AddNetwork(exposed(10, sources())),
        Change::AddNetwork(exposed(11, trusting())),
        Change::AddNetwork(FirewallNetwork {
            internal: Internal::Yes,
            ..exposed(12, modes(GatewayMode::Isolated, GatewayMode::Isolated))
        }),
        Change::AddEndpoint(endpoint(7, 2, vec![direct("0.0.0.0", 80), direct("::", 80)])),
        Change::AddEndpoint(endpoint(
            9,
            2,
            vec![published("0.0.0.0", 8090, 80, Proto::Tcp), direct("::", 80)],
        )),
        Change::AddEndpoint(endpoint(11, 2, vec![published("0.0.0.0", 8011, 80, Proto::Tcp)])),
    ]
}

fn of_both_families() -> Vec<PublishedPort> {
    vec![
        published("0.0.0.0", 8082, 80, Proto::Tcp),
        published("::", 8082, 80, Proto::Tcp),
        published("2001:db8::1", 8083, 80, Proto::Tcp),
        published("::", 133, 133, Proto::Sctp),
    ]
}

fn of_two_networks() -> Vec<Change> {
    let ports = vec![published("0.0.0.0", 8084, 80, Proto::Tcp), published("::", 8084, 80, Proto::Tcp)];
    let both = [endpoint(4, 3, ports), FirewallEndpoint { v6: None, ..endpoint(5, 3, Vec::new()) }];
    both.map(|endpoint| Change::AddEndpoint(endpoint.within("container"))).to_vec()
}

fn step(name: &'static str, text: &'static str, changes: Vec<Change>) -> Step {
    Step { name, text, changes }
}

fn steps() -> Vec<Step> {
    [containers(), networks(), endings()].into_iter().flatten().collect()
}

fn containers() -> Vec<Step> {
    let all_ports = vec![
        published("0.0.0.0", 8080, 80, Proto::Tcp),
        published("::", 8080, 80, Proto::Tcp),
        published("127.0.0.1", 8081, 80, Proto::Tcp),
        published("192.0.2.1", 53, 53, Proto::Udp),
        published("2001:db8::1", 132, 132, Proto::Sctp),
    ];
    vec![
        step(
            "One network",
            "Bridge `br-1` with 10.0.1.0/24 and fd00:0:0:1::/64. Its containers reach each other and, with the host's \
             address, everything outside. These are the whole tables; below only what the sets hold is shown, for the \
             chains never change.",
            vec![Change::AddNetwork(network(1))],
        ),
        step(
            "Published ports",
            "A container with `-p 8080:80 -p 127.0.0.1:8081:80 -p 192.0.2.1:53:53/udp -p [2001:db8::1]:132:132/sctp`. \
             The comment of an element is the beginning of the endpoint's id.",
            vec![Change::AddEndpoint(endpoint(1, 2, all_ports))],
        ),
        step(
            "A container that is kept to its addresses",
            "Table `bridge pontoon` knows its port, its Ethernet address and the addresses that it may send from.",
            vec![Change::AddEndpoint(guarded(1, 4))],
        ),
    ]
}

fn networks() -> Vec<Step> {
    let on_internal = vec![published("0.0.0.0", 9, 9, Proto::Tcp)];
    vec![
        step(
            "Options of networks",
            "`br-2`: no traffic between containers (`enable_icc=false`). `br-3`: internal; a port published there is \
             held, and leads nowhere. `br-4`: no masquerading. `br-5`: IPv4 only. `br-6`: IPv6 only.",
            vec![
                Change::AddNetwork(FirewallNetwork { icc: Icc::Denied, ..network(2) }),
                Change::AddNetwork(FirewallNetwork { internal: Internal::Yes, ..network(3) }),
                Change::AddNetwork(FirewallNetwork { masquerade: Masquerade::No, ..network(4) }),
                Change::AddNetwork(FirewallNetwork { v6: None, ..network(5) }),
                Change::AddNetwork(FirewallNetwork { v4: None, ..network(6) }),
                Change::AddEndpoint(endpoint(3, 2, on_internal)),
            ],
        ),
        step(
            "A container of one family",
            "In `br-5`, with IPv4 only, and `-p 8082:80 -p [2001:db8::1]:8083:80 -p [::]:133:133/sctp`: what no address can be \
             rewritten for the daemon answers itself, and that is reached at the gateways of all networks. SCTP it does \
             not answer.",
            vec![Change::AddEndpoint(FirewallEndpoint { v6: None, ..endpoint(5, 2, of_both_families()) })],
        ),
        step(
            "A container of two networks",
            "In `br-4` with `-p 8084:80`, and in `br-5`. It would answer who asks from `br-5` there, past the host, which \
             alone can translate the answer back: so it sees the host's address instead.",
            of_two_networks(),
        ),
        step(
            "Gateway modes",
            "`br-7`: routed; its container publishes port 80, without a port of the host. `br-8`: unprotected. `br-9`: \
             IPv4 rewritten, IPv6 routed. `br-10`: packets leave with addresses that the network names. `br-11`: trusts \
             `lan0` and `lan1`. `br-12`: isolated; the host itself has no address there.",
            gateway_modes(),
        ),
    ]
}

fn endings() -> Vec<Step> {
    let one_port = vec![published("0.0.0.0", 1, 2, Proto::Tcp)];
    vec![
        step(
            "Other ports",
            "The container of above publishes port 1 in the place of the others.",
            vec![Change::AddEndpoint(endpoint(1, 2, one_port))],
        ),
        step(
            "All but one network gone",
            "With a network its endpoints go.",
            (2..=12).map(|number| Change::RemoveNetwork(network(number).id)).collect(),
        ),
        step(
            "The endpoints gone",
            "What is left is the network.",
            vec![Change::RemoveEndpoint(endpoint(1, 2, vec![]).id), Change::RemoveEndpoint(guarded(1, 4).id)],
        ),
        step(
            "Nothing left",
            "Without a network there is no table.",
            vec![Change::RemoveNetwork(network(1).id)],
        ),
    ]
}

/// The sets that hold something, as `nft` prints them.
fn elements(listing: &str) -> String {
    let sets = listing.split("\n\n").filter(|block| block.contains("elements = "));
    let sets: Vec<&str> = sets.map(|block| block.trim_end_matches("}\n")).collect();
    sets.join("\n\n")
}

#[test]
fn the_kernel_holds_the_value_for_every_option() {
    let lab = Lab::new();
    let host = lab.host("options");
    let firewall = host.run(|| Firewall::open().unwrap());
    let mut page = PAGE_HEAD.to_owned();
    for (number, Step { name, text, changes }) in steps().into_iter().enumerate() {
        for change in changes {
            firewall.apply(change).unwrap();
        }
        assert_kernel_holds(&host, &firewall);
        assert_replace_touches_nothing(&host, &firewall);
        let listing = firewall.ruleset().to_string();
        let shown = if number == 0 { listing } else { elements(&listing) };
        page.push_str(&format!("\n## {name}\n\n{text}\n"));
        if !shown.is_empty() {
            page.push_str(&format!("\n```\n{}\n```\n", shown.trim_end()));
        }
    }
    page.push_str(&format!("\n## Options of the daemon\n\n{OF_DAEMON}\n\n```\n{}\n```\n", of_daemon(&lab)));
    Golden::page("firewall/ruleset.md").assert(&page);
}

const OF_DAEMON: &str = "With `bridge-accept-fwmark` set to `0x1/0xff` there is one rule more, and with \
    `allow-direct-routing` every published port is reached by its container's own address as well: \
    `-p 127.0.0.1:8081:80` in `br-1`. The daemon itself serves metrics at port 9323, which is hidden from containers.";

fn of_daemon(lab: &Lab) -> String {
    let host = lab.host("daemon");
    let options = FirewallOptions {
        direct_routing: DirectRouting::Allowed,
        accept_mark: Some("0x1/0xff".parse().unwrap()),
        private: [port(9323)].into(),
        ..FirewallOptions::default()
    };
    let firewall = host.run(|| Firewall::open_with(options).unwrap());
    let ports = vec![published("127.0.0.1", 8081, 80, Proto::Tcp)];
    firewall.apply(Change::AddNetwork(network(1))).unwrap();
    firewall.apply(Change::AddEndpoint(endpoint(1, 2, ports))).unwrap();
    assert_kernel_holds(&host, &firewall);
    assert_replace_touches_nothing(&host, &firewall);
    let listing = firewall.ruleset().to_string();
    let chain = listing.split("\n\n").find(|block| block.contains("chain filter-forward")).unwrap();
    let shown = format!("{}\n\n{chain}", elements(&listing));

    // Another daemon on the same host, without them.
    let plain = host.run(|| Firewall::open().unwrap());
    plain.replace(firewall.declared()).unwrap();
    assert_kernel_holds(&host, &plain);
    plain.clear().unwrap();
    assert_eq!(host.exec(["nft", "-s", "list", "ruleset"]).ok(), "");
    shown
}

const PAGE_HEAD: &str = "# Tables `inet pontoon` and `bridge pontoon`, state by state

<!-- Written by libnet/tests/firewall.rs from what the kernel holds; `just goldens` writes it anew. -->

Each listing is what `nft -s list ruleset` shows of a live kernel, with elements in order. Why the rules are
what they are: [README](README.md).
";

#[test]
fn what_the_kernel_lost_or_got_from_others_is_put_right() {
    let lab = Lab::new();
    let host = lab.host("heal");
    let firewall = host.run(|| Firewall::open().unwrap());
    let ports = vec![published("0.0.0.0", 8080, 80, Proto::Tcp)];
    firewall.apply(Change::AddNetwork(network(1))).unwrap();
    firewall.apply(Change::AddEndpoint(endpoint(1, 2, ports))).unwrap();
    host.exec(["nft", "add rule inet pontoon pontoon-user ip saddr 192.0.2.9 drop"]).ok();

    let damages = [
        "delete element inet pontoon dnat4-any { tcp . 8080 }",
        "add element inet pontoon dnat4-any { udp . 1 : 192.0.2.1 . 1 }",
        "add element inet pontoon masquerade4 { 192.0.2.0-192.0.2.5 }",
        "add element inet pontoon pairs { \"eth0\" . \"eth1\" : drop }",
        "flush set inet pontoon bridges",
        "flush chain inet pontoon filter-forward",
        "insert rule inet pontoon filter-forward counter drop",
        "flush table inet pontoon; add rule inet pontoon pontoon-user ip saddr 192.0.2.9 drop",
    ];
    for damage in damages {
        host.exec(["nft", damage]).ok();
        firewall.replace(firewall.declared()).unwrap();
        assert_replace_touches_nothing(&host, &firewall);
        let listed = host.exec(["nft", "-s", "list", "ruleset"]).ok();
        let listed = listed.replace("\t\tip saddr 192.0.2.9 drop\n", "");
        assert_eq!(normal(&listed), normal(&firewall.ruleset().to_string()), "after: {damage}");
    }

    host.exec(["nft", "flush", "ruleset"]).ok();
    let more = vec![published("0.0.0.0", 8081, 80, Proto::Tcp)];
    firewall.apply(Change::AddEndpoint(endpoint(1, 3, more))).unwrap();
    assert_kernel_holds(&host, &firewall);
}

#[test]
fn rules_of_the_user_survive_everything() {
    let lab = Lab::new();
    let host = lab.host("user");
    let firewall = host.run(|| Firewall::open().unwrap());
    firewall.apply(Change::AddNetwork(network(1))).unwrap();
    let rule = "ip saddr 192.0.2.9 drop";
    host.exec(["nft", &format!("add rule inet pontoon pontoon-user {rule}")]).ok();

    let again = host.run(|| Firewall::open().unwrap());
    again.replace(firewall.declared()).unwrap();
    assert!(host.exec(["nft", "-s", "list", "ruleset"]).ok().contains(rule));

    again.clear().unwrap();
    let listed = host.exec(["nft", "-s", "list", "ruleset"]).ok();
    let comment = "comment \"made by Pontoon; rules of your own go into chain pontoon-user\"";
    let kept = format!("table inet pontoon {{\n\t{comment}\n\tchain pontoon-user {{\n\t\t{rule}\n\t}}\n}}");
    assert_eq!(listed, kept, "all that is left");

    again.apply(Change::AddNetwork(network(1))).unwrap();
    let listed = host.exec(["nft", "-s", "list", "ruleset"]).ok();
    assert!(listed.contains(rule) && listed.contains("jump pontoon-user"), "{listed}");

    host.exec(["nft", "flush chain inet pontoon pontoon-user"]).ok();
    again.clear().unwrap();
    assert_eq!(host.exec(["nft", "-s", "list", "ruleset"]).ok(), "");
}

#[test]
fn ten_thousand_ports_are_published_at_once() {
    let lab = Lab::new();
    let host = lab.host("many");
    let firewall = host.run(|| Firewall::open().unwrap());
    firewall.apply(Change::AddNetwork(network(1))).unwrap();
    let ports = (1..=10_000).map(|number| published("0.0.0.0", number, number, Proto::Tcp)).collect();
    // Time of this thread, the kernel's part included: other tests run beside this one.
    let now = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap());
    let began = now();
    firewall.apply(Change::AddEndpoint(endpoint(1, 2, ports))).unwrap();
    let all = now() - began;
    // The kernel books work for others on whoever runs: the least of a few is what it takes.
    let one_more = (3..8).map(|number| {
        let port = published("0.0.0.0", 10_000 + u16::from(number), 80, Proto::Tcp);
        let began = now();
        firewall.apply(Change::AddEndpoint(endpoint(1, number, vec![port]))).unwrap();
        now() - began
    });
    let one_more = one_more.min().unwrap();
    println!("10,000 ports: {all:?}; one more: {one_more:?}");
    assert!(all < Duration::from_secs(2), "{all:?}");
    assert!(one_more * 100 < all, "a change costs what it is, not what is there: {one_more:?} of {all:?}");

    let declared = firewall.declared();
    let again = host.run(|| Firewall::open().unwrap());
    again.replace(declared).unwrap();
    assert_eq!(again.ruleset(), firewall.ruleset());
}

#[test]
fn a_refused_change_leaves_all_as_it_was() {
    let lab = Lab::new();
    let host = lab.host("refused");
    let firewall = host.run(|| Firewall::open().unwrap());
    firewall.apply(Change::AddNetwork(network(1))).unwrap();
    let ports = vec![published("0.0.0.0", 8080, 80, Proto::Tcp)];
    firewall.apply(Change::AddEndpoint(endpoint(1, 2, ports.clone()))).unwrap();
    let before = firewall.ruleset();

    let error = firewall.apply(Change::AddEndpoint(endpoint(1, 3, ports))).unwrap_err();
    assert_eq!(error.to_string(), "firewall: tcp . 8080 of dnat4-any is taken already");
    let overlapping = FirewallNetwork { v4: Some("10.0.1.65/26".parse().unwrap()), ..network(7) };
    let error = firewall.apply(Change::AddNetwork(overlapping)).unwrap_err();
    assert!(error.to_string().contains("add element inet pontoon masquerade4 { 10.0.1.64/26"), "{error}");
    let nowhere = firewall.apply(Change::AddEndpoint(endpoint(9, 3, vec![]))).unwrap_err();
    assert_eq!(nowhere.to_string(), "firewall: network 090909090909 is not declared");

    assert_eq!(firewall.ruleset(), before);
    assert_kernel_holds(&host, &firewall);
    assert_eq!(DeclaredFirewall::default(), lab.host("empty").run(|| Firewall::open().unwrap()).declared());
}

#[test]
fn another_firewall_that_drops_lets_our_networks_through_while_they_are() {
    let lab = Lab::new();
    let host = lab.host("neighbours");
    let iptables = |line: &str| host.sh(&format!("iptables-nft {line}")).ok();
    iptables("-A FORWARD -s 192.0.2.1 -j DROP");
    iptables("-P FORWARD DROP");
    host.sh("nft 'table inet wall { chain fwd4 { type filter hook forward priority 10; policy drop; tcp dport 1 drop; counter reject; }; }'").ok();
    host.sh(
        "nft 'table ip open { chain forward { type filter hook forward priority 10; policy accept; }; }'",
    )
    .ok();

    let firewall = host.run(|| Firewall::open().unwrap());
    firewall.apply(Change::AddNetwork(network(1))).unwrap();
    firewall.apply(Change::AddNetwork(network(2))).unwrap();
    let ours = "-A FORWARD -i br-1 -m comment --comment pontoon -j ACCEPT
-A FORWARD -o br-1 -m comment --comment pontoon -j ACCEPT
-A FORWARD -i br-2 -m comment --comment pontoon -j ACCEPT
-A FORWARD -o br-2 -m comment --comment pontoon -j ACCEPT";
    assert_eq!(
        iptables("-S FORWARD"),
        format!("-P FORWARD DROP\n-A FORWARD -s 192.0.2.1/32 -j DROP\n{ours}")
    );
    let wall = host.exec(["nft", "list", "table", "inet", "wall"]).ok();
    assert!(wall.contains("tcp dport 1 drop\n\t\tiifname \"br-1\" counter packets"), "{wall}");
    assert!(wall.trim_end_matches(['}', '\n', '\t']).ends_with("reject"), "{wall}");
    assert!(!host.exec(["nft", "list", "table", "ip", "open"]).ok().contains("pontoon"));

    // Rules lost, written back in another form, and made twice by the other tool.
    host.sh("iptables-nft-save | iptables-nft-restore").ok();
    iptables("-D FORWARD -i br-2 -m comment --comment pontoon -j ACCEPT");
    iptables("-A FORWARD -i br-1 -m comment --comment pontoon -j ACCEPT");
    firewall.replace(firewall.declared()).unwrap();
    firewall.apply(Change::RemoveNetwork(network(1).id)).unwrap();
    assert_eq!(iptables("-S FORWARD").matches("pontoon").count(), 2);
    firewall.clear().unwrap();
    assert_eq!(iptables("-S FORWARD"), "-P FORWARD DROP\n-A FORWARD -s 192.0.2.1/32 -j DROP");
    assert!(!host.exec(["nft", "-s", "list", "ruleset"]).ok().contains("pontoon"));
}

#[test]
fn who_may_not_change_the_firewall_is_told_at_once() {
    use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};
    let lab = Lab::new();
    let error = lab.host("nobody").run(|| {
        let all = capabilities(None).unwrap();
        set_capabilities(None, CapabilitySets { effective: CapabilitySet::empty(), ..all }).unwrap();
        let error = Firewall::open().unwrap_err();
        set_capabilities(None, all).unwrap();
        error
    });
    let expected = "the firewall can be changed by root only (CAP_NET_ADMIN in the network namespace)";
    assert_eq!(error.to_string(), expected);
}
