//! Questions per second of one server against a bare echo of datagrams, side by side over loopback with the same
//! clients: what is left of the machine's own speed. Run: `cargo bench -p dns`.
//!
//! The echo does nothing but receive and send, one message per call, on a thread of its own; the server has one
//! runtime thread. Rounds alternate, so that the machine's mood meets all: names of ours, names of the world that
//! are in the cache, and names that an upstream (on a thread of its own too) is asked for each time. With `--serve`
//! the server stays on the port that it prints, for `dnsperf` or `dig`.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)] // A program for people.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use dns::hickory_proto::op::{Message, MessageType, OpCode, Query};
use dns::hickory_proto::rr::{Name, RecordType};
use dns::{
    DialFrom, Directory, Host, Limits, LocalDial, OpenGate, Server, ServerConfig, Shared, Upstream,
    Upstreams, View,
};

const CLIENTS: usize = 2;
/// Questions that a client has under way.
const WINDOW: usize = 32;
const ROUND: Duration = Duration::from_secs(1);
const ROUNDS: usize = 5;

/// The domains of the names that are asked for.
const OURS: &str = "web";
const CACHED: &str = "cached";
const ASKED: &str = "asked";

fn main() {
    let asked_for = |flag: &str| std::env::args().any(|arg| arg == flag);
    // Test runners start benches too, and want nothing of them.
    if !asked_for("--bench") && !asked_for("--serve") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _guard = runtime.enter();
    let (server, addr) = serve();
    if asked_for("--serve") {
        println!("{addr}");
        thread::park();
    }
    let echo = echo();
    let mut ratios: [Vec<f64>; 3] = Default::default();
    for _ in 0..ROUNDS {
        let [echo, local, cached, forwarded] =
            [(echo, OURS), (addr, OURS), (addr, CACHED), (addr, ASKED)].map(|(addr, zone)| ask(addr, zone));
        println!(
            "per second: echo {echo:>7.0}  ours {local:>7.0}  cached {cached:>7.0}  asked {forwarded:>7.0}"
        );
        for (ratios, ratio) in ratios.iter_mut().zip([local / echo, cached / local, forwarded / echo]) {
            ratios.push(ratio);
        }
    }
    let [local, cached, forwarded] = ratios.map(|mut ratios| {
        ratios.sort_by(f64::total_cmp);
        ratios[ROUNDS / 2]
    });
    println!("medians: ours to echo {local:.2}, cached to ours {cached:.2}, asked to echo {forwarded:.2}");
    println!("{:?}", server.counts());
}

fn serve() -> (Server, SocketAddr) {
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = udp.local_addr().unwrap();
    let directory = Directory::new();
    directory.update(|editor| {
        editor.set_zone("n", "web");
        for i in 0..=255 {
            let host =
                Host { names: vec![format!("c{i}")], v4: Some([10, 0, 0, i].into()), ..Host::default() };
            editor.set_host(&"n".into(), format!("e{i}"), host);
        }
        editor.set_view("a", View { zones: vec!["n".into()], ..View::default() });
    });
    let servers = vec![Upstream { addr: upstream(), from: DialFrom::Host }];
    let (_, upstreams) = tokio::sync::watch::channel(Arc::new(Upstreams { servers }));
    let config = ServerConfig {
        udp,
        tcp,
        asker: "a".into(),
        directory,
        upstreams,
        dial: Arc::new(LocalDial),
        limits: Limits::default(),
        shared: Shared::default(),
        gate: Arc::new(OpenGate),
    };
    (Server::start(config).unwrap(), addr)
}

/// Has one address for every name, for an hour or (under `ASKED`) for no time at all.
fn upstream() -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut bytes = [0; 512];
        loop {
            let (len, from) = socket.recv_from(&mut bytes).unwrap();
            let ttl: u32 = if bytes[..len].windows(ASKED.len()).any(|part| part == ASKED.as_bytes()) {
                0
            } else {
                3_600
            };
            bytes[2..4].copy_from_slice(&[0x81, 0x80]);
            bytes[7] = 1;
            let answer = [&[0xc0, 12, 0, 1, 0, 1][..], &ttl.to_be_bytes(), &[0, 4, 192, 0, 2, 1]].concat();
            bytes[len..len + answer.len()].copy_from_slice(&answer);
            socket.send_to(&bytes[..len + answer.len()], from).unwrap();
        }
    });
    addr
}

fn echo() -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut bytes = [0; 512];
        loop {
            let (len, from) = socket.recv_from(&mut bytes).unwrap();
            socket.send_to(&bytes[..len], from).unwrap();
        }
    });
    addr
}

/// Replies per second that the clients see together.
fn ask(addr: SocketAddr, zone: &str) -> f64 {
    let stop = AtomicBool::new(false);
    let started = Instant::now();
    let replies: usize = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| client(addr, zone, &stop))).collect();
        thread::sleep(ROUND);
        stop.store(true, Ordering::Relaxed);
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    replies as f64 / started.elapsed().as_secs_f64()
}

fn client(addr: SocketAddr, zone: &str, stop: &AtomicBool) -> usize {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    socket.connect(addr).unwrap();
    let questions: Vec<Vec<u8>> = (0..WINDOW).map(|i| question(i, zone)).collect();
    for question in &questions {
        socket.send(question).unwrap();
    }
    let mut reply = [0; 512];
    let mut replies = 0;
    while !stop.load(Ordering::Relaxed) {
        socket.recv(&mut reply).unwrap();
        socket.send(&questions[replies % WINDOW]).unwrap();
        replies += 1;
    }
    replies
}

fn question(i: usize, zone: &str) -> Vec<u8> {
    let mut message = Message::new(i as u16, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(format!("c{i}.{zone}.")).unwrap(), RecordType::A));
    message.to_vec().unwrap()
}
