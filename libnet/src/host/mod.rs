//! The networking of one host: networks, sandboxes, endpoints.
//!
//! A [`Host`] stands for the network namespace that it was opened in, and may be used from any thread. It blocks: an
//! attach takes about a millisecond. What it makes is planned by `bridge` as a list of steps; the effects apply them and
//! undo them on failure. What should be there over a restart is the caller's knowledge, who hands it to
//! [`Host::reconcile`]; what a host made or adopted it knows itself, and keeps right while somebody [watches](Host::watch).

mod admission;
#[cfg(test)]
mod again;
#[cfg(test)]
mod cut;
mod effects;
mod endpoint;
mod error;
mod examine;
mod figures;
mod heal;
mod hung;
mod janitor;
#[cfg(test)]
mod killed;
mod lent;
mod loopback;
mod network;
mod parent;
mod read;
mod reconcile;
mod resize;
mod sandbox;
mod settings;
mod shape;
mod spec;
mod state;
mod watch;

pub use crate::bridge::names::host_link;
pub use error::{HostError, LentError, NetworkFull, NoIpv6, ParentError, StepError};
pub use examine::{Area, Finding, Severity, examine_alone, examine_inside, examine_kernel};
pub use figures::Figures;
pub use parent::{Child, IpvlanFlag, IpvlanMode, MacvlanMode, NetworkSpec, Parent, ParentNetwork};
pub use sandbox::Sandbox;
pub use shape::UnlimitedError;
pub use spec::{
    AttachedEndpoint, BridgeNetwork, Declared, DeclaredEndpoint, DeclaredSandbox, DefaultRoute, EndpointSpec,
    Forwarding, HostConfig, LentBridge, Report,
};
pub use watch::Watch;

use std::{
    collections::BTreeSet,
    io,
    net::IpAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use admission::Sockets;
use janitor::Janitor;
use loopback::Loopback;
use read::Surroundings;
use state::State;

use crate::{
    firewall::{Allowance, Attempt, Change, Egress, Firewall, Listing, Opening, Ruleset},
    netns::{NetNs, Pool},
    ports::{PortTable, Relay},
    sys::sysctl::{self, LinksV6},
    types::NetworkId,
};

/// The networking of the namespace that [`Host::open`] was called in.
#[derive(Debug)]
pub struct Host {
    inner: Inner,
    pool: Pool,
}

#[derive(Debug)]
struct Inner {
    netns_dir: PathBuf,
    /// The folder was made, or found, by this host.
    has_folder: AtomicBool,
    netns: NetNs,
    sockets: Sockets,
    firewall: Firewall,
    egress: Egress,
    /// See [`Inner::changing`] and [`Inner::comparing`].
    changing: RwLock<()>,
    ports: PortTable,
    relay: Option<Arc<dyn Relay>>,
    janitor: Janitor,
    state: State,
    /// Held while a link that networks share is made or left.
    parents: Mutex<()>,
    loopback: Loopback,
    surroundings: Surroundings,
    links_v6: LinksV6,
    /// Bridged frames pass the IP firewall (`br_netfilter`), which may turn them round.
    bridge_filtered: bool,
    forwarding: Forwarding,
}

impl Host {
    /// Opens sockets in the calling thread's namespace, and looks at the kernel; changes nothing.
    ///
    /// # Errors
    /// If the process may not, or has no descriptor left.
    pub fn open(config: HostConfig) -> Result<Self, HostError> {
        let inner = Inner {
            netns: NetNs::current().map_err(HostError::Open)?,
            sockets: Sockets::open(config.concurrency).map_err(HostError::Open)?,
            firewall: Firewall::open_with(config.firewall)?,
            egress: Egress::open()?,
            changing: RwLock::default(),
            ports: PortTable::open().map_err(HostError::Open)?,
            relay: config.relay,
            janitor: Janitor::start().map_err(HostError::Open)?,
            state: State::default(),
            parents: Mutex::default(),
            loopback: Loopback::default(),
            surroundings: Surroundings::open().map_err(HostError::Open)?,
            links_v6: LinksV6::open().map_err(HostError::Open)?,
            bridge_filtered: is_bridge_filtered().map_err(HostError::Open)?,
            forwarding: config.forwarding,
            netns_dir: config.netns_dir,
            has_folder: AtomicBool::new(false),
        };
        let pool = Pool::start(config.ready_namespaces).map_err(HostError::Open)?;
        Ok(Self { inner, pool })
    }

    /// A ready namespace, named: loopback up, DNS sockets bound and port 53 redirected to them.
    ///
    /// # Errors
    /// If the name is taken, or the namespace can't be made or mounted.
    pub fn open_sandbox(&self, name: &str) -> Result<Sandbox, HostError> {
        let path = self.inner.path_of(name)?;
        let ready = self.pool.take().map_err(HostError::sandbox(name, "make a namespace"))?;
        let sandbox = Sandbox::name_ready(ready, name, path)?;
        self.inner.state.put_sandbox(name);
        tracing::info!(sandbox.name = name, "sandbox opened");
        Ok(sandbox)
    }

    /// How many namespaces are ready to be taken by [`Host::open_sandbox`], which makes one if there is none.
    pub fn ready_namespaces(&self) -> usize {
        self.pool.ready()
    }

    /// The sandbox that an earlier daemon opened; its DNS sockets are with the container's shim.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn adopt_sandbox(&self, name: &str) -> Result<Sandbox, HostError> {
        let sandbox = Sandbox::open(name, self.inner.path_of(name)?)?;
        self.inner.state.put_sandbox(name);
        // What the earlier daemon had taken off its parent, and did not live to delete.
        if sandbox.is_to_be_swept() {
            self.inner.janitor.sweep_sandbox_soon(sandbox.downgrade());
        }
        tracing::info!(sandbox.name = name, "sandbox adopted");
        Ok(sandbox)
    }

    /// A namespace that somebody else made, as a sandbox until it is closed: loopback up, port 53 of 127.0.0.11 led to new
    /// DNS sockets; all else stays as its owner made it. `path` is where it was found.
    ///
    /// # Errors
    /// If it can't be entered or changed.
    pub fn borrow_sandbox(&self, name: &str, path: PathBuf, netns: &NetNs) -> Result<Sandbox, HostError> {
        let sandbox = Sandbox::borrow(name, path, netns)?;
        self.inner.state.put_sandbox(name);
        tracing::info!(sandbox.name = name, path = %sandbox.path().display(), "sandbox borrowed");
        Ok(sandbox)
    }

    /// Whether this is the namespace of the host itself.
    ///
    /// # Errors
    /// If it can't be asked.
    pub fn is_own(&self, netns: &NetNs) -> Result<bool, HostError> {
        netns.is(&self.inner.netns).map_err(HostError::Open)
    }

    /// The firewall of this host as one value; prints as `nft` would list it.
    pub fn ruleset(&self) -> Ruleset {
        self.inner.firewall.ruleset()
    }

    /// Everything of ours in the firewall as the kernel has it, with what it counted.
    ///
    /// # Errors
    /// If the kernel can't be read.
    pub fn listing(&self) -> Result<Listing, HostError> {
        Ok(self.inner.firewall.listing()?)
    }

    /// Lets restricted endpoints reach more. What they may reach already gets the new time.
    ///
    /// # Errors
    /// If the kernel refuses; nothing is allowed then.
    pub fn allow(&self, allowances: &[Allowance]) -> Result<(), HostError> {
        Ok(self.inner.egress.allow(allowances)?)
    }

    /// Says what containers of a network may reach of each other though it keeps them apart. Who was let through before
    /// and is not named again is not any more, but for connections that are made.
    ///
    /// # Errors
    /// If there is no such network, or the kernel refuses; nothing has changed then.
    pub fn set_openings(&self, network: NetworkId, openings: BTreeSet<Opening>) -> Result<(), HostError> {
        let _changing = self.inner.changing();
        Ok(self.inner.firewall.apply(Change::SetOpenings(network, openings))?)
    }

    /// What restricted endpoints with these addresses tried to reach in the last day.
    ///
    /// # Errors
    /// If the kernel can't be asked.
    pub fn attempts(&self, addresses: &[IpAddr]) -> Result<Vec<Attempt>, HostError> {
        Ok(self.inner.egress.attempts(addresses)?)
    }

    /// Ends this handle. Networks and sandboxes stay; ready namespaces go.
    pub fn shutdown(self) {}
}

impl Inner {
    fn change_firewall(&self, change: Change) -> Result<(), StepError> {
        Ok(self.firewall.apply(change)?)
    }

    /// Held by whoever makes or removes something.
    fn changing(&self) -> RwLockReadGuard<'_, ()> {
        // Nothing is behind the lock that a panic could have left half done; so below.
        self.changing.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held while this host is compared with the kernel as a whole: what is seen meanwhile is neither half made nor half
    /// removed.
    fn comparing(&self) -> RwLockWriteGuard<'_, ()> {
        self.changing.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn path_of(&self, name: &str) -> Result<PathBuf, HostError> {
        if name.is_empty() || name.starts_with('.') || name.contains('/') {
            return Err(HostError::sandbox(name, "name it")(io::ErrorKind::InvalidInput.into()));
        }
        if !self.has_folder.load(Ordering::Relaxed) {
            NetNs::make_folder(&self.netns_dir).map_err(HostError::sandbox(name, "make its folder"))?;
            self.has_folder.store(true, Ordering::Relaxed);
        }
        Ok(self.netns_dir.join(name))
    }
}

/// The setting is there only if `br_netfilter` is loaded.
fn is_bridge_filtered() -> io::Result<bool> {
    match sysctl::read("bridge/bridge-nf-call-iptables") {
        Ok(value) => Ok(value == "1"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
