//! The redirection of DNS in a container's namespace, as `nft` shows it and as a client meets it.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test may")]

use std::{
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

        // A server of the container's own on port 53 of everything is possible.
        UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 53)).unwrap();
    });
}
