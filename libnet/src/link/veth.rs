//! Veth pairs that reach from the host into a sandbox.

use std::os::fd::RawFd;

use netlink_packet_core::NLM_F_ECHO;
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{
        InfoBridgePort, InfoData, InfoKind, InfoPortData, InfoPortKind, InfoVeth, LinkAttribute, LinkInfo,
        LinkMessage,
    },
};

use super::{NEW, Which, info, mac_attribute, no_address, raise};
use crate::{
    sys::{rtnl::Request, sysctl::LinksV6},
    types::{IfName, MacAddr, Mtu},
};

/// A pair to make. Both ends get one queue each way: a veth has no hardware to spread its work over, and every queue is
/// one more object in sysfs.
#[derive(Debug)]
pub(crate) struct Pair<'a> {
    /// The host's end.
    pub(crate) host: &'a IfName,
    /// Address of the host's end.
    pub(crate) host_mac: MacAddr,
    /// Index of the bridge that the host's end joins.
    pub(crate) bridge: u32,
    /// Group of the host's end.
    pub(crate) group: u32,
    /// MTU of both ends.
    pub(crate) mtu: Mtu,
    /// Name of the end inside.
    pub(crate) inside: &'a IfName,
    /// Address of the end inside.
    pub(crate) inside_mac: MacAddr,
    /// The sandbox, open.
    pub(crate) sandbox: RawFd,
}

/// `ip link add HOST up master BRIDGE group GROUP type veth peer name INSIDE netns SANDBOX`, in one message: to make
/// the pair here and move one end would cost 25 ms more. The end inside stays down: the kernel refuses to raise an end
/// before its peer exists. The kernel tells what it made (since Linux 6.2), see [`inside_index`].
pub(crate) fn create(pair: &Pair<'_>) -> Request {
    let mut inside = LinkMessage::default();
    inside.attributes = vec![
        LinkAttribute::IfName(pair.inside.to_string()),
        mac_attribute(pair.inside_mac),
        LinkAttribute::Mtu(pair.mtu.bytes()),
        LinkAttribute::NumTxQueues(1),
        LinkAttribute::NumRxQueues(1),
        LinkAttribute::NetNsFd(pair.sandbox),
    ];
    let mut host = LinkMessage::default();
    raise(&mut host);
    host.attributes = vec![
        LinkAttribute::IfName(pair.host.to_string()),
        mac_attribute(pair.host_mac),
        LinkAttribute::Mtu(pair.mtu.bytes()),
        LinkAttribute::NumTxQueues(1),
        LinkAttribute::NumRxQueues(1),
        LinkAttribute::Controller(pair.bridge),
        LinkAttribute::Group(pair.group),
        info(vec![LinkInfo::Kind(InfoKind::Veth), LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(inside)))]),
    ];
    Request { message: RouteNetlinkMessage::NewLink(host), flags: NEW | NLM_F_ECHO }
}

/// `ip link add NEAR type veth peer name FAR netns OTHER`
pub(crate) fn cable(near: &IfName, far: &IfName, other: RawFd) -> Request {
    let mut peer = LinkMessage::default();
    peer.attributes = vec![LinkAttribute::IfName(far.to_string()), LinkAttribute::NetNsFd(other)];
    let mut message = Which::Name(near).message();
    message.attributes.push(info(vec![
        LinkInfo::Kind(InfoKind::Veth),
        LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
    ]));
    Request { message: RouteNetlinkMessage::NewLink(message), flags: NEW }
}

/// The index of the end inside, from what the kernel told of the host's end.
pub(crate) fn inside_index(heard: &[RouteNetlinkMessage]) -> Option<u32> {
    let links = heard.iter().filter_map(|message| match message {
        RouteNetlinkMessage::NewLink(link) => Some(link),
        _ => None,
    });
    links.flat_map(|link| &link.attributes).find_map(|attribute| match attribute {
        LinkAttribute::Link(index) => Some(*index),
        _ => None,
    })
}

/// What a bridge does with a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PortFlags {
    /// Isolated ports get no frames from each other.
    pub(crate) isolated: bool,
    /// Frames may leave through the port that they came in by.
    pub(crate) hairpin: bool,
}

/// `ip link set HOST alias ALIAS addrgenmode none type bridge_slave isolated .. hairpin ..`. The kernel takes none of
/// these at creation. A bridge port needs no IPv6 address of its own; without `none` it would make one, with its timers
/// and multicast reports.
pub(crate) fn mark(host: &IfName, alias: String, flags: PortFlags, mtu: Mtu, kernel: &LinksV6) -> Request {
    let mut message = Which::Name(host).message();
    message.attributes.push(LinkAttribute::IfAlias(alias));
    message.attributes.extend(no_address(mtu, kernel));
    let mut port = Vec::new();
    if flags.isolated {
        port.push(InfoBridgePort::Isolated(true));
    }
    if flags.hairpin {
        port.push(InfoBridgePort::HairpinMode(true));
    }
    if !port.is_empty() {
        message.attributes.push(info(vec![
            LinkInfo::PortKind(InfoPortKind::Bridge),
            LinkInfo::PortData(InfoPortData::BridgePort(port)),
        ]));
    }
    Request { message: RouteNetlinkMessage::NewLink(message), flags: 0 }
}
