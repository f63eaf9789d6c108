//! Bridges.

use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{InfoBridge, InfoData, InfoKind, LinkAttribute, LinkInfo, LinkMessage},
};

use super::{NEW, Which, info, mac_attribute, raise};
use crate::{
    sys::rtnl::Request,
    types::{IfName, MacAddr, Mtu},
};

/// `ip link add LINK group GROUP address MAC type bridge mcast_snooping 0`. Without a querier on the bridge, snooping forwards all
/// multicast as flooding does, and keeps timers for every port.
pub(crate) fn create(link: &IfName, group: u32, mac: MacAddr) -> Request {
    let mut message = LinkMessage::default();
    message.attributes = vec![
        LinkAttribute::IfName(link.to_string()),
        LinkAttribute::Group(group),
        mac_attribute(mac),
        info(vec![
            LinkInfo::Kind(InfoKind::Bridge),
            LinkInfo::Data(InfoData::Bridge(vec![InfoBridge::MulticastSnooping(false)])),
        ]),
    ];
    Request { message: RouteNetlinkMessage::NewLink(message), flags: NEW }
}

/// `ip link add LINK group GROUP type bridge`. A bridge that was given an address looks for ports and, without any, has no carrier;
/// one that was not begins with its carrier up, and keeps it as long as it gets no port.
pub(crate) fn create_island(link: &IfName, group: u32) -> Request {
    let mut message = LinkMessage::default();
    message.attributes = vec![
        LinkAttribute::IfName(link.to_string()),
        LinkAttribute::Group(group),
        info(vec![LinkInfo::Kind(InfoKind::Bridge)]),
    ];
    Request { message: RouteNetlinkMessage::NewLink(message), flags: NEW }
}

/// `ip link set LINK alias ALIAS address MAC mtu MTU up`. An MTU that is set after creation stays; else the bridge takes the
/// smallest of its ports'.
pub(crate) fn configure(link: &IfName, alias: String, mac: MacAddr, mtu: Mtu) -> Request {
    let mut message = Which::Name(link).message();
    raise(&mut message);
    message.attributes.push(LinkAttribute::IfAlias(alias));
    message.attributes.push(mac_attribute(mac));
    message.attributes.push(LinkAttribute::Mtu(mtu.bytes()));
    Request { message: RouteNetlinkMessage::SetLink(message), flags: 0 }
}
