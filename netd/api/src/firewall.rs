//! `GET /pontoon/firewall`: the firewall as the kernel has it, explained, and what it counted.

use serde::{Deserialize, Serialize};

/// All of it, or what concerns one container or network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FirewallReport {
    /// In the order in which a packet meets them.
    pub tables: Vec<FirewallTable>,
    /// What is Pontoon's in other firewalls that are no tables of nf_tables: the old iptables, firewalld.
    #[serde(default)]
    pub elsewhere: Vec<FirewallElsewhere>,
    /// Published ports, by container.
    pub ports: Vec<FirewallPort>,
    /// Ends of containers in networks, by container.
    pub endpoints: Vec<FirewallEndpoint>,
    /// Whether the kernel counts what passes through connections (`net.netfilter.nf_conntrack_acct`).
    pub accounting: bool,
}

/// What is Pontoon's in another firewall.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FirewallElsewhere {
    /// The program that lists and changes it.
    pub program: String,
    /// What it is for, in a sentence.
    pub about: String,
    /// What lets bridges through.
    pub rules: Vec<FirewallPassage>,
}

/// What lets a bridge through another firewall.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FirewallPassage {
    /// The words of its program.
    pub text: String,
    /// Packets that it counted, where that is counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packets: Option<u64>,
    /// Their bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// A table of Pontoon's, or what is Pontoon's in somebody else's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FirewallTable {
    /// `inet`, `ip`, `ip6`, `bridge`.
    pub family: String,
    /// Its name.
    pub name: String,
    /// `pontoon` or `other`.
    pub owner: String,
    /// What is written on it.
    pub comment: String,
    /// What it is for, in a sentence.
    pub about: String,
    /// By the chain that looks into them first.
    pub sets: Vec<FirewallSet>,
    /// In the order in which a packet meets them.
    pub chains: Vec<FirewallChain>,
}

/// A set or map.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FirewallSet {
    /// Its name.
    pub name: String,
    /// `set` or `map`.
    pub kind: String,
    /// What it is for; empty for one that is not Pontoon's.
    pub about: String,
    /// As `nft list` prints it.
    pub text: String,
    /// What it holds.
    pub elements: Vec<FirewallElement>,
}

/// An element of a set or map.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FirewallElement {
    /// As `nft` prints it.
    pub key: String,
    /// What a map says of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<FirewallOwner>,
    /// Packets that found it, where that is counted: of published ports, the first one of each connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packets: Option<u64>,
    /// Their bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// Whose an element is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FirewallOwner {
    /// Name of the network.
    pub network: String,
    /// Name of the container, if it is an endpoint's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
}

/// A chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FirewallChain {
    /// Its name.
    pub name: String,
    /// What it is for; empty for one that is not Pontoon's.
    pub about: String,
    /// Where packets come to it by themselves: type, hook, priority and policy, as `nft` prints them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hook: Option<String>,
    /// As `nft list` prints it.
    pub text: String,
    /// In their order.
    pub rules: Vec<FirewallRule>,
}

/// A rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FirewallRule {
    /// The kernel's number for it.
    pub handle: u64,
    /// As `nft` prints it; not there for a user's own that only `nft` can print.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Packets that its first counter counted, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packets: Option<u64>,
    /// Their bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// A published port, and who came by it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FirewallPort {
    /// Name of the container.
    pub container: String,
    /// Name of the network that it leads through.
    pub network: String,
    /// The address of the host.
    pub host_ip: String,
    /// The port of the host; not there where the container is reached by its own address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_port: Option<u16>,
    /// The address that NAT leads it to; empty if the container has none of that family.
    pub container_ip: String,
    /// The port that it leads to.
    pub container_port: u16,
    /// `tcp`, `udp`, `sctp`.
    pub protocol: String,
    /// Connections that came by it since it was published; not there if NAT does not lead it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<u64>,
    /// Those that the kernel still follows.
    pub living: u64,
    /// Bytes that those sent to the container; only if the kernel counts them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rx_bytes: Option<u64>,
    /// Bytes that the container sent to them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tx_bytes: Option<u64>,
}

/// A container's end in a network, and what it received and sent since it is there, as the container sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FirewallEndpoint {
    /// Name of the container.
    pub container: String,
    /// Name of the network.
    pub network: String,
    /// Its id.
    #[serde(rename = "EndpointID")]
    pub endpoint_id: String,
    /// Its addresses.
    pub addresses: Vec<String>,
    /// The figures; not there where the host has no end of it (macvlan, ipvlan).
    #[serde(flatten)]
    pub traffic: Option<FirewallTraffic>,
}

/// What passed an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FirewallTraffic {
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets received.
    pub rx_packets: u64,
    /// Packets that were dropped on the way in.
    pub rx_dropped: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Packets that were dropped on the way out.
    pub tx_dropped: u64,
}
