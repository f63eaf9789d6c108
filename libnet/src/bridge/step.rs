//! What plans of the bridge driver are made of.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnetwork::IpNetwork;

use crate::{
    firewall::FirewallEndpoint,
    host::BridgeNetwork,
    link::veth::PortFlags,
    ports::PortRequest,
    types::{EndpointId, IfName, MacAddr, Mtu, NetworkId},
};

/// One operation on a host or in a sandbox.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// Make the bridge, or take over the one that this network has already.
    CreateBridge(Box<BridgeNetwork>),
    /// Give the bridge its alias and MTU, and raise it.
    RaiseBridge(Box<BridgeNetwork>),
    /// Give a link of the host an address.
    AddAddress(IfName, IpNetwork),
    /// Take it back.
    DeleteAddress(IfName, IpNetwork),
    /// Set a link of the host down and leave it to the janitor.
    Condemn(IfName),
    /// Set the host's end of an endpoint down, leave it to the janitor, and forget its addresses.
    Part(Parting),
    /// Set the end inside a sandbox that lives on down, and give its name free.
    SetAside(EndpointId),
    /// Forget what was known of an endpoint inside its sandbox.
    Leave(EndpointId),
    /// Change settings of the host, those that differ.
    Set(Vec<Setting>),
    /// Forward IPv6, without losing the routes that the host itself has from router advertisements.
    ForwardV6,
    /// Open the firewall for a network.
    AdmitNetwork(Box<BridgeNetwork>),
    /// Close it.
    ExpelNetwork(NetworkId),
    /// Hold host ports.
    ReservePorts(Vec<PortRequest>),
    /// Let them go.
    ReleasePorts,
    /// Make the veth pair of an endpoint, its ends in the bridge and in the sandbox.
    Join(Box<Join>),
    /// Change settings inside the sandbox.
    SetInside(Vec<Setting>),
    /// Configure the end inside: addresses, up, default routes.
    Configure(Inside),
    /// Open the firewall for an endpoint and the ports that were reserved for it.
    AdmitEndpoint(FirewallEndpoint),
    /// Close it.
    ExpelEndpoint(EndpointId),
    /// Fails.
    #[cfg(test)]
    Refuse,
}

/// A kernel setting: its path below `/proc/sys/net`, and the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) key: String,
    pub(crate) value: String,
}

impl Setting {
    pub(crate) fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.into() }
    }
}

/// The veth pair of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Join {
    pub(crate) endpoint: EndpointId,
    pub(crate) network: NetworkId,
    pub(crate) host: IfName,
    pub(crate) host_mac: MacAddr,
    pub(crate) alias: String,
    pub(crate) flags: PortFlags,
    pub(crate) mtu: Mtu,
    pub(crate) inside: IfName,
    pub(crate) mac: MacAddr,
    /// What the host is told about its new neighbour.
    pub(crate) neighbours: Vec<IpAddr>,
}

impl Join {
    /// The way back.
    pub(crate) fn parting(&self) -> Parting {
        Parting { network: self.network, link: self.host.clone(), neighbours: self.neighbours.clone() }
    }
}

/// The host's end of an endpoint that goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parting {
    pub(crate) network: NetworkId,
    pub(crate) link: IfName,
    /// What the host no longer knows.
    pub(crate) neighbours: Vec<IpAddr>,
}

/// The end inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inside {
    /// The host's end, which is to carry packets once the other one is up.
    pub(crate) host: IfName,
    pub(crate) name: IfName,
    pub(crate) addresses: Vec<IpNetwork>,
    pub(crate) gateway_v4: Option<Ipv4Addr>,
    pub(crate) gateway_v6: Option<Ipv6Addr>,
}

impl Inside {
    /// The gateways; true: no subnet of the endpoint contains it.
    pub(crate) fn gateways(&self) -> impl Iterator<Item = (IpAddr, bool)> {
        let all = self.gateway_v4.map(IpAddr::V4).into_iter().chain(self.gateway_v6.map(IpAddr::V6));
        // An IPv6 link-local gateway is on every link.
        let near = |ip: &IpAddr| matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local());
        all.map(move |ip| (ip, !near(&ip) && !self.addresses.iter().any(|subnet| subnet.contains(ip))))
    }
}

impl fmt::Display for Step {
    /// What is being done, as the head of an error.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateBridge(net) => write!(f, "create bridge {}", net.link),
            Self::RaiseBridge(net) => write!(f, "raise bridge {}", net.link),
            Self::AddAddress(link, address) => write!(f, "add address {address} to {link}"),
            Self::DeleteAddress(link, address) => write!(f, "delete address {address} from {link}"),
            Self::Condemn(link) => write!(f, "set link {link} down"),
            Self::Part(parting) => write!(f, "set link {} down", parting.link),
            Self::SetAside(id) => write!(f, "set the interface of endpoint {id:?} aside"),
            Self::Leave(id) => write!(f, "leave the sandbox with endpoint {id:?}"),
            Self::Set(settings) => write!(f, "set {}", keys(settings)),
            Self::ForwardV6 => f.write_str("enable IPv6 forwarding"),
            Self::AdmitNetwork(net) => write!(f, "open the firewall for network {}", net.name),
            Self::ExpelNetwork(id) => write!(f, "close the firewall for network {id:?}"),
            Self::ReservePorts(_) => f.write_str("reserve host ports"),
            Self::ReleasePorts => f.write_str("release host ports"),
            Self::Join(join) => write!(f, "create veth pair {} - {}", join.host, join.inside),
            Self::SetInside(settings) => write!(f, "set {} in the sandbox", keys(settings)),
            Self::Configure(inside) => write!(f, "configure {} in the sandbox", inside.name),
            Self::AdmitEndpoint(who) => write!(f, "open the firewall for endpoint {:?}", who.id),
            Self::ExpelEndpoint(id) => write!(f, "close the firewall for endpoint {id:?}"),
            #[cfg(test)]
            Self::Refuse => f.write_str("fail"),
        }
    }
}

fn keys(settings: &[Setting]) -> String {
    settings.iter().map(|setting| setting.key.as_str()).collect::<Vec<_>>().join(", ")
}
