//! Who reaches whom: every pair of places, both families, TCP, UDP and ICMP, published ports and others. What packets do
//! is written into docs/connectivity.md, and compared with it.

mod published;

use std::{fmt::Write, net::IpAddr, path::Path, time::Duration};

use tests::{Golden, Lab, Lan, Machine, Place, Probe, Servers};

/// Nothing here is further away than a few switched frames.
const SHORT: Duration = Duration::from_millis(300);
/// For a machine under load, where not all is as it should be.
const LONG: Duration = Duration::from_secs(3);

const PUBLISHED: u16 = 80;
const UNPUBLISHED: u16 = 81;

/// A network of the matrix: its name, what it is called in the page, its options, and the port of the host that leads to
/// its first container.
struct Network {
    name: &'static str,
    words: &'static str,
    options: &'static [&'static str],
    number: u8,
}

const NETWORKS: [Network; 6] = [
    Network { name: "web", words: "a network", options: &[], number: 1 },
    Network { name: "db", words: "another network", options: &[], number: 2 },
    Network { name: "inner", words: "`--internal`", options: &["--internal"], number: 3 },
    Network {
        name: "quiet",
        words: "`enable_icc=false`",
        options: &["-o", "com.docker.network.bridge.enable_icc=false"],
        number: 4,
    },
    Network {
        name: "routed",
        words: "`routed`",
        options: &[
            "-o",
            "com.docker.network.bridge.gateway_mode_ipv4=routed",
            "-o",
            "com.docker.network.bridge.gateway_mode_ipv6=routed",
        ],
        number: 5,
    },
    Network {
        name: "open",
        words: "`nat-unprotected`",
        options: &[
            "-o",
            "com.docker.network.bridge.gateway_mode_ipv4=nat-unprotected",
            "-o",
            "com.docker.network.bridge.gateway_mode_ipv6=nat-unprotected",
        ],
        number: 6,
    },
];

impl Network {
    /// Its `last` address of each family.
    fn addresses(&self, last: u8) -> [IpAddr; 2] {
        let v6 = format!("fd81:0:0:{}::{last}", self.number);
        [IpAddr::from([10, 81, self.number, last]), v6.parse().unwrap()]
    }

    fn host_port(&self) -> u16 {
        8000 + u16::from(self.number)
    }

    /// The network, and two containers in it. The first publishes a port, in TCP and UDP.
    fn make(&self, machine: &Machine) {
        let subnets = [format!("10.81.{}.0/24", self.number), format!("fd81:0:0:{}::/64", self.number)];
        let create = ["network", "create", "--ipv6", "--subnet", &subnets[0], "--subnet", &subnets[1]];
        machine.docker(create.iter().chain(self.options).chain(&[self.name]).copied()).ok();
        for last in [2, 3] {
            let [v4, v6] = self.addresses(last).map(|ip| ip.to_string());
            let publish = format!("{}:{PUBLISHED}", self.host_port());
            let publish = ["-p".to_owned(), publish.clone(), "-p".to_owned(), format!("{publish}/udp")];
            let name = container(self.name, last);
            let run = ["run", "-d", "--name", &name, "--network", self.name, "--ip", &v4, "--ip6", &v6];
            let publish = publish.iter().filter(|_| last == 2).map(String::as_str);
            machine.docker(run.into_iter().chain(publish).chain(["host", "sleep", "1000"])).ok();
        }
    }
}

fn container(network: &str, last: u8) -> String {
    format!("{network}{last}")
}

/// Where probes come from.
struct Source {
    words: String,
    place: Place,
}

struct Matrix {
    // These keep namespaces, and go before the host is looked at.
    sources: Vec<Source>,
    servers: Vec<Servers>,
    _machine: Machine,
    lan: Lan,
}

impl Matrix {
    fn new() -> Self {
        let machine = Lab::new().machine("matrix");
        let lan = machine.lan("client");
        NETWORKS.iter().for_each(|network| network.make(&machine));
        let anybody = "sysctl -qw net.ipv4.ping_group_range='0 2147483647'";
        machine.sh(anybody).ok();
        lan.sh(anybody).ok();
        let host = || Place::open(Path::new(&format!("/proc/{}/ns/net", machine.pid())));
        let outside = || Place::open(Path::new(&format!("/proc/{}/ns/net", lan.pid())));
        let mut servers =
            vec![host().serve(&[PUBLISHED, UNPUBLISHED]), outside().serve(&[PUBLISHED, UNPUBLISHED])];
        let mut sources = Vec::new();
        for network in &NETWORKS {
            servers.push(sandbox(&machine, &container(network.name, 2)).serve(&[PUBLISHED, UNPUBLISHED]));
            let place = sandbox(&machine, &container(network.name, 3));
            sources.push(Source { words: format!("a container in {}", network.words), place });
        }
        sources.push(Source { words: "the host".to_owned(), place: host() });
        sources.push(Source { words: "a host of the LAN".to_owned(), place: outside() });
        Self { sources, servers, _machine: machine, lan }
    }

    /// What is asked for by the address that a server has itself.
    fn targets(&self) -> Vec<(String, [IpAddr; 2])> {
        let container = |network: &Network| (format!("container in {}", network.words), network.addresses(2));
        let mut all: Vec<_> = NETWORKS.iter().map(container).collect();
        let lan = [self.lan.address(), self.lan.address6()].map(|ip| ip.parse().unwrap());
        all.push(("host of the LAN".to_owned(), lan));
        all
    }

    /// A row for each source, a column for each of `targets`, what `cell` says in between.
    fn table(
        &self,
        corner: &str,
        targets: &[(String, [IpAddr; 2])],
        probes: &[Vec<Probe>],
        known: &str,
        cell: fn(&[bool]) -> String,
    ) -> String {
        let mut text = format!("| {corner} |");
        targets.iter().for_each(|(words, _)| write!(text, " {words} |").unwrap());
        text.push_str(&format!("\n|{}\n", "---|".repeat(targets.len() + 1)));
        let asked: Vec<(IpAddr, Probe)> = targets
            .iter()
            .zip(probes)
            .flat_map(|((_, ips), probes)| ips.iter().flat_map(|ip| probes.iter().map(|probe| (*ip, *probe))))
            .collect();
        for source in &self.sources {
            let row = |patience| {
                self.servers.iter().for_each(Servers::hang_up);
                let mut answers = source.place.reach(&asked, patience).into_iter();
                let mut row = format!("| {} |", source.words);
                for probes in probes {
                    let mut family = || cell(&answers.by_ref().take(probes.len()).collect::<Vec<_>>());
                    let (v4, v6) = (family(), family());
                    let both = if v4 == v6 { v4 } else { format!("IPv4: {v4}; IPv6: {v6}") };
                    write!(row, " {both} |").unwrap();
                }
                row
            };
            text.push_str(&patiently(known, row));
            text.push('\n');
        }
        text
    }

    fn page(&self, known: &str) -> String {
        use Probe::{Icmp, Tcp, Udp};
        let all = vec![Tcp(PUBLISHED), Udp(PUBLISHED), Tcp(UNPUBLISHED), Udp(UNPUBLISHED), Icmp];
        let targets = self.targets();
        let own = self.table("from \\ to", &targets, &vec![all.clone(); targets.len()], known, reached);

        let outer = [self.lan.gateway(), self.lan.gateway6()].map(|ip| ip.parse().unwrap());
        let through = |network: &Network| (format!("container in {}", network.words), outer);
        let targets: Vec<_> = NETWORKS.iter().map(through).collect();
        let ports: Vec<_> =
            NETWORKS.iter().map(|net| vec![Tcp(net.host_port()), Udp(net.host_port())]).collect();
        let published = self.table("from \\ to a port of", &targets, &ports, known, everything);

        let gateways = |network: &Network| (format!("gateway of {}", network.words), network.addresses(1));
        let targets: Vec<_> = NETWORKS.iter().map(gateways).collect();
        let probes = vec![vec![Tcp(PUBLISHED), Icmp]; targets.len()];
        let host = self.table("from \\ to the host as", &targets, &probes, known, everything);
        format!("{HEAD}{OWN}\n{own}{PORTS}\n{published}{HOST}\n{host}")
    }
}

/// A row of the page, measured again with much patience if it is not `known`: most have places where no answer ever comes.
fn patiently(known: &str, row: impl Fn(Duration) -> String) -> String {
    let quick = row(SHORT);
    if known.lines().any(|line| line == quick) { quick } else { row(LONG) }
}

/// The namespace of a container.
fn sandbox(machine: &Machine, container: &str) -> Place {
    let id = machine.docker(["inspect", "-f", "{{.Id}}", container]).ok();
    Place::open(&machine.path(&format!("/run/netns/pontoon-{}", &id[..12])))
}

/// A cell of the first table: TCP and UDP of the published port, of the other one, ICMP.
fn reached(answers: &[bool]) -> String {
    let [tcp, udp, other_tcp, other_udp, icmp] = *answers else { unreachable!("five probes") };
    match (tcp && udp, other_tcp && other_udp, icmp) {
        (true, true, true) => "all".to_owned(),
        (true, false, icmp) if !other_tcp && !other_udp => {
            if icmp {
                "published ports, ICMP".to_owned()
            } else {
                "published ports".to_owned()
            }
        }
        _ if answers.iter().all(|answered| !answered) => "–".to_owned(),
        _ => format!("{answers:?}"),
    }
}

fn everything(answers: &[bool]) -> String {
    match answers.iter().filter(|answered| **answered).count() {
        0 => "–".to_owned(),
        count if count == answers.len() => "yes".to_owned(),
        _ => format!("{answers:?}"),
    }
}

const HEAD: &str = "# Who reaches whom

<!-- Written by tests/tests/connectivity.rs from what packets did; `just goldens` writes it anew. -->

Each cell is the answer of real servers to real packets, in IPv4 and IPv6 (told apart where they differ): TCP and UDP on a
port that the container publishes and on one that it doesn't, and echo requests of ICMP. The host of the LAN sends what
is for containers to the host, as a router would. Rows are who asks: in networks, the second container of each.
";

const OWN: &str = "
## By the server's own address

A container of a network is reached by its own address from its network and from the host. Who is outside reaches it by
published ports of the host alone (next table), unless the network's gateway mode says otherwise.
";

const PORTS: &str = "
## By a published port of the host

`-p` of the container, asked for at an address of the host in the LAN. An internal network has no way in, and a routed one
no ports of the host.
";

const HOST: &str = "
## The host itself, by the address that it has as a gateway

TCP and ICMP. What listens on all addresses of the host is reached by containers at the gateway of their own network and at
the host's other addresses; the gateways of other networks are closed to them, but for those of the default bridge, of
bridges that are the user's own, and of networks with `io.pontoon.gateway=everyone`. Published ports are reached at all of
them.
";

#[test]
fn who_reaches_whom_is_as_documented() {
    let (matrix, scene) = (Matrix::new(), published::Scene::new());
    let golden = Golden::page("connectivity.md");
    let known = golden.text();
    let found = matrix.page(&known) + &scene.page(&known);
    golden.assert(&found);
    assert!(!found.contains("true, "), "a protocol of its own: {found}");
}
