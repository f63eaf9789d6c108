//! What the firewall is computed from: networks, endpoints with their published ports, and changes of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use ipnetwork::{IpNetwork, Ipv4Network, Ipv6Network};

use serde::{Deserialize, Serialize};

use super::FirewallError;
use crate::{
    host::{BridgeNetwork, EndpointSpec},
    ports::PublishedPort,
    types::{
        EndpointId, Exposure, Family, FwMark, Icc, IfName, Internal, MacAddr, Masquerade, NetworkId, Port,
        Proto,
    },
};

/// What the firewall has to know of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirewallNetwork {
    /// Its id.
    pub id: NetworkId,
    /// Its bridge.
    pub link: IfName,
    /// Its IPv4 subnet, given by any address in it.
    pub v4: Option<Ipv4Network>,
    /// Its IPv6 subnet, given by any address in it.
    pub v6: Option<Ipv6Network>,
    /// Whether its packets stay on this host.
    pub internal: Internal,
    /// Whether its containers reach each other.
    pub icc: Icc,
    /// Whether its packets leave with the host's address.
    pub masquerade: Masquerade,
    /// How it is joined to the world outside.
    pub exposure: Exposure,
}

impl FirewallNetwork {
    /// The addresses that the host has in it.
    pub(super) fn gateways(&self) -> impl Iterator<Item = IpAddr> + use<> {
        let v4 = self.v4.filter(|_| self.exposure.is_on_bridge(Family::V4)).map(|net| net.ip().into());
        let v6 = self.v6.filter(|_| self.exposure.is_on_bridge(Family::V6)).map(|net| net.ip().into());
        v4.into_iter().chain(v6)
    }

    /// Its subnets.
    pub(super) fn subnets(&self) -> impl Iterator<Item = (Family, IpNetwork)> + use<> {
        let v4 = self.v4.and_then(|net| Ipv4Network::new(net.network(), net.prefix()).ok());
        let v6 = self.v6.and_then(|net| Ipv6Network::new(net.network(), net.prefix()).ok());
        let v4 = v4.map(|net| (Family::V4, net.into()));
        v4.into_iter().chain(v6.map(|net| (Family::V6, net.into())))
    }
}

impl From<&BridgeNetwork> for FirewallNetwork {
    fn from(network: &BridgeNetwork) -> Self {
        Self {
            id: network.id,
            link: network.link.clone(),
            v4: network.v4,
            v6: network.v6,
            internal: network.internal,
            icc: network.icc,
            masquerade: network.masquerade,
            exposure: network.exposure.clone(),
        }
    }
}

/// What the firewall has to know of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirewallEndpoint {
    /// Its id.
    pub id: EndpointId,
    /// Its network.
    pub network: NetworkId,
    /// Name of the sandbox that it is in: with others, it is one of several ways to the same container.
    pub sandbox: Option<Arc<str>>,
    /// Its IPv4 address.
    pub v4: Option<Ipv4Addr>,
    /// Its IPv6 address.
    pub v6: Option<Ipv6Addr>,
    /// The ports of the host that lead to it.
    pub ports: Vec<PublishedPort>,
    /// Where its frames may come from; `None`: from anywhere.
    pub guard: Option<Guard>,
}

/// Where the frames of an endpoint may come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// Its port of the bridge.
    pub port: IfName,
    /// Its Ethernet address.
    pub mac: MacAddr,
    /// All addresses that it was given.
    pub addresses: Vec<IpAddr>,
}

impl Guard {
    /// Every source address that its frames may have, once: in each family that it has an address in, none as well, which is
    /// what asks for one (DHCP) and whether one is free; and the one that the kernel makes of the Ethernet address.
    pub(super) fn senders(&self) -> impl Iterator<Item = IpAddr> + use<> {
        let mut all: BTreeSet<IpAddr> = self.addresses.iter().copied().collect();
        if self.addresses.iter().any(IpAddr::is_ipv4) {
            all.insert(Ipv4Addr::UNSPECIFIED.into());
        }
        if self.addresses.iter().any(IpAddr::is_ipv6) {
            all.extend([Ipv6Addr::UNSPECIFIED, self.mac.link_local()].map(IpAddr::V6));
        }
        all.into_iter()
    }
}

impl FirewallEndpoint {
    /// Its addresses.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> + use<> {
        self.v4.map(IpAddr::V4).into_iter().chain(self.v6.map(IpAddr::V6))
    }

    /// What the firewall has to know of this endpoint, with the ports that were reserved for it; in which sandbox is said
    /// by [`FirewallEndpoint::within`].
    pub fn new(endpoint: &EndpointSpec, ports: &[PublishedPort]) -> Self {
        Self {
            id: endpoint.id,
            network: endpoint.network,
            sandbox: None,
            v4: endpoint.v4.map(Ipv4Network::ip),
            v6: endpoint.v6.map(|net| net.ip()),
            ports: ports.to_vec(),
            guard: endpoint.guard(),
        }
    }

    /// The same in this sandbox.
    #[must_use]
    pub fn within(self, sandbox: &str) -> Self {
        Self { sandbox: Some(sandbox.into()), ..self }
    }
}

/// What is let through on the whole host, besides what networks and ports say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FirewallOptions {
    /// Whether published ports are reached by containers' own addresses, too.
    pub direct_routing: DirectRouting,
    /// Packets with this mark reach every container of networks that are not internal.
    pub accept_mark: Option<FwMark>,
    /// Whether containers are kept to their own addresses.
    pub guarding: Guarding,
    /// TCP ports of this host that no container reaches, at whatever address: those of who runs them.
    pub private: BTreeSet<Port>,
}

/// Whether containers can be kept to their own addresses on this host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Guarding {
    /// Those that have a [`Guard`] are.
    #[default]
    On,
    /// The kernel has no firewall for what is bridged.
    Off,
}

/// Whether published ports of all networks are reached by containers' own addresses, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DirectRouting {
    /// Only where the network says so.
    #[default]
    Denied,
    /// From everywhere.
    Allowed,
}

/// Everything that the firewall of a host is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeclaredFirewall {
    pub(super) options: FirewallOptions,
    pub(super) networks: BTreeMap<NetworkId, FirewallNetwork>,
    pub(super) endpoints: BTreeMap<EndpointId, FirewallEndpoint>,
    pub(super) openings: BTreeMap<NetworkId, BTreeSet<Opening>>,
    /// The endpoints of each sandbox.
    pub(super) sandboxes: BTreeSet<(Arc<str>, EndpointId)>,
}

/// Something that a container may reach of a neighbour, though the network keeps them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Opening {
    /// The address of who asks.
    pub from: IpAddr,
    /// The address of who answers; of the same family.
    pub to: IpAddr,
    /// At this port.
    pub at: (Proto, Port),
}

/// A change of what is declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A network comes, or becomes another.
    AddNetwork(FirewallNetwork),
    /// A network goes, with its endpoints.
    RemoveNetwork(NetworkId),
    /// An endpoint comes, or its addresses or ports become others.
    AddEndpoint(FirewallEndpoint),
    /// An endpoint goes. That it isn't there is no error.
    RemoveEndpoint(EndpointId),
    /// Ports of one endpoint lead to another from now on. Both as they are then.
    MovePorts {
        /// Who had them.
        from: Box<FirewallEndpoint>,
        /// Who has them.
        to: Box<FirewallEndpoint>,
    },
    /// These are what containers of a network may reach of each other though they are kept apart.
    SetOpenings(NetworkId, BTreeSet<Opening>),
}

impl DeclaredFirewall {
    /// These networks and endpoints.
    ///
    /// # Errors
    /// If an endpoint's network is not among the networks.
    pub fn new(
        networks: impl IntoIterator<Item = FirewallNetwork>,
        endpoints: impl IntoIterator<Item = FirewallEndpoint>,
    ) -> Result<Self, FirewallError> {
        let mut declared = Self::default();
        for network in networks {
            declared.change(Change::AddNetwork(network))?;
        }
        for endpoint in endpoints {
            declared.change(Change::AddEndpoint(endpoint))?;
        }
        Ok(declared)
    }

    /// Takes a change in.
    ///
    /// # Errors
    /// If an endpoint's network is not declared.
    pub fn change(&mut self, change: Change) -> Result<(), FirewallError> {
        match change {
            Change::AddNetwork(network) => {
                self.networks.insert(network.id, network);
            }
            Change::RemoveNetwork(id) => {
                self.networks.remove(&id);
                self.openings.remove(&id);
                self.take_endpoints(|endpoint| endpoint.network == id);
            }
            Change::AddEndpoint(endpoint) => {
                self.network(endpoint.network)?;
                self.put_endpoint(endpoint);
            }
            Change::RemoveEndpoint(id) => {
                if let Some(gone) = self.endpoints.remove(&id) {
                    self.leave_sandbox(&gone);
                }
            }
            Change::MovePorts { from, to } => {
                self.network(from.network)?;
                self.network(to.network)?;
                [from, to].into_iter().for_each(|endpoint| self.put_endpoint(*endpoint));
            }
            Change::SetOpenings(id, openings) => {
                self.network(id)?;
                self.openings.insert(id, openings);
            }
        }
        Ok(())
    }

    /// Takes all other endpoints out; their addresses are nobody's then.
    pub(crate) fn keep(&mut self, endpoints: &BTreeSet<EndpointId>) -> Vec<IpAddr> {
        let gone = self.take_endpoints(|endpoint| !endpoints.contains(&endpoint.id));
        gone.iter().flat_map(FirewallEndpoint::addresses).collect()
    }

    pub(super) fn network(&self, id: NetworkId) -> Result<&FirewallNetwork, FirewallError> {
        self.networks.get(&id).ok_or(FirewallError::NoNetwork(id))
    }

    pub(super) fn endpoints_of(&self, id: NetworkId) -> impl Iterator<Item = &FirewallEndpoint> {
        self.endpoints.values().filter(move |endpoint| endpoint.network == id)
    }

    /// The endpoints of one sandbox.
    pub(super) fn endpoints_in(&self, sandbox: &Arc<str>) -> impl Iterator<Item = &FirewallEndpoint> {
        let first = (sandbox.clone(), EndpointId::from_bytes([0; 32]));
        let within = self.sandboxes.range(first..).take_while(move |(name, _)| name == sandbox);
        within.filter_map(|(_, id)| self.endpoints.get(id))
    }

    /// The names of sandboxes that have endpoints.
    pub(super) fn sandbox_names(&self) -> BTreeSet<&Arc<str>> {
        self.sandboxes.iter().map(|(name, _)| name).collect()
    }

    fn put_endpoint(&mut self, endpoint: FirewallEndpoint) {
        let came = endpoint.sandbox.clone().map(|name| (name, endpoint.id));
        if let Some(before) = self.endpoints.insert(endpoint.id, endpoint) {
            self.leave_sandbox(&before);
        }
        self.sandboxes.extend(came);
    }

    fn take_endpoints(&mut self, is_gone: impl Fn(&FirewallEndpoint) -> bool) -> Vec<FirewallEndpoint> {
        let gone = self.endpoints.extract_if(.., |_, endpoint| is_gone(endpoint));
        let gone: Vec<_> = gone.map(|(_, endpoint)| endpoint).collect();
        gone.iter().for_each(|endpoint| self.leave_sandbox(endpoint));
        gone
    }

    fn leave_sandbox(&mut self, endpoint: &FirewallEndpoint) {
        if let Some(name) = &endpoint.sandbox {
            self.sandboxes.remove(&(name.clone(), endpoint.id));
        }
    }
}
