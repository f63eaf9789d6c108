//! What a host knows of its networks and endpoints: just enough to address the kernel. What is to be there is the
//! caller's knowledge, not kept here.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ipnetwork::IpNetwork;

use super::{
    BridgeNetwork, Declared, DeclaredEndpoint, DeclaredSandbox, EndpointSpec, HostError, NetworkSpec,
    watch::{Told, ToldLink},
};
use crate::{
    bridge::{
        self, InUse,
        names::{CONDEMNED, Owner, bridge_mac},
    },
    firewall::FirewallEndpoint,
    ipam::masked,
    ports::{Barred, PublishedPort, Reservation},
    types::{EndpointId, IfName, Internal, MacAddr, Mtu, NetworkId, Rates},
};

#[derive(Debug, Default)]
pub(crate) struct State {
    tables: Mutex<Tables>,
    /// Internal networks, which no port of another one is relayed to.
    barred: Barred,
}

/// So many addresses are remembered. IPv6 addresses come again so late that without a bound, each start of a container would
/// take some memory for good. After the bound, neighbours that believe an address to be somebody's who left find out by
/// themselves, within the half minute that the kernel trusts an entry (`base_reachable_time_ms`).
const REMEMBERED: usize = 1 << 16;

#[derive(Debug, Default)]
struct Tables {
    networks: HashMap<NetworkId, Network>,
    /// By index.
    bridges: HashMap<u32, Bridge>,
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

/// Whose a bridge is.
#[derive(Debug)]
pub(crate) struct Bridge {
    network: NetworkId,
    /// The subnets that its network has there.
    pub(crate) subnets: Arc<[IpNetwork]>,
}

/// An endpoint of this host.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// What it was attached or adopted as, without ports: it has others by now.
    pub(crate) spec: EndpointSpec,
    /// Name of the sandbox that it is in.
    pub(crate) sandbox: String,
    /// Host ports that are held for it.
    pub(crate) ports: Vec<Reservation>,
}

/// A network that has another MTU from now on.
#[derive(Debug)]
pub(super) struct Resized {
    /// As it was.
    pub(super) bridge: BridgeNetwork,
    /// Its endpoints, each with the name of its sandbox.
    pub(super) endpoints: Vec<(EndpointId, String, Rates)>,
}

impl Endpoint {
    pub(crate) fn new(spec: &EndpointSpec, sandbox: &str, ports: Vec<Reservation>) -> Self {
        let spec = EndpointSpec { ports: Vec::new(), ..spec.clone() };
        Self { spec, sandbox: sandbox.to_owned(), ports }
    }

    /// As the firewall knows it, with the ports published for it.
    pub(crate) fn in_firewall(&self) -> FirewallEndpoint {
        FirewallEndpoint::new(&self.spec, &self.published()).within(&self.sandbox)
    }

    /// As the firewall knows it, without ports.
    pub(crate) fn without_ports(&self) -> FirewallEndpoint {
        FirewallEndpoint::new(&self.spec, &[]).within(&self.sandbox)
    }

    /// The ports that are held for it.
    pub(crate) fn published(&self) -> Vec<PublishedPort> {
        self.ports.iter().flat_map(|held| held.ports().iter().copied()).collect()
    }
}

impl Tables {
    fn put(&mut self, network: Network) {
        let id = network.spec.id();
        self.take(id);
        if let (NetworkSpec::Bridge(net), Some(bridge)) = (&network.spec, network.bridge) {
            let subnets = net.gateways().map(|own| masked(&own)).collect();
            self.bridges.insert(bridge, Bridge { network: id, subnets });
        }
        self.networks.insert(id, network);
    }

    fn take(&mut self, id: NetworkId) -> Option<Network> {
        let network = self.networks.remove(&id)?;
        // Another network may have that index by now, whose bridge came after this one's was gone.
        let is_its_own = |index: &u32| self.bridges.get(index).is_some_and(|bridge| bridge.network == id);
        if let Some(index) = network.bridge.filter(is_its_own) {
            self.bridges.remove(&index);
        }
        Some(network)
    }

    fn bridge_of(&self, network: NetworkId) -> Option<u32> {
        self.networks.get(&network)?.bridge
    }

    /// Whether a link is as we made it; nobody else's is not.
    fn agree(&self, link: &ToldLink) -> bool {
        match link.owner {
            Some(Owner::Network(id)) => match self.networks.get(&id) {
                Some(Network { spec: NetworkSpec::Bridge(net), bridge }) => {
                    let is_known = link.mac == Some(bridge_mac(&net.id)) && Some(link.index) == *bridge;
                    link.up && link.mtu == net.mtu.bytes() && is_known
                }
                _ => true,
            },
            Some(Owner::Endpoint(id)) => match self.endpoints.get(&id) {
                Some(endpoint) => {
                    link.up && link.bridge.is_some() && link.bridge == self.bridge_of(endpoint.spec.network)
                }
                None => true,
            },
            Some(Owner::Detour(id)) => link.up || !self.endpoints.contains_key(&id),
            None => true,
        }
    }
}

impl State {
    pub(crate) fn network(&self, id: NetworkId) -> Result<Network, HostError> {
        self.lock().networks.get(&id).cloned().ok_or(HostError::UnknownNetwork(id))
    }

    pub(crate) fn bridge_of(&self, id: NetworkId) -> Option<u32> {
        self.lock().bridge_of(id)
    }

    /// Looks at the bridges of all networks, by index.
    pub(crate) fn with_bridges<T>(&self, look: impl FnOnce(&HashMap<u32, Bridge>) -> T) -> T {
        look(&self.lock().bridges)
    }

    /// Who is not let in to relayed ports.
    pub(crate) const fn barred(&self) -> &Barred {
        &self.barred
    }

    /// The bridges of all networks, but those that are somebody else's.
    pub(crate) fn own_bridges(&self) -> Vec<IfName> {
        let own = |network: &Network| match &network.spec {
            NetworkSpec::Bridge(spec) if spec.lent.is_none() => Some(spec.link.clone()),
            _ => None,
        };
        self.lock().networks.values().filter_map(own).collect()
    }

    pub(crate) fn put_network(&self, spec: NetworkSpec, bridge: Option<u32>) {
        match (&spec, bridge) {
            (NetworkSpec::Bridge(net), Some(bridge)) if net.internal == Internal::Yes => {
                let subnets = net.v4.map(IpNetwork::V4).into_iter().chain(net.v6.map(IpNetwork::V6));
                self.barred.bar(net.id, bridge, subnets.collect());
            }
            _ => self.barred.admit(spec.id()),
        }
        self.lock().put(Network { spec, bridge });
    }

    /// From now on a network with a bridge of ours has this MTU, and so have its endpoints.
    pub(super) fn set_mtu(&self, id: NetworkId, mtu: Mtu) -> Result<Resized, HostError> {
        let mut tables = self.lock();
        let bridge = match tables.networks.get_mut(&id).map(|network| &mut network.spec) {
            Some(NetworkSpec::Bridge(net)) if net.lent.is_none() => {
                let before = net.clone();
                net.mtu = mtu;
                before
            }
            _ => return Err(HostError::UnknownNetwork(id)),
        };
        let within = tables.endpoints.values_mut().filter(|endpoint| endpoint.spec.network == id);
        let resize = |endpoint: &mut Endpoint| {
            endpoint.spec.mtu = mtu;
            (endpoint.spec.id, endpoint.sandbox.clone(), endpoint.spec.rates)
        };
        let endpoints = within.map(resize).collect();
        Ok(Resized { bridge, endpoints })
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
        self.barred.admit(id);
        let mut tables = self.lock();
        tables.last_seen.retain(|(network, _), _| *network != id);
        tables.take(id)
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
        if tables.last_seen.len() >= REMEMBERED {
            tables.last_seen.clear();
        }
        let seen = ep.addresses().map(|address| tables.last_seen.insert((ep.network, address.ip()), ep.mac));
        // Every address is entered, whatever the first one says.
        seen.fold(false, |moved, last| moved | last.is_some_and(|mac| mac != ep.mac))
    }

    /// The endpoints with a port that is not held.
    pub(super) fn without_a_port(&self) -> Vec<EndpointId> {
        let tables = self.lock();
        let missing = |endpoint: &&Endpoint| endpoint.ports.iter().any(Reservation::is_missing_any);
        tables.endpoints.values().filter(missing).map(|endpoint| endpoint.spec.id).collect()
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

    /// All that this host made or adopted, as if it were declared.
    pub(crate) fn declared(&self) -> Declared {
        let tables = self.lock();
        let mut sandboxes: BTreeMap<&str, Vec<DeclaredEndpoint>> = BTreeMap::new();
        for endpoint in tables.endpoints.values() {
            let (spec, ports) = (endpoint.spec.clone(), endpoint.published());
            sandboxes.entry(&endpoint.sandbox).or_default().push(DeclaredEndpoint { spec, ports });
        }
        let sandbox = |(name, endpoints): (&str, _)| DeclaredSandbox { name: name.to_owned(), endpoints };
        Declared {
            networks: tables.networks.values().map(|network| network.spec.clone()).collect(),
            sandboxes: sandboxes.into_iter().map(sandbox).collect(),
            ..Declared::default()
        }
    }

    /// Whether a port of an endpoint in this network is reached by 127.0.0.1.
    pub(crate) fn reaches_loopback(&self, id: NetworkId) -> bool {
        let tables = self.lock();
        let Some(net) = tables.networks.get(&id).and_then(|network| network.spec.bridge()) else {
            return false;
        };
        let mut within = tables.endpoints.values().filter(|endpoint| endpoint.spec.network == id);
        within.any(|endpoint| bridge::reaches_loopback(net, &endpoint.in_firewall()))
    }

    /// Whether something that the kernel told shows that one of our things is not as we made it. What is being made or
    /// removed is nothing of ours yet, or no longer.
    pub(super) fn is_contradicted_by(&self, told: &Told) -> bool {
        let tables = self.lock();
        match told {
            // What we condemn ourselves.
            Told::Link(link) | Told::LinkGone(link) if link.group == CONDEMNED => false,
            Told::Link(link) => !tables.agree(link),
            Told::LinkGone(link) => match link.owner {
                Some(Owner::Network(id)) => tables.bridge_of(id) == Some(link.index),
                Some(Owner::Endpoint(id) | Owner::Detour(id)) => tables.endpoints.contains_key(&id),
                None => false,
            },
            Told::AddressGone { link } | Told::RouteGone { link } => tables.bridges.contains_key(link),
            // Nothing of ours, but see `Watcher::look_out`.
            Told::WayOut => false,
            // Whose link that is would have to be asked for.
            Told::QueueGone => tables.endpoints.values().any(|endpoint| endpoint.spec.rates.is_any()),
            // A bridge is not born with what its network asks for, and a network asks for nothing in the other family.
            Told::NotForwarding { family, link: Some(link) } => {
                let on = tables.bridges.get(link).and_then(|bridge| tables.networks.get(&bridge.network));
                on.is_some_and(|network| network.spec.forwards(*family))
            }
            Told::NotForwarding { family, link: None } => {
                tables.networks.values().any(|network| network.spec.forwards(*family))
            }
        }
    }

    /// Whoever panicked while holding the lock left tables that are still tables.
    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
