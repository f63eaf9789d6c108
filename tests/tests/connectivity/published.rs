//! Published ports, one by one: who reaches which, by which address of the host, and whom the server sees.

use std::{fmt::Write, net::IpAddr, path::Path, thread, time::Duration};

use tests::{Lab, Lan, Machine, Place, Probe, Servers};

use crate::{patiently, sandbox};

const PORT: u16 = 80;

/// A network, with its subnets.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Network {
    name: &'static str,
    number: u8,
    v4: bool,
    v6: bool,
}

const BOTH: Network = Network { name: "both", number: 1, v4: true, v6: true };
const FOUR: Network = Network { name: "four", number: 2, v4: true, v6: false };
const SIX: Network = Network { name: "six", number: 3, v4: false, v6: true };
const OTHER: Network = Network { name: "other", number: 4, v4: true, v6: true };
const THIRD: Network = Network { name: "third", number: 5, v4: true, v6: true };

impl Network {
    fn address(self, family: Family, last: u8) -> Option<IpAddr> {
        match family {
            Family::V4 => self.v4.then(|| [10, 82, self.number, last].into()),
            Family::V6 => self.v6.then(|| format!("fd82:0:0:{}::{last}", self.number).parse().unwrap()),
        }
    }

    fn make(self, machine: &Machine) {
        let subnets = [format!("10.82.{}.0/24", self.number), format!("fd82:0:0:{}::/64", self.number)];
        let v4 = if self.v4 { vec!["--subnet", &subnets[0]] } else { vec!["--ipv4=false"] };
        let v6 = if self.v6 { vec!["--ipv6", "--subnet", &subnets[1]] } else { Vec::new() };
        let words = ["network", "create"].into_iter().chain(v4).chain(v6).chain([self.name]);
        machine.docker(words).ok();
    }

    fn run(self, machine: &Machine, name: &str, last: u8, publish: &[String]) {
        let [v4, v6] =
            [Family::V4, Family::V6].map(|family| self.address(family, last).map(|ip| ip.to_string()));
        let mut words: Vec<&str> = vec!["run", "-d", "--name", name, "--network", self.name];
        words.extend(v4.iter().flat_map(|ip| ["--ip", ip]));
        words.extend(v6.iter().flat_map(|ip| ["--ip6", ip]));
        words.extend(publish.iter().flat_map(|port| ["-p", port]));
        machine.docker(words.into_iter().chain(["host", "sleep", "1000"])).ok();
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

/// How a container is published.
struct Server {
    words: &'static str,
    network: Network,
    /// Addresses of the host that the port is published on; `LAN` and `LAN6` are those of the cable.
    on: &'static [&'static str],
    number: u8,
}

const SERVERS: [Server; 9] = [
    Server { words: "`-p 8001:80`", network: BOTH, on: &[""], number: 1 },
    Server { words: "`-p 8002:80`, container with IPv4 only", network: FOUR, on: &[""], number: 2 },
    Server { words: "`-p 8003:80`, container with IPv6 only", network: SIX, on: &[""], number: 3 },
    Server { words: "`-p 127.0.0.1:8004:80`", network: BOTH, on: &["127.0.0.1"], number: 4 },
    Server { words: "`-p [::1]:8005:80`", network: BOTH, on: &["[::1]"], number: 5 },
    Server { words: "`-p [::1]:8006:80`, IPv4 only", network: FOUR, on: &["[::1]"], number: 6 },
    Server { words: "`-p 127.0.0.1:8007:80`, IPv6 only", network: SIX, on: &["127.0.0.1"], number: 7 },
    Server { words: "on the LAN's addresses, each", network: BOTH, on: &["LAN", "LAN6"], number: 8 },
    Server { words: "on the LAN's IPv6 address, IPv4 only", network: FOUR, on: &["LAN6"], number: 9 },
];

impl Server {
    fn port(&self) -> u16 {
        8000 + u16::from(self.number)
    }

    fn name(&self) -> String {
        format!("c{}", self.number)
    }

    fn last(&self) -> u8 {
        10 + self.number
    }

    fn publish(&self, lan: &Lan) -> Vec<String> {
        let (port, named) =
            (self.port(), [("LAN", lan.gateway()), ("LAN6", format!("[{}]", lan.gateway6()))]);
        let at = |ip: &&str| {
            named.iter().find(|(name, _)| name == ip).map_or((*ip).to_owned(), |(_, ip)| ip.clone())
        };
        let before = |ip: String| if ip.is_empty() { ip } else { format!("{ip}:") };
        let on = self.on.iter().map(|ip| before(at(ip)));
        on.flat_map(|ip| ["", "/udp"].map(|proto| format!("{ip}{port}:{PORT}{proto}"))).collect()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asker {
    Host,
    Oneself,
    Neighbour,
    Another,
    Lan,
}

/// By which address the server is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Loopback,
    Cable,
    Gateway,
    AnothersGateway,
    ThirdsGateway,
    Own,
}

const ROWS: [(Asker, By); 12] = [
    (Asker::Host, By::Loopback),
    (Asker::Host, By::Cable),
    (Asker::Host, By::Gateway),
    (Asker::Host, By::AnothersGateway),
    (Asker::Oneself, By::Cable),
    (Asker::Neighbour, By::Cable),
    (Asker::Neighbour, By::Gateway),
    (Asker::Another, By::Cable),
    (Asker::Another, By::AnothersGateway),
    (Asker::Another, By::ThirdsGateway),
    (Asker::Lan, By::Cable),
    (Asker::Lan, By::Own),
];

impl Asker {
    const fn words(self) -> &'static str {
        match self {
            Self::Host => "the host",
            Self::Oneself => "the container itself",
            Self::Neighbour => "a container of its network",
            Self::Another => "a container of another network",
            Self::Lan => "a host of the LAN",
        }
    }
}

impl By {
    const fn words(self, family: Family) -> &'static str {
        match (self, family) {
            (Self::Loopback, Family::V4) => "127.0.0.1",
            (Self::Loopback, Family::V6) => "::1",
            (Self::Cable, Family::V4) => "the host's IPv4 address in the LAN",
            (Self::Cable, Family::V6) => "the host's IPv6 address in the LAN",
            (Self::Gateway, Family::V4) => "its network's IPv4 gateway",
            (Self::Gateway, Family::V6) => "its network's IPv6 gateway",
            (Self::AnothersGateway, Family::V4) => "another network's IPv4 gateway",
            (Self::AnothersGateway, Family::V6) => "another network's IPv6 gateway",
            (Self::ThirdsGateway, Family::V4) => "a third network's IPv4 gateway",
            (Self::ThirdsGateway, Family::V6) => "a third network's IPv6 gateway",
            (Self::Own, Family::V4) => "its own IPv4 address, routed to the host",
            (Self::Own, Family::V6) => "its own IPv6 address, routed to the host",
        }
    }
}

/// A host with all of it.
pub(crate) struct Scene {
    host: Place,
    outside: Place,
    another: Place,
    /// The neighbour of each network with a server, and each server.
    neighbours: Vec<(Network, Place)>,
    places: Vec<Place>,
    _servers: Vec<Servers>,
    _machine: Machine,
    lan: Lan,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let machine = Lab::new().machine("sources");
        let lan = machine.lan("client");
        [BOTH, FOUR, SIX, OTHER, THIRD].into_iter().for_each(|network| network.make(&machine));
        for server in &SERVERS {
            server.network.run(&machine, &server.name(), server.last(), &server.publish(&lan));
        }
        let neighbours = [BOTH, FOUR, SIX].map(|network| {
            let name = format!("{}-neighbour", network.name);
            network.run(&machine, &name, 9, &[]);
            (network, sandbox(&machine, &name))
        });
        OTHER.run(&machine, "another", 9, &[]);
        let places: Vec<Place> = SERVERS.iter().map(|server| sandbox(&machine, &server.name())).collect();
        let namespace = |pid: u32| Place::open(Path::new(&format!("/proc/{pid}/ns/net")));
        Self {
            host: namespace(machine.pid()),
            outside: namespace(lan.pid()),
            another: sandbox(&machine, "another"),
            neighbours: neighbours.into(),
            _servers: places.iter().map(|place| place.tell(&[PORT])).collect(),
            places,
            _machine: machine,
            lan,
        }
    }

    fn target(&self, index: usize, by: By, family: Family) -> Option<(IpAddr, u16)> {
        let server = &SERVERS[index];
        let parse = |text: String| text.parse().ok();
        let ip = match (by, family) {
            (By::Loopback, Family::V4) => Some([127, 0, 0, 1].into()),
            (By::Loopback, Family::V6) => parse("::1".to_owned()),
            (By::Cable, Family::V4) => parse(self.lan.gateway()),
            (By::Cable, Family::V6) => parse(self.lan.gateway6()),
            (By::Gateway, _) => server.network.address(family, 1),
            (By::AnothersGateway, _) => OTHER.address(family, 1),
            (By::ThirdsGateway, _) => THIRD.address(family, 1),
            (By::Own, _) => server.network.address(family, server.last()),
        };
        let port = if by == By::Own { PORT } else { server.port() };
        ip.map(|ip| (ip, port))
    }

    /// Where an asker is, and its own address of a family if it has one.
    fn asker(&self, index: usize, asker: Asker, family: Family) -> Option<(&Place, IpAddr)> {
        let server = &SERVERS[index];
        let (place, ip) = match asker {
            Asker::Host => (&self.host, "127.0.0.1".parse().ok()),
            Asker::Oneself => (&self.places[index], server.network.address(family, server.last())),
            Asker::Neighbour => {
                let (network, place) =
                    self.neighbours.iter().find(|(network, _)| *network == server.network)?;
                (place, network.address(family, 9))
            }
            Asker::Another => (&self.another, OTHER.address(family, 9)),
            Asker::Lan => {
                let ip = if family == Family::V4 { self.lan.address() } else { self.lan.address6() };
                (&self.outside, ip.parse().ok())
            }
        };
        Some((place, ip?))
    }

    /// Whom a server sees, in words. Nothing where nobody can be asked for so.
    fn cell(&self, index: usize, (asker, by): (Asker, By), family: Family, patience: Duration) -> String {
        let asked = self.target(index, by, family).zip(self.asker(index, asker, family));
        let Some(((ip, port), (place, own))) = asked else { return String::new() };
        let network = SERVERS[index].network;
        let bridge = [Family::V4, Family::V6].map(|family| network.address(family, 1));
        let words = |seen: Option<IpAddr>| match seen {
            None => "–".to_owned(),
            Some(seen) if seen == own => "the client".to_owned(),
            Some(seen) if bridge.contains(&Some(seen)) => "the bridge".to_owned(),
            Some(seen) => seen.to_string(),
        };
        let seen = place.seen(&[(ip, Probe::Tcp(port)), (ip, Probe::Udp(port))], patience);
        let (tcp, udp) = (words(seen[0]), words(seen[1]));
        if tcp == udp { tcp } else { format!("TCP: {tcp}; UDP: {udp}") }
    }

    /// This part of the page.
    pub(crate) fn page(&self, known: &str) -> String {
        let mut text = format!("{HEAD}\n| who asks | by |");
        SERVERS.iter().for_each(|server| write!(text, " {} |", server.words).unwrap());
        writeln!(text, "\n|{}", "---|".repeat(SERVERS.len() + 2)).unwrap();
        let rows = ROWS.iter().flat_map(|row| [Family::V4, Family::V6].map(|family| (*row, family)));
        for (row, family) in rows {
            text.push_str(&patiently(known, |patience| self.row(row, family, patience)));
            text.push('\n');
        }
        text
    }

    fn row(&self, row: (Asker, By), family: Family, patience: Duration) -> String {
        let cells: Vec<String> = thread::scope(|scope| {
            let cell = |index| scope.spawn(move || self.cell(index, row, family, patience));
            let all: Vec<_> = (0..SERVERS.len()).map(cell).collect();
            all.into_iter().map(|cell| cell.join().expect("a cell that is found")).collect()
        });
        let mut text = format!("| {} | {} |", row.0.words(), row.1.words(family));
        cells.iter().for_each(|cell| write!(text, " {cell} |").unwrap());
        text
    }
}

const HEAD: &str = "
## Which address the server sees

Published ports one by one, in TCP and UDP: *the client*, *the bridge* (the host's address in the container's network), or –
where nobody is reached. A cell is empty where there is no such address. Sources are lost in these cases, and in no others:

- The host's own processes, and containers that reach their own network through the host, are seen as the bridge: the
  answer would not come back by the way on which addresses are rewritten.
- A container of several networks is asked by its published ports in one of them. Who asks from another one of them is seen
  as the bridge, for the same reason: the answer would go there at once. Others in that network see who asks.
- Where a port of one family leads to a container that has the other one alone, no address of the client exists in the
  container's family. The daemon relays it, and is seen as the bridge. So it is with `[::1]`, which no route leads away from.
";
