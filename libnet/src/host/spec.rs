//! What a caller declares: networks, endpoints, and how a host is to be run. Values only.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::PathBuf,
    sync::Arc,
};

use ipnetwork::{IpNetwork, Ipv4Network, Ipv6Network};
use serde::{Deserialize, Serialize};

use super::NetworkSpec;
use crate::{
    bridge::names::host_link,
    firewall::{FirewallOptions, Guard, Opening, Restriction},
    link::route::Hop,
    ports::{PortRequest, PublishedPort, Relay},
    types::{
        Announce, Egress, EndpointId, Exposure, Family, Icc, IfName, Internal, MacAddr, Masquerade, Mtu,
        NetworkId, Rates, Setting, Spoof,
    },
};

/// How a [`Host`](super::Host) works.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// Where sandboxes are bind-mounted; `/run/netns` is where `ip netns` looks.
    pub netns_dir: PathBuf,
    /// How many namespaces are kept ready. Making one costs 0.4-0.8 ms, taking a ready one some 30 us.
    pub ready_namespaces: usize,
    /// How many callers work on links at a time. The kernel serialises them under one mutex (RTNL), so that more than
    /// two or three only wait inside the kernel, where nobody queues fairly.
    pub concurrency: usize,
    /// Whether networks that lead out switch the host's forwarding on.
    pub forwarding: Forwarding,
    /// What the firewall lets through besides published ports.
    pub firewall: FirewallOptions,
    /// Who serves clients of published ports that NAT can't; if nobody does, those are refused.
    pub relay: Option<Arc<dyn Relay>>,
}

/// Whether a host forwards packets for others, as a router does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Forwarding {
    /// It is made to.
    #[default]
    Enable,
    /// That is somebody else's business.
    Leave,
}

impl Default for HostConfig {
    fn default() -> Self {
        Self {
            netns_dir: PathBuf::from("/run/netns"),
            ready_namespaces: 4,
            concurrency: 3,
            forwarding: Forwarding::default(),
            firewall: FirewallOptions::default(),
            relay: None,
        }
    }
}

/// A network whose containers hang on one bridge of this host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgeNetwork {
    /// Its id.
    pub id: NetworkId,
    /// Its name; goes into the alias of the bridge, for whoever reads `ip link`.
    pub name: String,
    /// The bridge.
    pub link: IfName,
    /// MTU of the bridge.
    pub mtu: Mtu,
    /// Gateway address with the prefix length of the subnet; any address of the subnet where the bridge has none;
    /// `None`: no IPv4.
    pub v4: Option<Ipv4Network>,
    /// Gateway address with the prefix length of the subnet; any address of the subnet where the bridge has none;
    /// `None`: no IPv6.
    pub v6: Option<Ipv6Network>,
    /// Whether its packets stay on this host.
    pub internal: Internal,
    /// Whether its containers reach each other.
    pub icc: Icc,
    /// Whether its packets leave with the host's address.
    pub masquerade: Masquerade,
    /// Where ports are published whose request names no address; `None`: on all addresses.
    pub default_host_ip: Option<IpAddr>,
    /// How it is joined to the world outside.
    #[serde(default)]
    pub exposure: Exposure,
    /// What neighbours are told of new endpoints.
    #[serde(default)]
    pub announce: Announce,
    /// What the bridge was like before the network came, if it is not ours: then it is neither made nor removed, and gets
    /// no more than it lacks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lent: Option<LentBridge>,
}

/// A bridge that somebody else made, as it was before a network of ours was on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LentBridge {
    /// Its MTU.
    pub mtu: Option<Mtu>,
    /// Its addresses. They stay; one that the network adds goes with it.
    pub addresses: Vec<IpNetwork>,
    /// The settings that the network changes: paths below `/proc/sys/net`, and what they were.
    pub settings: BTreeMap<String, String>,
}

impl BridgeNetwork {
    /// The addresses of the bridge itself.
    pub fn gateways(&self) -> impl Iterator<Item = IpNetwork> + use<> {
        let v4 = self.v4.filter(|_| self.exposure.is_on_bridge(Family::V4)).map(IpNetwork::V4);
        let v6 = self.v6.filter(|_| self.exposure.is_on_bridge(Family::V6)).map(IpNetwork::V6);
        v4.into_iter().chain(v6)
    }
}

/// Where a container sends what is for none of its networks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DefaultRoute {
    /// Not through this endpoint.
    #[default]
    None,
    /// Through these gateways.
    Via {
        /// IPv4 gateway.
        v4: Option<Ipv4Addr>,
        /// IPv6 gateway.
        v6: Option<Ipv6Addr>,
    },
    /// Straight out of the interface, in these families: whatever is behind it finds the way (ipvlan on layer 3).
    Out {
        /// IPv4.
        v4: bool,
        /// IPv6.
        v6: bool,
    },
}

impl DefaultRoute {
    /// Its next hops. Whether a gateway is in a subnet of the link is not known here, and on-link is right in both cases.
    pub(crate) fn hops(self) -> impl Iterator<Item = Hop> {
        let hops = match self {
            Self::None => [None, None],
            Self::Via { v4, v6 } => {
                [v4.map(IpAddr::V4).map(Hop::OnLink), v6.map(IpAddr::V6).map(Hop::OnLink)]
            }
            Self::Out { v4, v6 } => [v4.then_some(Hop::Out(Family::V4)), v6.then_some(Hop::Out(Family::V6))],
        };
        hops.into_iter().flatten()
    }
}

impl DefaultRoute {
    /// Whether it leads out for a family.
    pub fn leads(self, family: Family) -> bool {
        match (self, family) {
            (Self::None, _) => false,
            (Self::Via { v4, .. }, Family::V4) => v4.is_some(),
            (Self::Via { v6, .. }, Family::V6) => v6.is_some(),
            (Self::Out { v4, .. }, Family::V4) => v4,
            (Self::Out { v6, .. }, Family::V6) => v6,
        }
    }

    /// As far as it leads out for a family.
    #[must_use]
    pub fn only(self, family: Family) -> Self {
        let (four, six) = (family == Family::V4, family == Family::V6);
        match self {
            _ if !self.leads(family) => Self::None,
            Self::None => self,
            Self::Via { v4, v6 } => Self::Via { v4: v4.filter(|_| four), v6: v6.filter(|_| six) },
            Self::Out { .. } => Self::Out { v4: four, v6: six },
        }
    }

    /// The same, but for one family as `other` leads out for it. A network leads out in the same way for both families.
    #[must_use]
    pub fn with(self, family: Family, other: Self) -> Self {
        let kept = self.only(if family == Family::V4 { Family::V6 } else { Family::V4 });
        match (kept, other.only(family)) {
            (Self::Via { v4, v6 }, Self::Via { v4: four, v6: six }) => {
                Self::Via { v4: v4.or(four), v6: v6.or(six) }
            }
            (Self::Out { v4, v6 }, Self::Out { v4: four, v6: six }) => {
                Self::Out { v4: v4 || four, v6: v6 || six }
            }
            (kept, Self::None) => kept,
            (_, taken) => taken,
        }
    }
}

/// A container's end in a network, as it is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointSpec {
    /// Its id; the host end of the veth pair, if there is one, is named after it.
    pub id: EndpointId,
    /// The network, which must exist on this host.
    pub network: NetworkId,
    /// Who this is, for whoever reads `ip link`: `<network> <container>`.
    pub label: String,
    /// Name of the interface inside.
    pub ifname: IfName,
    /// Address of the interface inside.
    pub mac: MacAddr,
    /// Address with the prefix length of the subnet.
    pub v4: Option<Ipv4Network>,
    /// Address with the prefix length of the subnet.
    pub v6: Option<Ipv6Network>,
    /// Further addresses of the interface inside, that are no part of the network's subnets: neither the firewall nor a
    /// published port leads to them.
    #[serde(default)]
    pub link_local: Vec<IpNetwork>,
    /// MTU of both ends; on a parent link, the network's own word counts.
    pub mtu: Mtu,
    /// Settings of the interface inside beyond the usual, in the order in which they are written.
    #[serde(default)]
    pub settings: Vec<Setting>,
    /// Whether the container's default route leads through here.
    pub default_route: DefaultRoute,
    /// Ports to publish; none on a parent link, where the host takes no part.
    pub ports: Vec<PortRequest>,
    /// What it may send out of its network.
    #[serde(default)]
    pub egress: Egress,
    /// What addresses it may send from.
    #[serde(default)]
    pub spoof: Spoof,
    /// How fast packets may come to it, and from it.
    #[serde(default)]
    pub rates: Rates,
}

impl EndpointSpec {
    /// What its egress is restricted by, in a network with this bridge.
    pub(crate) fn restriction(&self, bridge: &IfName) -> Option<Restriction> {
        (self.egress != Egress::Open).then(|| Restriction {
            endpoint: self.id,
            bridge: bridge.clone(),
            v4: self.v4.map(Ipv4Network::ip),
            v6: self.v6.map(|net| net.ip()),
            mode: self.egress,
        })
    }

    /// Where its frames may come from; `None`: from anywhere. Egress is judged by source address, so that who is restricted has
    /// no choice. Who was given no address has it from somebody else, who alone knows it.
    pub(crate) fn guard(&self) -> Option<Guard> {
        let addresses: Vec<IpAddr> =
            self.addresses().chain(self.link_local.iter().copied()).map(|net| net.ip()).collect();
        let is_kept = self.spoof == Spoof::Deny || self.egress != Egress::Open;
        (is_kept && self.addresses().next().is_some()).then(|| Guard {
            port: host_link(&self.id),
            mac: self.mac,
            addresses,
        })
    }

    /// The addresses in the network, each with the prefix length of its subnet.
    pub fn addresses(&self) -> impl Iterator<Item = IpNetwork> + use<> {
        self.v4.map(IpNetwork::V4).into_iter().chain(self.v6.map(IpNetwork::V6))
    }
}

/// An endpoint as it became.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachedEndpoint {
    /// The host's end of the veth pair; on a parent link there is none.
    pub host_link: Option<IfName>,
    /// The ports published, with the host ports that were chosen.
    pub ports: Vec<PublishedPort>,
}

/// A sandbox that is to be there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclaredSandbox {
    /// Name of its namespace, `pontoon-<12 of the container id>`.
    pub name: String,
    /// Its endpoints.
    pub endpoints: Vec<DeclaredEndpoint>,
}

/// An endpoint that is to be there, with the ports it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclaredEndpoint {
    /// What it is.
    pub spec: EndpointSpec,
    /// What [`Host::attach`](super::Host::attach) or [`Host::publish`](super::Host::publish) returned for it.
    pub ports: Vec<PublishedPort>,
}

/// Everything of ours that is to be on this host; what is ours and not in here is removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declared {
    /// The networks.
    pub networks: Vec<NetworkSpec>,
    /// The sandboxes of running containers.
    pub sandboxes: Vec<DeclaredSandbox>,
    /// What containers of networks that keep them apart may reach of each other.
    #[serde(default)]
    pub openings: Vec<(NetworkId, BTreeSet<Opening>)>,
}

/// What [`Host::reconcile`](super::Host::reconcile) found and did.
#[derive(Debug, Default)]
pub struct Report {
    /// Made anew or put right.
    pub repaired: Vec<String>,
    /// Ours, but not declared: removed.
    pub removed: Vec<String>,
    /// Declared, but gone beyond repair: a sandbox whose namespace no longer exists, an endpoint without its link.
    pub lost: Vec<String>,
    /// What failed on the way; the rest was done all the same.
    pub errors: Vec<super::HostError>,
    /// Told to who watches: packets leave this host by a link with this MTU from now on (see
    /// [`Host::egress_mtu`](super::Host::egress_mtu)).
    pub way_out: Option<Mtu>,
}

impl Report {
    /// Whether all was as it should be.
    pub fn is_empty(&self) -> bool {
        self.repaired.is_empty()
            && self.removed.is_empty()
            && self.lost.is_empty()
            && self.errors.is_empty()
            && self.way_out.is_none()
    }
}
