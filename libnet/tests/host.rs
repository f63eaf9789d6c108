//! Hosts in the lab: networks, sandboxes and endpoints on a real kernel.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test may")]

mod support;

use libnet::{
    host::{Declared, DefaultRoute, EndpointSpec, HostError, host_link},
    netns::NetNs,
    ports::{HostPort, PortRequest},
    types::{Mtu, Port, Proto, Setting},
};
use support::{endpoint, here, network, open, open_with_web, within};
use tests::{Lab, eventually};

#[test]
fn two_containers_reach_each_other_and_leave_nothing() {
    let lab = Lab::new();
    let machine = lab.host("a");
    let before = machine.run(here);
    machine.run(|| {
        let (host, net) = open_with_web("10.9.0.1/24", "");
        let (one, two) = (
            host.open_sandbox("pontoon-000000000001").unwrap(),
            host.open_sandbox("pontoon-000000000002").unwrap(),
        );
        host.attach(&one, &endpoint(&net, 2, "eth0")).unwrap();
        host.attach(&two, &endpoint(&net, 3, "eth0")).unwrap();
        machine.exec(["ip", "netns", "exec", "pontoon-000000000001", "ping", "-c1", "-W5", "10.9.0.3"]).ok();
        machine.exec(["ip", "netns", "exec", "pontoon-000000000001", "ping", "-c1", "-W5", "10.9.0.1"]).ok();
        host.close_sandbox(one).unwrap();
        host.close_sandbox(two).unwrap();
        host.remove_network(net.id).unwrap();
    });
    eventually("nothing is left", || {
        let after = machine.run(here);
        if after == before { Ok(()) } else { Err(after) }
    });
}

#[test]
fn an_endpoint_goes_and_comes_back_at_once() {
    let lab = Lab::new();
    let machine = lab.host("a");
    machine.run(|| {
        let (host, net) = open_with_web("10.9.0.1/24", "");
        let sandbox = host.open_sandbox("pontoon-000000000001").unwrap();
        let ep = endpoint(&net, 2, "eth0");
        let empty = within(&sandbox);
        host.attach(&sandbox, &ep).unwrap();
        assert!(matches!(host.attach(&sandbox, &ep), Err(HostError::Attached(_))));
        let full = within(&sandbox);
        for _ in 0..3 {
            host.detach(&sandbox, ep.id).unwrap();
            assert!(matches!(host.detach(&sandbox, ep.id), Err(HostError::UnknownEndpoint(_))));
            host.attach(&sandbox, &ep).unwrap();
            assert_eq!(within(&sandbox), full);
        }
        host.detach(&sandbox, ep.id).unwrap();
        eventually("the interface is gone", || {
            let now = within(&sandbox);
            if now == empty { Ok(()) } else { Err(now) }
        });
    });
}

#[test]
fn a_container_has_ipv6_where_its_endpoint_has() {
    let lab = Lab::new();
    let machine = lab.host("a");
    machine.run(|| {
        let host = open();
        let (four, six) = (network("four", "10.9.0.1/24", ""), network("six", "", "fd09::1/64"));
        host.create_network(&four).unwrap();
        host.create_network(&six).unwrap();
        let name = "pontoon-000000000001";
        let sandbox = host.open_sandbox(name).unwrap();
        host.attach(&sandbox, &endpoint(&four, 2, "eth0")).unwrap();
        host.attach(&sandbox, &endpoint(&six, 2, "eth1")).unwrap();
        let setting = |link: &str| {
            let key = format!("net.ipv6.conf.{link}.disable_ipv6");
            machine.exec(["ip", "netns", "exec", name, "sysctl", "-n", &key]).ok()
        };
        assert_eq!((setting("eth0").as_str(), setting("eth1").as_str()), ("1", "0"));
        // The host's ends have none in either, and cost the kernel no route and no group.
        for net in [&four, &six] {
            let end = host_link(&endpoint(net, 2, "eth0").id);
            let key = format!("net.ipv6.conf.{end}.disable_ipv6");
            assert_eq!(machine.exec(["sysctl", "-n", &key]).ok(), "1", "{}", net.name);
            let found =
                machine.sh(&format!("ip -6 address show dev {end}; ip -6 route show table all dev {end}"));
            assert_eq!(found.ok(), "", "{}", net.name);
            let groups = machine.sh(&format!("ip -6 maddress show dev {end} | grep inet6")).stdout;
            assert!(!groups.contains("ff02::1:ff"), "{}: {groups}", net.name);
        }
        // No address is tentative: both ends can be used at once.
        assert_eq!(machine.exec(["ip", "-n", name, "-6", "address", "show", "tentative"]).ok(), "");
        machine.exec(["ip", "netns", "exec", name, "ping", "-c1", "-W5", "fd09::1"]).ok();
        machine.exec(["ping", "-c1", "-W5", "fd09::2"]).ok();
    });
}

#[test]
fn an_interface_has_further_addresses_and_settings() {
    let lab = Lab::new();
    let machine = lab.host("a");
    machine.run(|| {
        let (host, net) = open_with_web("10.9.0.1/24", "");
        let name = "pontoon-000000000001";
        let sandbox = host.open_sandbox(name).unwrap();
        let before = (here(), within(&sandbox));
        let ep = EndpointSpec {
            link_local: vec!["169.254.7.7/16".parse().unwrap(), "fe80::7/64".parse().unwrap()],
            settings: vec![Setting::new("ipv4/conf/eth0/log_martians", "1")],
            ..endpoint(&net, 2, "eth0")
        };
        host.attach(&sandbox, &ep).unwrap();
        let inside = within(&sandbox);
        assert!(inside.contains("169.254.7.7/16"), "{inside}");
        let six = machine.exec(["ip", "-n", name, "-6", "-o", "address", "show", "eth0"]).ok();
        assert!(six.contains("fe80::7/64"), "{six}");
        let setting = "net.ipv4.conf.eth0.log_martians";
        assert_eq!(machine.exec(["ip", "netns", "exec", name, "sysctl", "-n", setting]).ok(), "1");
        host.detach(&sandbox, ep.id).unwrap();

        for (key, value) in [("ipv4/conf/eth0/no_such", "1"), ("ipv4/conf/eth0/log_martians", "many")] {
            let ep = EndpointSpec { settings: vec![Setting::new(key, value)], ..ep.clone() };
            let error = host.attach(&sandbox, &ep).unwrap_err().to_string();
            assert_eq!(error, format!("set {key} in the sandbox"));
            eventually("nothing is left", || {
                let now = (here(), within(&sandbox));
                if now == before { Ok(()) } else { Err(format!("{now:?}")) }
            });
        }
    });
}

#[test]
fn the_default_route_moves() {
    let lab = Lab::new();
    let machine = lab.host("a");
    machine.run(|| {
        let host = open();
        let (one, two) = (network("one", "10.9.0.1/24", ""), network("two", "10.10.0.1/24", ""));
        host.create_network(&one).unwrap();
        host.create_network(&two).unwrap();
        let sandbox = host.open_sandbox("pontoon-000000000001").unwrap();
        let (first, second) = (endpoint(&one, 2, "eth0"), endpoint(&two, 2, "eth1"));
        host.attach(&sandbox, &first).unwrap();
        host.attach(&sandbox, &EndpointSpec { default_route: DefaultRoute::None, ..second.clone() }).unwrap();
        assert!(within(&sandbox).contains("route 0.0.0.0/0 via 10.9.0.1 dev eth0\n"));
        sandbox.set_default_route(second.id, DefaultRoute::None, second.default_route).unwrap();
        assert!(within(&sandbox).contains("route 0.0.0.0/0 via 10.10.0.1 dev eth1\n"));
        assert!(!within(&sandbox).contains("dev eth0\nroute 0.0.0.0/0"));
        sandbox.set_default_route(first.id, first.default_route, DefaultRoute::None).unwrap();
        assert!(within(&sandbox).contains("route 0.0.0.0/0 via 10.10.0.1 dev eth1\n"), "it was taken over");
        sandbox.set_default_route(second.id, second.default_route, DefaultRoute::None).unwrap();
        assert!(!within(&sandbox).contains("0.0.0.0/0"));
        host.detach(&sandbox, second.id).unwrap();
        sandbox.set_default_route(first.id, DefaultRoute::None, first.default_route).unwrap();
        assert!(within(&sandbox).contains("route 0.0.0.0/0 via 10.9.0.1 dev eth0\n"));
    });
}

#[test]
fn many_attach_at_once() {
    let lab = Lab::new();
    let machine = lab.host("a");
    let before = machine.run(here);
    machine.run(|| {
        let (host, net) = open_with_web("10.9.0.1/24", "");
        let worker = |numbers: std::ops::Range<u8>| {
            for number in numbers {
                let sandbox = host.open_sandbox(&format!("pontoon-0000000000{number:02x}")).unwrap();
                host.attach(&sandbox, &endpoint(&net, number, "eth0")).unwrap();
                if number % 2 == 0 {
                    host.close_sandbox(sandbox).unwrap();
                }
            }
        };
        std::thread::scope(|scope| {
            (0..8_u8).for_each(|index| drop(scope.spawn(move || worker(index * 10 + 2..index * 10 + 12))));
        });
        machine.exec(["ping", "-c1", "-W5", "10.9.0.3"]).ok();
        host.clear().unwrap();
    });
    eventually("nothing is left", || {
        let after = machine.run(here);
        if after == before { Ok(()) } else { Err(after) }
    });
}

#[test]
fn what_the_host_has_is_told() {
    let lab = Lab::new();
    let machine = lab.host("a");
    let lan = machine.lan("client");
    machine.run(|| {
        machine.sh("ip route add 203.0.113.0/24 via 198.51.100.2; ip route add default via 198.51.100.2; ip link set lan0 mtu 1400").ok();
        // What VPNs and policy routing do: tables of their own, blackholes, and a default route in two halves.
        machine.sh("ip route add 172.17.0.0/16 via 198.51.100.2 table 220; ip -6 route add 2001:db8:f::/48 dev lan0 table 51820").ok();
        machine.sh("ip route add blackhole 10.1.0.0/16; ip route add local 10.2.0.0/16 dev lo").ok();
        machine.sh("ip route add 0.0.0.0/1 via 198.51.100.2; ip route add 128.0.0.0/1 via 198.51.100.2").ok();
        let host = open();
        let taken: Vec<String> = host.routes_and_links().unwrap().iter().map(ToString::to_string).collect();
        for subnet in [
            "127.0.0.0/8",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "2001:db8::/64",
            "172.17.0.0/16",
            "2001:db8:f::/48",
            "10.1.0.0/16",
            "10.2.0.0/16",
        ] {
            assert!(taken.iter().any(|text| text == subnet), "{subnet} in {taken:?}");
        }
        assert!(!taken.iter().any(|text| text.ends_with("/0") || text.ends_with("/1")), "{taken:?}");
        assert_eq!(host.egress_mtu().unwrap().map(Mtu::bytes), Some(1_400));
    });
    drop(lan);
}

#[test]
fn what_changes_on_the_host_is_told() {
    let lab = Lab::new();
    let machine = lab.host("a");
    let lan = machine.lan("client");
    machine.run(|| {
        let host = open();
        let told = |host: &libnet::host::Host| (host.routes_and_links().unwrap(), host.egress_mtu().unwrap());
        let mut last = told(&host);
        for change in [
            "ip address add 192.0.2.1/28 dev lan0",
            "ip route add 203.0.113.0/24 via 198.51.100.2",
            "ip route add 203.0.113.0/24 via 198.51.100.2 metric 7",
            "ip route add 10.77.0.0/16 via 198.51.100.2 table 1234",
            "ip route add blackhole 10.78.0.0/16",
            "ip route add default via 198.51.100.2; ip link set lan0 mtu 1400",
            "ip link add br9 type bridge; ip address add 10.79.0.1/16 dev br9; ip link set br9 up",
            "ip link add v0 type veth peer name v1; ip link set v0 master br9; ip link set v0 nomaster; ip link set v0 up",
            "ip -6 route add 2001:db8:5::/48 via fe80::1 dev lan0",
            "ip route del 203.0.113.0/24 metric 7; ip route del 203.0.113.0/24",
            "ip link set br9 down",
            "ip link del br9; ip link del v0; ip route del blackhole 10.78.0.0/16",
            // More than the socket holds.
            "for i in $(seq 400); do echo address add 10.80.$((i % 200)).1/24 dev lan0; echo address del 10.80.$((i % 200)).1/24 dev lan0; done | ip -batch -",
            "ip route replace default via 198.51.100.3; ip address del 192.0.2.1/28 dev lan0",
            "ip link add v2 mtu 1200 type veth peer name v3; ip link set v3 up; ip link set v2 up; ip route replace default dev v2",
            "ip route del default",
        ] {
            machine.sh(change).ok();
            // A link gets its link-local address a moment after it came up.
            last = eventually(&format!("kept up is what is read anew, after {change}"), || {
                let (now, anew) = (told(&host), told(&open()));
                if now == anew { Ok(now) } else { Err((now, anew)) }
            });
        }
        // Of its own networks whoever asks knows.
        let net = network("web", "10.9.0.1/24", "");
        host.create_network(&net).unwrap();
        assert_eq!(told(&host), last);
        host.remove_network(net.id).unwrap();
        assert_eq!(told(&host), last);
    });
    drop(lan);
}

#[test]
fn an_address_that_moves_is_announced() {
    let lab = Lab::new();
    let machine = lab.host("a");
    machine.run(|| {
        let (host, net) = open_with_web("10.9.0.1/24", "fd09::1/64");
        let names = ["pontoon-000000000001", "pontoon-000000000002", "pontoon-000000000003"];
        let [one, two, three] = names.map(|name| host.open_sandbox(name).unwrap());
        let ep = endpoint(&net, 2, "eth0");
        host.attach(&one, &ep).unwrap();
        host.attach(&three, &endpoint(&net, 3, "eth0")).unwrap();
        let ping =
            |to: &str| machine.exec(["ip", "netns", "exec", names[2], "ping", "-c1", "-W5", to]).result();
        ping("10.9.0.2").unwrap();
        ping("fd09::2").unwrap();
        host.close_sandbox(one).unwrap();
        host.attach(&two, &EndpointSpec { mac: "02:42:00:00:00:99".parse().unwrap(), ..ep }).unwrap();
        // Long before its entry for the old address would be doubted.
        eventually("the neighbour knows", || ping("10.9.0.2").and(ping("fd09::2")));
        let known = machine.exec(["ip", "-n", names[2], "neighbour", "show", "10.9.0.2"]).ok();
        assert!(known.contains("02:42:00:00:00:99"), "{known}");
    });
}

#[test]
fn the_kernel_says_why_in_its_own_words() {
    let lab = Lab::new();
    let machine = lab.host("a");
    machine.run(|| {
        let (host, net) = open_with_web("10.9.0.1/24", "");
        let sandbox = host.open_sandbox("pontoon-000000000001").unwrap();
        let astray = DefaultRoute::Via { v4: Some("10.9.0.255".parse().unwrap()), v6: None };
        let error =
            host.attach(&sandbox, &EndpointSpec { default_route: astray, ..endpoint(&net, 2, "eth0") });
        let HostError::Step { doing, source } = error.unwrap_err() else { panic!("a step failed") };
        let text = format!("{doing}: {source}");
        assert_eq!(
            text,
            "configure eth0 in the sandbox: Nexthop has invalid gateway (Invalid argument (os error 22))"
        );
    });
}

#[test]
fn a_port_is_published_once_and_moves_with_its_endpoint() {
    let lab = Lab::new();
    let machine = lab.host("a");
    machine.run(|| {
        let (host, net) = open_with_web("10.9.0.1/24", "");
        let names = ["pontoon-000000000001", "pontoon-000000000002"];
        let [one, two] = names.map(|name| host.open_sandbox(name).unwrap());
        let port = |number| Port::new(number).unwrap();
        let publish = PortRequest {
            host_ip: None,
            host: HostPort::Exactly(port(8_080)),
            container: port(80),
            proto: Proto::Tcp,
        };
        let first = EndpointSpec { ports: vec![publish], ..endpoint(&net, 2, "eth0") };
        let second = EndpointSpec { ports: vec![publish], ..endpoint(&net, 3, "eth0") };
        let taken = "Bind for 0.0.0.0:8080 failed: port is already allocated";
        assert_eq!(host.attach(&one, &first).unwrap().ports[0].host_port, Some(port(8_080)));
        assert_eq!(host.attach(&two, &second).unwrap_err().to_string(), taken);
        host.attach(&two, &EndpointSpec { ports: Vec::new(), ..second.clone() }).unwrap();
        assert_eq!(host.publish(second.id, &[publish]).unwrap_err().to_string(), taken);
        host.unpublish(first.id).unwrap();
        host.publish(second.id, &[publish]).unwrap();
        let rules = machine.exec(["nft", "list", "ruleset"]).ok();
        assert!(rules.contains("10.9.0.3 . 80") && !rules.contains("10.9.0.2 . 80"), "{rules}");
        // To the other and back, without being closed.
        let moved = host.move_ports(second.id, first.id).unwrap().unwrap();
        assert_eq!(moved.iter().map(|it| it.host_port).collect::<Vec<_>>(), [Some(port(8_080)); 2]);
        let rules = machine.exec(["nft", "list", "ruleset"]).ok();
        assert!(rules.contains("10.9.0.2 . 80") && !rules.contains("10.9.0.3 . 80"), "{rules}");
        assert_eq!(host.publish(second.id, &[publish]).unwrap_err().to_string(), taken);
        host.unpublish(first.id).unwrap();
        host.publish(second.id, &[publish]).unwrap();
        let more = PortRequest { host: HostPort::Exactly(port(8_081)), ..publish };
        host.publish(first.id, &[more]).unwrap();
        // Who has some takes no others.
        assert_eq!(host.move_ports(second.id, first.id).unwrap(), None);
        host.unpublish(first.id).unwrap();
        host.detach(&two, second.id).unwrap();
        host.publish(first.id, &[publish]).unwrap();
    });
}

#[test]
fn a_borrowed_namespace_is_given_back_as_it_was() {
    let lab = Lab::new();
    let machine = lab.host("a");
    machine.exec(["ip", "netns", "add", "blue"]).ok();
    machine.exec(["ip", "-n", "blue", "link", "set", "lo", "up"]).ok();
    let inside = |line: &str| machine.sh(&format!("ip netns exec blue {line}"));
    let all = "sh -c 'ip -br link; ip -br address; ip route; ip -6 route; nft list ruleset'";
    let before = inside(all).ok();
    machine.run(|| {
        let (host, net) = open_with_web("10.9.0.1/24", "");
        let path = std::path::PathBuf::from("/run/netns/blue");
        let netns = NetNs::open(&path).unwrap();
        assert!(!host.is_own(&netns).unwrap() && host.is_own(&NetNs::current().unwrap()).unwrap());
        for _ in 0..2 {
            let netns = NetNs::open(&path).unwrap();
            let sandbox = host.borrow_sandbox("netns-1", path.clone(), &netns).unwrap();
            host.attach(&sandbox, &endpoint(&net, 2, "eth0")).unwrap();
            inside("ping -c1 -W5 10.9.0.1").ok();
            assert_eq!(inside("sysctl -n net.ipv6.conf.eth0.disable_ipv6").ok(), "1");
            let dns = sandbox.take_dns_sockets().unwrap().udp.local_addr().unwrap().port();
            assert!(inside("nft list ruleset").ok().contains(&format!("udp dport set {dns}")));
            let names: Vec<_> = sandbox.look().unwrap().links.iter().map(|l| l.name.to_string()).collect();
            assert_eq!(names, ["lo", "eth0"]);
            // What a reconciliation knows nothing of stays, and is not missed.
            assert_eq!(host.reconcile(&Declared::default()).unwrap().lost, [""; 0]);
            host.close_sandbox(sandbox).unwrap();
            eventually("the namespace is as it was", || match inside(all).ok() {
                now if now == before => Ok(()),
                now => Err(now),
            });
        }
        host.remove_network(net.id).unwrap();
    });
}
