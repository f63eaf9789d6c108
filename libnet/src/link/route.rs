//! Routes.

use std::net::IpAddr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::{
    RouteNetlinkMessage,
    route::{
        RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteScope,
        RouteType,
    },
};

use super::address::family;
use crate::sys::rtnl::Request;

/// A default route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Default {
    /// The next hop.
    pub(crate) gateway: IpAddr,
    /// Index of the link that it is behind.
    pub(crate) link: u32,
    /// The link's subnet does not contain the gateway: the kernel has to be told that it is there all the same.
    pub(crate) onlink: bool,
}

/// `ip route add default via GATEWAY dev LINK`
pub(crate) fn add_default(route: Default) -> Request {
    Request { message: RouteNetlinkMessage::NewRoute(message(route)), flags: NLM_F_CREATE | NLM_F_EXCL }
}

/// `ip route replace default via GATEWAY dev LINK`
pub(crate) fn replace_default(route: Default) -> Request {
    Request { message: RouteNetlinkMessage::NewRoute(message(route)), flags: NLM_F_CREATE | NLM_F_REPLACE }
}

/// `ip -4 route show`, or `-6`.
pub(crate) fn show_all(of: netlink_packet_route::AddressFamily) -> RouteNetlinkMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = of;
    RouteNetlinkMessage::GetRoute(message)
}

fn message(route: Default) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(route.gateway);
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Boot;
    message.header.scope = RouteScope::Universe;
    message.header.kind = RouteType::Unicast;
    if route.onlink {
        message.header.flags = RouteFlags::Onlink;
    }
    let gateway = match route.gateway {
        IpAddr::V4(v4) => RouteAddress::Inet(v4),
        IpAddr::V6(v6) => RouteAddress::Inet6(v6),
    };
    message.attributes = vec![RouteAttribute::Gateway(gateway), RouteAttribute::Oif(route.link)];
    message
}
