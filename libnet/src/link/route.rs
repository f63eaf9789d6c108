//! Routes.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    route::{
        RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteScope,
        RouteType,
    },
};

use super::address::family;
use crate::{ipam::masked, sys::rtnl::Request, types::Family};

/// `IP6_RT_PRIO_ADDRCONF` of net/ip6_route.h: the metric of routes that come with an address.
const OF_ADDRESSES: u32 = 256;

/// A default route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Default {
    /// Where it leads.
    pub(crate) hop: Hop,
    /// Index of the link that it leads out of.
    pub(crate) link: u32,
}

/// The next hop of a default route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hop {
    /// A router in a subnet of the link.
    Via(IpAddr),
    /// A router in no subnet of the link: the kernel has to be told that it is there all the same.
    OnLink(IpAddr),
    /// Nobody: all addresses of this family are on the link.
    Out(Family),
}

/// `ip route add default [via GATEWAY] dev LINK`
pub(crate) fn add_default(route: Default) -> Request {
    Request { message: RouteNetlinkMessage::NewRoute(message(route)), flags: NLM_F_CREATE | NLM_F_EXCL }
}

/// `ip route replace default [via GATEWAY] dev LINK`
pub(crate) fn replace_default(route: Default) -> Request {
    Request { message: RouteNetlinkMessage::NewRoute(message(route)), flags: NLM_F_CREATE | NLM_F_REPLACE }
}

/// `ip route delete default dev LINK`, or `ip -6`.
pub(crate) fn delete_default(of: Family, link: u32) -> Request {
    let mut message = RouteMessage::default();
    message.header.address_family = match of {
        Family::V4 => AddressFamily::Inet,
        Family::V6 => AddressFamily::Inet6,
    };
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    // Whatever the scope is.
    message.header.scope = RouteScope::NoWhere;
    message.attributes = vec![RouteAttribute::Oif(link)];
    Request { message: RouteNetlinkMessage::DelRoute(message), flags: 0 }
}

/// `ip route add SUBNET dev LINK proto kernel scope link src ADDRESS`: the route that the kernel makes with an address.
pub(crate) fn add_connected(link: u32, own: IpNetwork) -> Request {
    let mut message = RouteMessage::default();
    let to = masked(&own);
    message.header.address_family = family(own.ip());
    message.header.destination_prefix_length = to.prefix();
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Kernel;
    message.header.kind = RouteType::Unicast;
    message.attributes = vec![RouteAttribute::Destination(address(to.ip())), RouteAttribute::Oif(link)];
    match own {
        IpNetwork::V4(own) => {
            message.header.scope = RouteScope::Link;
            message.attributes.push(RouteAttribute::PrefSource(RouteAddress::Inet(own.ip())));
        }
        IpNetwork::V6(_) => message.attributes.push(RouteAttribute::Priority(OF_ADDRESSES)),
    }
    Request { message: RouteNetlinkMessage::NewRoute(message), flags: NLM_F_CREATE | NLM_F_EXCL }
}

/// `ip -4 route show`, or `-6`.
pub(crate) fn show_all(of: AddressFamily) -> RouteNetlinkMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = of;
    RouteNetlinkMessage::GetRoute(message)
}

fn message(route: Default) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = match route.hop {
        Hop::Via(ip) | Hop::OnLink(ip) => family(ip),
        Hop::Out(Family::V4) => AddressFamily::Inet,
        Hop::Out(Family::V6) => AddressFamily::Inet6,
    };
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Boot;
    message.header.scope = RouteScope::Universe;
    message.header.kind = RouteType::Unicast;
    if let Hop::OnLink(_) = route.hop {
        message.header.flags = RouteFlags::Onlink;
    }
    match route.hop {
        Hop::Via(ip) | Hop::OnLink(ip) => message.attributes.push(RouteAttribute::Gateway(address(ip))),
        // `ip route` gives an IPv4 route without a router this scope.
        Hop::Out(Family::V4) => message.header.scope = RouteScope::Link,
        Hop::Out(Family::V6) => {}
    }
    message.attributes.push(RouteAttribute::Oif(route.link));
    message
}

fn address(ip: IpAddr) -> RouteAddress {
    match ip {
        IpAddr::V4(v4) => RouteAddress::Inet(v4),
        IpAddr::V6(v6) => RouteAddress::Inet6(v6),
    }
}
