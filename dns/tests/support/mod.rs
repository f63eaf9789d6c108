//! A server on loopback sockets, upstreams that say what a test wants, and a client that speaks bytes.
#![allow(dead_code, missing_docs, unreachable_pub)] // Each test program uses its part.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use dns::hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use dns::hickory_proto::rr::{Name, RData, Record, rdata};
use dns::{
    AskerId, Dial, DialFrom, Directory, Gate, Host, Limits, LocalDial, OpenGate, Server, ServerConfig,
    Shared, Upstream, Upstreams, View,
};
use tokio::sync::watch;

pub const PATIENCE: Duration = Duration::from_millis(150);
pub const GIVE_UP: Duration = Duration::from_secs(10);

pub struct Served {
    pub server: Server,
    pub addr: SocketAddr,
    pub directory: Directory,
    pub upstreams: watch::Sender<Arc<Upstreams>>,
    pub udp: UdpSocket,
    pub tcp: TcpListener,
}

/// Limits that make a test of time-outs short.
pub fn quick() -> Limits {
    Limits { hedge: PATIENCE, patience: PATIENCE, deadline: Duration::from_millis(900), ..Limits::default() }
}

/// Limits for tests of anything else: however long an upstream's answer takes, nobody is asked twice.
pub fn calm() -> Limits {
    Limits { hedge: GIVE_UP, patience: GIVE_UP, deadline: GIVE_UP, ..Limits::default() }
}

/// A server for the asker `a`, who is in the network `net` with `c1`, `c2` and 200 hosts called `many`.
pub fn serve(servers: &[Upstream], limits: Limits) -> Served {
    let (udp, tcp) = sockets();
    serve_on(udp, tcp, servers, limits, world())
}

pub fn serve_on(
    udp: UdpSocket,
    tcp: TcpListener,
    servers: &[Upstream],
    limits: Limits,
    directory: Directory,
) -> Served {
    serve_as("a", (udp, tcp), servers, limits, directory, (Shared::default(), Arc::new(OpenGate)))
}

/// One of several servers, each for its own asker.
pub fn serve_beside(asker: &str, servers: &[Upstream], limits: Limits, shared: &Shared) -> Served {
    let directory = world();
    directory.update(|editor| editor.set_view(asker, View { zones: vec!["n".into()], ..View::default() }));
    serve_as(asker, sockets(), servers, limits, directory, (shared.clone(), Arc::new(OpenGate)))
}

/// Behind a gate.
pub fn serve_gated(servers: &[Upstream], gate: Arc<dyn Gate>) -> Served {
    serve_as("a", sockets(), servers, calm(), world(), (Shared::default(), gate))
}

fn serve_as(
    asker: &str,
    (udp, tcp): (UdpSocket, TcpListener),
    servers: &[Upstream],
    limits: Limits,
    directory: Directory,
    (shared, gate): (Shared, Arc<dyn Gate>),
) -> Served {
    let (upstreams, receiver) = watch::channel(Arc::new(Upstreams { servers: servers.to_vec() }));
    let config = ServerConfig {
        udp: udp.try_clone().unwrap(),
        tcp: tcp.try_clone().unwrap(),
        asker: AskerId::from(asker),
        directory: directory.clone(),
        upstreams: receiver,
        dial: Arc::new(LocalDial),
        limits,
        shared,
        gate,
    };
    let server = Server::start(config).unwrap();
    Served { server, addr: udp.local_addr().unwrap(), directory, upstreams, udp, tcp }
}

/// Both on one port.
pub fn sockets() -> (UdpSocket, TcpListener) {
    for _ in 0..100 {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
            return (udp, tcp);
        }
    }
    panic!("no port is free for both UDP and TCP");
}

pub fn world() -> Directory {
    let directory = Directory::new();
    directory.update(|editor| {
        editor.set_zone("n", "net");
        for (id, last, names) in [("e1", 1, ["c1", "web"]), ("e2", 2, ["c2", "web"])] {
            editor.set_host(&"n".into(), id, host(&names, Ipv4Addr::new(10, 9, 0, last)));
        }
        for last in 0..200 {
            editor.set_host(&"n".into(), format!("m{last}"), host(&["many"], Ipv4Addr::new(10, 9, 1, last)));
        }
        editor.set_view("a", View { zones: vec!["n".into()], ..View::default() });
    });
    directory
}

pub fn host(names: &[&str], v4: Ipv4Addr) -> Host {
    Host {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        v4: Some(v4),
        v6: None,
        ..Host::default()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Over {
    Udp,
    Tcp,
}

/// What a fake upstream says to a query: messages to send one after the other.
type Script = dyn Fn(&Message, Over) -> Vec<Message> + Send + Sync;

pub struct Fake {
    pub addr: SocketAddr,
    asked: Arc<AtomicUsize>,
    asked_over_tcp: Arc<AtomicUsize>,
}

impl Fake {
    pub fn new(script: impl Fn(&Message, Over) -> Vec<Message> + Send + Sync + 'static) -> Self {
        let (udp, tcp) = sockets();
        let addr = udp.local_addr().unwrap();
        let script: Arc<Script> = Arc::new(script);
        let (asked, asked_over_tcp) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let (counter, tcp_counter, tcp_script) = (asked.clone(), asked_over_tcp.clone(), script.clone());
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok((len, from)) = udp.recv_from(&mut bytes) {
                counter.fetch_add(1, Ordering::SeqCst);
                for reply in script(&Message::from_vec(&bytes[..len]).unwrap(), Over::Udp) {
                    let _gone = udp.send_to(&reply.to_vec().unwrap(), from);
                }
            }
        });
        thread::spawn(move || {
            for stream in tcp.incoming() {
                let mut stream = stream.unwrap();
                let Some(query) = read_framed(&mut stream) else { continue };
                tcp_counter.fetch_add(1, Ordering::SeqCst);
                for reply in tcp_script(&Message::from_vec(&query).unwrap(), Over::Tcp) {
                    write_framed(&mut stream, &reply.to_vec().unwrap());
                }
            }
        });
        Self { addr, asked, asked_over_tcp }
    }

    /// Says 192.0.2.`last` to every question.
    pub fn saying(last: u8) -> Self {
        Self::new(move |query, _| vec![addressed(query, last)])
    }

    pub fn failing(code: ResponseCode) -> Self {
        Self::new(move |query, _| {
            let mut reply = replying(query);
            reply.metadata.response_code = code;
            vec![reply]
        })
    }

    pub fn silent() -> Self {
        Self::new(|_, _| Vec::new())
    }

    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub fn asked_over_tcp(&self) -> usize {
        self.asked_over_tcp.load(Ordering::SeqCst)
    }

    pub fn host(&self) -> Upstream {
        Upstream { addr: self.addr, from: DialFrom::Host }
    }

    pub fn container(&self) -> Upstream {
        Upstream { addr: self.addr, from: DialFrom::Container }
    }
}

pub fn replying(query: &Message) -> Message {
    let mut reply = Message::response(query.metadata.id, OpCode::Query);
    reply.metadata.recursion_available = true;
    reply.add_queries(query.queries.clone());
    reply
}

pub fn addressed(query: &Message, last: u8) -> Message {
    let mut reply = replying(query);
    let a = RData::A(rdata::A(Ipv4Addr::new(192, 0, 2, last)));
    reply.add_answer(Record::from_rdata(query.queries[0].name.clone(), 60, a));
    reply
}

/// An answer that holds for so many seconds.
pub fn lasting(query: &Message, last: u8, ttl: u32) -> Message {
    let mut reply = addressed(query, last);
    reply.answers[0].ttl = ttl;
    reply
}

/// A place where nobody listens.
pub fn nobody() -> Upstream {
    let (udp, _tcp) = sockets();
    Upstream { addr: udp.local_addr().unwrap(), from: DialFrom::Host }
}

pub fn query(name: &str, id: u16) -> Message {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), "A".parse().unwrap()));
    message
}

pub fn with_edns(mut message: Message, size: u16) -> Message {
    let mut edns = Edns::new();
    edns.set_max_payload(size);
    message.set_edns(edns);
    message
}

/// Asks and waits for the reply, off the runtime's threads.
pub async fn ask(served: &Served, over: Over, query: Message) -> Message {
    let addr = served.addr;
    tokio::task::spawn_blocking(move || {
        let bytes = query.to_vec().unwrap();
        let reply = match over {
            Over::Udp => {
                let client = client(addr);
                client.send(&bytes).unwrap();
                receive(&client)
            }
            Over::Tcp => {
                let mut stream = connect(addr);
                write_framed(&mut stream, &bytes);
                read_framed(&mut stream).unwrap()
            }
        };
        Message::from_vec(&reply).unwrap()
    })
    .await
    .unwrap()
}

pub async fn ask_a(served: &Served, name: &str) -> Message {
    ask(served, Over::Udp, query(name, 0x5a5a)).await
}

pub fn client(addr: SocketAddr) -> UdpSocket {
    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    client.set_read_timeout(Some(GIVE_UP)).unwrap();
    client.connect(addr).unwrap();
    client
}

pub fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(GIVE_UP)).unwrap();
    stream
}

pub fn receive(client: &UdpSocket) -> Vec<u8> {
    let mut bytes = vec![0; 65_535];
    let len = client.recv(&mut bytes).unwrap();
    bytes.truncate(len);
    bytes
}

pub fn write_framed(stream: &mut TcpStream, message: &[u8]) {
    let len = u16::try_from(message.len()).unwrap().to_be_bytes();
    stream.write_all(&[&len[..], message].concat()).unwrap();
}

pub fn read_framed(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut len = [0; 2];
    stream.read_exact(&mut len).ok()?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(len))];
    stream.read_exact(&mut message).ok()?;
    Some(message)
}

pub fn addresses(message: &Message) -> Vec<String> {
    let mut all: Vec<_> = message.answers.iter().map(|record| record.data.to_string()).collect();
    all.sort();
    all
}

pub fn code(message: &Message) -> ResponseCode {
    message.metadata.response_code
}

/// Remembers from where it was asked to dial.
#[derive(Default)]
pub struct Remembering(pub Mutex<HashMap<SocketAddr, DialFrom>>);

impl Dial for Remembering {
    fn udp(&self, from: DialFrom, to: SocketAddr) -> std::io::Result<UdpSocket> {
        self.0.lock().unwrap().insert(to, from);
        LocalDial.udp(from, to)
    }

    fn tcp(&self, from: DialFrom, to: SocketAddr) -> std::io::Result<TcpStream> {
        self.0.lock().unwrap().insert(to, from);
        LocalDial.tcp(from, to)
    }
}
