//! Ports of a host, reserved by sockets that are really bound.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test may")]

use std::{
    io::{ErrorKind, Read},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
};

use libnet::{
    ports::{HostPort, PortRequest, PortTable, PublishedPort},
    types::{Port, PortRange, Proto},
};
use tests::{Host, Lab};

fn port(number: u16) -> Port {
    Port::new(number).unwrap()
}

fn ask(host_ip: &str, host: HostPort, proto: Proto) -> PortRequest {
    let host_ip = (!host_ip.is_empty()).then(|| host_ip.parse().unwrap());
    PortRequest { host_ip, host, container: port(80), proto }
}

fn exactly(host_ip: &str, number: u16) -> PortRequest {
    ask(host_ip, HostPort::Exactly(port(number)), Proto::Tcp)
}

fn texts(ports: &[PublishedPort]) -> Vec<String> {
    ports
        .iter()
        .map(|p| format!("{}/{}", SocketAddr::new(p.host_ip, p.host_port.unwrap().get()), p.proto))
        .collect()
}

fn host(lab: &Lab) -> Host {
    let host = lab.host("ports");
    host.exec(["ip", "link", "set", "lo", "up"]).ok();
    host
}

#[test]
fn all_addresses_of_both_families_get_the_same_port() {
    let lab = Lab::new();
    host(&lab).run(|| {
        let table = PortTable::open().unwrap();
        let held = table.reserve(&[exactly("", 8080), ask("", HostPort::Ephemeral, Proto::Udp)]).unwrap();
        let chosen = held.ports()[2].host_port.unwrap().get();
        let expected = [
            "0.0.0.0:8080/tcp".to_owned(),
            "[::]:8080/tcp".to_owned(),
            format!("0.0.0.0:{chosen}/udp"),
            format!("[::]:{chosen}/udp"),
        ];
        assert_eq!(texts(held.ports()), expected);
        assert!((32_768..61_000).contains(&chosen));
    });
}

#[test]
fn conflicts_have_docker_s_words() {
    let lab = Lab::new();
    host(&lab).run(|| {
        let table = PortTable::open().unwrap();
        let held = table.reserve(&[exactly("", 8080), exactly("127.0.0.1", 8081)]).unwrap();
        let refused = |request| table.reserve(&[request]).unwrap_err().to_string();
        assert_eq!(refused(exactly("", 8080)), "Bind for 0.0.0.0:8080 failed: port is already allocated");
        assert_eq!(refused(exactly("::", 8080)), "Bind for :::8080 failed: port is already allocated");
        assert_eq!(
            refused(exactly("127.0.0.1", 8080)),
            "Bind for 127.0.0.1:8080 failed: port is already allocated"
        );
        assert_eq!(
            refused(exactly("0.0.0.0", 8081)),
            "Bind for 0.0.0.0:8081 failed: port is already allocated"
        );
        table
            .reserve(&[exactly("127.0.0.2", 8081), ask("", HostPort::Exactly(port(8080)), Proto::Udp)])
            .unwrap();

        let _server = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 9090)).unwrap();
        let name = std::fs::read_to_string("/proc/self/comm").unwrap();
        let by_us = format!("address already in use (by {}, pid {})", name.trim_end(), std::process::id());
        let text = format!("failed to bind host port 0.0.0.0:9090/tcp: {by_us}");
        assert_eq!(refused(exactly("", 9090)), text);
        let _server6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 9091)).unwrap();
        let text = format!("failed to bind host port [::]:9091/tcp: {by_us}");
        assert_eq!(refused(exactly("", 9091)), text);
        // One that only talks to another from there is in the way as well.
        let client = TcpStream::connect((Ipv4Addr::LOCALHOST, 9090)).unwrap();
        let own = client.local_addr().unwrap().port();
        let text = format!("failed to bind host port 0.0.0.0:{own}/tcp: {by_us}");
        assert_eq!(refused(exactly("", own)), text);
        let text = "failed to bind host port 192.0.2.1:1/tcp: cannot assign requested address";
        assert_eq!(refused(exactly("192.0.2.1", 1)), text);
        drop(held);
    });
}

#[test]
fn all_or_none_and_given_back() {
    let lab = Lab::new();
    host(&lab).run(|| {
        let table = PortTable::open().unwrap();
        let held = table.reserve(&[exactly("", 1000)]).unwrap();
        table.reserve(&[exactly("", 999), exactly("", 1000)]).unwrap_err();
        TcpListener::bind((Ipv4Addr::UNSPECIFIED, 999)).unwrap();
        TcpListener::bind((Ipv4Addr::UNSPECIFIED, 1000)).unwrap_err();
        drop(held);
        TcpListener::bind((Ipv4Addr::UNSPECIFIED, 1000)).unwrap();
        table.reserve(&[exactly("", 999), exactly("", 1000)]).unwrap();
    });
}

#[test]
fn a_range_is_searched_from_the_last_and_can_be_exhausted() {
    let lab = Lab::new();
    host(&lab).run(|| {
        let table = PortTable::open().unwrap();
        let _taken = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 7001)).unwrap();
        let range = PortRange::new(port(7000), port(7002)).unwrap();
        let one = || table.reserve(&[ask("", HostPort::OneOf(range), Proto::Tcp)]);
        let first = one().unwrap();
        assert_eq!(first.ports()[0].host_port, Some(port(7000)));
        let second = one().unwrap();
        assert_eq!(second.ports()[0].host_port, Some(port(7002)), "7001 is held by a process");
        assert_eq!(one().unwrap_err().to_string(), "all ports are allocated");
        drop(first);
        assert_eq!(one().unwrap().ports()[0].host_port, Some(port(7000)));
    });
}

#[test]
fn a_held_port_answers_nobody_and_no_process_can_take_it() {
    let lab = Lab::new();
    host(&lab).run(|| {
        let table = PortTable::open().unwrap();
        let _held =
            table.reserve(&[exactly("", 8080), ask("", HostPort::Exactly(port(53)), Proto::Udp)]).unwrap();
        let refused = TcpStream::connect((Ipv4Addr::LOCALHOST, 8080)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        TcpStream::connect((Ipv6Addr::LOCALHOST, 8080)).unwrap_err();
        // std sets SO_REUSEADDR, as most servers do.
        TcpListener::bind((Ipv4Addr::LOCALHOST, 8080)).unwrap_err();
        UdpSocket::bind((Ipv4Addr::LOCALHOST, 53)).unwrap_err();
    });
}

#[test]
fn old_connections_of_a_server_that_ended_hold_no_port() {
    let lab = Lab::new();
    host(&lab).run(|| {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 8080)).unwrap();
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, 8080)).unwrap();
        drop(server.accept().unwrap()); // closes first: TIME_WAIT stays on this side
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        drop((client, server));

        let table = PortTable::open().unwrap();
        let _held = table.reserve(&[exactly("0.0.0.0", 8080)]).unwrap();
        TcpListener::bind((Ipv4Addr::LOCALHOST, 8080)).unwrap_err();
    });
}

#[test]
fn ports_belong_to_the_namespace_that_the_table_was_opened_in() {
    let lab = Lab::new();
    let host = host(&lab);
    let table = host.run(|| PortTable::open().unwrap());
    let _held = table.reserve(&[exactly("", 8080)]).unwrap();
    host.run(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, 8080)).unwrap_err());
    let _sctp = table.reserve(&[ask("", HostPort::Exactly(port(8080)), Proto::Sctp)]).unwrap();
}

#[test]
fn ten_thousand_ports_are_held_with_one_descriptor_each() {
    let lab = Lab::new();
    host(&lab).run(|| {
        let table = PortTable::open().unwrap();
        let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let requests: Vec<PortRequest> = (10_001..=20_000).map(|number| exactly("", number)).collect();
        let before = descriptors();
        let began = std::time::Instant::now();
        let held = table.reserve(&requests).unwrap();
        println!("10,000 ports: {:?}", began.elapsed());
        assert_eq!(held.ports().len(), 20_000);
        assert!(descriptors() - before < 10_100);
    });
}

#[test]
fn ports_that_the_host_reserves_are_not_given_out() {
    let lab = Lab::new();
    let host = host(&lab);
    host.sh("sysctl -qw net.ipv4.ip_local_port_range='40000 40005' net.ipv4.ip_local_reserved_ports=40000-40002,40004")
        .ok();
    host.run(|| {
        let table = PortTable::open().unwrap();
        let any = [ask("", HostPort::Ephemeral, Proto::Tcp), ask("", HostPort::Ephemeral, Proto::Tcp)];
        let held = table.reserve(&any).unwrap();
        assert_eq!(
            [held.ports()[0].host_port, held.ports()[2].host_port],
            [Some(port(40_003)), Some(port(40_005))]
        );
        assert_eq!(table.reserve(&any).unwrap_err().to_string(), "all ports are allocated");
        table.reserve(&[exactly("", 40_000)]).unwrap();
    });
}

#[test]
fn exact_ports_are_taken_before_any_and_any_is_the_same_on_all_addresses() {
    let lab = Lab::new();
    host(&lab).run(|| {
        let table = PortTable::open().unwrap();
        let range = HostPort::OneOf(PortRange::new(port(7000), port(7003)).unwrap());
        let _taken = UdpSocket::bind((Ipv6Addr::LOCALHOST, 7001)).unwrap();
        let requests = [
            ask("127.0.0.1", range, Proto::Udp),
            ask("::1", range, Proto::Udp),
            ask("", HostPort::Exactly(port(7000)), Proto::Udp),
        ];
        let held = table.reserve(&requests).unwrap();
        let expected = ["127.0.0.1:7002/udp", "[::1]:7002/udp", "0.0.0.0:7000/udp", "[::]:7000/udp"];
        assert_eq!(texts(held.ports()), expected);
    });
}
