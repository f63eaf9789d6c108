//! Questions per second of one server against a bare echo of datagrams, side by side over loopback with the same
//! clients: what is left of the machine's own speed. Run: `cargo bench -p dns`.
//!
//! The echo does nothing but receive and send, one message per call, on a thread of its own; the server has one
//! runtime thread. Rounds alternate, so that the machine's mood meets both. With `--serve` the server stays on the
//! port that it prints, for `dnsperf` or `dig`.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)] // A program for people.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use dns::hickory_proto::op::{Message, MessageType, OpCode, Query};
use dns::hickory_proto::rr::{Name, RecordType};
use dns::{Directory, Host, Limits, LocalDial, Server, ServerConfig, Shared, Upstreams, View};

const CLIENTS: usize = 2;
/// Questions that a client has under way.
const WINDOW: usize = 32;
const ROUND: Duration = Duration::from_secs(1);
const ROUNDS: usize = 5;

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
    let mut ratios: Vec<(f64, f64)> = (0..ROUNDS).map(|_| (ask(addr), ask(echo))).collect();
    ratios.sort_by(|a, b| (a.0 / a.1).total_cmp(&(b.0 / b.1)));
    for (server, echo) in &ratios {
        println!("server {server:>9.0}/s   echo {echo:>9.0}/s   ratio {:.2}", server / echo);
    }
    let (server_rate, echo_rate) = ratios[ROUNDS / 2];
    println!("median ratio {:.2}; {:?}", server_rate / echo_rate, server.counts());
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
    let (_, upstreams) = tokio::sync::watch::channel(Arc::new(Upstreams::default()));
    let config = ServerConfig {
        udp,
        tcp,
        asker: "a".into(),
        directory,
        upstreams,
        dial: Arc::new(LocalDial),
        limits: Limits::default(),
        shared: Shared::default(),
    };
    (Server::start(config).unwrap(), addr)
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
fn ask(addr: SocketAddr) -> f64 {
    let stop = AtomicBool::new(false);
    let started = Instant::now();
    let replies: usize = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| client(addr, &stop))).collect();
        thread::sleep(ROUND);
        stop.store(true, Ordering::Relaxed);
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    replies as f64 / started.elapsed().as_secs_f64()
}

fn client(addr: SocketAddr, stop: &AtomicBool) -> usize {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    socket.connect(addr).unwrap();
    let questions: Vec<Vec<u8>> = (0..WINDOW).map(question).collect();
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

fn question(i: usize) -> Vec<u8> {
    let mut message = Message::new(i as u16, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(format!("c{i}.web.")).unwrap(), RecordType::A));
    message.to_vec().unwrap()
}
