//! The redirection of DNS in a container's namespace, as `nft` shows it and as a client meets it.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test may")]

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    thread,
    time::Duration,
};

use libnet::{
    firewall::{NfSocket, dns_redirect},
    types::Port,
};
use tests::Lab;

const SERVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);

fn port(addr: SocketAddr) -> Port {
    Port::new(addr.port()).unwrap()
}

#[test]
fn nft_shows_the_redirection() {
    let lab = Lab::new();
    let host = lab.host("dns");
    host.run(|| {
        dns_redirect(&mut NfSocket::open().unwrap(), Port::new(4444).unwrap(), Port::new(4445).unwrap())
            .unwrap();
    });
    insta::assert_snapshot!(host.exec(["nft", "list", "ruleset"]).ok());
}

#[test]
fn port_53_leads_to_the_sockets_and_back() {
    let lab = Lab::new();
    lab.host("dns").run(|| {
        talk();
        // No connection is followed for it.
        let followed = fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_count").unwrap();
        assert_eq!(followed.trim(), "0");
        // A server of the container's own on port 53 of everything is possible.
        UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 53)).unwrap();
    });
}

#[test]
fn rules_of_the_container_see_port_53_alone() {
    let lab = Lab::new();
    let host = lab.host("dns");
    let own = "nft -f - <<'E'
        table inet own {
          chain in { type filter hook input priority 0; policy drop; ct state established,related accept; }
          chain out { type filter hook output priority 0; policy drop; ct state established,related accept; ip daddr 127.0.0.11 th dport 53 accept; }
        }
E";
    host.sh(own).ok();
    // Questions arrive at a port that nobody can know: such a container lets its own loopback pass, as all do.
    host.sh("nft insert rule inet own in ip daddr 127.0.0.11 accept").ok();
    host.run(talk);
}

/// A question and its answer by UDP, and a few words by TCP.
fn talk() {
    let udp = UdpSocket::bind((SERVER, 0)).unwrap();
    let tcp = TcpListener::bind((SERVER, 0)).unwrap();
    let ports = (port(udp.local_addr().unwrap()), port(tcp.local_addr().unwrap()));
    dns_redirect(&mut NfSocket::open().unwrap(), ports.0, ports.1).unwrap();

    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    client.connect((SERVER, 53)).unwrap(); // takes answers from port 53 only
    client.send(b"question").unwrap();
    let mut buffer = [0; 16];
    let (length, asker) = udp.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"question");
    udp.send_to(b"answer", asker).unwrap();
    let length = client.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"answer");

    let server = thread::spawn(move || tcp.accept().unwrap().0.write_all(b"tcp").unwrap());
    let mut text = String::new();
    TcpStream::connect((SERVER, 53)).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "tcp");
    server.join().unwrap();
}
