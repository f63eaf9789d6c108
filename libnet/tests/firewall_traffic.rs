//! Real packets through table `inet pontoon`: who reaches what, and which source address the server sees.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test may")]

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use libnet::{
    conntrack::{Stale, forget},
    firewall::{Change, Firewall, FirewallEndpoint, FirewallNetwork, NfSocket},
    ports::PublishedPort,
    types::{EndpointId, Exposure, Icc, Internal, Masquerade, NetworkId, Port, Proto},
};
use tests::{Host, Lab, Lan, Process, eventually};

/// Says to who connects which address it sees, on TCP port 80 of both families.
const SERVER: [&str; 3] =
    ["socat", "TCP6-LISTEN:80,fork,reuseaddr,ipv6only=0", "SYSTEM:echo $SOCAT_PEERADDR"];

/// A host with networks 1 and 2, 3 (no traffic between containers) and 4 (internal), two containers in each.
struct Bench {
    host: Host,
    client: Lan,
    firewall: Firewall,
    _servers: Vec<Process>,
}

/// Who connects.
#[derive(Clone, Copy)]
enum From {
    Host,
    Lan,
    /// Container `.1` of network `.0`.
    Container(u8, u8),
}

impl fmt::Display for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("host"),
            Self::Lan => f.write_str("lan"),
            Self::Container(network, number) => write!(f, "c{network}{number}"),
        }
    }
}

fn network(number: u8) -> FirewallNetwork {
    FirewallNetwork {
        id: NetworkId::from_bytes([number; 32]),
        link: format!("br-{number}").parse().unwrap(),
        v4: Some(format!("10.0.{number}.1/24").parse().unwrap()),
        v6: Some(format!("fd00:0:0:{number}::1/64").parse().unwrap()),
        internal: if number == 4 { Internal::Yes } else { Internal::No },
        icc: if number == 3 { Icc::Denied } else { Icc::Allowed },
        masquerade: Masquerade::Yes,
        exposure: Exposure::default(),
    }
}

fn endpoint(network: u8, number: u8, ports: &[(&str, u16)]) -> FirewallEndpoint {
    let mut id = [network; 32];
    id[0] = number;
    let ports = ports.iter().map(|(ip, port)| published(ip, *port, Proto::Tcp));
    FirewallEndpoint {
        id: EndpointId::from_bytes(id),
        network: NetworkId::from_bytes([network; 32]),
        sandbox: None,
        v4: Some([10, 0, network, number].into()),
        v6: Some(format!("fd00:0:0:{network}::{number}").parse().unwrap()),
        ports: ports.collect(),
        guard: None,
    }
}

fn published(ip: &str, port: u16, proto: Proto) -> PublishedPort {
    let number = |port| Port::new(port).unwrap();
    PublishedPort {
        host_ip: ip.parse().unwrap(),
        host_port: Some(number(port)),
        container: number(80),
        proto,
    }
}

impl Bench {
    fn new(lab: &Lab) -> Self {
        let host = lab.host("router");
        let client = host.lan("client");
        host.sh("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1").ok();
        let mut servers = Vec::new();
        for network in 1..=4 {
            host.sh(&format!(
                "ip link add br-{network} type bridge && ip link set br-{network} up &&
                 ip addr add 10.0.{network}.1/24 dev br-{network} &&
                 ip addr add fd00:0:0:{network}::1/64 dev br-{network} nodad &&
                 sysctl -qw net.ipv4.conf.br-{network}.route_localnet=1"
            ))
            .ok();
            for number in [2, 3] {
                let name = format!("c{network}{number}");
                host.sh(&format!(
                    "ip netns add {name} &&
                     ip link add v{name} type veth peer name eth0 netns {name} &&
                     ip link set v{name} master br-{network} && ip link set v{name} up &&
                     bridge link set dev v{name} hairpin on &&
                     ip -n {name} link set lo up && ip -n {name} link set eth0 up &&
                     ip -n {name} addr add 10.0.{network}.{number}/24 dev eth0 &&
                     ip -n {name} addr add fd00:0:0:{network}::{number}/64 dev eth0 nodad &&
                     ip -n {name} route add default via 10.0.{network}.1 &&
                     ip -n {name} -6 route add default via fd00:0:0:{network}::1"
                ))
                .ok();
                servers.push(host.spawn(["ip", "netns", "exec", &name].into_iter().chain(SERVER)));
            }
        }
        let firewall = host.run(|| Firewall::open().unwrap());
        for number in 1..=4 {
            firewall.apply(Change::AddNetwork(network(number))).unwrap();
        }
        let bench = Self { host, client, firewall, _servers: servers };
        for network in 1..=4 {
            for number in [2, 3] {
                for ip in [format!("10.0.{network}.{number}"), format!("fd00:0:0:{network}::{number}")] {
                    bench.answers(&ip, 80);
                }
            }
        }
        bench
    }

    fn publish(&self, endpoint: FirewallEndpoint) {
        self.firewall.apply(Change::AddEndpoint(endpoint)).unwrap();
    }

    /// What the server saw; `None`: not reached within so many seconds.
    fn seen(&self, from: From, ip: &str, port: u16, patience: f32) -> Option<String> {
        let ip: IpAddr = ip.parse().unwrap();
        let connect = format!("TCP:{},connect-timeout={patience}", SocketAddr::new(ip, port));
        let client = ["socat", "-u", &connect, "-"].map(str::to_owned);
        let output = match from {
            From::Host => self.host.exec(client),
            From::Lan => self.client.exec(client),
            From::Container(..) => {
                let inside = ["ip", "netns", "exec", &from.to_string()].map(str::to_owned);
                self.host.exec(inside.into_iter().chain(client))
            }
        };
        let text = output.result().ok()?.trim_matches(['[', ']']).to_owned();
        Some(text.parse::<IpAddr>().map_or(text, |ip| ip.to_canonical().to_string()))
    }

    #[track_caller]
    fn answers(&self, ip: &str, port: u16) {
        eventually("the server answers the host", || self.seen(From::Host, ip, port, 1.0).ok_or("no answer"));
    }

    #[track_caller]
    fn assert_sees(&self, cases: &[(From, &str, u16, Option<&str>)]) {
        for (from, ip, port, expected) in cases {
            // A machine under load may be slow to answer, but nothing answers where nobody should.
            let seen = self.seen(*from, ip, *port, if expected.is_some() { 10.0 } else { 0.4 });
            let expected = expected.map(|ip| ip.parse::<IpAddr>().unwrap().to_string());
            assert_eq!(seen, expected, "{from} -> {ip} port {port}");
        }
    }

    /// Ports of a network without traffic between containers are isolated if no firewall sees what they bridge.
    fn br_netfilter(&self, value: u8) {
        let isolated = if value == 0 { "on" } else { "off" };
        for port in ["vc32", "vc33"] {
            self.host.exec(["bridge", "link", "set", "dev", port, "isolated", isolated]).ok();
        }
        self.host
            .sh(&format!("sysctl -qw net.bridge.bridge-nf-call-iptables={value} net.bridge.bridge-nf-call-ip6tables={value}"))
            .ok();
    }
}

#[test]
fn a_port_published_on_all_addresses() {
    let bench = Bench::new(&Lab::new());
    bench.publish(endpoint(1, 2, &[("0.0.0.0", 8080), ("::", 8080)]));
    let lan = (bench.client.gateway(), bench.client.gateway6());
    let client = (bench.client.address(), bench.client.address6());
    for br_netfilter in [1, 0] {
        bench.br_netfilter(br_netfilter);
        bench.assert_sees(&[
            // A host of the LAN is seen by its own address.
            (From::Lan, &lan.0, 8080, Some(&client.0)),
            (From::Lan, &lan.1, 8080, Some(&client.1)),
            // So are containers of other networks, through any address of the host.
            (From::Container(2, 2), &lan.0, 8080, Some("10.0.2.2")),
            (From::Container(2, 2), "10.0.2.1", 8080, Some("10.0.2.2")),
            (From::Container(2, 2), "10.0.1.1", 8080, Some("10.0.2.2")),
            (From::Container(2, 2), &lan.1, 8080, Some("fd00:0:0:2::2")),
            (From::Container(3, 2), &lan.0, 8080, Some("10.0.3.2")),
            // Through the host back into the same network, and to oneself.
            (From::Container(1, 3), &lan.0, 8080, Some("10.0.1.1")),
            (From::Container(1, 3), &lan.1, 8080, Some("fd00:0:0:1::1")),
            (From::Container(1, 3), "10.0.1.1", 8080, Some("10.0.1.1")),
            // The host itself, 127.0.0.1 included.
            (From::Host, "127.0.0.1", 8080, Some("10.0.1.1")),
            (From::Host, &lan.0, 8080, Some("10.0.1.1")),
            (From::Host, &lan.1, 8080, Some("fd00:0:0:1::1")),
            (From::Host, "10.0.1.1", 8080, Some("10.0.1.1")),
            (From::Container(1, 2), &lan.0, 8080, Some("10.0.1.1")),
            (From::Container(1, 2), &lan.1, 8080, Some("fd00:0:0:1::1")),
            // An internal network has no way out to another one.
            (From::Container(4, 2), "10.0.4.1", 8080, None),
            // Not published.
            (From::Lan, &lan.0, 8081, None),
        ]);
    }

    bench.firewall.apply(Change::RemoveEndpoint(endpoint(1, 2, &[]).id)).unwrap();
    bench.assert_sees(&[(From::Lan, &lan.0, 8080, None), (From::Host, "127.0.0.1", 8080, None)]);
}

#[test]
fn a_port_published_on_one_address() {
    let bench = Bench::new(&Lab::new());
    let lan = bench.client.gateway();
    bench.publish(endpoint(1, 2, &[("127.0.0.1", 8080)]));
    bench.publish(endpoint(2, 2, &[(&lan, 8080)]));
    let client = bench.client.address();
    bench.assert_sees(&[
        (From::Host, "127.0.0.1", 8080, Some("10.0.1.1")),
        (From::Host, &lan, 8080, Some("10.0.2.1")),
        (From::Host, "10.0.1.1", 8080, None),
        (From::Lan, &lan, 8080, Some(&client)),
        (From::Container(1, 2), &lan, 8080, Some("10.0.1.2")),
        (From::Container(1, 2), "10.0.1.1", 8080, None),
    ]);
}

#[test]
fn what_the_host_answers_for_a_container_is_reached_at_the_gateways_of_others() {
    let bench = Bench::new(&Lab::new());
    let listen = |port: u16, ip: &str| {
        let listen = format!("TCP6-LISTEN:{port},fork,reuseaddr,ipv6only=0,bind={ip}");
        bench.host.spawn(["socat", &listen, "SYSTEM:echo $SOCAT_PEERADDR"])
    };
    let (here, there) = ("fd00:0:0:1::1", "fd00:0:0:3::1");
    // What the host answers as the container has IPv4 only, on all addresses and on one; and what nobody published.
    let _servers = [(8090, "[::]"), (8091, "[::]"), (8092, "[fd00:0:0:1::1]"), (8092, "[fd00:0:0:3::1]")]
        .map(|(port, ip)| listen(port, ip));
    for (ip, port) in [(here, 8090), (here, 8091), (here, 8092), (there, 8092)] {
        bench.answers(ip, port);
    }
    let v4_only = FirewallEndpoint { v6: None, ..endpoint(1, 2, &[("::", 8090), (here, 8092)]) };
    let by = From::Container(2, 2);
    let closed = [(by, here, 8090, None), (by, here, 8092, None)];
    bench.assert_sees(&closed);
    bench.publish(v4_only.clone());
    bench.assert_sees(&[
        (From::Container(1, 3), here, 8091, Some("fd00:0:0:1::3")),
        (From::Container(1, 3), "10.0.1.1", 8091, Some("10.0.1.3")),
        (by, here, 8090, Some("fd00:0:0:2::2")),
        (by, there, 8090, Some("fd00:0:0:2::2")),
        (by, here, 8092, Some("fd00:0:0:2::2")),
        // Another process may have the port on another address, and in the other family.
        (by, there, 8092, None),
        (by, "10.0.1.1", 8090, None),
        (by, here, 8091, None),
        (by, "10.0.2.1", 8091, Some("10.0.2.2")),
        // An internal network has no way to another one.
        (From::Container(4, 2), here, 8090, None),
        (From::Container(4, 2), "10.0.4.1", 8091, Some("10.0.4.2")),
    ]);
    bench.publish(FirewallEndpoint { ports: Vec::new(), ..v4_only });
    bench.assert_sees(&closed);
}

#[test]
fn nobody_else_reaches_127_0_0_1() {
    let bench = Bench::new(&Lab::new());
    bench.publish(endpoint(1, 2, &[("127.0.0.1", 8080)]));
    let _private = bench.host.spawn(["socat", "TCP4-LISTEN:9090,bind=127.0.0.1,fork", "SYSTEM:echo private"]);
    bench.answers("127.0.0.1", 9090);
    // A neighbour that sends packets for 127.0.0.1 to this host's MAC address.
    let towards = |exec: &dyn Fn(&str), gateway: &str| {
        exec("sysctl -qw net.ipv4.conf.all.route_localnet=1");
        exec(
            "ip route del local 127.0.0.0/8 table local 2>/dev/null; ip addr del 127.0.0.1/8 dev lo 2>/dev/null; true",
        );
        exec(&format!("ip route replace 127.0.0.1/32 via {gateway} dev eth0"));
    };
    towards(&|line| drop(bench.client.sh(line).ok()), &bench.client.gateway());
    towards(&|line| drop(bench.host.sh(&format!("ip netns exec c13 bash -c '{line}'")).ok()), "10.0.1.1");
    // The worst case: another tool has opened the host's links for it.
    bench.host.sh("sysctl -qw net.ipv4.conf.all.route_localnet=1").ok();
    bench.assert_sees(&[
        (From::Lan, "127.0.0.1", 8080, None),
        (From::Lan, "127.0.0.1", 9090, None),
        (From::Container(1, 3), "127.0.0.1", 8080, None),
        (From::Container(1, 3), "127.0.0.1", 9090, None),
        (From::Host, "127.0.0.1", 8080, Some("10.0.1.1")),
    ]);
}

#[test]
fn networks_are_apart() {
    let bench = Bench::new(&Lab::new());
    bench.publish(endpoint(1, 2, &[("0.0.0.0", 8080), ("::", 8080)]));
    bench.publish(endpoint(3, 2, &[("0.0.0.0", 8083)]));
    for br_netfilter in [1, 0] {
        bench.br_netfilter(br_netfilter);
        bench.assert_sees(&[
            // Within a network.
            (From::Container(1, 3), "10.0.1.2", 80, Some("10.0.1.3")),
            (From::Container(1, 3), "fd00:0:0:1::2", 80, Some("fd00:0:0:1::3")),
            (From::Container(4, 3), "10.0.4.2", 80, Some("10.0.4.3")),
            // Without traffic between containers.
            (From::Container(3, 3), "10.0.3.2", 80, None),
            (From::Container(3, 3), "10.0.3.1", 8083, Some("10.0.3.1")),
            // Between networks, published or not.
            (From::Container(2, 2), "10.0.1.2", 80, None),
            (From::Container(2, 2), "fd00:0:0:1::2", 80, None),
            (From::Container(2, 2), "10.0.1.3", 80, None),
            (From::Container(1, 2), "10.0.4.2", 80, None),
            (From::Container(4, 2), "10.0.1.2", 80, None),
            // From the LAN straight to a container.
            (From::Lan, "10.0.1.2", 80, None),
            (From::Lan, "10.0.1.3", 80, None),
            (From::Lan, "fd00:0:0:1::2", 80, None),
            (From::Lan, "10.0.4.2", 80, None),
            // The host may.
            (From::Host, "10.0.1.3", 80, Some("10.0.1.1")),
            (From::Host, "10.0.4.2", 80, Some("10.0.4.1")),
        ]);
    }
}

#[test]
fn the_way_out() {
    let bench = Bench::new(&Lab::new());
    let _server = bench.client.spawn(SERVER);
    let (client, client6) = (bench.client.address(), bench.client.address6());
    bench.answers(&client, 80);
    bench.answers(&client6, 80);
    let (lan, lan6) = (bench.client.gateway(), bench.client.gateway6());
    bench.assert_sees(&[
        (From::Container(1, 2), &client, 80, Some(&lan)),
        (From::Container(1, 2), &client6, 80, Some(&lan6)),
        (From::Container(3, 2), &client, 80, Some(&lan)),
        (From::Container(4, 2), &client, 80, None),
    ]);
    bench
        .firewall
        .apply(Change::AddNetwork(FirewallNetwork { masquerade: Masquerade::No, ..network(1) }))
        .unwrap();
    bench.assert_sees(&[
        (From::Container(1, 2), &client, 80, Some("10.0.1.2")),
        (From::Container(2, 2), &client, 80, Some(&lan)),
    ]);
    bench.host.exec(["nft", "add rule inet pontoon pontoon-user tcp dport 80 drop"]).ok();
    bench.assert_sees(&[(From::Container(2, 2), &client, 80, None)]);
}

#[test]
fn stale_connections_are_forgotten() {
    let bench = Bench::new(&Lab::new());
    let (lan, client) = (bench.client.gateway(), bench.client.address());
    let count = || bench.host.exec(["conntrack", "-L"]).ok().matches("dport=8080").count();
    let forget = |stale: Stale| bench.host.run(|| forget(&mut NfSocket::open().unwrap(), &[stale]).unwrap());
    let entry = |proto: &str, reply: &str, reply_port: u16| {
        bench.host.sh(&format!(
            "conntrack -I -p {proto} -s {client} -d {lan} --sport 4000 --dport 8080 -r {reply} -q {client} \
             --reply-port-src {reply_port} --reply-port-dst 4000 -t 60 {}",
            if proto == "tcp" { "--state ESTABLISHED" } else { "" }
        ));
    };
    bench.host.exec(["conntrack", "-F"]);

    entry("tcp", "10.0.1.2", 80);
    entry("udp", &lan, 8080);
    assert_eq!(count(), 2);
    let container: IpAddr = "10.0.1.2".parse().unwrap();
    assert_eq!(forget(Stale::Address("10.0.1.3".parse().unwrap())), 0);
    assert_eq!(forget(Stale::Port { port: published("0.0.0.0", 8081, Proto::Tcp), container }), 0);
    assert_eq!(forget(Stale::Port { port: published("0.0.0.0", 8080, Proto::Tcp), container }), 1);
    entry("tcp", "10.0.1.2", 80);
    assert_eq!(forget(Stale::Address(container)), 1);
    let host = |proto| Stale::Host { ip: lan.parse().unwrap(), port: Port::new(8080).unwrap(), proto };
    assert_eq!((forget(host(Proto::Tcp)), forget(host(Proto::Udp))), (0, 1));
    assert_eq!(count(), 0);
}
