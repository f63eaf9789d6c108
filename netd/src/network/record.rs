//! What is written down about networks. Tables `networks` and `leases` of the declared store hold what lasts; leases of
//! `--rm` containers and everything that describes kernel objects (`sandboxes`, `endpoints`) are in the live store.

mod network;

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnetwork::{IpNetwork, Ipv4Network, Ipv6Network};
use libnet::{
    host::{Child, DefaultRoute, EndpointSpec, LentBridge, Parent},
    netns::{Identity, Reference},
    ports::{PortRequest, PublishedPort},
    types::{
        Announce, ContainerId, EndpointId, Exposure, Icc, IfName, Internal, MacAddr, Masquerade, Mtu,
        NetworkId, Port, Proto,
    },
};
use netd_api::dns::DnsRecord;
use serde::{Deserialize, Serialize};

use super::{Chosen, Driver, Durability, Scope, Traffic, template::Template};
use crate::names::{DnsSettings, EgressPolicy};

pub(super) const NETWORKS: &str = "networks";
pub(super) const LEASES: &str = "leases";
pub(super) const SANDBOXES: &str = "sandboxes";
pub(super) const ENDPOINTS: &str = "endpoints";

/// A network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NetworkRecord {
    pub(super) id: NetworkId,
    pub(super) name: String,
    pub(super) driver: Driver,
    /// RFC 3339.
    pub(super) created: String,
    /// Whether the daemon made it by itself.
    pub(super) default: bool,
    #[serde(default)]
    pub(super) scope: Scope,
    #[serde(default)]
    pub(super) configuration: Configuration,
    pub(super) internal: Internal,
    pub(super) attachable: bool,
    pub(super) v4: Option<SubnetRecord>,
    pub(super) v6: Option<SubnetRecord>,
    /// Further subnets of the same families, on a parent link alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) more: Vec<SubnetRecord>,
    /// What a bridge network is made of, and no other.
    pub(super) bridge: Option<BridgeRecord>,
    /// What a macvlan or ipvlan network is made of, and no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) parent: Option<ParentRecord>,
    #[serde(default)]
    pub(super) ipam: IpamDriver,
    pub(super) options: BTreeMap<String, String>,
    pub(super) labels: BTreeMap<String, String>,
    /// None where none were given, which Docker tells from an empty list.
    pub(super) ipam_options: Option<BTreeMap<String, String>>,
    /// Static records of its names.
    #[serde(default)]
    pub(super) records: Vec<DnsRecord>,
}

/// Who hands out a network's addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum IpamDriver {
    /// Pontoon.
    #[default]
    Default,
    /// Nobody: endpoints have none, or get theirs from somebody on the link.
    Null,
}

/// Where the settings of a network are from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Configuration {
    /// The request that made it.
    #[default]
    Own,
    /// The configuration network of this name.
    From(String),
    /// It is a configuration network: settings for others, and nothing else.
    Only(Template),
}

/// A subnet of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SubnetRecord {
    pub(super) net: IpNetwork,
    pub(super) range: Option<IpNetwork>,
    /// The gateway's address, as a rule the bridge's own; none in a network that leads nowhere and whose bridge has no
    /// address.
    pub(super) gateway: Option<IpAddr>,
    /// Where containers send what is for none of their networks, if that is not the bridge.
    pub(super) router: Option<IpAddr>,
    pub(super) aux: BTreeMap<String, IpAddr>,
    pub(super) chosen: Chosen,
}

/// What a bridge network has beyond others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BridgeRecord {
    pub(super) link: IfName,
    pub(super) mtu: Mtu,
    pub(super) icc: Icc,
    pub(super) masquerade: Masquerade,
    pub(super) host_ip: Option<IpAddr>,
    pub(super) ifname_prefix: String,
    /// How it is joined to the world outside.
    #[serde(default)]
    pub(super) exposure: Exposure,
    /// What neighbours are told of new endpoints.
    #[serde(default)]
    pub(super) announce: Announce,
    /// What the bridge was like before, if it is the user's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) lent: Option<LentBridge>,
}

/// What a network on a link of the host has beyond others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ParentRecord {
    pub(super) parent: Parent,
    pub(super) kind: Child,
    pub(super) mtu: Option<Mtu>,
    pub(super) ifname_prefix: String,
    /// What neighbours are told of new endpoints.
    #[serde(default)]
    pub(super) announce: Announce,
}

/// A container's addresses in a network; they stay with it until it is removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lease {
    pub(super) container: ContainerId,
    pub(super) network: NetworkId,
    pub(super) v4: Option<Ipv4Addr>,
    pub(super) v6: Option<Ipv6Addr>,
    pub(super) mac: MacAddr,
    /// The name of the interface inside; none in records of daemons that gave names by order.
    #[serde(default)]
    pub(super) ifname: Option<IfName>,
    pub(super) durability: Durability,
}

/// A container's namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SandboxRecord {
    pub(super) container: ContainerId,
    /// `pontoon-<12>`.
    pub(super) name: String,
    pub(super) hostname: String,
    pub(super) dns: DnsSettings,
    /// What the container may reach, whatever its networks say.
    #[serde(default)]
    pub(super) egress: Option<EgressPolicy>,
    /// What the container says about its frames.
    #[serde(default)]
    pub(super) traffic: Traffic,
    /// The container's published ports as they were asked for; they go with whichever endpoint is the gateway.
    pub(super) requests: Vec<PortRequest>,
    /// The namespace is somebody else's, and there is no container.
    #[serde(default)]
    pub(super) borrowed: Option<Borrowed>,
}

/// A namespace that somebody else made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Borrowed {
    /// How its user points at it.
    pub(super) reference: Reference,
    /// What it is, whatever the reference leads to by now.
    pub(super) identity: Identity,
    /// The text that was written for it below `/etc/netns`.
    pub(super) resolv_conf: Option<String>,
}

/// A container's end in a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EndpointRecord {
    pub(super) id: EndpointId,
    pub(super) container: ContainerId,
    pub(super) network: NetworkId,
    /// The container's name.
    pub(super) name: String,
    pub(super) aliases: Vec<String>,
    pub(super) links: Vec<(String, String)>,
    /// Ports that the container offers.
    #[serde(default)]
    pub(super) exposed: Vec<(Port, Proto)>,
    pub(super) gw_priority: i64,
    /// What the kernel is to have; nothing in `host` and `none`.
    pub(super) spec: Option<EndpointSpec>,
    /// The ports that are published here now.
    pub(super) ports: Vec<PublishedPort>,
}

/// A v4 address with the prefix length of its subnet.
pub(super) fn v4_in(subnet: &SubnetRecord, ip: impl Into<IpAddr>) -> Option<Ipv4Network> {
    match ip.into() {
        IpAddr::V4(ip) => Ipv4Network::new(ip, subnet.net.prefix()).ok(),
        IpAddr::V6(_) => None,
    }
}

/// A v6 address with the prefix length of its subnet.
pub(super) fn v6_in(subnet: &SubnetRecord, ip: impl Into<IpAddr>) -> Option<Ipv6Network> {
    match ip.into() {
        IpAddr::V6(ip) => Ipv6Network::new(ip, subnet.net.prefix()).ok(),
        IpAddr::V4(_) => None,
    }
}

impl EndpointRecord {
    /// Its addresses in the network.
    pub(super) fn addresses(&self) -> Vec<IpAddr> {
        self.spec.iter().flat_map(EndpointSpec::addresses).map(|address| address.ip()).collect()
    }

    /// The default routes of the container that lead through here.
    pub(super) fn route(&self) -> DefaultRoute {
        self.spec.as_ref().map(|spec| spec.default_route).unwrap_or_default()
    }

    /// Notes the ports that are published: those that were asked for are done with.
    pub(super) fn publish(&mut self, ports: Vec<PublishedPort>) {
        self.spec.iter_mut().for_each(|spec| spec.ports = Vec::new());
        self.ports = ports;
    }

    /// What the kernel has: whoever takes the endpoint over asks for exactly the ports that are published.
    pub(super) fn on_host(&self) -> Option<EndpointSpec> {
        let spec = self.spec.clone()?;
        Some(EndpointSpec { ports: self.ports.iter().map(PublishedPort::exactly).collect(), ..spec })
    }
}

impl Lease {
    /// The key of the record: a container has one lease per network.
    pub(super) fn key(&self) -> String {
        lease_key(self.container, self.network)
    }
}

pub(super) fn lease_key(container: ContainerId, network: NetworkId) -> String {
    format!("{container}/{network}")
}

/// What stands for somebody else's namespace where a container's has its name.
pub(super) fn borrowed_name(id: ContainerId) -> String {
    format!("netns-{}", id.short(12))
}

/// The name of a container's namespace.
pub(super) fn sandbox_name(container: ContainerId) -> String {
    format!("pontoon-{}", container.short(12))
}
