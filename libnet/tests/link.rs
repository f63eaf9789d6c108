//! Sandboxes and what is in them before any network is.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test may")]

mod support;

use std::net::UdpSocket;

use libnet::netns::NetNs;
use support::{endpoint, open, open_with_web, within};
use tests::{Lab, eventually};

const NAME: &str = "pontoon-000000000001";

#[test]
fn a_sandbox_is_ready_for_a_container() {
    let lab = Lab::new();
    let machine = lab.host("a");
    machine.run(|| {
        let host = open();
        let sandbox = host.open_sandbox(NAME).unwrap();
        assert_eq!(within(&sandbox), "address 127.0.0.1/8 dev lo\naddress ::1/128 dev lo\nlink lo up\n");
        let setting = |key: &str| machine.exec(["ip", "netns", "exec", NAME, "sysctl", "-n", key]).ok();
        assert_eq!(setting("net.ipv4.ping_group_range"), "0\t2147483647");
        assert_eq!(setting("net.ipv4.ip_unprivileged_port_start"), "0");
        assert_eq!(setting("net.ipv6.conf.default.disable_ipv6"), "1");
        assert_eq!(setting("net.ipv6.conf.lo.disable_ipv6"), "0");
        host.close_sandbox(sandbox).unwrap();
        assert_eq!(machine.exec(["ls", "/run/netns"]).ok(), "");
    });
}

#[test]
fn port_53_leads_to_the_dns_sockets() {
    let lab = Lab::new();
    let machine = lab.host("a");
    machine.run(|| {
        let sandbox = open().open_sandbox(NAME).unwrap();
        let server = sandbox.take_dns_sockets().unwrap();
        let client = sandbox.netns().run(|| UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
        client.connect("127.0.0.11:53").unwrap();
        client.send(b"question").unwrap();
        let mut buffer = [0; 16];
        let (length, from) = server.udp.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"question");
        server.udp.send_to(b"answer", from).unwrap();
        // The client is connected: an answer from any other address or port would not reach it.
        let length = client.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"answer");
    });
}

#[test]
fn a_name_is_given_once() {
    let lab = Lab::new();
    let machine = lab.host("a");
    machine.run(|| {
        let host = open();
        let sandbox = host.open_sandbox(NAME).unwrap();
        assert_eq!(
            host.open_sandbox(NAME).unwrap_err().to_string(),
            format!("sandbox {NAME} already exists")
        );
        for name in ["", ".", "..", "../x", "a/b"] {
            assert!(host.open_sandbox(name).is_err(), "{name}");
        }
        assert!(host.adopt_sandbox("pontoon-000000000002").is_err());
        host.close_sandbox(sandbox).unwrap();
        host.open_sandbox(NAME).unwrap();
    });
}

#[test]
fn work_inside_leaves_the_calling_thread_where_it_is() {
    let lab = Lab::new();
    let machine = lab.host("a");
    machine.run(|| {
        let here = NetNs::current().unwrap();
        let there = NetNs::create().unwrap();
        assert!(!there.is(&here).unwrap());
        let inside = there.run(|| NetNs::current().unwrap()).unwrap();
        assert!(inside.is(&there).unwrap());
        assert!(NetNs::current().unwrap().is(&here).unwrap());
    });
}

#[test]
fn a_file_that_is_no_namespace_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    assert_eq!(NetNs::open(file.path()).unwrap_err().to_string(), "not a network namespace");
}

#[test]
fn checksums_are_completed_where_asked() {
    let lab = Lab::new();
    let machine = lab.host("a");
    machine.run(|| {
        let (host, net) = open_with_web("10.9.0.1/24", "");
        let sandbox = host.open_sandbox(NAME).unwrap();
        host.attach(&sandbox, &endpoint(&net, 2, "eth0")).unwrap();
        sandbox.netns().complete_checksums(&"eth0".parse().unwrap()).unwrap();
        let error = sandbox.netns().complete_checksums(&"eth7".parse().unwrap()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(19), "{error}"); // ENODEV
    });
}

#[test]
fn a_container_may_have_links_of_its_own() {
    let lab = Lab::new();
    let machine = lab.host("a");
    machine.run(|| {
        let (host, net) = open_with_web("10.9.0.1/24", "");
        let sandbox = host.open_sandbox(NAME).unwrap();
        machine.exec(["ip", "-n", NAME, "link", "add", "own", "index", "2", "type", "bridge"]).ok();
        host.attach(&sandbox, &endpoint(&net, 2, "eth0")).unwrap();
        eventually("the container answers", || machine.exec(["ping", "-c1", "-W1", "10.9.0.2"]).result());
    });
}
