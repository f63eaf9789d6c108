//! What callers ask of networks and what they get to see: values only.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::fd::OwnedFd,
    path::PathBuf,
};

use ipnetwork::{IpNetwork, Ipv4Network, Ipv6Network};
use libnet::{
    ports::{PortRequest, PublishedPort},
    types::{ContainerId, EndpointId, IfName, Internal, MacAddr, NetworkId, Port, Proto},
};
use serde::{Deserialize, Serialize};

use super::Traffic;
use crate::names::{DnsSettings, EgressPolicy, HostEntry};

/// How a network reaches its containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Driver {
    /// A bridge of this host.
    Bridge,
    /// Interfaces on a link of this host, each with an Ethernet address of its own.
    Macvlan,
    /// Interfaces on a link of this host, all with its Ethernet address.
    Ipvlan,
    /// Containers live in the host's own namespace.
    Host,
    /// Containers have a loopback interface alone.
    Null,
}

impl Driver {
    const ALL: [Self; 5] = [Self::Bridge, Self::Macvlan, Self::Ipvlan, Self::Host, Self::Null];

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|driver| driver.as_str() == name)
    }

    /// Docker's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Macvlan => "macvlan",
            Self::Ipvlan => "ipvlan",
            Self::Host => "host",
            Self::Null => "null",
        }
    }

    /// Whether a container gets an interface of its own in such a network.
    pub const fn attaches(self) -> bool {
        !matches!(self, Self::Host | Self::Null)
    }
}

impl std::fmt::Display for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far a network reaches, by its own word: all of them are this host's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// This host.
    #[default]
    Local,
    /// What `--scope global` says and Docker shows.
    Global,
}

impl Scope {
    /// Docker's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Global => "global",
        }
    }
}

/// A network, as far as whoever puts a container into it needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkSummary {
    /// Its id.
    pub id: NetworkId,
    /// Its name.
    pub name: String,
    /// Its driver.
    pub driver: Driver,
    /// Whether it is one of `bridge`, `host`, `none`.
    pub default: bool,
    /// Whether its packets stay on this host.
    pub internal: Internal,
    /// Its subnets, v4 first.
    pub subnets: Vec<Subnet>,
}

/// A subnet of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// Its addresses.
    pub net: IpNetwork,
    /// Whether the user named it: only then may containers ask for addresses.
    pub chosen: Chosen,
}

/// Who chose a subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Chosen {
    /// Whoever made the network.
    ByUser,
    /// The default address pools.
    ByPool,
}

/// How long a record lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// Until the container is removed, over reboots too.
    Durable,
    /// As long as the kernel objects: what `--rm` makes.
    Live,
}

/// A namespace for a container.
#[derive(Clone, Debug)]
pub struct SandboxAsk {
    /// The container.
    pub container: ContainerId,
    /// Its host name: one of its names in its networks.
    pub hostname: String,
    /// What it says about DNS itself.
    pub dns: DnsSettings,
    /// What it may reach, whatever its networks say.
    pub egress: Option<EgressPolicy>,
    /// What it says about its frames, in all its networks.
    pub traffic: Traffic,
}

/// A container's namespace.
#[derive(Debug)]
pub struct SandboxView {
    /// Where it is mounted.
    pub path: PathBuf,
    /// Copies of its DNS sockets, UDP then TCP, for the shim to keep while no daemon runs.
    pub dns: Vec<OwnedFd>,
}

/// An endpoint for a container in a network.
#[derive(Clone, Debug)]
pub struct EndpointAsk {
    /// The network.
    pub network: NetworkId,
    /// The endpoint's id.
    pub endpoint: EndpointId,
    /// The container's name, without a slash.
    pub name: String,
    /// Further names of the container in this network.
    pub aliases: Vec<String>,
    /// `--link name:alias`, as (alias, name): names that this container alone sees.
    pub links: Vec<(String, String)>,
    /// This IPv4 address and no other.
    pub v4: Option<Ipv4Addr>,
    /// This IPv6 address and no other.
    pub v6: Option<Ipv6Addr>,
    /// Further addresses, in no subnet of the network.
    pub link_local: Vec<IpAddr>,
    /// This Ethernet address and no other.
    pub mac: Option<MacAddr>,
    /// The container's published ports. They go with whichever of its endpoints is its gateway; what the last ask with any
    /// says holds for the container.
    pub ports: Vec<PortRequest>,
    /// Ports that it says it offers, published or not: other containers find them with SRV questions.
    pub exposed: Vec<(Port, Proto)>,
    /// Among the endpoints that lead out, the one of the highest priority is the gateway, for each family; among equals one
    /// of both families, then the one whose network's name sorts first.
    pub gw_priority: i64,
    /// `com.docker.network.endpoint.*`.
    pub driver_opts: BTreeMap<String, String>,
    /// How long the address stays with the container.
    pub durability: Durability,
}

/// A container's end in a network, as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointView {
    /// The network.
    pub network: NetworkId,
    /// The network's name.
    pub network_name: String,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Its Ethernet address; none in `host` and `none`.
    pub mac: Option<MacAddr>,
    /// Address with the prefix length of its subnet.
    pub v4: Option<Ipv4Network>,
    /// Where it sends what is for none of its networks.
    pub gateway_v4: Option<Ipv4Addr>,
    /// Address with the prefix length of its subnet.
    pub v6: Option<Ipv6Network>,
    /// Where it sends what is for none of its networks.
    pub gateway_v6: Option<Ipv6Addr>,
    /// Its published ports; none unless this is a gateway of the container.
    pub ports: Vec<PublishedPort>,
    /// All its names in the network, the one that reverse look-ups get first.
    pub dns_names: Vec<String>,
    /// The interface inside.
    pub ifname: Option<IfName>,
    /// Whether a default route of the container leads through here.
    pub is_gateway: bool,
}

impl EndpointView {
    /// Its addresses in the network.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + use<> {
        let v4 = self.v4.map(|net| IpAddr::V4(net.ip()));
        v4.into_iter().chain(self.v6.map(|net| IpAddr::V6(net.ip())))
    }
}

/// What a container's own record says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its name.
    pub name: String,
    /// Its endpoints.
    pub endpoints: Vec<EndpointId>,
}

/// Whose network namespace a container is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// Its own.
    Own,
    /// The machine's.
    Machine,
}

/// What the files of a container say beyond its networks.
#[derive(Clone, Debug)]
pub struct FilesAsk {
    /// The container.
    pub container: ContainerId,
    /// Where it is.
    pub space: Space,
    /// Its host name.
    pub hostname: String,
    /// Its domain name, often empty.
    pub domain: String,
    /// What it says about DNS itself.
    pub dns: DnsSettings,
    /// `--add-host`: name and address, or `host-gateway` in place of the address.
    pub extra_hosts: Vec<(String, String)>,
    /// Other containers that it knows by name.
    pub links: Vec<HostEntry>,
}

/// Texts of files that are mounted into a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilesView {
    /// `/etc/resolv.conf`.
    pub resolv_conf: String,
    /// `/etc/hosts`; none: the machine's own.
    pub hosts: Option<String>,
}
