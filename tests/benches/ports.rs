//! Many published ports: how long ten thousand of one container take, and what each costs in memory; whether 32 ports of
//! each of 500 containers grow dearer; and whether a new connection by the last of ten thousand ports costs more than one
//! by the first, than one to a bridge without any rules, or than one that the only rule of a host rewrites. Rounds take
//! turns, so that a busy machine is busy for all.
//!
//! `cargo build --release -p netd -p netd-runtime -p pontoon && cargo bench -p tests --bench ports`

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use libnet::netns::NetNs;
use nix::sys::socket::{setsockopt, sockopt};
use tests::{Host, Lab, Lan, Machine, NetdOptions};

const FIRST: u16 = 10_000;
const LAST: u16 = 19_999;
const PORTS: f64 = 10_000.0;
/// Rounds, and connections of each round and kind.
const ROUNDS: usize = 30;
const CONNECTIONS: usize = 200;
/// Containers with 32 ports each, over so many networks.
const CONTAINERS: usize = 500;
const NETWORKS: usize = 25;
/// So many of the first and of the last are compared.
const EDGE: usize = 25;

fn main() {
    let lab = Lab::new();
    let machine = lab.machine("ports");
    let client = machine.lan("client");
    machine.pontoon(["network", "create", "web"]).ok();
    machine.start("warm", &["--network", "web", "-p", "9000:9000"], &["sleep", "1000000"]);
    let (before, range) = (Memory::of(&machine), format!("{FIRST}-{LAST}:{FIRST}-{LAST}"));
    let start = Instant::now();
    machine.start("many", &["--network", "web", "-p", &range], &["sleep", "1000000"]);
    println!("10,000 ports on one container, whole `run -d`: {:.2} s", start.elapsed().as_secs_f64());
    Memory::of(&machine).report_since(&before);
    connections(&lab, &machine, &client);
    let start = Instant::now();
    machine.pontoon(["rm", "-f", "many"]).ok();
    println!("`rm -f` of it: {:.2} s", start.elapsed().as_secs_f64());
    drop(machine);
    many_containers(&lab);
}

/// What netd holds for itself, and what the kernel holds of sockets, in KiB. The latter is the machine's: others' sockets
/// show in it.
struct Memory {
    netd: f64,
    sockets: f64,
}

/// For each TCP socket of IPv6 there is one of each of these, of the size that the kernel says (name, objects, all, size).
const SOCKETS: &str = r#"awk '$1 == "TCPv6" {count = $2} $1 ~ /^(TCPv6|sock_inode_cache|filp|dentry)$/ {size += $4}
    END {print int(count * size / 1024)}' /proc/slabinfo"#;

impl Memory {
    fn of(machine: &Machine) -> Self {
        let read = |line: &str| machine.sh(line).ok().trim().parse::<f64>().expect("a number");
        let rss = || read("awk '/^VmRSS:/ {print $2}' /proc/$(pgrep -x netd)/status");
        // A moment after a request it gives back what that has left free.
        let end = Instant::now() + Duration::from_secs(4);
        let least = std::iter::repeat_with(rss).take_while(|_| Instant::now() < end).fold(rss(), f64::min);
        Self { netd: least, sockets: read(SOCKETS) }
    }

    fn report_since(&self, before: &Self) {
        let per_port = |now: f64, then: f64| (now - then) * 1_024.0 / PORTS;
        println!(
            "memory per port: {:.0} bytes of netd, {:.0} bytes of the kernel for the socket that holds it",
            per_port(self.netd, before.netd),
            per_port(self.sockets, before.sockets)
        );
    }
}

/// New connections from a LAN host by the first port and by the last, and across a bare bridge.
fn connections(lab: &Lab, machine: &Machine, client: &Lan) {
    let id = machine.pontoon(["inspect", "-f", "{{.Id}}", "many"]).ok();
    let inside = NetNs::open(&machine.path(&format!("/run/netns/pontoon-{}", &id[..12]))).expect("a sandbox");
    [FIRST, LAST].iter().for_each(|port| serve(&inside, *port));
    let (bare, dnat) = (Bare::new(lab, "bare"), Bare::new(lab, "dnat"));
    let rule = "nft add table ip t; nft 'add chain ip t c { type nat hook prerouting priority -100; }'; \
        nft add rule ip t c tcp dport 9080 dnat to 10.88.0.2:80";
    dnat.host.sh(rule).ok();
    let at = |lan: &Lan, port: u16| SocketAddr::new(lan.gateway().parse().expect("an address"), port);
    let ways: [(&str, &Host, SocketAddr); 4] = [
        ("first port", client, at(client, FIRST)),
        ("last port", client, at(client, LAST)),
        ("bridge alone", &bare.client, Bare::SERVER.parse().expect("an address")),
        ("one rule", &dnat.client, at(&dnat.client, 9_080)),
    ];
    let mut rounds: [Vec<f64>; 4] = Default::default();
    for _ in 0..ROUNDS {
        for ((_, from, to), times) in ways.iter().zip(&mut rounds) {
            times.push(from.run(|| connect_often(*to)));
        }
    }
    let [first, last, bridge, rule] = rounds.map(|mut times| median(&mut times));
    println!(
        "new connection, us: first port {first:.1}, last {last:.1}, bridge alone {bridge:.1}, one rule {rule:.1}"
    );
    println!(
        "last / first: {:.3}; first / bridge alone: {:.3}; first / one rule: {:.3}",
        last / first,
        first / bridge,
        first / rule
    );
}

/// A host with a bridge and a namespace behind it, and not one rule.
struct Bare {
    client: Lan,
    host: Host,
}

impl Bare {
    const SERVER: &str = "10.88.0.2:80";

    fn new(lab: &Lab, name: &str) -> Self {
        let host = lab.host(name);
        let client = host.lan("client");
        let made = "sysctl -qw net.ipv4.ip_forward=1; ip link add br0 type bridge; ip address add 10.88.0.1/16 dev br0; \
            ip link set br0 up; ip netns add c; ip link add v0 up master br0 type veth peer name eth0 netns c; \
            ip -n c address add 10.88.0.2/16 dev eth0; ip -n c link set eth0 up; ip -n c link set lo up; \
            ip -n c route add default via 10.88.0.1";
        host.sh(made).ok();
        serve(&NetNs::open(&host.path("/run/netns/c")).expect("a namespace"), 80);
        Self { client, host }
    }
}

/// Says a word to whoever connects, until the program ends.
fn serve(inside: &NetNs, port: u16) {
    let listener = inside.run(|| TcpListener::bind(("0.0.0.0", port))).flatten().expect("a socket");
    // Who is gone before the word is said does not need it.
    thread::spawn(move || {
        listener.incoming().flatten().for_each(|mut client| drop(client.write_all(b"ok\n")))
    });
}

/// Microseconds from the start of a connection to the server's first word, the median of many.
fn connect_often(to: SocketAddr) -> f64 {
    let mut times: Vec<f64> = (0..CONNECTIONS).map(|_| connect(to).expect("a connection")).collect();
    median(&mut times)
}

fn connect(to: SocketAddr) -> io::Result<f64> {
    let start = Instant::now();
    let mut stream = TcpStream::connect_timeout(&to, Duration::from_secs(2))?;
    stream.read_exact(&mut [0; 3])?;
    let took = start.elapsed();
    // Reset: thousands of ports in TIME_WAIT would be measured, too.
    setsockopt(&stream, sockopt::Linger, &nix::libc::linger { l_onoff: 1, l_linger: 0 })?;
    Ok(took.as_secs_f64() * 1e6)
}

/// Starts of containers with 32 ports each.
fn many_containers(lab: &Lab) {
    let config = r#"{"default-address-pools": [{"base": "10.0.0.0/8", "size": 22}]}"#.to_owned();
    let machine = lab.machine_with("crowd", NetdOptions { config: Some(config), ..NetdOptions::default() });
    for number in 0..NETWORKS {
        machine.pontoon(["network", "create", &format!("web{number}")]).ok();
    }
    let start = |name: &str, number: usize, ports: &[&str]| {
        let network = format!("web{}", number % NETWORKS);
        let began = Instant::now();
        machine.start(name, &[&["--network", &network], ports].concat(), &["sleep", "1000000"]);
        began.elapsed().as_secs_f64() * 1e3
    };
    for number in 0..NETWORKS {
        start(&format!("w{number}"), number, &[]);
    }
    let mut times = Vec::new();
    for number in 0..CONTAINERS {
        let first = usize::from(FIRST) + number * 32;
        let range = format!("{first}-{}:1-32", first + 31);
        times.push(start(&format!("c{number}"), number, &["-p", &range]));
    }
    let (first, last) =
        (median(&mut times[..EDGE].to_vec()), median(&mut times[CONTAINERS - EDGE..].to_vec()));
    println!(
        "`run -d` with 32 ports, {NETWORKS} networks: first {EDGE} {first:.1} ms, last {EDGE} of {CONTAINERS} {last:.1} ms, ratio {:.2}",
        last / first
    );
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
