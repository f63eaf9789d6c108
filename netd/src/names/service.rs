//! The servers of all sandboxes, and the directory that they answer from. A sandbox's sockets are kept from the start; its
//! server starts with its first user network and ends with the sandbox.

use std::{
    collections::HashMap,
    fs, io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use dns::{
    AskerId, DialFrom, Directory, Forward, Limits, Server, ServerConfig, Shared, SnapshotEditor, Upstreams,
    View, ZoneId,
    resolv_conf::{self, Internal, Ipv6, Overrides, ResolvConf},
};
use futures_util::future::join_all;
use libnet::{
    netns::DnsSockets,
    types::{ContainerId, NetworkId},
};
use tokio::sync::watch;

use super::{
    DnsSettings,
    dial::SandboxDial,
    follow::follow,
    gate::{Allow, EgressGate, Watch},
};

/// Names of all containers.
pub(crate) struct Names {
    directory: Directory,
    /// The cache of what upstreams said, and the places for questions to them.
    pub(super) shared: Shared,
    resolv_conf: PathBuf,
    allow: Allow,
    sandboxes: Mutex<HashMap<ContainerId, Sandbox>>,
}

/// The name service of one sandbox.
pub(super) struct Sandbox {
    path: PathBuf,
    settings: DnsSettings,
    pub(super) gate: Arc<EgressGate>,
    /// Until the server has them.
    sockets: Option<DnsSockets>,
    pub(super) server: Option<Running>,
}

pub(super) struct Running {
    pub(super) server: Server,
    upstreams: watch::Sender<Arc<Upstreams>>,
}

/// Which names a container sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Its user networks, in the order in which they are searched.
    pub(crate) networks: Vec<NetworkId>,
    /// (alias, name): names of its own.
    pub(crate) links: Vec<(String, String)>,
    /// Whether other questions may leave through the host.
    pub(crate) forward: Forward,
    /// What it is restricted to.
    pub(crate) watch: Option<Watch>,
}

impl Names {
    /// No names yet; `resolv_conf` is the host's file, `allow` opens the firewall for restricted containers.
    pub(crate) fn new(resolv_conf: PathBuf, allow: Allow) -> Self {
        Self {
            directory: Directory::new(),
            shared: Shared::default(),
            resolv_conf,
            allow,
            sandboxes: Mutex::default(),
        }
    }

    /// Changes what the servers answer from, at once and without a gap.
    pub(crate) fn update(&self, change: impl FnOnce(&mut SnapshotEditor)) {
        self.directory.update(change);
    }

    /// Keeps the sockets of a sandbox.
    pub(crate) fn add(
        &self,
        container: ContainerId,
        path: PathBuf,
        settings: DnsSettings,
        sockets: Option<DnsSockets>,
    ) {
        let gate = Arc::new(EgressGate::new(container.to_string(), self.allow.clone()));
        let sandbox = Sandbox { path, settings, gate, sockets, server: None };
        self.sandboxes().insert(container, sandbox);
    }

    /// Says what a container sees, and starts its server if it sees anything. Must run within a tokio runtime.
    pub(crate) fn set_scope(&self, container: ContainerId, scope: Scope) -> io::Result<()> {
        let mut sandboxes = self.sandboxes();
        let Some(sandbox) = sandboxes.get_mut(&container) else { return Ok(()) };
        // A restricted container needs our server everywhere: no other would tell the firewall.
        if scope.networks.is_empty() && scope.watch.is_none() && sandbox.server.is_none() {
            return Ok(());
        }
        let restricted = sandbox.gate.watch().is_some() != scope.watch.is_some();
        sandbox.gate.set(scope.watch);
        let internal = self.internal_of(sandbox);
        if let Some(server) = sandbox.server.as_ref().filter(|_| restricted) {
            server.upstreams.send_replace(Arc::new(Upstreams { servers: internal.upstreams.clone() }));
        }
        let view = View {
            zones: scope.networks.iter().map(|id| ZoneId(id.to_string())).collect(),
            links: scope.links,
            forward: scope.forward,
            bare_names: internal.bare_names,
        };
        self.directory.update(|editor| editor.set_view(asker(container), view));
        if sandbox.server.is_none() {
            sandbox.start(container, self.directory.clone(), self.shared.clone(), internal)?;
        }
        Ok(())
    }

    /// Reads no more questions, which wait for the next daemon, and answers those that are with upstreams, as far as these
    /// speak within `most`.
    pub(crate) async fn finish(&self, most: Duration) {
        let servers: Vec<_> = {
            let mut sandboxes = self.sandboxes();
            let running = sandboxes.values_mut().filter_map(|sandbox| sandbox.server.as_mut());
            running.map(|running| running.server.finish()).collect()
        };
        if tokio::time::timeout(most, join_all(servers)).await.is_err() {
            tracing::info!("not waiting for all answers of name servers");
        }
    }

    /// Ends the name service of a sandbox.
    pub(crate) fn remove(&self, container: ContainerId) {
        self.sandboxes().remove(&container);
        self.directory.update(|editor| editor.remove_view(&asker(container)));
    }

    /// Reads the host's file again, for the servers that run.
    fn refresh(&self) {
        for sandbox in self.sandboxes().values() {
            if let Some(server) = &sandbox.server {
                let servers = self.internal_of(sandbox).upstreams;
                server.upstreams.send_replace(Arc::new(Upstreams { servers }));
            }
        }
    }

    /// resolv.conf of a container on a user network, and what its server does with what is not ours.
    pub(crate) fn internal(&self, settings: &DnsSettings) -> Internal {
        resolv_conf::internal(&self.host(), &self.source(), &settings.overrides(), scope_index)
    }

    /// The servers of a restricted container are asked from the host, so that they can be reached by us alone.
    fn internal_of(&self, sandbox: &Sandbox) -> Internal {
        let mut internal = self.internal(&sandbox.settings);
        if sandbox.gate.watch().is_some() {
            internal.upstreams.iter_mut().for_each(|server| server.from = DialFrom::Host);
        }
        internal
    }

    /// The gate of a container's name service.
    pub(crate) fn gate(&self, container: ContainerId) -> Option<Arc<EgressGate>> {
        Some(self.sandboxes().get(&container)?.gate.clone())
    }

    /// resolv.conf of a container on the default network.
    pub(crate) fn plain(&self, settings: &DnsSettings, ipv6: Ipv6) -> String {
        resolv_conf::plain(&self.host(), &self.source(), &settings.overrides(), ipv6)
    }

    /// resolv.conf of a container in the host's own network: the host's, unless the user knows better.
    pub(crate) fn machine(&self, settings: &DnsSettings) -> String {
        let overrides = settings.overrides();
        if overrides == Overrides::default() {
            return fs::read_to_string(&self.resolv_conf).unwrap_or_default();
        }
        resolv_conf::machine(&self.host(), &self.source(), &overrides)
    }

    /// The host's resolv.conf; a host without one has no servers.
    pub(crate) fn host(&self) -> ResolvConf {
        ResolvConf::parse(&fs::read_to_string(&self.resolv_conf).unwrap_or_default())
    }

    /// Keeps the servers of all sandboxes at what the host's resolv.conf says, as long as these names are.
    pub(crate) async fn follow_host(this: Weak<Self>) {
        let Some(file) = this.upgrade().map(|names| names.resolv_conf.clone()) else { return };
        let changed = move || {
            let names = this.upgrade();
            names.as_deref().map(Self::refresh).is_some()
        };
        follow(file, changed).await;
    }

    fn source(&self) -> String {
        self.resolv_conf.display().to_string()
    }

    /// Servers are started and dropped under the lock; neither panics.
    pub(super) fn sandboxes(&self) -> MutexGuard<'_, HashMap<ContainerId, Sandbox>> {
        self.sandboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sandbox {
    fn start(
        &mut self,
        container: ContainerId,
        directory: Directory,
        shared: Shared,
        internal: Internal,
    ) -> io::Result<()> {
        let Some(DnsSockets { udp, tcp }) = self.sockets.take() else {
            tracing::warn!(container.id = %container, "no DNS sockets were kept: the container's names are not served");
            return Ok(());
        };
        let (upstreams, receiver) = watch::channel(Arc::new(Upstreams { servers: internal.upstreams }));
        let server = Server::start(ServerConfig {
            udp,
            tcp,
            asker: asker(container),
            directory,
            upstreams: receiver,
            dial: Arc::new(SandboxDial { path: self.path.clone() }),
            limits: Limits::default(),
            shared,
            gate: self.gate.clone(),
        })?;
        self.server = Some(Running { server, upstreams });
        Ok(())
    }
}

fn asker(container: ContainerId) -> AskerId {
    AskerId(container.to_string())
}

/// The number of an interface of the host.
fn scope_index(name: &str) -> Option<u32> {
    nix::net::if_::if_nametoindex(name).ok()
}
