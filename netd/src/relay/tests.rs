//! Real sockets in a host of the lab: what a relay does with flows, and when it does no more.

use std::{
    io::{ErrorKind, Read, Write},
    net::{IpAddr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::Arc,
    thread,
    time::Duration,
};

use libnet::{
    ports::{Relay as _, RelayedPort, Serving},
    types::Proto,
};
use tests::{Lab, eventually};
use tokio::runtime::{Builder, Runtime};

use super::{Limits, Relay};

const PATIENCE: Duration = Duration::from_secs(20);
/// Long enough to see that nothing comes.
const SHORT: Duration = Duration::from_millis(150);

const WIDE: Limits = Limits { per_port: 100, in_all: 100, idle: Duration::from_secs(90) };

/// Runs `test` in a host of its own, with a relay.
fn with_relay(limits: Limits, test: impl FnOnce(&Relay) + Send) {
    let host = Lab::new().host("relay");
    host.exec(["ip", "link", "set", "lo", "up"]).ok();
    host.run(|| {
        // Its threads are made here, and so in the host.
        let runtime = runtime();
        let _inside = runtime.enter();
        test(&Relay::start(limits).unwrap());
    });
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn any() -> SocketAddr {
    (Ipv6Addr::UNSPECIFIED, 0).into()
}

/// A port that leads to `to`: its number.
fn serve(relay: &Relay, proto: Proto, to: SocketAddr) -> (u16, Box<dyn Serving>) {
    let port = Arc::new(RelayedPort::bind(any(), proto, to).unwrap());
    (port.at().unwrap().port(), relay.serve(port).unwrap())
}

fn local(port: u16) -> SocketAddr {
    (Ipv6Addr::LOCALHOST, port).into()
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(local(port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn server() -> (TcpListener, SocketAddr) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = server.local_addr().unwrap();
    (server, at)
}

/// Whether an answer comes within a moment.
fn is_answered(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(SHORT)).unwrap();
    stream.read(&mut [0]).is_ok_and(|count| count == 1)
}

#[test]
fn each_side_may_finish_before_the_other() {
    with_relay(WIDE, |relay| {
        let (server, to) = server();
        let (port, _serving) = serve(relay, Proto::Tcp, to);
        let mut client = connect(port);
        client.write_all(&[7; 300_000]).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let (mut inside, _) = server.accept().unwrap();
        let mut heard = Vec::new();
        inside.read_to_end(&mut heard).unwrap();
        assert_eq!(heard, [7; 300_000]);
        // The server goes on after the client has finished.
        let answering = thread::spawn(move || inside.write_all(&[8; 300_000]));
        heard.clear();
        client.read_to_end(&mut heard).unwrap();
        assert_eq!(heard, [8; 300_000]);
        answering.join().unwrap().unwrap();
        assert_eq!(relay.carried().streams, 1);
        eventually("its room is free", || if relay.carried().open == 0 { Ok(()) } else { Err("not yet") });
    });
}

#[test]
fn who_breaks_off_breaks_off_the_other_side() {
    with_relay(WIDE, |relay| {
        let (server, to) = server();
        let (port, _serving) = serve(relay, Proto::Tcp, to);
        let mut client = connect(port);
        let (inside, _) = server.accept().unwrap();
        client.write_all(b"unread").unwrap();
        eventually("it has come", || if inside.peek(&mut [0; 6]).unwrap() == 6 { Ok(()) } else { Err(()) });
        // What was not read makes it a reset.
        drop(inside);
        assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
        drop(server);
        assert_eq!(connect(port).read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn who_finds_no_room_waits_for_it() {
    for limits in [Limits { per_port: 2, ..WIDE }, Limits { in_all: 2, ..WIDE }] {
        with_relay(limits, |relay| {
            let (server, to) = server();
            let (port, _serving) = serve(relay, Proto::Tcp, to);
            let (other, _other) = serve(relay, Proto::Tcp, to);
            thread::spawn(move || {
                while let Ok((mut client, _)) = server.accept() {
                    let _ = client.write_all(b"!");
                    // Open until the client has finished.
                    thread::spawn(move || client.read(&mut [0]));
                }
            });
            let [mut one, mut two] = [connect(port), connect(port)];
            assert_eq!((one.read(&mut [0]).unwrap(), two.read(&mut [0]).unwrap()), (1, 1));
            let mut waiting = connect(port);
            assert!(!is_answered(&mut waiting));
            let mut elsewhere = connect(other);
            if limits.in_all > 2 {
                assert_eq!(elsewhere.read(&mut [0]).unwrap(), 1);
            } else {
                assert!(!is_answered(&mut elsewhere));
            }
            // One of the two has the room that the first leaves, the other one that of the second.
            drop(one);
            waiting.set_read_timeout(Some(PATIENCE)).unwrap();
            elsewhere.set_read_timeout(Some(PATIENCE)).unwrap();
            if limits.in_all == 2 {
                drop(two);
                assert_eq!(elsewhere.read(&mut [0]).unwrap(), 1);
            }
            assert_eq!(waiting.read(&mut [0]).unwrap(), 1);
        });
    }
}

#[test]
fn a_port_that_goes_ends_its_connections_and_is_free_at_once() {
    with_relay(WIDE, |relay| {
        let (server, to) = server();
        let port = Arc::new(RelayedPort::bind(any(), Proto::Tcp, to).unwrap());
        let number = port.at().unwrap().port();
        let serving = relay.serve(Arc::clone(&port)).unwrap();
        let mut client = connect(number);
        let _inside = server.accept().unwrap();
        drop(serving);
        assert_eq!(Arc::strong_count(&port), 1);
        drop(port);
        assert_eq!(TcpStream::connect(local(number)).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
        TcpListener::bind(local(number)).unwrap();
    });
}

fn echo() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 70_000];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let mut answer = from.port().to_be_bytes().to_vec();
            answer.extend(&buffer[..length]);
            let _ = socket.send_to(&answer, from);
        }
    });
    at
}

/// Asks from a socket that hears only the one whom it asked: what came, and which port the server saw.
fn ask(socket: &UdpSocket, text: &[u8]) -> (Vec<u8>, u16) {
    let mut buffer = vec![0; 70_000];
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.send(text).unwrap();
    let length = socket.recv(&mut buffer).unwrap();
    (buffer[2..length].to_vec(), u16::from_be_bytes([buffer[0], buffer[1]]))
}

fn asking(at: SocketAddr) -> UdpSocket {
    let any: IpAddr = if at.is_ipv4() { [0, 0, 0, 0].into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).unwrap();
    socket.connect(at).unwrap();
    socket
}

#[test]
fn datagrams_come_back_from_where_they_were_sent_to() {
    let host = Lab::new().host("ends");
    host.sh("ip link set lo up && ip address add fd00::1/128 dev lo nodad").ok();
    // The kernel makes its route when it gets round to it.
    eventually("the address is the host's own", || {
        let own = host.sh("ip -6 route show table local fd00::1").ok();
        if own.contains("fd00::1") { Ok(()) } else { Err(own) }
    });
    host.run(|| {
        let runtime = runtime();
        let _inside = runtime.enter();
        let relay = Relay::start(WIDE).unwrap();
        let to = echo();
        let (port, _serving) = serve(&relay, Proto::Udp, to);
        let v4 = Arc::new(RelayedPort::bind("0.0.0.0:0".parse().unwrap(), Proto::Udp, to).unwrap());
        let port4 = v4.at().unwrap().port();
        let _serving4 = relay.serve(v4).unwrap();
        let mut seen = Vec::new();
        for at in [
            local(port),
            SocketAddr::new("fd00::1".parse().unwrap(), port),
            ([127, 0, 0, 1], port4).into(),
            ([127, 0, 0, 9], port4).into(),
        ] {
            let socket = asking(at);
            let (answer, first) = ask(&socket, b"hello");
            assert_eq!(answer, b"hello", "{at}");
            let large = vec![5; 40_000];
            assert_eq!(ask(&socket, &large), (large, first), "one flow: {at}");
            seen.push(first);
        }
        seen.dedup();
        assert_eq!(seen.len(), 4, "each client has a flow of its own");
        assert_eq!((relay.carried().datagrams, relay.carried().open), (4, 4));
    });
}

#[test]
fn silent_flows_end_and_lively_ones_stay() {
    let idle = Duration::from_millis(1_500);
    with_relay(Limits { idle, ..WIDE }, |relay| {
        let (port, _serving) = serve(relay, Proto::Udp, echo());
        let (silent, lively) = (asking(local(port)), asking(local(port)));
        ask(&silent, b"?");
        let (_, same) = ask(&lively, b"?");
        eventually("the silent one ends", || {
            assert_eq!(ask(&lively, b"?").1, same, "the lively one stays");
            if relay.carried().open == 1 { Ok(()) } else { Err(relay.carried()) }
        });
        ask(&silent, b"?");
        assert_eq!(relay.carried().datagrams, 3, "a new flow");
        eventually("both end", || if relay.carried().open == 0 { Ok(()) } else { Err(relay.carried()) });
    });
}

#[test]
fn datagrams_that_find_no_room_are_lost_and_others_go_on() {
    with_relay(Limits { per_port: 1, ..WIDE }, |relay| {
        let (port, serving) = serve(relay, Proto::Udp, echo());
        let (one, two) = (asking(local(port)), asking(local(port)));
        ask(&one, b"?");
        two.send(b"?").unwrap();
        two.set_read_timeout(Some(SHORT)).unwrap();
        assert_eq!(two.recv(&mut [0; 9]).unwrap_err().kind(), ErrorKind::WouldBlock);
        ask(&one, b"?");
        drop(serving);
        eventually("its flow ends with a port", || {
            if relay.carried().open == 0 { Ok(()) } else { Err(relay.carried()) }
        });
        UdpSocket::bind(local(port)).unwrap();
    });
}
