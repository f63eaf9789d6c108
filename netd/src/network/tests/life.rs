//! A container's life in networks.

use super::*;
use crate::{error::Kind, network::FilesAsk};

#[test]
fn an_address_stays_with_its_container_until_it_is_removed() {
    let daemon = Daemon::new();
    let web = daemon.network("web", "192.168.0.0/24");
    let (c1, c2) = (daemon.sandbox(1), daemon.sandbox(2));
    let first = daemon.connect(c1, &daemon.ask(web)).unwrap();
    assert_eq!(first.v4.unwrap().to_string(), "192.168.0.2/24");
    assert_eq!(first.gateway_v4.unwrap().to_string(), "192.168.0.1");
    assert_eq!(first.ifname.unwrap().as_str(), "eth0");
    assert_eq!(first.dns_names, ["c1", "010101010101", "host1"]);
    daemon.run(|inner| inner.close_sandbox(c1)).unwrap();
    assert_eq!(daemon.connect(c2, &daemon.ask(web)).unwrap().v4.unwrap().to_string(), "192.168.0.3/24");
    daemon.sandbox(1);
    let again = daemon.connect(c1, &daemon.ask(web)).unwrap();
    assert_eq!((again.v4, again.mac), (first.v4, first.mac));
    daemon.run(|inner| inner.close_sandbox(c1)).unwrap();
    daemon.run(|inner| inner.release(c1)).unwrap();
    assert_eq!(daemon.declared.list(LEASES).unwrap().len(), 1);
    let mut ask = daemon.ask(web);
    ask.v4 = first.v4.map(ipnetwork::Ipv4Network::ip);
    let c3 = daemon.sandbox(3);
    assert_eq!(daemon.connect(c3, &ask).unwrap().v4, first.v4);
}

#[test]
fn what_rm_makes_never_touches_the_disk() {
    let daemon = Daemon::new();
    let web = daemon.network("web", "");
    let c1 = daemon.sandbox(1);
    let declared = daemon.declared.list(LEASES).unwrap();
    let ask = EndpointAsk { durability: Durability::Live, ..daemon.ask(web) };
    daemon.declared.fuse.set(1);
    daemon.connect(c1, &ask).unwrap();
    daemon.run(|inner| inner.close_sandbox(c1)).unwrap();
    daemon.run(|inner| inner.release(c1)).unwrap();
    assert!(daemon.declared.fuse.is_unburnt());
    assert_eq!(daemon.declared.list(LEASES).unwrap(), declared);
    assert_eq!(daemon.live.list(LEASES).unwrap(), []);
}

#[test]
fn static_addresses_and_what_is_wrong_with_them() {
    let daemon = Daemon::new();
    let (web, auto) = (daemon.network("web", "192.168.0.0/24"), daemon.network("auto", ""));
    let bridge = daemon.inner.state().resolve("bridge").unwrap().id;
    let (c1, c2) = (daemon.sandbox(1), daemon.sandbox(2));
    let with_ip = |network, ip: &str| EndpointAsk { v4: ip.parse().ok(), ..daemon.ask(network) };
    let fixed = daemon.connect(c1, &with_ip(web, "192.168.0.77")).unwrap();
    assert_eq!(fixed.v4.unwrap().to_string(), "192.168.0.77/24");
    let table = [
        (web, "192.168.0.77", Kind::Forbidden, "Address already in use"),
        (web, "192.168.0.1", Kind::Forbidden, "Address already in use"),
        (
            web,
            "10.0.0.1",
            Kind::InvalidParameter,
            "invalid endpoint settings:\nno configured subnet or ip-range contain the IP address 10.0.0.1",
        ),
        (
            auto,
            "172.17.0.9",
            Kind::InvalidParameter,
            "invalid endpoint settings:\nuser specified IP address is supported only when connecting to networks with user configured subnets",
        ),
        (
            bridge,
            "10.10.0.9",
            Kind::InvalidParameter,
            "invalid endpoint settings:\nuser specified IP address is supported on user defined networks only",
        ),
    ];
    let before = daemon.everything();
    for (network, ip, kind, text) in table {
        let error = daemon.connect(c2, &with_ip(network, ip)).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, text));
        daemon.everything().is(&before, ip);
    }
    let aliased = EndpointAsk { aliases: vec!["search".to_owned()], ..daemon.ask(bridge) };
    let text = daemon.connect(c2, &aliased).unwrap_err().to_string();
    assert!(
        text.ends_with("network-scoped alias is supported only for containers in user defined networks"),
        "{text}"
    );
    let twice = daemon.connect(c1, &daemon.ask(web)).unwrap_err();
    assert_eq!(twice.to_string(), "endpoint with name c1 already exists in network web");
}

#[test]
fn a_full_network_says_so() {
    let daemon = Daemon::new();
    let tiny = daemon.network("tiny", "192.168.0.0/30");
    daemon.connect(daemon.sandbox(1), &daemon.ask(tiny)).unwrap();
    let error = daemon.connect(daemon.sandbox(2), &daemon.ask(tiny)).unwrap_err();
    let text = format!("no available IPv4 addresses on this network's address pools: tiny ({tiny})");
    assert_eq!((error.kind(), error.to_string()), (Kind::Unavailable, text));
}

#[test]
fn a_taken_port_is_an_error_of_the_endpoint() {
    let daemon = Daemon::new();
    let web = daemon.network("web", "");
    let ask = || EndpointAsk { ports: vec![port(Some(8080), 80)], ..daemon.ask(web) };
    daemon.connect(daemon.sandbox(1), &ask()).unwrap();
    let c2 = daemon.sandbox(2);
    let (before, ask) = (daemon.everything(), ask());
    let error = daemon.connect(c2, &ask).unwrap_err();
    let text = format!(
        "driver failed programming external connectivity on endpoint c1 ({}): Bind for 0.0.0.0:8080 failed: port is already allocated",
        ask.endpoint
    );
    assert_eq!(chain(&error), text);
    daemon.everything().is(&before, "");
}

#[test]
fn gateway_and_ports_follow_priority_and_name() {
    let daemon = Daemon::new();
    let (b, a, top, inside) = (
        daemon.network("b", ""),
        daemon.network("a", ""),
        daemon.network("z", ""),
        daemon
            .run(|inner| {
                inner.create(models::NetworkCreateRequest { internal: Some(true), ..network("0", "") })
            })
            .unwrap(),
    );
    let c1 = daemon.sandbox(1);
    let name = format!("pontoon-{}", c1.short(12));
    let gateway = || {
        let endpoints = daemon.inner.state().views(c1);
        let first = endpoints.iter().find(|endpoint| endpoint.is_gateway);
        let world = daemon.kernel.world();
        let via = world.routes.get(&(name.clone(), Family::V4)).map(|(endpoint, _)| *endpoint);
        assert_eq!(via, first.map(|endpoint| endpoint.endpoint));
        let published: Vec<_> = endpoints.iter().flat_map(|e| e.ports.clone()).collect();
        assert_eq!(world.ports.values().flatten().copied().collect::<Vec<_>>(), published);
        (
            first.map(|endpoint| endpoint.network_name.clone()),
            published.first().map(|port| port.host_port.unwrap().get()),
        )
    };
    let with =
        |network, gw_priority, ports: Vec<_>| EndpointAsk { gw_priority, ports, ..daemon.ask(network) };
    daemon.connect(c1, &with(inside, 9, vec![port(None, 80)])).unwrap();
    assert_eq!(gateway(), (None, None));
    daemon.connect(c1, &with(b, 0, vec![])).unwrap();
    assert_eq!(gateway(), (Some("b".to_owned()), Some(40_000)));
    daemon.connect(c1, &with(a, 0, vec![])).unwrap();
    assert_eq!(gateway(), (Some("a".to_owned()), Some(40_000)));
    daemon.connect(c1, &with(top, 1, vec![])).unwrap();
    assert_eq!(gateway(), (Some("z".to_owned()), Some(40_000)));
    daemon.run(|inner| inner.disconnect(c1, b, false)).unwrap();
    assert_eq!(gateway().0.as_deref(), Some("z"));
    daemon.run(|inner| inner.disconnect(c1, top, false)).unwrap();
    assert_eq!(gateway(), (Some("a".to_owned()), Some(40_000)));
    let ifnames: Vec<_> =
        daemon.inner.state().views(c1).into_iter().map(|e| e.ifname.unwrap().to_string()).collect();
    assert_eq!(ifnames, ["eth0", "eth2"]);
    daemon.run(|inner| inner.disconnect(c1, a, false)).unwrap();
    assert_eq!(gateway(), (None, None));
    let missing = daemon.run(|inner| inner.disconnect(c1, a, false)).unwrap_err();
    assert_eq!(missing.to_string(), format!("container {c1} is not connected to the network a"));
    daemon.run(|inner| inner.disconnect(c1, a, true)).unwrap();
}

#[test]
fn each_family_has_its_gateway() {
    let daemon = Daemon::new();
    daemon.kernel.world.lock().unwrap().ipv6 = true;
    let of = |name: &str, v4, v6| models::NetworkCreateRequest {
        enable_ipv4: Some(v4),
        enable_ipv6: Some(v6),
        ..network(name, "")
    };
    let make = |ask| daemon.run(|inner| inner.create(ask)).unwrap();
    let (four, six, both) =
        (make(of("four", true, false)), make(of("six", false, true)), make(of("both", true, true)));
    let c1 = daemon.sandbox(1);
    // `network 4 6 0.0.0.0:port [::]:port`, for those that lead out.
    let seen = || {
        let records = daemon.inner.state().endpoints_of(c1);
        let state = daemon.inner.state();
        let text = |record: &crate::network::record::EndpointRecord| {
            let led = [(Family::V4, "4"), (Family::V6, "6")];
            let led = led.into_iter().filter(|(family, _)| record.route().leads(*family));
            let ports =
                record.ports.iter().map(|port| format!("{} {}", port.host_ip, port.host_port.unwrap()));
            let words: Vec<_> = led.map(|(_, word)| word.to_owned()).chain(ports).collect();
            format!("{}: {}", state.network(record.network).unwrap().name, words.join(", "))
        };
        let mut lines: Vec<_> = records.iter().map(text).collect();
        lines.sort();
        lines
    };
    let ask = |network, gw_priority| EndpointAsk {
        gw_priority,
        ports: vec![port(None, 80)],
        ..daemon.ask(network)
    };
    daemon.connect(c1, &ask(four, 5)).unwrap();
    assert_eq!(seen(), ["four: 4, 0.0.0.0 40000, :: 40000"]);
    daemon.connect(c1, &ask(six, 0)).unwrap();
    assert_eq!(seen(), ["four: 4, 0.0.0.0 40000", "six: 6, :: 40000"]);
    daemon.connect(c1, &ask(both, 3)).unwrap();
    assert_eq!(seen(), ["both: 6, :: 40000", "four: 4, 0.0.0.0 40000", "six: "]);
    daemon.run(|inner| inner.disconnect(c1, four, false)).unwrap();
    assert_eq!(seen(), ["both: 4, 6, :: 40000, 0.0.0.0 40000", "six: "]);
    daemon.run(|inner| inner.disconnect(c1, both, false)).unwrap();
    assert_eq!(seen(), ["six: 6, :: 40000, 0.0.0.0 40000"]);
}

#[test]
fn interfaces_keep_their_names_over_a_restart() {
    let daemon = Daemon::new();
    let (a, b, c) = (daemon.network("a", ""), daemon.network("b", ""), daemon.network("c", ""));
    let c1 = daemon.sandbox(1);
    let name = |network| daemon.connect(c1, &daemon.ask(network)).unwrap().ifname.unwrap().to_string();
    assert_eq!([name(a), name(b), name(c)], ["eth0", "eth1", "eth2"]);
    daemon.run(|inner| inner.disconnect(c1, b, false)).unwrap();
    daemon.run(|inner| inner.close_sandbox(c1)).unwrap();
    daemon.sandbox(1);
    // In another order, with a newcomer among them.
    assert_eq!([name(c), name(b), name(a)], ["eth2", "eth1", "eth0"]);
    daemon.run(|inner| inner.close_sandbox(c1)).unwrap();
    let daemon = daemon.restart();
    daemon.run(Inner::settle).unwrap();
    daemon.sandbox(1);
    let name = |network| daemon.connect(c1, &daemon.ask(network)).unwrap().ifname.unwrap().to_string();
    assert_eq!([name(b), name(a), name(c)], ["eth1", "eth0", "eth2"]);
}

#[test]
fn a_failure_at_any_point_of_connect_leaves_nothing_behind() {
    let daemon = Daemon::new();
    let (low, high) = (daemon.network("low", ""), daemon.network("high", ""));
    let c1 = daemon.sandbox(1);
    for first in [true, false] {
        let network = if first { low } else { high };
        for fuse in [&daemon.kernel.fuse, &daemon.declared.fuse, &daemon.live.fuse] {
            let before = daemon.everything();
            for n in 1.. {
                fuse.set(n);
                let ask =
                    EndpointAsk { ports: vec![port(Some(8080), 80)], gw_priority: 1, ..daemon.ask(network) };
                let connected = daemon.connect(c1, &ask);
                if fuse.is_unburnt() {
                    fuse.set(0);
                    connected.unwrap();
                    break;
                }
                assert!(connected.is_err(), "call {n}");
                daemon.everything().is(&before, &format!("call {n}"));
            }
            daemon.run(|inner| inner.disconnect(c1, network, false)).unwrap();
            assert_eq!(daemon.kernel.world(), before.world);
        }
        daemon
            .connect(c1, &EndpointAsk { ports: vec![port(Some(8080), 80)], ..daemon.ask(network) })
            .unwrap();
    }
}

#[test]
fn a_failure_at_any_point_of_open_sandbox_leaves_nothing_behind() {
    let daemon = Daemon::new();
    let before = daemon.everything();
    for fuse in [&daemon.kernel.fuse, &daemon.live.fuse] {
        fuse.set(1);
        let ask = SandboxAsk {
            container: container(1),
            hostname: String::new(),
            dns: DnsSettings::default(),
            egress: None,
            traffic: Default::default(),
        };
        assert!(daemon.run(|inner| inner.open_sandbox(ask)).is_err());
        daemon.everything().is(&before, "");
    }
}

#[test]
fn host_and_none_have_members_without_addresses() {
    let daemon = Daemon::new();
    let host = daemon.inner.state().resolve("host").unwrap().id;
    let c1 = container(1);
    let view = daemon.connect(c1, &daemon.ask(host)).unwrap();
    assert_eq!((view.mac, view.v4, view.ifname), (None, None, None));
    assert!(daemon.inner.state().in_use(host));
    daemon.run(|inner| inner.close_sandbox(c1)).unwrap();
    assert!(!daemon.inner.state().in_use(host));
    let web = daemon.network("web", "");
    let text = daemon.connect(c1, &daemon.ask(web)).unwrap_err().to_string();
    assert_eq!(text, format!("container {c1} has no sandbox"));
}

#[test]
fn files_follow_the_networks() {
    let daemon = Daemon::new();
    let web = daemon.network("web", "192.168.0.0/24");
    let bridge = daemon.inner.state().resolve("bridge").unwrap().id;
    let c1 = daemon.sandbox(1);
    let files = || {
        let ask = FilesAsk {
            container: c1,
            space: crate::network::Space::Own,
            hostname: "c1".to_owned(),
            domain: String::new(),
            dns: DnsSettings::default(),
            extra_hosts: vec![("gw".to_owned(), "host-gateway".to_owned())],
            links: Vec::new(),
        };
        daemon.inner.files(&ask).unwrap()
    };
    let hosts = || files().hosts.unwrap();
    daemon.connect(c1, &daemon.ask(bridge)).unwrap();
    assert!(files().resolv_conf.contains("nameserver 8.8.8.8\n"), "{}", files().resolv_conf);
    assert!(hosts().ends_with("10.10.0.1\tgw\n10.10.0.2\tc1\n"), "{}", hosts());
    daemon.connect(c1, &daemon.ask(web)).unwrap();
    assert!(files().resolv_conf.contains("nameserver 127.0.0.11\n"), "{}", files().resolv_conf);
    assert!(hosts().contains("192.168.0.2\tc1\n"));
}
