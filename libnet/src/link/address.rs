//! Addresses of links.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressFlags, AddressMessage},
};

use crate::sys::rtnl::Request;

/// `ip address add ADDRESS dev INDEX [broadcast +] [nodad]`. Nobody else can have an IPv6 address that we lease, and
/// while the kernel asks around, for a second or more, the address can't be used.
pub(crate) fn add(index: u32, address: IpNetwork) -> Request {
    let message = RouteNetlinkMessage::NewAddress(message(index, address));
    Request { message, flags: NLM_F_CREATE | NLM_F_EXCL }
}

/// `ip address delete ADDRESS dev INDEX`
pub(crate) fn delete(index: u32, address: IpNetwork) -> Request {
    Request { message: RouteNetlinkMessage::DelAddress(message(index, address)), flags: 0 }
}

/// `ip address show`
pub(crate) fn show_all() -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetAddress(AddressMessage::default())
}

fn message(index: u32, address: IpNetwork) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.index = index;
    message.header.prefix_len = address.prefix();
    message.header.family = family(address.ip());
    message.attributes = vec![AddressAttribute::Local(address.ip()), AddressAttribute::Address(address.ip())];
    match address {
        // RFC 3021: a /31 has no broadcast address.
        IpNetwork::V4(v4) if v4.prefix() < 31 => {
            message.attributes.push(AddressAttribute::Broadcast(v4.broadcast()));
        }
        IpNetwork::V4(_) => {}
        IpNetwork::V6(_) => message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad)),
    }
    message
}

pub(super) fn family(ip: IpAddr) -> AddressFamily {
    match ip {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}
