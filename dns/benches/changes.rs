//! What a change to the directory costs when it holds one endpoint and when it holds ten thousand: it is part of
//! every attach. And what questions feel of it: one client asks, another fills the server with questions, and fifty
//! times a second an endpoint comes and goes among ten thousand. Run: `cargo bench -p dns --bench changes`.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, missing_docs)] // A program for people.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use dns::hickory_proto::op::{Message, Query};
use dns::hickory_proto::rr::{Name, RecordType};
use dns::{Directory, Host, Limits, LocalDial, OpenGate, Server, ServerConfig, Shared, Upstreams, View};

const CHANGES: u32 = 1_000;
/// How long questions are watched, with changes and without.
const WATCHED: Duration = Duration::from_secs(4);
/// Between two changes.
const PAUSE: Duration = Duration::from_millis(20);

fn main() {
    // Test runners start benches too, and want nothing of them.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    for size in [1, 100, 1_000, 10_000] {
        let directory = filled(size);
        let started = Instant::now();
        (0..CHANGES).for_each(|i| come_and_go(&directory, size + i));
        println!("{size:>6} endpoints: {:>9.1?} to add and remove one", started.elapsed() / CHANGES);
    }
    let directory = filled(10_000);
    let (_server, addr, _runtime) = serve(&directory);
    for round in 0..4 {
        let changing = round % 2 == 1;
        let (load, times) = watch(addr, changing.then_some(&directory));
        let at = |part: usize| times[(times.len() * part / 1_000).min(times.len() - 1)];
        let word = if changing { "50 changes a second" } else { "no changes" };
        println!(
            "10,000 names, {load:>6.0} questions/s, {word:<19}: p50 {:>6.1?}, p99 {:>6.1?}, p99.9 {:>6.1?}, slowest {:>6.1?}",
            at(500),
            at(990),
            at(999),
            at(1_000)
        );
    }
}

fn filled(size: u32) -> Directory {
    let directory = Directory::new();
    directory.update(|editor| {
        editor.set_zone("n", "web");
        for i in 0..size {
            editor.set_host(&"n".into(), id(i), host(i));
            editor.set_view(id(i), view());
        }
    });
    directory
}

fn come_and_go(directory: &Directory, i: u32) {
    let id = id(i);
    directory.update(|editor| {
        editor.set_host(&"n".into(), id.as_str(), host(i));
        editor.set_view(id.as_str(), view());
    });
    directory.update(|editor| {
        editor.remove_host(&"n".into(), &id.as_str().into());
        editor.remove_view(&id.into());
    });
}

/// A server for the endpoint 0, with a runtime thread of its own.
fn serve(directory: &Directory) -> (Server, SocketAddr, tokio::runtime::Runtime) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = udp.local_addr().unwrap();
    let config = ServerConfig {
        udp,
        tcp: TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap(),
        asker: id(0).into(),
        directory: directory.clone(),
        upstreams: tokio::sync::watch::channel(Arc::new(Upstreams::default())).1,
        dial: Arc::new(LocalDial),
        limits: Limits::default(),
        shared: Shared::default(),
        gate: Arc::new(OpenGate),
    };
    let _inside = runtime.enter();
    (Server::start(config).unwrap(), addr, runtime)
}

/// How many questions a second one client asks as fast as it can, and how long another waits for each of its own.
fn watch(addr: SocketAddr, changed: Option<&Directory>) -> (f64, Vec<Duration>) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let load = scope.spawn(|| ping_pong(addr, &over, Duration::ZERO).len());
        if let Some(directory) = changed {
            let over = &over;
            scope.spawn(move || {
                for i in (20_000..).take_while(|_| !over.load(Ordering::Relaxed)) {
                    come_and_go(directory, i);
                    thread::sleep(PAUSE);
                }
            });
        }
        let watcher = scope.spawn(|| ping_pong(addr, &over, Duration::from_millis(1)));
        thread::sleep(WATCHED);
        over.store(true, Ordering::Relaxed);
        let mut times = watcher.join().unwrap();
        times.sort_unstable();
        (load.join().unwrap() as f64 / WATCHED.as_secs_f64(), times)
    })
}

/// One question after the other, over all names, with a pause after each answer.
fn ping_pong(addr: SocketAddr, over: &AtomicBool, pause: Duration) -> Vec<Duration> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.connect(addr).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut times = Vec::new();
    let mut reply = [0; 512];
    for i in (0..10_000u32).cycle().take_while(|_| !over.load(Ordering::Relaxed)) {
        let mut query = Message::query();
        query.add_query(Query::query(Name::from_ascii(format!("c{i}.")).unwrap(), RecordType::A));
        let query = query.to_vec().unwrap();
        let started = Instant::now();
        socket.send(&query).unwrap();
        let len = socket.recv(&mut reply).expect("no question is lost");
        times.push(started.elapsed());
        assert_eq!(Message::from_vec(&reply[..len]).unwrap().answers.len(), 1);
        if !pause.is_zero() {
            thread::sleep(pause);
        }
    }
    times
}

fn id(i: u32) -> String {
    format!("{i:064x}")
}

/// A name of its own, as every container has, and one that all share, as the replicas of a service do.
fn host(i: u32) -> Host {
    let names = vec![format!("c{i}"), format!("{i:012x}"), format!("service{}", i % 100)];
    Host { names, v4: Some(Ipv4Addr::from(0x0a00_0000 + i)), v6: None, ..Host::default() }
}

fn view() -> View {
    View { zones: vec!["n".into()], ..View::default() }
}
