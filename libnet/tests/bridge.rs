//! Bridges: what they are set to, who may reach whom, and how a host finds its way back to what is declared.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test may")]

mod support;

use libnet::{
    host::{
        BridgeNetwork, Declared, DeclaredEndpoint, DeclaredSandbox, DefaultRoute, EndpointSpec, Host,
        HostError, Sandbox,
    },
    ports::{HostPort, PortRequest, PublishedPort},
    types::{Icc, Internal, Mtu, Port, Proto},
};
use support::{endpoint, here, network, open, open_with_web};
use tests::{ANSWER, Host as Machine, Lab, SILENCE, eventually};

const ONE: &str = "pontoon-000000000001";
const TWO: &str = "pontoon-000000000002";

fn ping(machine: &Machine, from: &str, to: &str, seconds: u8) -> bool {
    let wait = format!("-W{seconds}");
    machine.exec(["ip", "netns", "exec", from, "ping", "-c1", &wait, to]).status.success()
}

/// Two sandboxes with an endpoint each.
fn two_in(host: &Host, net: &BridgeNetwork) -> [(Sandbox, EndpointSpec); 2] {
    host.create_network(net).unwrap();
    [(ONE, 2), (TWO, 3)].map(|(name, number)| {
        let (sandbox, ep) = (host.open_sandbox(name).unwrap(), endpoint(net, number, "eth0"));
        host.attach(&sandbox, &ep).unwrap();
        (sandbox, ep)
    })
}

fn declared(net: &BridgeNetwork, ends: &[(Sandbox, EndpointSpec)]) -> Declared {
    let sandbox = |(sandbox, spec): &(Sandbox, EndpointSpec)| DeclaredSandbox {
        name: sandbox.name().to_owned(),
        endpoints: vec![DeclaredEndpoint { spec: spec.clone(), ports: Vec::new() }],
    };
    let sandboxes = ends.iter().map(sandbox).collect();
    Declared { networks: vec![net.into()], sandboxes, ..Declared::default() }
}

#[test]
fn a_bridge_is_set_as_declared() {
    let lab = Lab::new();
    let machine = lab.host("a");
    machine.run(|| {
        let host = open();
        let net = BridgeNetwork {
            mtu: Mtu::try_from(1_400_u32).unwrap(),
            ..network("web", "10.9.0.1/24", "fd09::1/64")
        };
        host.create_network(&net).unwrap();
        let setting = |key: &str| machine.exec(["sysctl", "-n", key]).ok();
        assert_eq!(setting("net.ipv4.ip_forward"), "1");
        assert_eq!(setting("net.ipv4.conf.br-web.route_localnet"), "0");
        assert_eq!(setting("net.ipv4.conf.all.route_localnet"), "0");
        assert_eq!(setting("net.ipv6.conf.all.forwarding"), "1");
        assert_eq!(setting("net.ipv6.conf.br-web.disable_ipv6"), "0");
        assert_eq!(machine.exec(["ip", "-6", "address", "show", "tentative"]).ok(), "");
        let link = machine.exec(["ip", "-j", "-d", "link", "show", "br-web"]).json();
        assert_eq!(link[0]["mtu"], 1_400);
        // Fixed by the id of the network: w, e and b are 77, 65 and 62; 77 is made a local unicast address.
        assert_eq!(link[0]["address"], "76:65:62:77:65:62");
        assert!(link[0]["ifalias"].as_str().unwrap().starts_with("pontoon network "), "{link}");

        // A port of another size does not change the bridge's.
        let sandbox = host.open_sandbox(ONE).unwrap();
        host.attach(
            &sandbox,
            &EndpointSpec { mtu: Mtu::try_from(1_300_u32).unwrap(), ..endpoint(&net, 2, "eth0") },
        )
        .unwrap();
        let link = machine.exec(["ip", "-j", "link", "show", "br-web"]).json();
        assert_eq!((&link[0]["mtu"], &link[0]["address"]), (&1_400.into(), &"76:65:62:77:65:62".into()));
    });
}

#[test]
fn a_bridge_carries_127_0_0_0_8_while_a_port_is_reached_so() {
    let lab = Lab::new();
    let machine = lab.host("a");
    machine.run(|| {
        let (host, net) = open_with_web("10.9.0.1/24", "fd09::1/64");
        let sandbox = host.open_sandbox(ONE).unwrap();
        let setting = || machine.exec(["sysctl", "-n", "net.ipv4.conf.br-web.route_localnet"]).ok();
        let port = |ip: &str, number| PortRequest {
            host_ip: Some(ip.parse().unwrap()),
            host: HostPort::Exactly(Port::new(number).unwrap()),
            container: Port::new(80).unwrap(),
            proto: Proto::Tcp,
        };
        let with = |number, ports| EndpointSpec { ports, ..endpoint(&net, number, "eth0") };
        let first = with(2, vec![port("10.9.0.1", 8001), port("::", 8002)]);
        host.attach(&sandbox, &first).unwrap();
        assert_eq!(setting(), "0", "none is reached by 127.0.0.1");
        let second = EndpointSpec {
            ifname: "eth1".parse().unwrap(),
            default_route: DefaultRoute::None,
            ..with(3, vec![port("127.0.0.1", 8003)])
        };
        host.attach(&sandbox, &second).unwrap();
        assert_eq!(setting(), "1");
        let more = host.publish(first.id, &[port("0.0.0.0", 8004)]).unwrap();
        host.detach(&sandbox, second.id).unwrap();
        assert_eq!(setting(), "1", "one is left");

        // Another daemon takes over.
        let mut spec = first.clone();
        spec.ports.push(port("0.0.0.0", 8004));
        let ports = [("10.9.0.1", 8001), ("::", 8002), ("0.0.0.0", 8004)].map(|(ip, number)| PublishedPort {
            host_ip: ip.parse().unwrap(),
            host_port: Port::new(number),
            container: Port::new(80).unwrap(),
            proto: Proto::Tcp,
        });
        let endpoints = vec![DeclaredEndpoint { spec: spec.clone(), ports: ports.to_vec() }];
        let sandboxes = vec![DeclaredSandbox { name: ONE.to_owned(), endpoints }];
        drop((sandbox, host));
        let host = open();
        host.reconcile(&Declared { networks: vec![(&net).into()], sandboxes, ..Declared::default() })
            .unwrap();
        assert_eq!(setting(), "1", "as it was");
        let sandbox = host.adopt_sandbox(ONE).unwrap();
        host.adopt_endpoint(&sandbox, &spec).unwrap();
        host.withdraw(first.id, &more).unwrap();
        assert_eq!(setting(), "0");
        // A port that can't be had changes nothing.
        let _taken = std::net::TcpListener::bind("127.0.0.1:8005").unwrap();
        host.publish(first.id, &[port("127.0.0.1", 8005)]).unwrap_err();
        assert_eq!(setting(), "0");
        machine.sh("sysctl -qw net.ipv4.conf.br-web.route_localnet=1").ok();
        host.reconcile(&Declared { networks: vec![(&net).into()], ..Declared::default() }).unwrap();
        assert_eq!(setting(), "0", "nobody else opens it");
    });
}

#[test]
fn an_internal_network_does_not_make_a_router_of_its_host() {
    let lab = Lab::new();
    let machine = lab.host("a");
    machine.run(|| {
        let host = open();
        host.create_network(&BridgeNetwork {
            internal: Internal::Yes,
            ..network("in", "10.9.0.1/24", "fd09::1/64")
        })
        .unwrap();
        assert_eq!(
            machine.exec(["sysctl", "-n", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"]).ok(),
            "0\n0"
        );
    });
}

#[test]
fn the_host_keeps_its_own_ipv6_routes_when_it_forwards() {
    let lab = Lab::new();
    let machine = lab.host("a");
    let lan = machine.lan("router");
    machine.run(|| {
        let host = open();
        host.create_network(&network("six", "", "fd09::1/64")).unwrap();
        // 2: listens to routers although it is one.
        assert_eq!(machine.exec(["sysctl", "-n", "net.ipv6.conf.lan0.accept_ra"]).ok(), "2");
    });
    drop(lan);
}

#[test]
fn containers_that_may_not_talk_do_not() {
    let lab = Lab::new();
    let machine = lab.host("a");
    machine.run(|| {
        let host = open();
        let shut = BridgeNetwork { icc: Icc::Denied, ..network("shut", "10.9.0.1/24", "") };
        let _ends = two_in(&host, &shut);
        assert!(!ping(&machine, ONE, "10.9.0.3", SILENCE));
        assert!(ping(&machine, ONE, "10.9.0.1", ANSWER));
    });
}

#[test]
fn foreign_links_are_left_alone() {
    let lab = Lab::new();
    let machine = lab.host("a");
    machine.run(|| {
        machine.sh("ip link add br-web type bridge; ip link add vetha type veth peer name vethb").ok();
        let host = open();
        let before = here();
        let error = host.create_network(&network("web", "10.9.0.1/24", "")).unwrap_err();
        let HostError::Step { doing, source } = error else { panic!("{error}") };
        assert_eq!(format!("{doing}: {source}"), "create bridge br-web: link br-web exists and is not ours");
        host.reconcile(&Declared::default()).unwrap();
        host.clear().unwrap();
        assert_eq!(here(), before);
    });
}

#[test]
fn a_network_is_made_once_and_changes_its_gateway() {
    let lab = Lab::new();
    let machine = lab.host("a");
    machine.run(|| {
        let (host, net) = open_with_web("10.9.0.1/24", "");
        let made = here();
        host.create_network(&net).unwrap();
        assert_eq!(here(), made);
        host.create_network(&network("web", "10.10.0.1/16", "")).unwrap();
        assert!(here().contains("address 10.10.0.1/16 dev br-web\n"), "{}", here());
        assert!(!here().contains("10.9.0.1"), "{}", here());
        host.remove_network(net.id).unwrap();
        assert!(matches!(host.remove_network(net.id), Err(HostError::UnknownNetwork(_))));
        // At once again, while the old bridge is still on its way out.
        host.create_network(&net).unwrap();
        assert_eq!(here(), made);
    });
}

#[test]
fn the_next_daemon_adopts_everything() {
    let lab = Lab::new();
    let machine = lab.host("a");
    machine.run(|| {
        let net = network("web", "10.9.0.1/24", "fd09::1/64");
        let first = open();
        let ends = two_in(&first, &net);
        let declared = declared(&net, &ends);
        let kernel = || (here(), machine.exec(["nft", "list", "ruleset"]).ok());
        let before = kernel();
        let names = ends.map(|(sandbox, ep)| (sandbox.name().to_owned(), ep));
        drop(first);

        let second = open();
        let report = second.reconcile(&declared).unwrap();
        assert!(report.errors.is_empty() && report.lost.is_empty(), "{report:?}");
        assert!(report.repaired.is_empty() && report.removed.is_empty(), "{report:?}");
        let adopted = names.map(|(name, ep)| {
            let sandbox = second.adopt_sandbox(&name).unwrap();
            assert!(sandbox.take_dns_sockets().is_err());
            second.adopt_endpoint(&sandbox, &ep).unwrap();
            assert!(matches!(second.adopt_endpoint(&sandbox, &ep), Err(HostError::Attached(_))));
            (sandbox, ep)
        });
        assert_eq!(kernel(), before);
        assert!(ping(&machine, ONE, "10.9.0.3", ANSWER) && ping(&machine, TWO, "fd09::2", ANSWER));

        let [(one, ep), (two, _)] = adopted;
        second.detach(&one, ep.id).unwrap();
        second.attach(&one, &ep).unwrap();
        assert!(ping(&machine, TWO, "10.9.0.2", ANSWER));
        second.close_sandbox(one).unwrap();
        second.close_sandbox(two).unwrap();
        second.remove_network(net.id).unwrap();
    });
    eventually("nothing is left", || {
        let links = machine.run(here);
        if links.contains("veth") || links.contains("br-web") { Err(links) } else { Ok(()) }
    });
    assert_eq!(machine.exec(["nft", "list", "ruleset"]).ok(), "");
    assert_eq!(machine.exec(["ls", "/run/netns"]).ok(), "");
}

#[test]
fn ghosts_of_a_killed_daemon_go() {
    let lab = Lab::new();
    let machine = lab.host("a");
    let before = machine.run(here);
    machine.run(|| {
        let net = network("web", "10.9.0.1/24", "");
        let first = open();
        let _ends = two_in(&first, &net);
        first.create_network(&network("old", "10.10.0.1/24", "")).unwrap();
        drop(first);
        machine.exec(["ip", "netns", "add", "somebodys"]).ok();

        let second = open();
        let report = second.reconcile(&Declared::default()).unwrap();
        assert!(report.errors.is_empty(), "{report:?}");
        assert_eq!(report.removed.len(), 6, "{report:?}");
        assert_eq!(machine.exec(["ls", "/run/netns"]).ok(), "somebodys");
    });
    eventually("nothing is left", || {
        let after = machine.run(here);
        if after == before { Ok(()) } else { Err(after) }
    });
    assert_eq!(machine.exec(["nft", "list", "ruleset"]).ok(), "");
}

#[test]
fn what_was_broken_is_mended() {
    let lab = Lab::new();
    let machine = lab.host("a");
    machine.run(|| {
        let net = network("web", "10.9.0.1/24", "");
        let host = open();
        let ends = two_in(&host, &net);
        let declared = declared(&net, &ends);
        let kernel = || (here(), machine.exec(["nft", "list", "ruleset"]).ok());
        let whole = kernel();
        let breakages = [
            "ip link delete br-web",
            "ip link set br-web down",
            "ip address flush dev br-web",
            "ip link set br-web mtu 1400",
            "for port in $(ls /sys/class/net | grep veth); do ip link set $port nomaster; done",
            "for port in $(ls /sys/class/net | grep veth); do ip link set $port down; done",
            "nft flush ruleset",
        ];
        for breakage in breakages {
            machine.sh(breakage).ok();
            assert_ne!(kernel(), whole, "{breakage}");
            let report = host.reconcile(&declared).unwrap();
            assert!(report.errors.is_empty(), "{breakage}: {report:?}");
            assert_eq!(kernel(), whole, "{breakage}");
            eventually("the containers talk", || {
                if ping(&machine, ONE, "10.9.0.3", SILENCE) { Ok(()) } else { Err(breakage) }
            });
        }
        machine.sh("ip -n pontoon-000000000001 link delete eth0").ok();
        let report = host.reconcile(&declared).unwrap();
        assert_eq!(report.lost.len(), 1, "{report:?}");
    });
}
