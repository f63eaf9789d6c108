//! How long the host is not as it should be after somebody else changed it, with one published port and with a thousand:
//! from the start of the command that changes it until it is put right, beside what the command itself takes; and what a
//! client loses meanwhile of a stream of one datagram per millisecond through a published port.
//!
//! `cargo bench -p tests --bench heal [-- RUNS]`

use std::{
    net::UdpSocket,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, Receiver},
    },
    thread,
    time::{Duration, Instant},
};

use libnet::{
    host::{BridgeNetwork, DefaultRoute, EndpointSpec, Host, HostConfig, Report, Watch},
    ports::{HostPort, PortRequest},
    types::{EndpointId, MacAddr, Mtu, NetworkId, Port, Proto},
};
use tests::{Host as Machine, Lab, Lan, eventually};

/// What is done, and how its repair is told.
const INJURIES: [(&str, &str); 4] = [
    ("nft flush ruleset", "table inet pontoon"),
    ("nft flush set inet pontoon published4", "of table inet pontoon"),
    ("ip link delete br-bench", "network bench (br-bench)"),
    ("sysctl -qw net.ipv4.ip_forward=0", "setting net/ipv4/ip_forward"),
];
/// Datagrams that arrive, one per millisecond, before the next injury: repairs that come more often look like a fight.
const PEACE: u64 = 1_100;
/// Datagrams that arrive before those that did not are taken for lost.
const LATE: u64 = 200;

fn main() {
    // Cargo hands its own flags on.
    let runs = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(15_usize).max(1);
    println!("ms, median | ports | the command alone | until put right | worst | datagrams lost");
    for ports in [1, 1_000] {
        let subject = Subject::open(ports);
        for (injury, healed) in INJURIES {
            let samples: Vec<Sample> = (0..runs).map(|_| subject.hurt(injury, healed)).collect();
            let sorted = |of: fn(&Sample) -> f64| {
                let mut all: Vec<f64> = samples.iter().map(of).collect();
                all.sort_by(f64::total_cmp);
                all
            };
            let (command, healed) = (sorted(|sample| sample.command), sorted(|sample| sample.healed));
            let lost = sorted(|sample| sample.lost);
            let (half, last) = (runs / 2, runs - 1);
            println!(
                "{injury} | {ports} | {:.1} | {:.1} | {:.1} | {}",
                command[half], healed[half], healed[last], lost[half]
            );
        }
    }
}

/// Milliseconds, and datagrams.
struct Sample {
    command: f64,
    healed: f64,
    lost: f64,
}

/// A container that counts datagrams, a client that sends them, and a host that is watched.
struct Subject {
    machine: Machine,
    reports: Receiver<(Instant, Report)>,
    sent: Arc<AtomicU64>,
    seen: Arc<AtomicU64>,
    go_on: Arc<AtomicBool>,
    _lan: Lan,
    _watch: Watch,
    _host: Arc<Host>,
}

impl Subject {
    fn open(ports: u16) -> Self {
        let machine = Lab::new().host("heal");
        let lan = machine.lan("client");
        let (told, reports) = mpsc::channel();
        let (host, sandbox, watch) = machine.run(|| {
            let host = Arc::new(
                Host::open(HostConfig { ready_namespaces: 1, ..HostConfig::default() }).expect("a host"),
            );
            let net = network();
            host.create_network(&net).expect("a network");
            let sandbox = host.open_sandbox("pontoon-000000000001").expect("a sandbox");
            host.attach(&sandbox, &endpoint(&net, ports)).expect("an endpoint");
            let tell = move |report| drop(told.send((Instant::now(), report)));
            let watch = host.watch(tell).expect("a thread");
            (host, sandbox, watch)
        });
        let (sent, seen) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let go_on = Arc::new(AtomicBool::new(true));
        let server = sandbox.netns().run(|| UdpSocket::bind("0.0.0.0:80")).flatten().expect("a socket");
        server.set_read_timeout(Some(Duration::from_millis(100))).expect("a time-out");
        thread::spawn({
            let (seen, go_on) = (seen.clone(), go_on.clone());
            move || {
                while go_on.load(Ordering::Relaxed) {
                    if server.recv(&mut [0; 8]).is_ok() {
                        seen.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        });
        let client = lan.run(|| UdpSocket::bind("0.0.0.0:0")).expect("a socket");
        client.connect(format!("{}:10000", lan.gateway())).expect("an address");
        thread::spawn({
            let (sent, go_on) = (sent.clone(), go_on.clone());
            move || {
                while go_on.load(Ordering::Relaxed) {
                    // A refusal that came back is none of this datagram's.
                    let _ = client.send(b"x").or_else(|_| client.send(b"x"));
                    sent.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(Duration::from_millis(1));
                }
            }
        });
        Self { machine, reports, sent, seen, go_on, _lan: lan, _watch: watch, _host: host }
    }

    fn hurt(&self, injury: &str, healed: &str) -> Sample {
        self.wait_for(PEACE);
        while self.reports.try_recv().is_ok() {}
        let before = self.lost();
        let began = Instant::now();
        self.machine.sh(injury).ok();
        let command = began.elapsed();
        let ended = loop {
            let (at, report) = self.reports.recv_timeout(Duration::from_secs(20)).expect("a repair");
            if report.repaired.iter().any(|text| text.contains(healed)) {
                break at;
            }
        };
        self.wait_for(LATE);
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let lost = self.lost().saturating_sub(before) as f64;
        Sample { command: ms(command), healed: ms(ended.saturating_duration_since(began)), lost }
    }

    /// Waits until so many more datagrams have arrived.
    fn wait_for(&self, datagrams: u64) {
        let enough = self.seen.load(Ordering::Relaxed) + datagrams;
        eventually("datagrams arrive", || {
            let seen = self.seen.load(Ordering::Relaxed);
            if seen >= enough { Ok(()) } else { Err(seen) }
        });
    }

    fn lost(&self) -> u64 {
        self.sent.load(Ordering::Relaxed).saturating_sub(self.seen.load(Ordering::Relaxed))
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        self.go_on.store(false, Ordering::Relaxed);
    }
}

fn network() -> BridgeNetwork {
    BridgeNetwork {
        id: NetworkId::from_bytes([7; 32]),
        name: "bench".to_owned(),
        link: "br-bench".parse().expect("a name"),
        mtu: Mtu::ETHERNET,
        v4: Some("10.9.0.1/16".parse().expect("a subnet")),
        v6: None,
        internal: Default::default(),
        icc: Default::default(),
        masquerade: Default::default(),
        default_host_ip: None,
        exposure: Default::default(),
        announce: Default::default(),
        lent: Default::default(),
    }
}

/// An endpoint with so many ports of the host from 10000 on, all of them leading to the same one.
fn endpoint(net: &BridgeNetwork, ports: u16) -> EndpointSpec {
    let port = |number| Port::new(number).expect("a port");
    let publish = |number| PortRequest {
        host_ip: None,
        host: HostPort::Exactly(port(number)),
        container: port(80),
        proto: Proto::Udp,
    };
    EndpointSpec {
        egress: Default::default(),
        spoof: Default::default(),
        rates: Default::default(),
        link_local: Vec::new(),
        settings: Vec::new(),
        id: EndpointId::from_bytes([9; 32]),
        network: net.id,
        label: "bench c1".to_owned(),
        ifname: "eth0".parse().expect("a name"),
        mac: MacAddr::local([2, 0x42, 10, 9, 0, 2]),
        v4: Some("10.9.0.2/16".parse().expect("an address")),
        v6: None,
        mtu: Mtu::ETHERNET,
        default_route: DefaultRoute::Via { v4: net.v4.map(|gateway| gateway.ip()), v6: None },
        ports: (10_000..10_000 + ports).map(publish).collect(),
    }
}
