//! What the networks need of the host's kernel, as a trait: the service above it is tested with a fake that holds state
//! and fails where it is told to. [`HostKernel`] is the real thing; it keeps the handles of open sandboxes by name.

use std::{
    collections::{BTreeSet, HashMap},
    error::Error,
    io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ipnetwork::IpNetwork;
use libnet::{
    firewall::{Allowance, Attempt, Listing, Opening},
    host::{
        Child, Declared, DefaultRoute, EndpointSpec, Figures, Host, HostError, LentBridge, NetworkSpec,
        Report, Sandbox,
    },
    netns::{DnsSockets, Holder, Identity, NAMES, NetNs, Reference, ReferenceError},
    observe::Snapshot,
    ports::{PortRequest, PublishedPort},
    types::{EndpointId, IfName, Mtu, NetworkId},
};

use super::record::Borrowed;
use crate::firewalld::Firewalld;

/// The kernel, or what stands for it, said no.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// A host port can't be had.
    #[error(transparent)]
    Port(Box<dyn Error + Send + Sync>),
    /// The object is not there.
    #[error(transparent)]
    Gone(Box<dyn Error + Send + Sync>),
    /// The link that a network is to be on won't do.
    #[error(transparent)]
    Link(Box<dyn Error + Send + Sync>),
    /// Anything else.
    #[error(transparent)]
    Other(Box<dyn Error + Send + Sync>),
}

/// A namespace that was just made.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) path: PathBuf,
    pub(super) dns: DnsSockets,
}

/// Whose a namespace is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// The host's own.
    Host,
    /// A sandbox of this name.
    Sandbox(String),
    /// Nobody's that we know.
    Other(Identity),
}

/// The networking of one host. Calls block.
pub(super) trait Kernel: Send + Sync + 'static {
    fn create_network(&self, network: &NetworkSpec) -> Result<(), KernelError>;
    fn remove_network(&self, id: NetworkId) -> Result<(), KernelError>;
    /// The bridge of that name, if somebody else made it.
    fn lent_bridge(&self, link: &IfName) -> Result<Option<LentBridge>, KernelError>;
    fn open_sandbox(&self, name: &str) -> Result<Opened, KernelError>;
    fn adopt_sandbox(&self, name: &str) -> Result<PathBuf, KernelError>;
    fn close_sandbox(&self, name: &str) -> Result<(), KernelError>;
    /// Whose the namespace is that a reference leads to.
    fn whose(&self, reference: &Reference) -> Result<Whose, ReferenceError>;
    fn borrow_sandbox(&self, name: &str, borrowed: &Borrowed) -> Result<Opened, KernelError>;
    /// What is in a sandbox, whoever made it.
    fn look(&self, sandbox: &str) -> Result<Snapshot, KernelError>;
    /// Returns when what is being made or removed now is so.
    fn settle(&self);
    fn attach(&self, sandbox: &str, endpoint: &EndpointSpec) -> Result<Vec<PublishedPort>, KernelError>;
    fn detach(&self, sandbox: &str, endpoint: EndpointId) -> Result<(), KernelError>;
    fn adopt_endpoint(&self, sandbox: &str, endpoint: &EndpointSpec) -> Result<(), KernelError>;
    fn publish(&self, endpoint: EndpointId, ports: &[PortRequest])
    -> Result<Vec<PublishedPort>, KernelError>;
    fn withdraw(&self, endpoint: EndpointId, ports: &[PublishedPort]) -> Result<(), KernelError>;
    /// All ports of one lead to the other, which has none; `None`: they would be others there, and nothing was done.
    fn move_ports(&self, from: EndpointId, to: EndpointId)
    -> Result<Option<Vec<PublishedPort>>, KernelError>;
    fn set_default_route(
        &self,
        sandbox: &str,
        endpoint: EndpointId,
        before: DefaultRoute,
        after: DefaultRoute,
    ) -> Result<(), KernelError>;
    fn allow(&self, allowances: &[Allowance]) -> Result<(), KernelError>;
    fn attempts(&self, from: &[IpAddr]) -> Result<Vec<Attempt>, KernelError>;
    /// What containers of a network may reach of each other though it keeps them apart.
    fn set_openings(&self, network: NetworkId, openings: BTreeSet<Opening>) -> Result<(), KernelError>;
    fn reconcile(&self, declared: &Declared) -> Result<Report, KernelError>;
    /// The firewall, and what was counted.
    fn firewall(&self) -> Result<(Listing, Figures), KernelError>;
    fn routes_and_links(&self) -> Result<Vec<IpNetwork>, KernelError>;
    fn egress_mtu(&self) -> Result<Option<Mtu>, KernelError>;
    fn set_mtu(&self, network: NetworkId, mtu: Mtu) -> Result<(), KernelError>;
    fn forwards_v4(&self) -> Result<bool, KernelError>;
    fn has_ipv6(&self) -> bool;
    fn supports(&self, kind: Child) -> Result<bool, KernelError>;
}

/// A host's kernel through `libnet`.
pub(super) struct HostKernel {
    host: Arc<Host>,
    firewalld: Firewalld,
    sandboxes: Mutex<HashMap<String, Sandbox>>,
}

impl HostKernel {
    pub(super) fn new(host: Arc<Host>, firewalld: Firewalld) -> Self {
        Self { host, firewalld, sandboxes: Mutex::new(HashMap::new()) }
    }

    /// Handles are put in and taken out; nothing in between can panic.
    fn sandboxes(&self) -> MutexGuard<'_, HashMap<String, Sandbox>> {
        self.sandboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sandbox(&self, name: &str) -> Result<Sandbox, KernelError> {
        let unknown = || KernelError::Other(format!("sandbox {name} is not open").into());
        self.sandboxes().get(name).cloned().ok_or_else(unknown)
    }
}

impl HostKernel {
    /// Remembers a sandbox that was just opened; if its DNS sockets can't be shared, it is closed again.
    fn keep(&self, name: &str, sandbox: Sandbox) -> Result<Opened, KernelError> {
        let dns = sandbox.take_dns_sockets().map_err(|error| KernelError::Other(Box::new(error)));
        let path = sandbox.path().to_owned();
        match dns {
            Ok(dns) => {
                self.sandboxes().insert(name.to_owned(), sandbox);
                Ok(Opened { path, dns })
            }
            Err(error) => {
                self.host.close_sandbox(sandbox)?;
                Err(error)
            }
        }
    }
}

impl From<HostError> for KernelError {
    fn from(error: HostError) -> Self {
        match error {
            HostError::Port(error) => Self::Port(Box::new(error)),
            HostError::Parent(error) => Self::Link(Box::new(error)),
            HostError::Lent(error) => Self::Link(Box::new(error)),
            HostError::NoIpv6(error) => Self::Link(Box::new(error)),
            HostError::UnknownEndpoint(_) => Self::Gone(Box::new(error)),
            error => Self::Other(Box::new(error)),
        }
    }
}

impl Kernel for HostKernel {
    fn create_network(&self, network: &NetworkSpec) -> Result<(), KernelError> {
        self.host.create_network(network)?;
        self.firewalld.bridges_changed();
        Ok(())
    }

    fn lent_bridge(&self, link: &IfName) -> Result<Option<LentBridge>, KernelError> {
        Ok(self.host.lent_bridge(link)?)
    }

    fn remove_network(&self, id: NetworkId) -> Result<(), KernelError> {
        let removed = match self.host.remove_network(id) {
            // What is not there needs no removal: an earlier attempt got so far.
            Ok(()) | Err(HostError::UnknownNetwork(_)) => Ok(()),
            Err(error) => Err(error.into()),
        };
        self.firewalld.bridges_changed();
        removed
    }

    fn open_sandbox(&self, name: &str) -> Result<Opened, KernelError> {
        self.keep(name, self.host.open_sandbox(name)?)
    }

    fn adopt_sandbox(&self, name: &str) -> Result<PathBuf, KernelError> {
        let sandbox = self.host.adopt_sandbox(name)?;
        let path = sandbox.path().to_owned();
        self.sandboxes().insert(name.to_owned(), sandbox);
        Ok(path)
    }

    fn close_sandbox(&self, name: &str) -> Result<(), KernelError> {
        let sandbox = self.sandboxes().remove(name);
        // One that this daemon never opened nor adopted is taken over to be closed.
        match sandbox.map_or_else(|| self.host.adopt_sandbox(name), Ok) {
            Ok(sandbox) => Ok(self.host.close_sandbox(sandbox)?),
            // Gone already: an earlier attempt got so far.
            Err(HostError::Sandbox { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn whose(&self, reference: &Reference) -> Result<Whose, ReferenceError> {
        let netns = reference.open(Path::new(NAMES))?;
        let unknown = |source| ReferenceError::Open { name: reference.to_string(), source };
        let identity = netns.identity().map_err(unknown)?;
        if self.host.is_own(&netns).unwrap_or(false) {
            return Ok(Whose::Host);
        }
        let sandboxes = self.sandboxes();
        let same = |sandbox: &Sandbox| sandbox.netns().identity().is_ok_and(|found| found == identity);
        let found = sandboxes.iter().find(|(_, sandbox)| same(sandbox));
        Ok(found.map_or(Whose::Other(identity), |(name, _)| Whose::Sandbox(name.clone())))
    }

    fn borrow_sandbox(&self, name: &str, borrowed: &Borrowed) -> Result<Opened, KernelError> {
        let other = |error: io::Error| KernelError::Other(Box::new(error));
        let gone = || KernelError::Gone(format!("network namespace {} has ended", borrowed.reference).into());
        let names = Path::new(NAMES);
        let holder = Holder::find(borrowed.identity, &borrowed.reference, names).map_err(other)?;
        let path = holder.ok_or_else(gone)?.path();
        let netns = NetNs::open(&path).map_err(other)?;
        if netns.identity().map_err(other)? != borrowed.identity {
            return Err(gone());
        }
        self.keep(name, self.host.borrow_sandbox(name, path, &netns)?)
    }

    fn look(&self, sandbox: &str) -> Result<Snapshot, KernelError> {
        Ok(self.sandbox(sandbox)?.look()?)
    }

    fn settle(&self) {
        self.host.settle();
    }

    fn attach(&self, sandbox: &str, endpoint: &EndpointSpec) -> Result<Vec<PublishedPort>, KernelError> {
        Ok(self.host.attach(&self.sandbox(sandbox)?, endpoint)?.ports)
    }

    fn detach(&self, sandbox: &str, endpoint: EndpointId) -> Result<(), KernelError> {
        match self.host.detach(&self.sandbox(sandbox)?, endpoint) {
            Ok(()) | Err(HostError::UnknownEndpoint(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn adopt_endpoint(&self, sandbox: &str, endpoint: &EndpointSpec) -> Result<(), KernelError> {
        Ok(self.host.adopt_endpoint(&self.sandbox(sandbox)?, endpoint)?)
    }

    fn publish(
        &self,
        endpoint: EndpointId,
        ports: &[PortRequest],
    ) -> Result<Vec<PublishedPort>, KernelError> {
        Ok(self.host.publish(endpoint, ports)?)
    }

    fn withdraw(&self, endpoint: EndpointId, ports: &[PublishedPort]) -> Result<(), KernelError> {
        Ok(self.host.withdraw(endpoint, ports)?)
    }

    fn move_ports(
        &self,
        from: EndpointId,
        to: EndpointId,
    ) -> Result<Option<Vec<PublishedPort>>, KernelError> {
        Ok(self.host.move_ports(from, to)?)
    }

    fn set_default_route(
        &self,
        sandbox: &str,
        endpoint: EndpointId,
        before: DefaultRoute,
        after: DefaultRoute,
    ) -> Result<(), KernelError> {
        Ok(self.sandbox(sandbox)?.set_default_route(endpoint, before, after)?)
    }

    fn allow(&self, allowances: &[Allowance]) -> Result<(), KernelError> {
        Ok(self.host.allow(allowances)?)
    }

    fn attempts(&self, from: &[IpAddr]) -> Result<Vec<Attempt>, KernelError> {
        Ok(self.host.attempts(from)?)
    }

    fn set_openings(&self, network: NetworkId, openings: BTreeSet<Opening>) -> Result<(), KernelError> {
        Ok(self.host.set_openings(network, openings)?)
    }

    fn reconcile(&self, declared: &Declared) -> Result<Report, KernelError> {
        Ok(self.host.reconcile(declared)?)
    }

    fn firewall(&self) -> Result<(Listing, Figures), KernelError> {
        let mut listing = self.host.listing()?;
        // One that does not answer is doctor's business.
        listing.elsewhere.extend(self.firewalld.zone().ok().flatten().and_then(|zone| zone.listed()));
        Ok((listing, self.host.figures()?))
    }

    fn routes_and_links(&self) -> Result<Vec<IpNetwork>, KernelError> {
        Ok(self.host.routes_and_links()?)
    }

    fn egress_mtu(&self) -> Result<Option<Mtu>, KernelError> {
        Ok(self.host.egress_mtu()?)
    }

    fn set_mtu(&self, network: NetworkId, mtu: Mtu) -> Result<(), KernelError> {
        let sandboxes: Vec<Sandbox> = self.sandboxes().values().cloned().collect();
        Ok(self.host.set_mtu(network, mtu, &sandboxes)?)
    }

    fn forwards_v4(&self) -> Result<bool, KernelError> {
        Ok(self.host.forwards_v4()?)
    }

    fn has_ipv6(&self) -> bool {
        self.host.has_ipv6()
    }

    fn supports(&self, kind: Child) -> Result<bool, KernelError> {
        Ok(self.host.supports(kind)?)
    }
}
