//! What it costs to attach a container to a bridge with one published port, beside the least that the kernel asks for
//! it: the same netlink messages, written by hand, on a bridge of their own. Both take turns, so that a busy machine
//! is busy for both. All endpoints stay until the last is there: the figures show what number 500 pays.
//!
//! `cargo bench -p tests --bench attach [-- COUNT]`

#[path = "attach/floor.rs"]
mod floor;

use std::time::{Duration, Instant};

use floor::Floor;
use libnet::{
    host::{BridgeNetwork, DefaultRoute, EndpointSpec, Host, HostConfig, Sandbox},
    ports::{HostPort, PortRequest},
    types::{EndpointId, Icc, Internal, MacAddr, Masquerade, Mtu, NetworkId, Port, Proto},
};
use tests::Lab;

/// So many of the first and of the last are compared.
const EDGE: usize = 25;

fn main() {
    // Cargo hands its own flags on.
    let count =
        std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(500_usize).max(EDGE * 2);
    let lab = Lab::new();
    let (ours, theirs) = (lab.host("ours"), lab.host("floor"));
    let host = ours.run(|| Subject::open(count));
    let mut floor = theirs.run(Floor::open);
    let (mut attach, mut least) = (Phases::default(), Phases::default());
    let (mut sandboxes, mut ends) = (Vec::new(), Vec::new());
    ours.run(|| {
        for number in 0..count {
            floor.prepare();
            least.namespace.push(timed(|| floor.name_namespace(number)).0);
            let (took, end) = timed(|| floor.attach(number));
            least.attach.push(took);
            ends.push(end);
            let (took, sandbox) = timed(|| host.open_sandbox(number));
            attach.namespace.push(took);
            attach.attach.push(timed(|| host.attach(&sandbox, number)).0);
            sandboxes.push(sandbox);
            host.let_the_pool_fill();
        }
        for (number, (sandbox, end)) in sandboxes.into_iter().zip(ends).enumerate() {
            least.detach.push(timed(|| floor.detach(end)).0);
            attach.detach.push(timed(|| host.detach(&sandbox, number)).0);
            attach.close.push(timed(|| host.close(sandbox)).0);
        }
    });
    report(&attach, &least);
}

#[derive(Default)]
struct Phases {
    namespace: Vec<Duration>,
    attach: Vec<Duration>,
    detach: Vec<Duration>,
    close: Vec<Duration>,
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = work();
    (start.elapsed(), result)
}

fn median(times: &[Duration]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted.get(sorted.len() / 2).map_or(0.0, |time| time.as_secs_f64() * 1e6)
}

fn report(ours: &Phases, floor: &Phases) {
    println!("median us | all | first {EDGE} | last {EDGE}");
    let row = |name: &str, times: &[Duration]| {
        let (first, last) = (&times[..EDGE], &times[times.len() - EDGE..]);
        println!("{name} | {:.0} | {:.0} | {:.0}", median(times), median(first), median(last));
    };
    row("floor: name a ready namespace", &floor.namespace);
    row("floor: attach (veth, address, route)", &floor.attach);
    row("floor: detach (link down)", &floor.detach);
    row("pontoon: open a sandbox", &ours.namespace);
    row("pontoon: attach (with port and firewall)", &ours.attach);
    row("pontoon: detach", &ours.detach);
    row("pontoon: close a sandbox", &ours.close);
    let sum = |phases: &Phases| -> Vec<Duration> {
        phases.namespace.iter().zip(&phases.attach).map(|(a, b)| *a + *b).collect()
    };
    let (ours, floor) = (sum(ours), sum(floor));
    println!("attach / floor: {:.2}", median(&ours) / median(&floor));
    let grows = |times: &[Duration]| median(&times[times.len() - EDGE..]) / median(&times[..EDGE]);
    println!("number {} / number 1: {:.2} (floor: {:.2})", ours.len(), grows(&ours), grows(&floor));
}

/// Pontoon.
struct Subject {
    host: Host,
    net: BridgeNetwork,
}

impl Subject {
    fn open(count: usize) -> Self {
        let host = Host::open(HostConfig { ready_namespaces: 4, ..HostConfig::default() }).expect("a host");
        assert!(count < 60_000, "one port each");
        let net = BridgeNetwork {
            id: NetworkId::from_bytes([7; 32]),
            name: "bench".to_owned(),
            link: "br-bench".parse().expect("a name"),
            mtu: Mtu::ETHERNET,
            v4: Some("10.9.0.1/16".parse().expect("a subnet")),
            v6: None,
            internal: Internal::No,
            icc: Icc::Allowed,
            masquerade: Masquerade::Yes,
            default_host_ip: None,
            exposure: Default::default(),
            announce: Default::default(),
            lent: None,
        };
        host.create_network(&net).expect("a network");
        Self { host, net }
    }

    fn open_sandbox(&self, number: usize) -> Sandbox {
        self.host.open_sandbox(&format!("pontoon-{number:012x}")).expect("a sandbox")
    }

    fn attach(&self, sandbox: &Sandbox, number: usize) {
        self.host.attach(sandbox, &self.endpoint(number)).expect("an endpoint");
    }

    fn detach(&self, sandbox: &Sandbox, number: usize) {
        self.host.detach(sandbox, endpoint_id(number)).expect("gone");
    }

    fn close(&self, sandbox: Sandbox) {
        self.host.close_sandbox(sandbox).expect("closed");
    }

    /// Containers do not come one per millisecond for ever: the pool has time to fill, as the floor's is full.
    fn let_the_pool_fill(&self) {
        std::thread::sleep(Duration::from_millis(25));
    }

    fn endpoint(&self, number: usize) -> EndpointSpec {
        let [.., high, low] = (number + 2).to_be_bytes();
        let port = |port: usize| u16::try_from(port).ok().and_then(Port::new).expect("a port");
        EndpointSpec {
            egress: Default::default(),
            spoof: Default::default(),
            id: endpoint_id(number),
            network: self.net.id,
            label: format!("bench c{number}"),
            ifname: "eth0".parse().expect("a name"),
            mac: MacAddr::local([2, 0x42, 10, 9, high, low]),
            v4: Some(format!("10.9.{high}.{low}/16").parse().expect("an address")),
            v6: None,
            link_local: Vec::new(),
            settings: Vec::new(),
            mtu: Mtu::ETHERNET,
            default_route: DefaultRoute::Via { v4: self.net.v4.map(|gateway| gateway.ip()), v6: None },
            ports: vec![PortRequest {
                host_ip: None,
                host: HostPort::Exactly(port(1_024 + number)),
                container: port(80),
                proto: Proto::Tcp,
            }],
        }
    }
}

fn endpoint_id(number: usize) -> EndpointId {
    let mut id = [0; 32];
    id[..4].copy_from_slice(&u32::try_from(number).unwrap_or(0).reverse_bits().to_be_bytes());
    id[8..16].copy_from_slice(&number.to_be_bytes());
    EndpointId::from_bytes(id)
}
