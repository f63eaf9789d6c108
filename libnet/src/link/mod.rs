//! Requests to the kernel about links, addresses, routes and neighbours: one function per request, each with the `ip`
//! command that it equals. Values only; `sys::rtnl` sends them.

pub(crate) mod address;
pub(crate) mod bridge;
pub(crate) mod child;
pub(crate) mod neighbour;
pub(crate) mod route;
pub(crate) mod shape;
pub(crate) mod veth;
pub(crate) mod vlan;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{
        AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoKind, LinkAttribute, LinkExtentMask, LinkFlags,
        LinkInfo, LinkMessage,
    },
};

use crate::{
    sys::{rtnl::Request, sysctl::LinksV6},
    types::{IfName, MacAddr, Mtu},
};

/// Make it, and fail if it is there.
const NEW: u16 = NLM_F_CREATE | NLM_F_EXCL;

/// Which link a request is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Which<'a> {
    /// The one with this index.
    Index(u32),
    /// The one with this name.
    Name(&'a IfName),
}

impl Which<'_> {
    fn message(self) -> LinkMessage {
        let mut message = LinkMessage::default();
        match self {
            Self::Index(index) => message.header.index = index,
            Self::Name(name) => message.attributes.push(LinkAttribute::IfName(name.to_string())),
        }
        message
    }
}

/// `ip link set LINK up`
pub(crate) fn up(link: Which<'_>) -> Request {
    let mut message = link.message();
    raise(&mut message);
    Request { message: RouteNetlinkMessage::SetLink(message), flags: 0 }
}

/// `ip link set LINK mtu MTU`
pub(crate) fn set_mtu(link: Which<'_>, mtu: Mtu) -> Request {
    let mut message = link.message();
    message.attributes.push(LinkAttribute::Mtu(mtu.bytes()));
    Request { message: RouteNetlinkMessage::SetLink(message), flags: 0 }
}

/// `ip link set LINK alias ALIAS up`
pub(crate) fn own(link: &IfName, alias: String) -> Request {
    let mut message = Which::Name(link).message();
    raise(&mut message);
    message.attributes.push(LinkAttribute::IfAlias(alias));
    Request { message: RouteNetlinkMessage::SetLink(message), flags: 0 }
}

/// `ip link set LINK master BRIDGE up`
pub(crate) fn join_bridge(link: &IfName, bridge: u32) -> Request {
    let mut message = Which::Name(link).message();
    raise(&mut message);
    message.attributes.push(LinkAttribute::Controller(bridge));
    Request { message: RouteNetlinkMessage::SetLink(message), flags: 0 }
}

/// `ip link set LINK address MAC`. The address that it has already is announced anew, if the link is set to announce.
pub(crate) fn announce(link: u32, mac: MacAddr) -> Request {
    let mut message = Which::Index(link).message();
    message.attributes.push(mac_attribute(mac));
    Request { message: RouteNetlinkMessage::SetLink(message), flags: 0 }
}

/// `ip link set LINK down group GROUP`: packets stop at once, and the link can be deleted with the rest of the group.
pub(crate) fn condemn(link: &IfName, group: u32) -> Request {
    let mut message = Which::Name(link).message();
    message.header.change_mask = LinkFlags::Up;
    message.attributes.push(LinkAttribute::Group(group));
    Request { message: RouteNetlinkMessage::SetLink(message), flags: 0 }
}

/// `ip link set LINK down name NAME group GROUP`
pub(crate) fn set_aside(link: u32, name: &IfName, group: u32) -> Request {
    let mut message = Which::Index(link).message();
    message.header.change_mask = LinkFlags::Up;
    message.attributes.push(LinkAttribute::IfName(name.to_string()));
    message.attributes.push(LinkAttribute::Group(group));
    Request { message: RouteNetlinkMessage::SetLink(message), flags: 0 }
}

/// `ip link add NAME type KIND`, for kinds that can't be without a parent: the kernel makes nothing, and refuses with
/// `EOPNOTSUPP` if it does not know the kind, with something else if it does.
pub(crate) fn probe(kind: InfoKind) -> Request {
    let mut message = LinkMessage::default();
    message.attributes =
        vec![LinkAttribute::IfName("pontoon-probe".to_owned()), info(vec![LinkInfo::Kind(kind)])];
    Request { message: RouteNetlinkMessage::NewLink(message), flags: NEW }
}

/// `ip link delete LINK`; returns only when the kernel has waited out all readers, some 28 ms later.
pub(crate) fn delete(link: &IfName) -> Request {
    Request { message: RouteNetlinkMessage::DelLink(Which::Name(link).message()), flags: 0 }
}

/// `ip link delete group GROUP`
pub(crate) fn delete_group(group: u32) -> Request {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::Group(group));
    Request { message: RouteNetlinkMessage::DelLink(message), flags: 0 }
}

/// `ip link show LINK`, without statistics.
pub(crate) fn show(link: Which<'_>) -> RouteNetlinkMessage {
    let mut message = link.message();
    message.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    RouteNetlinkMessage::GetLink(message)
}

/// The index of the link that the kernel showed; 0, which no link has, if it showed something else.
pub(crate) fn index(shown: &RouteNetlinkMessage) -> u32 {
    match shown {
        RouteNetlinkMessage::NewLink(link) => link.header.index,
        _ => 0,
    }
}

/// `ip link show`, without statistics.
pub(crate) fn show_all() -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    RouteNetlinkMessage::GetLink(message)
}

/// `ip -s link show`
pub(crate) fn show_all_counted() -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetLink(LinkMessage::default())
}

fn raise(message: &mut LinkMessage) {
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
}

/// `addrgenmode none`: the link is to give itself no IPv6 address. The kernel knows no such mode, and refuses, on a link
/// with too small an MTU for IPv6 and where it has no IPv6 at all.
fn no_address(mtu: Mtu, kernel: &LinksV6) -> Option<LinkAttribute> {
    let mode = || AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
    (mtu >= Mtu::LEAST_V6 && kernel.are_there())
        .then(|| LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(vec![mode()])]))
}

fn mac_attribute(mac: MacAddr) -> LinkAttribute {
    LinkAttribute::Address(mac.octets().to_vec())
}

fn info(parts: Vec<LinkInfo>) -> LinkAttribute {
    LinkAttribute::LinkInfo(parts)
}
