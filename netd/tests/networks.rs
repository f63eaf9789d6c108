//! Networks on a real kernel: bridges, endpoints, names, and what a new daemon makes of what a killed one left.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may panic as the test may")]

use std::{
    net::Ipv4Addr,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
};

use libnet::{
    host::{Host, HostConfig},
    ports::{HostPort, PortRequest},
    store::{RedbStore, Store},
    types::{ContainerId, EndpointId, Port, Proto},
};
use netd::{
    config::{DefaultBridge, DnsDefaults, NetworkDefaults},
    error::chain,
    events::Events,
    firewalld::Firewalld,
    names::DnsSettings,
    network::{
        Durability, EndpointAsk, EndpointView, Known, NetworkConfig, NetworkParts, Networks, SandboxAsk,
        SandboxView,
    },
};
use netd_api::models;
use tests::Lab;

/// A daemon's networks on a lab host.
struct Daemon {
    networks: Arc<Networks>,
    host: Arc<Host>,
}

impl Daemon {
    async fn start(root: &Path) -> Self {
        let host = Arc::new(Host::open(HostConfig::default()).unwrap());
        let open = |name: &str| -> Arc<dyn Store> { Arc::new(RedbStore::open(&root.join(name)).unwrap()) };
        let parts = NetworkParts {
            host: host.clone(),
            // Its task does not run: as if there were none.
            firewalld: Firewalld::new().0,
            declared: open("declared.redb"),
            live: open("live.redb"),
            config: config(),
            events: Events::new(),
            random: Arc::new(|bytes| rand::fill(bytes)),
            clock: Arc::new(|| jiff::Timestamp::UNIX_EPOCH),
        };
        Self { networks: Networks::open(parts).await.unwrap(), host }
    }

    async fn network(&self, name: &str, subnet: &str) {
        let config = models::IpamConfig { subnet: Some(subnet.to_owned()), ..Default::default() };
        let ipam = models::Ipam { config: Some(vec![config]), ..Default::default() };
        let ask =
            models::NetworkCreateRequest { name: name.to_owned(), ipam: Some(ipam), ..Default::default() };
        self.networks.create(ask).await.unwrap();
    }

    async fn container(&self, number: u8) -> (ContainerId, SandboxView) {
        let container = ContainerId::from_bytes([number; 32]);
        let ask = SandboxAsk {
            container,
            hostname: format!("host{number}"),
            dns: DnsSettings::default(),
            egress: None,
            traffic: Default::default(),
        };
        (container, self.networks.open_sandbox(ask).await.unwrap())
    }

    fn ask(&self, network: &str, name: &str) -> EndpointAsk {
        let mut endpoint = [0; 32];
        rand::fill(&mut endpoint);
        EndpointAsk {
            network: self.networks.resolve(network).unwrap().id,
            endpoint: EndpointId::from_bytes(endpoint),
            name: name.to_owned(),
            aliases: Vec::new(),
            links: Vec::new(),
            v4: None,
            v6: None,
            link_local: Vec::new(),
            mac: None,
            ports: Vec::new(),
            exposed: Vec::new(),
            gw_priority: 0,
            driver_opts: [].into(),
            durability: Durability::Durable,
        }
    }

    async fn connect(
        &self,
        container: ContainerId,
        network: &str,
        name: &str,
        aliases: &[&str],
    ) -> EndpointView {
        let aliases = aliases.iter().map(|&alias| alias.to_owned()).collect();
        let ask = EndpointAsk { aliases, ..self.ask(network, name) };
        self.networks.connect(container, ask).await.unwrap()
    }
}

fn config() -> NetworkConfig {
    let bridge = DefaultBridge {
        existing: None,
        bip: "10.10.0.1/16".parse().ok(),
        bip6: None,
        fixed_cidr: None,
        fixed_cidr_v6: None,
        gateway: None,
        gateway_v6: None,
        ipv6: false,
        icc: true,
        host_ip: None,
        masquerade: true,
        mtu: None,
    };
    let defaults = NetworkDefaults {
        bridge: Some(bridge),
        pools: Vec::new(),
        options: [].into(),
        dns: DnsDefaults::default(),
        host_gateway: Vec::new(),
        ip_forward: true,
        firewall: Default::default(),
        userland_proxy: true,
    };
    NetworkConfig {
        defaults,
        resolv_conf: PathBuf::from("/etc/resolv.conf"),
        namespace_files: PathBuf::from("/dev/null/netns"),
        identity: [7; 32],
    }
}

/// Runs `story` in a lab host, in a runtime whose threads all live there.
fn on_a_host(story: impl AsyncFnOnce(&tests::Host, &Path) + Send) {
    let lab = Lab::new();
    let host = lab.host("a");
    host.run(|| {
        // The host has a /tmp of its own.
        let root = tempfile::tempdir().unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(story(&host, root.path()));
    });
}

/// A program in a container's namespace.
fn inside(host: &tests::Host, container: ContainerId, line: &str) -> tests::Output {
    let name = format!("pontoon-{}", container.short(12));
    host.exec(["ip", "netns", "exec", &name, "bash", "-c", line])
}

fn port_8080() -> PortRequest {
    let [host, container] = [8080, 80].map(|port| Port::new(port).unwrap());
    PortRequest { host_ip: None, host: HostPort::Exactly(host), container, proto: Proto::Tcp }
}

fn dig(host: &tests::Host, container: ContainerId, question: &str) -> Vec<String> {
    let answer = inside(host, container, &format!("dig @127.0.0.11 +short +tries=1 +time=3 {question}")).ok();
    let mut lines: Vec<_> = answer.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn containers_reach_and_find_each_other() {
    on_a_host(async |host, root| {
        let daemon = Daemon::start(root).await;
        daemon.network("web", "192.168.0.0/24").await;
        let ((c1, _s1), (c2, _s2)) = (daemon.container(1).await, daemon.container(2).await);
        let first = daemon.connect(c1, "web", "c1", &["search"]).await;
        daemon.connect(c2, "web", "c2", &["search"]).await;
        assert_eq!(first.v4.unwrap().to_string(), "192.168.0.2/24");
        tokio::task::block_in_place(|| {
            inside(host, c1, "ping -c1 -W5 192.168.0.3").ok();
            assert!(inside(host, c1, "ip route").ok().contains("default via 192.168.0.1"));
            assert_eq!(dig(host, c1, "c2"), ["192.168.0.3"]);
            assert_eq!(dig(host, c1, "C2.web"), ["192.168.0.3"]);
            assert_eq!(dig(host, c2, "host1 +tcp"), ["192.168.0.2"]);
            assert_eq!(dig(host, c1, "search"), ["192.168.0.2", "192.168.0.3"]);
            assert_eq!(dig(host, c1, "-x 192.168.0.3"), ["c2.web."]);
        });
        daemon.networks.rename(c2, "renamed".to_owned()).await.unwrap();
        tokio::task::block_in_place(|| assert_eq!(dig(host, c1, "-x 192.168.0.3"), ["renamed.web."]));
        daemon.networks.close_sandbox(c2).await.unwrap();
        tokio::task::block_in_place(|| assert_eq!(dig(host, c1, "search"), ["192.168.0.2"]));
        daemon.networks.close_sandbox(c1).await.unwrap();
        daemon.networks.remove("web").await.unwrap();
        tokio::task::block_in_place(|| {
            tests::eventually("links and namespaces are gone", || {
                let links = host.sh("ip -br link | grep -E '^(veth|br-)' | grep -v DOWN; ip netns").ok();
                if links.contains("veth") || links.contains("pontoon-0") { Err(links) } else { Ok(()) }
            });
        });
    });
}

#[test]
fn the_default_bridge_has_addresses_and_no_names() {
    on_a_host(async |host, root| {
        let daemon = Daemon::start(root).await;
        let (c1, _sandbox) = daemon.container(1).await;
        let view = daemon.connect(c1, "default", "c1", &[]).await;
        assert_eq!(
            (view.v4.unwrap().ip(), view.dns_names),
            (Ipv4Addr::new(10, 10, 0, 2), Vec::<String>::new())
        );
        tokio::task::block_in_place(|| {
            assert!(host.sh("ip -br addr show pontoon0").ok().contains("10.10.0.1/16"));
            inside(host, c1, "ping -c1 -W5 10.10.0.1").ok();
            inside(host, c1, "dig @127.0.0.11 +tries=1 +time=1 c1").fails(9);
        });
    });
}

#[test]
fn the_gateway_moves_when_a_network_comes_or_goes() {
    on_a_host(async |host, root| {
        let daemon = Daemon::start(root).await;
        daemon.network("b", "192.168.2.0/24").await;
        daemon.network("a", "192.168.1.0/24").await;
        let (c1, _sandbox) = daemon.container(1).await;
        let route = || tokio::task::block_in_place(|| inside(host, c1, "ip route show default").ok());
        daemon.connect(c1, "b", "c1", &[]).await;
        assert!(route().contains("via 192.168.2.1 dev eth0"), "{}", route());
        daemon.connect(c1, "a", "c1", &[]).await;
        assert!(route().contains("via 192.168.1.1 dev eth1"), "{}", route());
        assert_eq!(route().lines().count(), 1);
        let a = daemon.networks.resolve("a").unwrap().id;
        daemon.networks.disconnect(c1, a, false).await.unwrap();
        assert!(route().contains("via 192.168.2.1 dev eth0"), "{}", route());
    });
}

#[test]
fn ipv6_and_no_way_out() {
    on_a_host(async |host, root| {
        let daemon = Daemon::start(root).await;
        let ask = models::NetworkCreateRequest {
            name: "inside".to_owned(),
            internal: Some(true),
            enable_ipv6: Some(true),
            ..Default::default()
        };
        daemon.networks.create(ask).await.unwrap();
        let ((c1, _s1), (c2, _s2)) = (daemon.container(1).await, daemon.container(2).await);
        let first = daemon.connect(c1, "inside", "c1", &[]).await;
        let second = daemon.connect(c2, "inside", "c2", &[]).await;
        assert_eq!((first.gateway_v4, first.gateway_v6), (None, None));
        let v6 = second.v6.unwrap().ip().to_string();
        assert_eq!(v6, "fd07:707:707::3");
        tokio::task::block_in_place(|| {
            inside(host, c1, &format!("ping -6 -c1 -W5 {v6}")).ok();
            assert_eq!(dig(host, c1, "c2 AAAA"), [v6]);
            assert_eq!(inside(host, c1, "ip route show default; ip -6 route show default").ok(), "");
            inside(host, c1, "dig @127.0.0.11 +tries=1 +time=3 example.org").ok().find("SERVFAIL").unwrap();
        });
    });
}

#[test]
fn a_new_daemon_takes_over_and_clears_away() {
    on_a_host(async |host, root| {
        let daemon = Daemon::start(root).await;
        daemon.network("web", "192.168.0.0/24").await;
        let ((c1, s1), (c2, s2), (dead, _)) =
            (daemon.container(1).await, daemon.container(2).await, daemon.container(3).await);
        let published = EndpointAsk { ports: vec![port_8080()], ..daemon.ask("web", "c1") };
        let before = daemon.networks.connect(c1, published).await.unwrap();
        assert_eq!(before.ports[0].host_port.unwrap().get(), 8080);
        daemon.connect(c2, "web", "c2", &[]).await;
        daemon.connect(dead, "web", "dead", &[]).await;
        // Killed: nothing is closed, and the shims keep the sockets.
        let kept = |view: SandboxView| -> (PathBuf, Vec<OwnedFd>) { (view.path, view.dns) };
        let (s1, s2) = (kept(s1), kept(s2));
        let Daemon { networks, host: old } = daemon;
        drop(Arc::into_inner(networks).expect("nobody else has the networks"));
        drop(Arc::into_inner(old).expect("nobody else has the host"));

        let daemon = Daemon::start(root).await;
        for (id, name, (path, dns)) in [(c1, "c1", s1), (c2, "c2", s2)] {
            let endpoints = daemon.networks.endpoints(id).iter().map(|view| view.endpoint).collect();
            daemon.networks.adopt(id, Known { name: name.to_owned(), endpoints }, path, dns).await.unwrap();
        }
        daemon.networks.settle().await.unwrap();
        assert_eq!(daemon.networks.endpoints(c1), [before]);
        let (late, _sandbox) = daemon.container(4).await;
        let taken = EndpointAsk { ports: vec![port_8080()], ..daemon.ask("web", "late") };
        let endpoint = taken.endpoint;
        let refused = chain(&daemon.networks.connect(late, taken).await.unwrap_err());
        let text = format!(
            "driver failed programming external connectivity on endpoint late ({endpoint}): Bind for 0.0.0.0:8080 failed: port is already allocated"
        );
        assert_eq!(refused, text);
        tokio::task::block_in_place(|| {
            inside(host, c1, "ping -c1 -W5 192.168.0.3").ok();
            assert_eq!(dig(host, c1, "c2"), ["192.168.0.3"]);
            assert_eq!(dig(host, c1, "dead"), [""; 0]);
            assert!(!host.sh("ip netns").ok().contains("pontoon-0303"), "nobody adopted it");
        });
        let (dead, _sandbox) = daemon.container(3).await;
        let again = daemon.connect(dead, "web", "dead", &[]).await;
        assert_eq!(again.v4.unwrap().ip(), Ipv4Addr::new(192, 168, 0, 4), "its lease was kept");
    });
}
