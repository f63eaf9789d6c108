//! What a host knows of its networks and endpoints: just enough to address the kernel. What is to be there is the
//! caller's knowledge, not kept here.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{EndpointSpec, HostError, NetworkSpec};
use crate::{
    bridge::InUse,
    firewall::FirewallEndpoint,
    ports::Reservation,
    types::{EndpointId, IfName, MacAddr, NetworkId},
};

#[derive(Debug, Default)]
pub(crate) struct State(Mutex<Tables>);

#[derive(Debug, Default)]
struct Tables {
    networks: HashMap<NetworkId, Network>,
    endpoints: HashMap<EndpointId, Endpoint>,
    sandboxes: BTreeSet<String>,
    /// Who had an address last, by network: neighbours may still believe it.
    last_seen: HashMap<(NetworkId, IpAddr), MacAddr>,
}

/// A network of this host.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    pub(crate) spec: NetworkSpec,
    /// Index of the bridge; a parent is looked for whenever it is needed.
    pub(crate) bridge: Option<u32>,
}

/// An endpoint of this host.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// Who it is, without ports.
    pub(crate) spec: FirewallEndpoint,
    /// Name of the sandbox that it is in.
    pub(crate) sandbox: String,
    /// Host ports that are held for it.
    pub(crate) ports: Vec<Reservation>,
}

impl Endpoint {
    /// As the firewall knows it, with the ports published for it.
    pub(crate) fn in_firewall(&self) -> FirewallEndpoint {
        let ports = self.ports.iter().flat_map(|held| held.ports().iter().copied()).collect();
        FirewallEndpoint { ports, ..self.spec.clone() }
    }
}

impl State {
    pub(crate) fn network(&self, id: NetworkId) -> Result<Network, HostError> {
        self.lock().networks.get(&id).cloned().ok_or(HostError::UnknownNetwork(id))
    }

    /// Index of a network's bridge.
    pub(crate) fn bridge_of(&self, id: NetworkId) -> Option<u32> {
        self.lock().networks.get(&id).and_then(|network| network.bridge)
    }

    pub(crate) fn put_network(&self, spec: NetworkSpec, bridge: Option<u32>) {
        self.lock().networks.insert(spec.id(), Network { spec, bridge });
    }

    /// Whether any network is on this link.
    pub(crate) fn is_used(&self, link: &IfName) -> bool {
        self.lock().networks.values().any(|network| network.spec.link() == link)
    }

    /// Whether the host takes part in a network: filters it, and publishes ports of its endpoints.
    pub(crate) fn takes_part_in(&self, id: NetworkId) -> bool {
        let tables = self.lock();
        !matches!(tables.networks.get(&id), Some(Network { spec: NetworkSpec::Parent(_), .. }))
    }

    pub(crate) fn take_network(&self, id: NetworkId) -> Option<Network> {
        let mut tables = self.lock();
        tables.last_seen.retain(|(network, _), _| *network != id);
        tables.networks.remove(&id)
    }

    /// Enters the endpoint, so that no second caller attaches it meanwhile.
    pub(crate) fn claim(&self, endpoint: Endpoint) -> Result<(), HostError> {
        let id = endpoint.spec.id;
        match self.lock().endpoints.entry(id) {
            std::collections::hash_map::Entry::Occupied(_) => Err(HostError::Attached(id)),
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(endpoint);
                Ok(())
            }
        }
    }

    /// Looks at, or changes, an endpoint.
    pub(crate) fn with_endpoint<T>(
        &self,
        id: EndpointId,
        work: impl FnOnce(&mut Endpoint) -> T,
    ) -> Result<T, HostError> {
        self.lock().endpoints.get_mut(&id).map(work).ok_or(HostError::UnknownEndpoint(id))
    }

    pub(crate) fn take_endpoint(&self, id: EndpointId) -> Option<Endpoint> {
        self.lock().endpoints.remove(&id)
    }

    /// The endpoints of a sandbox.
    pub(crate) fn endpoints_in(&self, sandbox: &str) -> Vec<EndpointId> {
        let tables = self.lock();
        tables
            .endpoints
            .iter()
            .filter(|(_, endpoint)| endpoint.sandbox == sandbox)
            .map(|(id, _)| *id)
            .collect()
    }

    /// Whether an address of this endpoint was last seen with another interface; from now on it is this one's.
    pub(crate) fn was_others(&self, ep: &EndpointSpec) -> bool {
        let mut tables = self.lock();
        let seen = ep.addresses().map(|address| tables.last_seen.insert((ep.network, address.ip()), ep.mac));
        // Every address is entered, whatever the first one says.
        seen.fold(false, |moved, last| moved | last.is_some_and(|mac| mac != ep.mac))
    }

    pub(crate) fn put_sandbox(&self, name: &str) {
        self.lock().sandboxes.insert(name.to_owned());
    }

    pub(crate) fn take_sandbox(&self, name: &str) {
        self.lock().sandboxes.remove(name);
    }

    pub(crate) fn forget_all(&self) {
        *self.lock() = Tables::default();
    }

    /// Everything that this host works with.
    pub(crate) fn in_use(&self) -> InUse {
        let tables = self.lock();
        InUse {
            networks: tables.networks.keys().copied().collect(),
            links: tables.networks.values().map(|network| network.spec.link().clone()).collect(),
            endpoints: tables.endpoints.keys().copied().collect(),
            sandboxes: tables.sandboxes.clone(),
        }
    }

    /// Whoever panicked while holding the lock left tables that are still tables.
    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
