//! The engine: everything that the daemon does, without HTTP. Handlers hold it in an `Arc`.

use std::{
    collections::BTreeSet,
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use libnet::{
    firewall::FirewallOptions,
    host::{Forwarding, Host, HostConfig, HostError, Report, Watch},
    netns::ETC,
    store::{self, Change, HostLock, RedbStore, Store, StoreError},
    types::Port,
};

use crate::{
    Config,
    config::Listen,
    container::{Containers, Parts, Paths, Volumes},
    events::Events,
    firewalld::Firewalld,
    network::{NetworkConfig, NetworkError, NetworkParts, Networks},
    recovery::{self, RecoveryError},
    relay::{Limits, Relay},
    repairs::Repairs,
};
use netd_runtime::{Runtime, RuntimeConfig};

/// Tells the time: the daemon's own reads the clock, tests say what time it is.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Fills a slice with random bytes: ids and names come from it.
pub type Random = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// The parts of a running daemon.
pub struct Engine {
    /// Networks.
    pub networks: Arc<Networks>,
    /// Containers.
    pub containers: Arc<Containers>,
    /// Volumes.
    pub volumes: Arc<Volumes>,
    /// What happened.
    pub events: Events,
    /// What the daemon was told.
    pub config: Arc<Config>,
    /// What time it is.
    pub clock: Clock,
    /// The daemon's lasting identity.
    pub identity: [u8; 32],
    /// How often something that was changed behind our back was put right.
    pub(crate) repairs: Repairs,
    /// Carries what NAT can't lead; none with `--userland-proxy=false`.
    pub(crate) relay: Option<Arc<Relay>>,
    firewalld: Firewalld,
    _watch: Watch,
    _refused: Option<Watch>,
    host: Arc<Host>,
    _lock: HostLock,
}

/// What an engine is made of.
pub struct EngineParts {
    /// What the daemon was told.
    pub config: Arc<Config>,
    /// What time it is.
    pub clock: Clock,
    /// Where ids and names come from.
    pub random: Random,
    /// The shim's program.
    pub shim: PathBuf,
    /// TCP ports that the daemon serves itself on: none of its containers' business.
    pub private: BTreeSet<Port>,
    /// The address of the system bus.
    pub system_bus: String,
}

/// The engine can't be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A directory of the daemon can't be made or written.
    #[error("cannot prepare {path}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The state can't be opened, or another daemon has it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The kernel's networking can't be used.
    #[error("cannot use the networking of this host")]
    Host(#[from] HostError),
    /// Published ports can't be relayed.
    #[error("cannot wait for clients of published ports")]
    Relay(#[source] std::io::Error),
    /// Networks can't be set up or taken over.
    #[error("cannot set up networks")]
    Networks(#[from] NetworkError),
    /// What an earlier daemon left can't be taken over.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
}

impl Engine {
    /// Takes possession of the host, takes over what an earlier daemon left, and is ready for requests.
    ///
    /// # Errors
    /// [`StartError`]: nothing that runs was touched.
    pub async fn open(parts: EngineParts) -> Result<Arc<Self>, StartError> {
        let EngineParts { config, clock, random, shim, private, system_bus } = parts;
        let (firewalld, firewalld_task) = Firewalld::new();
        let ground = Ground::prepare(&config, &random, private)?;
        let events = Events::new();
        let networks = Networks::open(NetworkParts {
            host: ground.host.clone(),
            firewalld: firewalld.clone(),
            declared: ground.declared.clone(),
            live: ground.live.clone(),
            config: ground.network_config(&config),
            events: events.clone(),
            random: random.clone(),
            clock: clock.clone(),
        })
        .await?;
        let volumes = Arc::new(Volumes::new(
            config.data_root.join("volumes"),
            ground.declared.clone(),
            events.clone(),
            clock.clone(),
            random.clone(),
        ));
        let cgroup_parent = config.container.cgroup_parent.clone();
        let parts = Arc::new(Parts {
            networks: networks.clone(),
            volumes: volumes.clone(),
            runtime: Runtime::new(RuntimeConfig { shim, cgroup_parent }),
            declared: ground.declared,
            live: ground.live,
            events: events.clone(),
            clock: clock.clone(),
            random,
            paths: paths(&config),
            defaults: config.container.clone(),
        });
        let containers = Arc::new(Containers::new(parts.clone()));
        recovery::recover(&parts, &containers).await?;
        let repairs = Repairs::default();
        let first = hears_first(firewalld.clone(), &networks);
        let watch = repairs.watch(&ground.host, events.clone(), clock.clone(), first)?;
        firewalld.nudge();
        tokio::spawn(firewalld_task.run(system_bus, Arc::downgrade(&ground.host)));
        let refused = tell_refused(&ground.host, &networks);
        Ok(Arc::new(Self {
            networks,
            containers,
            volumes,
            events,
            config,
            clock,
            identity: ground.identity,
            repairs,
            relay: ground.relay,
            firewalld,
            _watch: watch,
            _refused: refused,
            host: ground.host,
            _lock: ground.lock,
        }))
    }

    /// The networking of the host.
    pub(crate) fn host(&self) -> Arc<Host> {
        self.host.clone()
    }

    pub(crate) fn firewalld(&self) -> Firewalld {
        self.firewalld.clone()
    }

    /// The daemon ends: containers are stopped, or left to themselves under `live-restore`. `now` is what the daemon
    /// has been told meanwhile.
    pub async fn shutdown(&self, now: &Config) {
        if now.live_restore {
            self.networks.finish_names().await;
            return;
        }
        self.containers.close(now.shutdown_timeout).await;
        self.networks.end_namespaces().await;
        let (running, paused, _) = self.containers.counts();
        if running + paused > 0 {
            return;
        }
        // What is declared is on disk: a stopped daemon without containers has no business in the kernel.
        self.firewalld.leave().await;
        let (host, cgroup) = (self.host.clone(), self.config.container.cgroup_parent.clone());
        let cleared = tokio::task::spawn_blocking(move || {
            remove_cgroup(&cgroup);
            host.clear()
        });
        if let Ok(Err(error)) = cleared.await {
            tracing::warn!(error = crate::error::chain(&error), "kernel objects are left");
        }
    }
}

/// Who has something to do when the host is not as it was.
fn hears_first(firewalld: Firewalld, networks: &Arc<Networks>) -> impl FnMut(&Report) + Send + 'static {
    let networks = Arc::downgrade(networks);
    move |report| {
        // Where a chain began to drop, it may have been firewalld's first.
        firewalld.nudge();
        if let (Some(way_out), Some(networks)) = (report.way_out, networks.upgrade()) {
            networks.follow(way_out);
        }
    }
}

/// What restricted containers are refused is told as it happens, where the kernel can tell; else it can be asked for.
fn tell_refused(host: &Host, networks: &Arc<Networks>) -> Option<Watch> {
    let networks = Arc::downgrade(networks);
    let told = host.watch_refused(move |from, attempt| {
        if let Some(networks) = networks.upgrade() {
            networks.refused(from, attempt);
        }
    });
    told.inspect_err(|error| {
        let error = crate::error::chain(error);
        tracing::info!(error, "what restricted containers are refused is told on demand alone");
    })
    .ok()
}

/// What everything else stands on.
struct Ground {
    lock: HostLock,
    declared: Arc<dyn Store>,
    live: Arc<dyn Store>,
    host: Arc<Host>,
    relay: Option<Arc<Relay>>,
    identity: [u8; 32],
}

impl Ground {
    fn prepare(config: &Config, random: &Random, private: BTreeSet<Port>) -> Result<Self, StartError> {
        for path in [&config.exec_root, &config.data_root] {
            directory(path)?;
        }
        let lock = HostLock::take(&config.exec_root)?;
        let declared = RedbStore::open(&config.data_root.join("pontoon.redb"))?;
        let live = RedbStore::open(&config.exec_root.join("live.redb"))?;
        let identity = identity(&declared, random)?;
        let network = &config.network;
        let relay = network.userland_proxy.then(|| Relay::start(Limits::of_this_process())).transpose();
        let relay = relay.map_err(StartError::Relay)?.map(Arc::new);
        let host = Host::open(HostConfig {
            forwarding: if network.ip_forward { Forwarding::Enable } else { Forwarding::Leave },
            firewall: FirewallOptions { private, ..network.firewall.clone() },
            relay: relay.clone().map(|relay| relay as Arc<dyn libnet::ports::Relay>),
            ..HostConfig::default()
        })?;
        Ok(Self {
            lock,
            declared: Arc::new(declared),
            live: Arc::new(live),
            host: Arc::new(host),
            relay,
            identity,
        })
    }

    fn network_config(&self, config: &Config) -> NetworkConfig {
        NetworkConfig {
            defaults: config.network.clone(),
            resolv_conf: PathBuf::from("/etc/resolv.conf"),
            namespace_files: PathBuf::from(ETC),
            identity: self.identity,
        }
    }
}

/// The cgroup above all containers, in every hierarchy that has it. One that is not empty stays.
fn remove_cgroup(parent: &str) {
    let root = Path::new("/sys/fs/cgroup");
    let relative = parent.trim_start_matches('/');
    if relative.is_empty() {
        return;
    }
    let hierarchies = std::fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    for hierarchy in hierarchies.chain([root.to_owned()]) {
        let _ = std::fs::remove_dir(hierarchy.join(relative));
    }
}

/// Secrets of the machine, and what is ours: containers of the built-in image see the machine's root without them. A
/// `*` stands for any rest of a name.
const HIDDEN: [&str; 11] = [
    "/root",
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/ssl/private",
    "/etc/ssh/ssh_host_*",
    "/etc/pontoon",
    "/var/lib/docker",
];

fn paths(config: &Config) -> Paths {
    let mut hidden: Vec<PathBuf> = HIDDEN.iter().map(PathBuf::from).collect();
    let roots = [config.data_root.clone(), config.exec_root.clone()];
    let sockets = config.hosts.iter().filter_map(|host| match host {
        Listen::Unix(path) => Some(path.clone()),
        Listen::Tcp(_) | Listen::Inherited => None,
    });
    // What is in a hidden directory is hidden with it.
    hidden.extend(sockets.filter(|path| !roots.iter().any(|root| path.starts_with(root))));
    hidden.extend(roots);
    Paths { data_root: config.data_root.clone(), exec_root: config.exec_root.clone(), hidden }
}

/// A directory that only root enters: what is below may be a container's secret.
fn directory(path: &Path) -> Result<(), StartError> {
    let wrong = |source| StartError::Directory { path: path.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o711).create(path).map_err(wrong)
}

/// The daemon's lasting identity, made up at its first start.
fn identity(declared: &dyn Store, random: &Random) -> Result<[u8; 32], StoreError> {
    if let Some(known) = store::get(declared, "daemon", "identity")? {
        return Ok(known);
    }
    let mut identity = [0; 32];
    random(&mut identity);
    declared.commit(&[Change::put("daemon", "identity", &identity)?])?;
    Ok(identity)
}
