//! Networks whose containers share a link of the host, their parent: macvlan and ipvlan. Values only.

use serde::{Deserialize, Serialize};

use super::BridgeNetwork;
use crate::types::{Announce, Family, IfName, Internal, Mtu, NetworkId};

/// A network of this host, by what it is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkSpec {
    /// Containers hang on a bridge.
    Bridge(BridgeNetwork),
    /// Containers have interfaces on a link of the host.
    Parent(ParentNetwork),
}

impl NetworkSpec {
    /// The network's id.
    pub const fn id(&self) -> NetworkId {
        match self {
            Self::Bridge(net) => net.id,
            Self::Parent(net) => net.id,
        }
    }

    /// The network's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Bridge(net) => &net.name,
            Self::Parent(net) => &net.name,
        }
    }

    /// As a network with a bridge, if it is one.
    pub(crate) const fn bridge(&self) -> Option<&BridgeNetwork> {
        match self {
            Self::Bridge(net) => Some(net),
            Self::Parent(_) => None,
        }
    }

    /// Whether the host forwards packets of this family for it, whatever else it does.
    pub(crate) fn forwards(&self, family: Family) -> bool {
        self.bridge().is_some_and(|net| {
            let has = if family == Family::V4 { net.v4.is_some() } else { net.v6.is_some() };
            has && net.internal == Internal::No
        })
    }

    /// Whether it is on a bridge of the user's own.
    pub(crate) const fn is_lent(&self) -> bool {
        matches!(self, Self::Bridge(BridgeNetwork { lent: Some(_), .. }))
    }

    /// The link of the host that it is on: its bridge or its parent.
    pub const fn link(&self) -> &IfName {
        match self {
            Self::Bridge(net) => &net.link,
            Self::Parent(net) => net.parent.link(),
        }
    }
}

impl From<&Self> for NetworkSpec {
    fn from(net: &Self) -> Self {
        net.clone()
    }
}

impl From<&BridgeNetwork> for NetworkSpec {
    fn from(net: &BridgeNetwork) -> Self {
        Self::Bridge(net.clone())
    }
}

impl From<&ParentNetwork> for NetworkSpec {
    fn from(net: &ParentNetwork) -> Self {
        Self::Parent(net.clone())
    }
}

/// A network whose containers have interfaces of their own on one link of the host. The host itself is not part of it: it
/// has no address there, forwards nothing and filters nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParentNetwork {
    /// Its id.
    pub id: NetworkId,
    /// Its name.
    pub name: String,
    /// What the interfaces are on.
    pub parent: Parent,
    /// What the interfaces are.
    pub kind: Child,
    /// MTU of the interfaces; `None`: the parent's.
    pub mtu: Option<Mtu>,
    /// What neighbours are told of new endpoints; of what moved at least, as nobody here knows what they know.
    #[serde(default)]
    pub announce: Announce,
}

/// The link that interfaces of containers are on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Parent {
    /// This one. It is the host's own and stays as it is, with one exception: where no link has the name and the name is
    /// one like `eth0.10`, VLAN 10 of `eth0` is made, and goes with the last network on it.
    Link(IfName),
    /// One that leads nowhere, made for the network under this name: a bridge without ports.
    Island(IfName),
}

impl Parent {
    /// The name of the link.
    pub const fn link(&self) -> &IfName {
        match self {
            Self::Link(link) | Self::Island(link) => link,
        }
    }
}

/// The kind of interface that containers get on their parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Child {
    /// Each has an Ethernet address of its own.
    Macvlan(MacvlanMode),
    /// All have the parent's Ethernet address, and are told apart by their IP addresses.
    Ipvlan(IpvlanMode, IpvlanFlag),
}

/// What macvlan interfaces on one parent do for each other (`ip-link(8)`, macvlan).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MacvlanMode {
    /// They reach each other directly.
    #[default]
    Bridge,
    /// They reach each other through the switch that the parent is plugged into, if it sends frames back.
    Vepa,
    /// There is one alone, and the parent is all its own.
    Passthru,
    /// They don't reach each other.
    Private,
}

/// On which layer ipvlan interfaces work (`Documentation/networking/ipvlan.rst`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IpvlanMode {
    /// As Ethernet: broadcasts and ARP pass.
    #[default]
    L2,
    /// As routes: the parent routes for all, nothing is broadcast.
    L3,
    /// The same, with the host's netfilter and connection tracking.
    L3s,
}

/// What ipvlan interfaces on one parent do for each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IpvlanFlag {
    /// They reach each other directly.
    #[default]
    Bridge,
    /// They don't reach each other.
    Private,
    /// They reach each other through the switch that the parent is plugged into, if it sends frames back.
    Vepa,
}
