//! What plans of networks and endpoints are made of.

use std::{fmt, net::IpAddr};

use ipnetwork::IpNetwork;

use super::{Detour, Limit};
use crate::{
    firewall::{FirewallEndpoint, Restriction},
    host::{BridgeNetwork, Child, DefaultRoute, ParentNetwork},
    link::{route::Hop, veth::PortFlags},
    ports::PortRequest,
    types::{EndpointId, IfName, MacAddr, Mtu, NetworkId, Setting},
};

/// One operation on a host or in a sandbox.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// Make the bridge, or take over the one that this network has already.
    CreateBridge(Box<BridgeNetwork>),
    /// Give the bridge its alias and MTU, and raise it.
    RaiseBridge(Box<BridgeNetwork>),
    /// See that a bridge that is not ours is there.
    BorrowBridge(Box<BridgeNetwork>),
    /// Take back what a network added to a bridge that is not ours.
    ReturnBridge(Box<BridgeNetwork>),
    /// Raise a link of the host.
    Up(IfName),
    /// Give a link of the host its alias, and raise it.
    Raise(IfName, String),
    /// Give a link of the host an address.
    AddAddress(IfName, IpNetwork),
    /// Take it back.
    DeleteAddress(IfName, IpNetwork),
    /// Set a link of the host down and leave it to the janitor.
    Condemn(IfName),
    /// Set the host's end of an endpoint down, leave it to the janitor, and forget its addresses.
    Part(Parting),
    /// Find the parent of a network, or make it where it is ours to make.
    FindParent(Box<ParentNetwork>),
    /// Leave the parent of a network: set it down and leave it to the janitor, if it is ours and no other network's.
    LeaveParent(IfName),
    /// Make an interface in the sandbox, on a link of the host.
    Hang(Box<Hang>),
    /// Set such an interface down and leave it to the janitor.
    Unhang(EndpointId),
    /// Set the end inside a sandbox that lives on down, and give its name free.
    SetAside(EndpointId),
    /// Forget what was known of an endpoint inside its sandbox.
    Leave(EndpointId),
    /// Change settings of a link that is ours, those that differ.
    Set(Vec<Setting>),
    /// The same for settings of the host and its own links, whose owner is told.
    SetOnHost(Vec<Setting>),
    /// Forward IPv6, without losing the routes that the host itself has from router advertisements.
    ForwardV6,
    /// Open the firewall for a network.
    AdmitNetwork(Box<BridgeNetwork>),
    /// Close it.
    ExpelNetwork(NetworkId),
    /// Let a network's bridge carry packets with 127.0.0.0/8.
    OpenLoopback(NetworkId),
    /// Hold host ports.
    ReservePorts(Vec<PortRequest>),
    /// Let them go.
    ReleasePorts,
    /// Make the veth pair of an endpoint, its ends in the bridge and in the sandbox.
    Join(Box<Join>),
    /// Limit what the host's end of an endpoint sends.
    Limit(Limit),
    /// Limit what it receives, by a detour.
    Detour(Box<Detour>),
    /// Change settings inside the sandbox.
    SetInside(Vec<Setting>),
    /// Change settings of the end inside that a user asks for: one that the kernel doesn't have is an error.
    Tune(Vec<Setting>),
    /// Configure the end inside: addresses, up, default routes.
    Configure(Inside),
    /// Open the firewall for an endpoint and the ports that were reserved for it.
    AdmitEndpoint(FirewallEndpoint),
    /// Close it.
    ExpelEndpoint(EndpointId),
    /// Restrict what an endpoint may send.
    Restrict(Box<Restriction>),
    /// Restrict it no more.
    Lift(EndpointId),
    /// Fails.
    #[cfg(test)]
    Refuse,
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

/// An interface in a sandbox, on a link of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hang {
    pub(crate) endpoint: EndpointId,
    pub(crate) parent: IfName,
    pub(crate) kind: Child,
    pub(crate) name: IfName,
    pub(crate) mac: MacAddr,
    pub(crate) mtu: Option<Mtu>,
    pub(crate) alias: String,
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
    /// The host's end, if there is one: it is to carry packets once the one inside is up.
    pub(crate) host: Option<IfName>,
    pub(crate) name: IfName,
    pub(crate) addresses: Vec<IpNetwork>,
    pub(crate) default_route: DefaultRoute,
}

impl Inside {
    /// Where the default routes lead.
    pub(crate) fn hops(&self) -> impl Iterator<Item = Hop> {
        // An IPv6 link-local gateway is on every link.
        let local = |ip: &IpAddr| matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local());
        let near = move |ip: &IpAddr| local(ip) || self.addresses.iter().any(|subnet| subnet.contains(*ip));
        self.default_route.hops().map(move |hop| match hop {
            Hop::OnLink(ip) if near(&ip) => Hop::Via(ip),
            hop => hop,
        })
    }
}

impl fmt::Display for Step {
    /// What is being done, as the head of an error.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateBridge(net) => write!(f, "create bridge {}", net.link),
            Self::RaiseBridge(net) => write!(f, "raise bridge {}", net.link),
            Self::BorrowBridge(net) => write!(f, "use bridge {}", net.link),
            Self::ReturnBridge(net) => write!(f, "leave bridge {}", net.link),
            Self::Up(link) | Self::Raise(link, _) => write!(f, "raise {link}"),
            Self::AddAddress(link, address) => write!(f, "add address {address} to {link}"),
            Self::DeleteAddress(link, address) => write!(f, "delete address {address} from {link}"),
            Self::Condemn(link) => write!(f, "set link {link} down"),
            Self::Part(parting) => write!(f, "set link {} down", parting.link),
            Self::FindParent(net) => {
                write!(f, "use {} as the parent of network {}", net.parent.link(), net.name)
            }
            Self::LeaveParent(link) => write!(f, "leave parent {link}"),
            Self::Hang(hang) => write!(f, "create {} on parent {} in the sandbox", hang.name, hang.parent),
            Self::Unhang(id) => write!(f, "take the interface of endpoint {id:?} off its parent"),
            Self::SetAside(id) => write!(f, "set the interface of endpoint {id:?} aside"),
            Self::Leave(id) => write!(f, "leave the sandbox with endpoint {id:?}"),
            Self::Set(settings) | Self::SetOnHost(settings) => write!(f, "set {}", keys(settings)),
            Self::ForwardV6 => f.write_str("enable IPv6 forwarding"),
            Self::AdmitNetwork(net) => write!(f, "open the firewall for network {}", net.name),
            Self::ExpelNetwork(id) => write!(f, "close the firewall for network {id:?}"),
            Self::OpenLoopback(id) => write!(f, "set route_localnet for network {id:?}"),
            Self::ReservePorts(_) => f.write_str("reserve host ports"),
            Self::ReleasePorts => f.write_str("release host ports"),
            Self::Join(join) => write!(f, "create veth pair {} - {}", join.host, join.inside),
            Self::Limit(limit) => write!(f, "limit what leaves by {} to {}", limit.host, limit.rate),
            Self::Detour(detour) => write!(f, "limit what comes by {} to {}", detour.host, detour.rate),
            Self::SetInside(settings) | Self::Tune(settings) => {
                write!(f, "set {} in the sandbox", keys(settings))
            }
            Self::Configure(inside) => write!(f, "configure {} in the sandbox", inside.name),
            Self::AdmitEndpoint(who) => write!(f, "open the firewall for endpoint {:?}", who.id),
            Self::ExpelEndpoint(id) => write!(f, "close the firewall for endpoint {id:?}"),
            Self::Restrict(who) => write!(f, "restrict the egress of endpoint {:?}", who.endpoint),
            Self::Lift(id) => write!(f, "lift the restriction of endpoint {id:?}"),
            #[cfg(test)]
            Self::Refuse => f.write_str("fail"),
        }
    }
}

fn keys(settings: &[Setting]) -> String {
    settings.iter().map(|setting| setting.key.as_str()).collect::<Vec<_>>().join(", ")
}
