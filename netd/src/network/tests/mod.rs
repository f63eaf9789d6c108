//! The service over a fake kernel and stores in memory: what requests do, and that one which fails at any point leaves
//! everything as it was.

mod fake;
mod life;
mod links;
mod model;
mod mtu;
mod namespaces;
mod networks;
mod recovery;
mod stored;
mod subnets;
mod templates;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use jiff::Timestamp;
use libnet::{
    ports::{HostPort, PortRequest},
    store::Store,
    types::{ContainerId, EndpointId, Family, NetworkId, Port, Proto},
};
use netd_api::models;

use super::{
    Durability, EndpointAsk, EndpointView, Known, NetworkConfig, NetworkError, SandboxAsk,
    inner::{Inner, Parts},
    inspect,
    record::{ENDPOINTS, LEASES, NETWORKS, SANDBOXES},
};
use crate::{
    config::{DefaultBridge, NetworkDefaults},
    error::{Kind, chain},
    events::Events,
    names::DnsSettings,
};
use fake::{FakeKernel, FakeStore, World};

/// A daemon's networks, and what they work on.
struct Daemon {
    kernel: FakeKernel,
    declared: Arc<FakeStore>,
    live: Arc<FakeStore>,
    events: Events,
    inner: Inner,
    ids: Arc<AtomicU64>,
    _runtime: tokio::runtime::Runtime,
}

/// All that outlives a request.
#[derive(Clone, PartialEq)]
struct Everything {
    world: World,
    stored: Vec<String>,
    state: Vec<String>,
}

impl Everything {
    /// Says what is different, and that alone.
    #[track_caller]
    fn is(&self, expected: &Self, when: &str) {
        let lines = |all: &Self| {
            let world = format!("{:#?}", all.world).lines().map(str::to_owned).collect::<Vec<_>>();
            [world, all.stored.clone(), all.state.clone()].concat()
        };
        let (is, was) = (lines(self), lines(expected));
        let more: Vec<_> = is.iter().filter(|line| !was.contains(line)).collect();
        let less: Vec<_> = was.iter().filter(|line| !is.contains(line)).collect();
        assert!(more.is_empty() && less.is_empty(), "{when}\nnew: {more:#?}\ngone: {less:#?}");
        assert!(self == expected, "{when}");
    }
}

impl Daemon {
    fn new() -> Self {
        Self::start(FakeKernel::default(), Arc::default(), Arc::default(), Arc::default(), config())
    }

    fn start(
        kernel: FakeKernel,
        declared: Arc<FakeStore>,
        live: Arc<FakeStore>,
        ids: Arc<AtomicU64>,
        config: NetworkConfig,
    ) -> Self {
        let events = Events::new();
        let random_ids = ids.clone();
        let random = move |bytes: &mut [u8]| {
            let number = random_ids.fetch_add(1, Ordering::SeqCst).to_be_bytes();
            bytes.iter_mut().zip(number.iter().rev().cycle()).for_each(|(byte, n)| *byte = *n);
        };
        let inner = Inner::new(Parts {
            kernel: Arc::new(kernel.clone()),
            declared: declared.clone(),
            live: live.clone(),
            config,
            events: events.clone(),
            random: Arc::new(random),
            clock: Arc::new(|| Timestamp::from_second(1_700_000_000).unwrap()),
        })
        .unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let daemon = Self { kernel, declared, live, events, inner, ids, _runtime: runtime };
        daemon.run(Inner::recover).unwrap();
        daemon
    }

    /// Kills the daemon and starts the next one: kernel and stores stay.
    fn restart(self) -> Self {
        self.restart_as(config())
    }

    fn restart_as(self, config: NetworkConfig) -> Self {
        let Self { kernel, declared, live, ids, .. } = self;
        kernel.forget();
        Self::start(kernel, declared, live, ids, config)
    }

    fn run<T>(&self, work: impl FnOnce(&Inner) -> Result<T, NetworkError>) -> Result<T, NetworkError> {
        let _inside = self._runtime.enter();
        work(&self.inner)
    }

    /// Takes a container over that knows of its endpoints in these networks, and of its name.
    fn adopt(&self, container: ContainerId, networks: &[NetworkId]) {
        let all = self.inner.state().endpoints_of(container);
        let endpoints = all.iter().filter(|it| networks.contains(&it.network)).map(|it| it.id).collect();
        let known = Known { name: "c1".to_owned(), endpoints };
        self.run(|inner| inner.adopt(container, &known, PathBuf::from("x"), Vec::new())).unwrap();
    }

    fn network(&self, name: &str, subnet: &str) -> NetworkId {
        self.run(|inner| inner.create(network(name, subnet))).unwrap()
    }

    fn sandbox(&self, number: u8) -> ContainerId {
        let container = container(number);
        let ask = SandboxAsk {
            container,
            hostname: format!("host{number}"),
            dns: DnsSettings::default(),
            egress: None,
            traffic: Default::default(),
        };
        self.run(|inner| inner.open_sandbox(ask)).unwrap();
        container
    }

    fn connect(&self, container: ContainerId, ask: &EndpointAsk) -> Result<EndpointView, NetworkError> {
        self.run(|inner| inner.connect(container, ask))
    }

    /// An ask for a network, with an endpoint id of its own.
    fn ask(&self, network: NetworkId) -> EndpointAsk {
        let number = self.ids.fetch_add(1, Ordering::SeqCst) as u8;
        EndpointAsk {
            network,
            endpoint: EndpointId::from_bytes([number; 32]),
            name: "c1".to_owned(),
            aliases: Vec::new(),
            links: Vec::new(),
            v4: None,
            v6: None,
            link_local: Vec::new(),
            mac: None,
            ports: Vec::new(),
            exposed: Vec::new(),
            gw_priority: 0,
            driver_opts: BTreeMap::new(),
            durability: Durability::Durable,
        }
    }

    fn everything(&self) -> Everything {
        let tables = [NETWORKS, LEASES, SANDBOXES, ENDPOINTS];
        let stores: [(&str, &dyn Store); 2] = [("declared", &*self.declared), ("live", &*self.live)];
        let all = stores.iter().flat_map(|store| tables.map(|table| (store, table)));
        let stored = all.flat_map(|((name, store), table)| {
            let records = store.list(table).unwrap().into_iter();
            records.map(move |(_, value)| format!("{name} {table} {}", String::from_utf8(value).unwrap()))
        });
        Everything { world: self.kernel.world(), stored: stored.collect(), state: self.inner.state().lines() }
    }

    fn actions(&self) -> Vec<String> {
        self.events.subscribe().past.iter().map(|event| event.action.clone()).collect()
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
    NetworkConfig {
        defaults: NetworkDefaults {
            bridge: Some(bridge),
            pools: Vec::new(),
            options: BTreeMap::new(),
            dns: crate::config::DnsDefaults::default(),
            host_gateway: Vec::new(),
            ip_forward: true,
            firewall: Default::default(),
            userland_proxy: true,
        },
        resolv_conf: PathBuf::from("/nonexistent/resolv.conf"),
        namespace_files: PathBuf::from("/dev/null/netns"),
        identity: [7; 32],
    }
}

fn container(number: u8) -> ContainerId {
    ContainerId::from_bytes([number; 32])
}

fn network(name: &str, subnet: &str) -> models::NetworkCreateRequest {
    let config = (!subnet.is_empty())
        .then(|| models::IpamConfig { subnet: Some(subnet.to_owned()), ..Default::default() });
    models::NetworkCreateRequest {
        name: name.to_owned(),
        ipam: Some(models::Ipam { config: Some(config.into_iter().collect()), ..Default::default() }),
        ..Default::default()
    }
}

/// A network as the API shows it.
fn shown(daemon: &Daemon, reference: &str) -> serde_json::Value {
    let state = daemon.inner.state();
    let record = state.resolve(reference).unwrap();
    serde_json::to_value(inspect::network(record, &state)).unwrap()
}

/// How a request is refused, which changes nothing.
fn refused(daemon: &Daemon, ask: models::NetworkCreateRequest) -> (Kind, String) {
    let before = daemon.everything();
    let error = daemon.run(|inner| inner.create(ask)).unwrap_err();
    daemon.everything().is(&before, "");
    (error.kind(), chain(&error))
}

fn port(host: Option<u16>, container: u16) -> PortRequest {
    PortRequest {
        host_ip: None,
        host: host.and_then(Port::new).map_or(HostPort::Ephemeral, HostPort::Exactly),
        container: Port::new(container).unwrap(),
        proto: Proto::Tcp,
    }
}
