//! Namespaces that somebody else made, in networks like a container: with addresses, a way out, ports and names. To the
//! rest of the networks each is a sandbox under an id of its own, which is borrowed instead of made; what is special
//! about it is here. It is on record as long as it is in a network, and forgotten when it ends.

mod error;
mod files;
mod watch;

pub use error::NamespaceError;
pub(super) use watch::watch;

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use libnet::{
    netns::{Holder, Identity, NAMES, Reference, ReferenceError},
    observe::Snapshot,
    store::Change,
    types::{ContainerId, IfName, NetworkId},
};
use tokio::sync::Notify;

use super::{
    EndpointAsk, EndpointView, NetworkError, Traffic,
    driver_opts::IFNAME,
    endpoint,
    inner::Inner,
    kernel::{KernelError, Whose},
    record::{Borrowed, NetworkRecord, SANDBOXES, SandboxRecord, borrowed_name},
};
use crate::{error::chain, names::DnsSettings};

/// A namespace that is to be attached to a network.
#[derive(Clone, Debug)]
pub struct NamespaceAsk {
    /// Which one.
    pub reference: Reference,
    /// What it is to have there, and be called.
    pub endpoint: EndpointAsk,
}

/// A namespace in networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceView {
    /// What stands for it where a container has its id.
    pub id: ContainerId,
    /// What it was called when it was attached first.
    pub name: String,
    /// How its user points at it.
    pub reference: Reference,
    /// What the kernel calls it.
    pub identity: Identity,
    /// Its endpoints, the gateway first.
    pub endpoints: Vec<EndpointView>,
}

/// A namespace that was just attached, and what did not go as its user might expect.
pub type Attached = (NamespaceView, Vec<String>);

/// What the requests of this module share.
#[derive(Debug, Default)]
pub(super) struct Attaching {
    /// Held during each request, on threads that may block: no task owns a namespace, as one does a container.
    alone: Mutex<()>,
    /// Told whenever there are other namespaces than before.
    changed: Arc<Notify>,
}

type Result<T> = std::result::Result<T, NetworkError>;

impl Inner {
    /// Attaches a namespace to a network.
    pub(super) fn attach_namespace(&self, ask: NamespaceAsk) -> Result<Attached> {
        let _alone = self.alone();
        let network = self.state().network(ask.endpoint.network)?.clone();
        self.check_namespace(&network, &ask)?;
        let reference = ask.reference.canonical(Path::new(NAMES));
        let known = self.known(&reference)?;
        let id = match known {
            Known::Here(id) => id,
            Known::Not(identity) => self.borrow(reference.clone(), identity, &ask.endpoint.name)?,
        };
        let connected = self.connect_namespace(id, &reference, &network, ask.endpoint);
        if let (Known::Not(_), Err(_)) = (&known, &connected) {
            self.forget_namespace(id);
        }
        connected?;
        self.attaching.changed.notify_one();
        // What is attached stays so, whatever becomes of the file.
        let warning = self.write_file(id).unwrap_or_else(|error| Some(chain(&error)));
        Ok((self.namespace(id).ok_or(NetworkError::NoSandbox(id))?, warning.into_iter().collect()))
    }

    /// Takes a namespace out of a network. One that is in none any more is given back.
    pub(super) fn detach_namespace(&self, reference: &Reference, network: NetworkId) -> Result<()> {
        let _alone = self.alone();
        let name = self.state().network(network)?.name.clone();
        let id = self.borrowed(&reference.clone().canonical(Path::new(NAMES)))?;
        let id = id.filter(|id| self.state().endpoint(*id, network).is_some());
        let missing = || NamespaceError::NotConnected { namespace: reference.to_string(), network: name };
        self.leave(id.ok_or_else(missing)?, network)
    }

    /// Takes the namespace of this name out of a network; false: there is none.
    pub(super) fn detach_named(&self, name: &str, network: NetworkId) -> Result<bool> {
        let _alone = self.alone();
        let found = {
            let state = self.state();
            let mut endpoints = state.endpoints_in(network).filter(|record| record.name == name);
            endpoints.find(|record| state.is_borrowed(record.container)).map(|record| record.container)
        };
        found.map_or(Ok(false), |id| self.leave(id, network).map(|()| true))
    }

    /// All namespaces in networks, by name.
    pub(super) fn namespaces(&self) -> Vec<NamespaceView> {
        let ids: Vec<_> = self.borrowed_records().iter().map(|record| record.container).collect();
        let mut all: Vec<_> = ids.into_iter().filter_map(|id| self.namespace(id)).collect();
        all.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        all
    }

    /// Takes over the namespaces of an earlier daemon. One that has ended meanwhile is forgotten.
    pub(super) fn adopt_namespaces(&self) {
        for record in self.borrowed_records() {
            let (id, Some(borrowed)) = (record.container, &record.borrowed) else { continue };
            let adopted = match self.kernel.borrow_sandbox(&record.name, borrowed) {
                Ok(opened) => self.take_over(id, None, Some(record), opened.path, Some(opened.dns)),
                Err(source) => Err(failed("adopt", &record, source)),
            };
            let ended = matches!(&adopted, Err(NetworkError::Host { source: KernelError::Gone(_), .. }));
            if ended || self.state().endpoints_of(id).is_empty() {
                self.forget_namespace(id);
            } else if let Err(error) = adopted {
                tracing::error!(namespace.id = %id, error = chain(&error), "namespace not taken over whole");
            }
        }
    }

    /// Gives all namespaces back: the daemon ends.
    pub(super) fn end_namespaces(&self) {
        let _alone = self.alone();
        self.borrowed_records().iter().for_each(|record| self.forget_namespace(record.container));
    }

    /// Forgets the namespaces that have ended; what keeps the others.
    fn sweep_namespaces(&self) -> Vec<Holder> {
        let _alone = self.alone();
        let mut holders = Vec::new();
        for record in self.borrowed_records() {
            let Some(borrowed) = &record.borrowed else { continue };
            match Holder::find(borrowed.identity, &borrowed.reference, Path::new(NAMES)) {
                Ok(Some(holder)) => holders.push(holder),
                Ok(None) => {
                    tracing::info!(namespace.id = %record.container, namespace.name = %borrowed.reference, "namespace has ended");
                    self.forget_namespace(record.container);
                }
                Err(error) => tracing::warn!(namespace.id = %record.container, %error, "namespace not found"),
            }
        }
        holders
    }

    /// Whoever panicked while holding the lock left nothing behind it.
    fn alone(&self) -> MutexGuard<'_, ()> {
        self.attaching.alone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_namespace(&self, network: &NetworkRecord, ask: &NamespaceAsk) -> Result<()> {
        if !network.driver.attaches() {
            return Err(
                NamespaceError::Driver { network: network.name.clone(), driver: network.driver }.into()
            );
        }
        let name = &ask.endpoint.name;
        let taken = self.state().endpoints_in(network.id).any(|record| record.name == *name);
        if taken {
            return Err(NetworkError::AlreadyConnected { name: name.clone(), network: network.name.clone() });
        }
        Ok(())
    }

    /// What is known of the namespace that a reference leads to.
    fn known(&self, reference: &Reference) -> Result<Known> {
        let namespace = reference.to_string();
        match self.kernel.whose(reference).map_err(NamespaceError::Reference)? {
            Whose::Host => Err(NamespaceError::Own(namespace).into()),
            Whose::Other(identity) => Ok(Known::Not(identity)),
            Whose::Sandbox(name) => {
                let state = self.state();
                let record = state.sandboxes().find(|record| record.name == name);
                let record = record.ok_or_else(|| NamespaceError::Own(namespace.clone()))?;
                if record.borrowed.is_some() {
                    return Ok(Known::Here(record.container));
                }
                let container = state.name_of(record.container);
                Err(NamespaceError::Container { namespace, container }.into())
            }
        }
    }

    /// The borrowed sandbox that a reference leads to, or led to when it was attached.
    fn borrowed(&self, reference: &Reference) -> Result<Option<ContainerId>> {
        let found = match self.known(reference) {
            Ok(Known::Here(id)) => return Ok(Some(id)),
            other => other,
        };
        let same = |record: &SandboxRecord| {
            record.borrowed.as_ref().is_some_and(|borrowed| borrowed.reference == *reference)
        };
        match self.state().sandboxes().find(|record| same(record)) {
            Some(record) => Ok(Some(record.container)),
            None => found.map(|_| None),
        }
    }

    fn borrow(&self, reference: Reference, identity: Identity, name: &str) -> Result<ContainerId> {
        let mut bytes = [0; 32];
        (self.random)(&mut bytes);
        let id = ContainerId::from_bytes(bytes);
        self.enter_sandbox(SandboxRecord {
            container: id,
            name: borrowed_name(id),
            hostname: name.to_owned(),
            dns: DnsSettings::default().or(&self.config.defaults.dns),
            egress: None,
            traffic: Traffic::default(),
            requests: Vec::new(),
            borrowed: Some(Borrowed { reference, identity, resolv_conf: None }),
        })?;
        Ok(id)
    }

    /// As a container is connected, but what else is in the namespace is not known beforehand.
    fn connect_namespace(
        &self,
        id: ContainerId,
        reference: &Reference,
        network: &NetworkRecord,
        mut ask: EndpointAsk,
    ) -> Result<EndpointView> {
        let (sandbox, gateway, own) = {
            let state = self.state();
            let own: Vec<_> = state.endpoints_of(id).into_iter().filter_map(|record| record.spec).collect();
            (borrowed_name(id), state.leads(id), own)
        };
        let inside =
            self.kernel.look(&sandbox).map_err(super::inner::failed("look into namespace", reference))?;
        if !gateway && let Some(route) = rival_route(network, &inside) {
            let (namespace, network) = (reference.to_string(), network.name.clone());
            return Err(NamespaceError::DefaultRoute { namespace, network, route }.into());
        }
        let taken = |name: &IfName| {
            inside.links.iter().any(|link| link.name == *name) || own.iter().any(|spec| spec.ifname == *name)
        };
        match endpoint::check(network, &ask)?.ifname {
            Some(name) if taken(&name) => {
                return Err(NamespaceError::InterfaceTaken { namespace: reference.to_string(), name }.into());
            }
            Some(_) => {}
            None => {
                let name = free_ifname(network, inside.links.len() + own.len(), taken);
                ask.driver_opts.extend(name.map(|name| (IFNAME.to_owned(), name.to_string())));
            }
        }
        self.connect(id, &ask)
    }

    fn leave(&self, id: ContainerId, network: NetworkId) -> Result<()> {
        self.disconnect(id, network, false)?;
        if !self.state().endpoints_of(id).is_empty() {
            return self.write_file(id).map(drop);
        }
        self.give_back(id)
    }

    fn give_back(&self, id: ContainerId) -> Result<()> {
        self.remove_file(id);
        self.close_sandbox(id)?;
        self.attaching.changed.notify_one();
        self.release(id)
    }

    /// Gives a namespace back that can't stay; what could not be done is done by the next daemon.
    fn forget_namespace(&self, id: ContainerId) {
        if let Err(error) = self.give_back(id) {
            tracing::warn!(namespace.id = %id, error = chain(&error), "namespace not given back whole");
        }
    }

    fn borrowed_records(&self) -> Vec<SandboxRecord> {
        self.state().sandboxes().filter(|record| record.borrowed.is_some()).cloned().collect()
    }

    fn namespace(&self, id: ContainerId) -> Option<NamespaceView> {
        let state = self.state();
        let record = state.sandbox(id)?;
        let borrowed = record.borrowed.as_ref()?;
        Some(NamespaceView {
            id,
            name: record.hostname.clone(),
            reference: borrowed.reference.clone(),
            identity: borrowed.identity,
            endpoints: state.views(id),
        })
    }

    /// Notes the text that was written for a namespace.
    fn note_file(&self, id: ContainerId, text: Option<String>) -> Result<()> {
        let record = {
            let mut state = self.state();
            let Some(mut record) = state.sandbox(id).cloned() else { return Ok(()) };
            if let Some(borrowed) = &mut record.borrowed {
                borrowed.resolv_conf = text;
            }
            state.restore_sandbox(record.clone());
            record
        };
        Ok(self.live.commit(&[Change::put(SANDBOXES, id, &record)?])?)
    }
}

/// Whether a namespace is borrowed already.
enum Known {
    Here(ContainerId),
    Not(Identity),
}

fn failed(action: &'static str, record: &SandboxRecord, source: KernelError) -> NetworkError {
    super::inner::failed(action, &record.name)(source)
}

/// A way out that the namespace has already, where the network would be a second one.
fn rival_route(network: &NetworkRecord, inside: &Snapshot) -> Option<String> {
    if !network.leads_out() {
        return None;
    }
    let same_family = |v4: bool| if v4 { network.v4.is_some() } else { network.v6.is_some() };
    let rival =
        inside.routes.iter().find(|route| route.to.prefix() == 0 && same_family(route.to.is_ipv4()))?;
    let via = rival.gateway.map(|gateway| format!(" via {gateway}")).unwrap_or_default();
    let dev = rival.link.and_then(|index| inside.link(index)).map(|link| format!(" dev {}", link.name));
    Some(format!("default{via}{}", dev.unwrap_or_default()))
}

/// The first of `eth0`, `eth1`, … that nobody has; among one more than there are interfaces, one is free.
fn free_ifname(network: &NetworkRecord, others: usize, taken: impl Fn(&IfName) -> bool) -> Option<IfName> {
    let prefix = network.ifname_prefix();
    let names = (0..=others).filter_map(|number| format!("{prefix}{number}").parse().ok());
    names.into_iter().find(|name| !taken(name))
}

impl From<ReferenceError> for NetworkError {
    fn from(error: ReferenceError) -> Self {
        NamespaceError::Reference(error).into()
    }
}
