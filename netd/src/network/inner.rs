//! What all requests share: the state, the stores, the kernel, names, events. Requests are plain functions that block; the
//! front door ([`super::service`]) runs each on a thread for that.

use std::{
    collections::BTreeMap,
    fmt::Display,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, atomic::AtomicBool},
};

use ipnetwork::IpNetwork;
use jiff::Timestamp;
use libnet::{
    ipam::{Ipam, PoolBase, Pools, unique_local},
    store::{Change, Store},
    types::{ContainerId, MacAddr, NetworkId},
};

use super::{
    Durability, NetworkConfig, NetworkError, egress,
    gateway::Crossing,
    kernel::{Kernel, KernelError},
    namespaces::Attaching,
    record::{ENDPOINTS, EndpointRecord, LEASES, Lease, NetworkRecord},
    state::{State, Surroundings},
};
use crate::{
    events::{Event, EventKind, Events},
    names::Names,
};

/// Fills a slice with random bytes.
pub type Random = Arc<dyn Fn(&mut [u8]) + Send + Sync>;
/// Says what time it is.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The networks of a host.
pub(super) struct Inner {
    pub(super) kernel: Arc<dyn Kernel>,
    pub(super) declared: Arc<dyn Store>,
    pub(super) live: Arc<dyn Store>,
    pub(super) config: NetworkConfig,
    pub(super) events: Events,
    pub(super) random: Random,
    pub(super) clock: Clock,
    pub(super) names: Arc<Names>,
    pub(super) attaching: Attaching,
    state: Mutex<State>,
    changing_records: Mutex<()>,
    linking: Mutex<()>,
    planning: RwLock<()>,
    /// The kernel may have something of an endpoint that was forgotten.
    pub(super) has_forgotten: AtomicBool,
}

/// What an [`Inner`] is made of; see [`super::NetworkParts`].
pub(super) struct Parts {
    pub(super) kernel: Arc<dyn Kernel>,
    pub(super) declared: Arc<dyn Store>,
    pub(super) live: Arc<dyn Store>,
    pub(super) config: NetworkConfig,
    pub(super) events: Events,
    pub(super) random: Random,
    pub(super) clock: Clock,
}

impl Inner {
    /// Without any networks yet.
    pub(super) fn new(parts: Parts) -> Result<Self, NetworkError> {
        let ipam = Ipam::new(pools(&parts.config)?);
        let crossing = if parts.config.defaults.userland_proxy { Crossing::Relayed } else { Crossing::None };
        Ok(Self {
            names: Arc::new(Names::new(parts.config.resolv_conf.clone(), egress::allow(&parts.kernel))),
            kernel: parts.kernel,
            declared: parts.declared,
            live: parts.live,
            config: parts.config,
            events: parts.events,
            random: parts.random,
            clock: parts.clock,
            attaching: Attaching::default(),
            state: Mutex::new(State::new(ipam, crossing)),
            changing_records: Mutex::default(),
            linking: Mutex::default(),
            planning: RwLock::default(),
            has_forgotten: AtomicBool::new(false),
        })
    }

    /// Held for memory operations only, never while something blocks. What a panic left behind is still the best that is
    /// known of the networks.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held while static records are changed, on disk and off it.
    pub(super) fn changing_records(&self) -> MutexGuard<'_, ()> {
        self.changing_records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held while links are worked out and opened, so that who looked first does not change last.
    pub(super) fn linking(&self) -> MutexGuard<'_, ()> {
        self.linking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held by who makes a network, from the look at the host until the network is there.
    pub(super) fn planning(&self) -> RwLockReadGuard<'_, ()> {
        self.planning.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when the networks are there that were planned so far: who plans from now on sees the host as it is now.
    pub(super) fn after_plans(&self) {
        drop(self.planning.write().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn new_id(&self) -> NetworkId {
        let mut bytes = [0; 32];
        (self.random)(&mut bytes);
        NetworkId::from_bytes(bytes)
    }

    pub(super) fn new_mac(&self) -> MacAddr {
        let mut bytes = [0; 6];
        (self.random)(&mut bytes);
        MacAddr::local(bytes)
    }

    /// What new networks must keep clear of. The host's name servers count although no route may cover them alone: a
    /// network that took their address would cut the host off from names.
    pub(super) fn surroundings(&self) -> Result<Surroundings, NetworkError> {
        let read =
            |source| NetworkError::Host { action: "read", object: "the host's routes".to_owned(), source };
        let mut taken = self.kernel.routes_and_links().map_err(read)?;
        taken.extend(self.names.host().nameservers.iter().map(|server| IpNetwork::from(server.addr)));
        Ok(Surroundings { taken, mtu: self.kernel.egress_mtu().map_err(read)? })
    }

    /// The store that a lease or an endpoint of such a container is written to.
    pub(super) fn store(&self, durability: Durability) -> &dyn Store {
        match durability {
            Durability::Durable => &*self.declared,
            Durability::Live => &*self.live,
        }
    }

    /// Tells the world something about a network.
    pub(super) fn tell(&self, action: &str, network: &NetworkRecord, container: Option<ContainerId>) {
        let mut event = Event::new(EventKind::Network, action, network.id.to_string(), (self.clock)())
            .with("name", &network.name)
            .with("type", network.driver.as_str());
        if let Some(container) = container {
            event = event.with("container", container.to_string());
        }
        self.events.publish(event);
    }
}

/// A change of the table that endpoints are in.
pub(super) fn put_endpoint(record: &EndpointRecord) -> Result<Change, NetworkError> {
    Ok(Change::put(ENDPOINTS, record.id, record)?)
}

/// A change of the table that endpoints are in.
pub(super) fn delete_endpoint(record: &EndpointRecord) -> Change {
    Change::delete(ENDPOINTS, record.id)
}

/// A change of the table that leases are in.
pub(super) fn delete_lease(lease: &Lease) -> Change {
    Change::delete(LEASES, lease.key())
}

/// An error of the kernel, with what was to be done to what.
pub(super) fn failed(action: &'static str, object: impl Display) -> impl FnOnce(KernelError) -> NetworkError {
    move |source| NetworkError::Host { action, object: object.to_string(), source }
}

fn pools(config: &NetworkConfig) -> Result<Pools, NetworkError> {
    let [a, b, c, d, e, ..] = config.identity;
    let defaults = Pools::docker(unique_local([a, b, c, d, e]));
    let bases = config.defaults.pools.iter().map(|pool| PoolBase::new(pool.base, pool.size));
    Ok(Pools::configured(bases.collect::<Result<_, _>>()?, &defaults))
}

/// Options in the order of their names.
pub(super) type Options = BTreeMap<String, String>;
