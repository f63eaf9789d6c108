//! Neighbour entries: which Ethernet address belongs to an IP address.

use std::net::{IpAddr, Ipv6Addr};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::{
    RouteNetlinkMessage,
    neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState},
};

use super::address::family;
use crate::{sys::rtnl::Request, types::MacAddr};

/// `ip neighbour replace ADDRESS lladdr MAC dev LINK nud reachable extern_learn`. Who knows a neighbour asks nobody: a
/// question goes to all ports of a bridge. What is learned so does not count towards `gc_thresh3`, 1,024 entries for all
/// namespaces of a machine together, beyond which nobody learns of anybody.
pub(crate) fn learn(link: u32, address: IpAddr, mac: MacAddr) -> Request {
    let mut message = message(link, address);
    message.header.state = NeighbourState::Reachable;
    message.header.flags = NeighbourFlags::ExtLearned;
    message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.octets().to_vec()));
    Request { message: RouteNetlinkMessage::NewNeighbour(message), flags: NLM_F_CREATE | NLM_F_REPLACE }
}

/// `ip neighbour delete ADDRESS dev LINK`
pub(crate) fn forget(link: u32, address: IpAddr) -> Request {
    Request { message: RouteNetlinkMessage::DelNeighbour(message(link, address)), flags: 0 }
}

/// `ip -6 neighbour add proxy ADDRESS dev LINK nud permanent`: the host answers for it on that link. What is not
/// permanent the kernel forgets when the link loses its carrier, as a bridge does without a port that is up.
pub(crate) fn answer_for(link: u32, address: Ipv6Addr) -> Request {
    Request { message: RouteNetlinkMessage::NewNeighbour(proxy(link, address)), flags: NLM_F_CREATE }
}

/// `ip -6 neighbour delete proxy ADDRESS dev LINK`
pub(crate) fn answer_no_more(link: u32, address: Ipv6Addr) -> Request {
    Request { message: RouteNetlinkMessage::DelNeighbour(proxy(link, address)), flags: 0 }
}

fn proxy(link: u32, address: Ipv6Addr) -> NeighbourMessage {
    let mut message = message(link, address.into());
    message.header.state = NeighbourState::Permanent;
    message.header.flags = NeighbourFlags::Proxy;
    message
}

/// `ip neighbour show`
pub(crate) fn show_all() -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default())
}

fn message(link: u32, address: IpAddr) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = family(address);
    message.header.ifindex = link;
    let destination = match address {
        IpAddr::V4(v4) => NeighbourAddress::Inet(v4),
        IpAddr::V6(v6) => NeighbourAddress::Inet6(v6),
    };
    message.attributes = vec![NeighbourAttribute::Destination(destination)];
    message
}
