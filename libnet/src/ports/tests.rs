//! What is left of a reservation when some of its ports are given back. In a namespace of its own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};

use super::{HostPort, PortRequest, PortTable, PublishedPort};
use crate::{
    netns::{NetNs, Process},
    types::{Port, Proto},
};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

fn ask(number: u16, proto: Proto) -> PortRequest {
    let port = Port::new(number).unwrap();
    PortRequest { host_ip: None, host: HostPort::Exactly(port), container: port, proto }
}

fn port(ip: IpAddr, number: u16, proto: Proto) -> PublishedPort {
    let port = Port::new(number).unwrap();
    PublishedPort { host_ip: ip, host_port: Some(port), container: port, proto }
}

/// The families in which no process can have the port.
fn taken(number: u16, proto: Proto) -> Vec<&'static str> {
    let is_taken = |ip: IpAddr| match proto {
        Proto::Tcp => TcpListener::bind((ip, number)).is_err(),
        Proto::Udp => UdpSocket::bind((ip, number)).is_err(),
        Proto::Sctp => panic!("no sockets of that kind here"),
    };
    let families = [(IpAddr::from(Ipv4Addr::LOCALHOST), "v4"), (Ipv6Addr::LOCALHOST.into(), "v6")];
    families.into_iter().filter(|(ip, _)| is_taken(*ip)).map(|(_, name)| name).collect()
}

/// The families in which the table gives the port to nobody else.
fn named(table: &PortTable, number: u16, proto: Proto) -> Vec<&'static str> {
    let is_named = |ip: IpAddr| {
        let request = PortRequest { host_ip: Some(ip), ..ask(number, proto) };
        table.reserve(&[request]).is_err_and(|error| error.to_string().contains("already allocated"))
    };
    [(V4, "v4"), (V6, "v6")].into_iter().filter(|(ip, _)| is_named(*ip)).map(|(_, name)| name).collect()
}

fn inside(test: impl FnOnce(PortTable) + Send) {
    let netns = NetNs::create().unwrap();
    netns.run(|| test(PortTable::open().unwrap())).unwrap();
}

#[test]
fn one_family_goes_and_the_other_stays_held() {
    for proto in [Proto::Tcp, Proto::Udp] {
        for (gone, stays, name) in [(V4, V6, "v6"), (V6, V4, "v4")] {
            inside(|table| {
                let mut held = table.reserve(&[ask(8080, proto)]).unwrap();
                assert_eq!(taken(8080, proto), ["v4", "v6"]);
                table.withdraw(&mut held, &[port(gone, 8080, proto)]);
                assert_eq!(held.ports(), [port(stays, 8080, proto)]);
                assert_eq!((taken(8080, proto), named(&table, 8080, proto)), (vec![name], vec![name]));
                table.withdraw(&mut held, &[port(stays, 8080, proto)]);
                assert_eq!((taken(8080, proto).len(), named(&table, 8080, proto).len()), (0, 0));
            });
        }
    }
}

#[test]
fn both_go_and_the_neighbours_stay_held() {
    inside(|table| {
        let tcp = |number| ask(number, Proto::Tcp);
        let mut held = table.reserve(&[tcp(8080), tcp(8081), tcp(8082)]).unwrap();
        let both = [V4, V6].map(|ip| port(ip, 8081, Proto::Tcp));
        table.withdraw(&mut held, &both);
        assert_eq!(held.ports().len(), 4);
        assert_eq!([8080, 8081, 8082].map(|number| taken(number, Proto::Tcp).len()), [2, 0, 2]);
        // What is not there is not given back.
        table.withdraw(&mut held, &both);
        table.withdraw(&mut held, &[port(V4, 8080, Proto::Tcp), port(V6, 8082, Proto::Tcp)]);
        assert_eq!(taken(8080, Proto::Tcp), ["v6"]);
        assert_eq!(taken(8082, Proto::Tcp), ["v4"]);
        drop(held);
        assert_eq!([8080, 8082].map(|number| taken(number, Proto::Tcp).len()), [0, 0]);
    });
}

/// Whether or not this kernel has such sockets, the names are right.
#[test]
fn sctp_ports_go_one_by_one() {
    inside(|table| {
        let mut held = table.reserve(&[ask(8080, Proto::Sctp), ask(8080, Proto::Tcp)]).unwrap();
        table.withdraw(&mut held, &[port(V4, 8080, Proto::Sctp)]);
        assert_eq!(named(&table, 8080, Proto::Sctp), ["v6"]);
        table.withdraw(&mut held, &[port(V6, 8080, Proto::Sctp)]);
        assert_eq!(named(&table, 8080, Proto::Sctp).len(), 0);
        assert_eq!(taken(8080, Proto::Tcp), ["v4", "v6"]);
    });
}

#[test]
fn a_port_that_somebody_took_meanwhile_is_held_by_name_until_it_is_free() {
    inside(|table| {
        let exactly = |ip, number| PortRequest { host_ip: Some(ip), ..ask(number, Proto::Tcp) };
        let absent = "10.77.0.1".parse().unwrap();
        let asked = [exactly(V4, 8080), exactly(V6, 8080), exactly(absent, 8081), exactly(V4, 8082)];
        let (nameless, missing) = table.reserve_as_before(&[ask(8083, Proto::Tcp)]).unwrap();
        assert_eq!((nameless.ports().len(), missing.len()), (2, 0));
        let process = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 8080)).unwrap();
        let (mut held, missing) = table.reserve_as_before(&asked).unwrap();
        let missing: Vec<_> = missing.iter().map(ToString::to_string).collect();
        let holder = format!("(by {}, pid {})", Process::read(std::process::id()).name, std::process::id());
        assert_eq!(
            missing,
            [
                format!("failed to bind host port 0.0.0.0:8080/tcp: address already in use {holder}"),
                "failed to bind host port 10.77.0.1:8081/tcp: cannot assign requested address".to_owned(),
            ]
        );
        let ports: Vec<_> = held.ports().iter().map(PublishedPort::exactly).collect();
        assert_eq!(ports, asked);
        assert_eq!((named(&table, 8080, Proto::Tcp).len(), taken(8082, Proto::Tcp)), (2, vec!["v4"]));
        assert!(table.hold_anew(&mut held).unwrap().is_empty());

        drop(process);
        assert_eq!(taken(8080, Proto::Tcp), ["v6"]);
        assert_eq!(table.hold_anew(&mut held).unwrap(), [port(V4, 8080, Proto::Tcp)]);
        assert_eq!(taken(8080, Proto::Tcp), ["v4", "v6"]);
        // One that was never held goes like the others.
        let gone =
            [port(V4, 8080, Proto::Tcp), PublishedPort { host_ip: absent, ..port(V4, 8081, Proto::Tcp) }];
        table.withdraw(&mut held, &gone);
        assert_eq!(held.ports(), [port(V6, 8080, Proto::Tcp), port(V4, 8082, Proto::Tcp)]);
        assert!(!held.is_missing_any());
    });
}
