//! What is there: links, addresses and routes of one namespace, read from the kernel. Nothing here changes anything.

mod covered;
mod inside;
mod queues;
mod sockets;
mod text;
mod traffic;

pub(crate) use covered::{Covered, Own};
pub use inside::{Inside, Neighbour, Owned, Table, owned};
pub(crate) use queues::Queues;
pub use sockets::Listening;
pub(crate) use sockets::holder;

pub use traffic::Traffic;
pub(crate) use traffic::traffic;

pub use crate::sys::rtnl::NetlinkError;

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressMessage},
    link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage},
    route::{RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteType},
};

use crate::{
    link::{self, Which},
    sys::rtnl::RtSocket,
    types::{IfName, Mtu},
};

/// The kernel can't be read.
#[derive(Debug, thiserror::Error)]
#[error("read the {what} of this namespace")]
pub struct ObserveError {
    what: &'static str,
    #[source]
    source: NetlinkError,
}

/// A link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its index, unique in its namespace.
    pub index: u32,
    /// Its name.
    pub name: IfName,
    /// `bridge`, `veth`; empty for what has no driver of its own, such as loopback.
    pub kind: String,
    /// Administratively up.
    pub up: bool,
    /// Its MTU.
    pub mtu: Option<Mtu>,
    /// Its Ethernet address.
    pub mac: Vec<u8>,
    /// Index of the bridge that it is a port of.
    pub bridge: Option<u32>,
    /// Its group.
    pub group: u32,
    /// What was written on it.
    pub alias: Option<String>,
    /// The link that it is joined to: the other end of a veth pair, the parent of a macvlan or VLAN.
    pub peer: Option<Peer>,
}

/// A link, as another one that is joined to it knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its index, in its own namespace.
    pub index: u32,
    /// Its namespace, by the number that this one has for it; `None`: it is in this one.
    pub namespace: Option<i32>,
}

/// An address of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Index of the link.
    pub link: u32,
    /// The address with its prefix length.
    pub address: IpNetwork,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where to; a prefix length of zero is a default route.
    pub to: IpNetwork,
    /// The next hop.
    pub gateway: Option<IpAddr>,
    /// Index of the link that it leads out of.
    pub link: Option<u32>,
}

/// Links, addresses and routes of a namespace at one moment. Prints as lines that are compared in tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// By index.
    pub links: Vec<Link>,
    /// In the kernel's order.
    pub addresses: Vec<Address>,
    /// Those of the main table in the kernel's order, of both families.
    pub routes: Vec<Route>,
}

impl Snapshot {
    /// What is in the calling thread's namespace.
    ///
    /// # Errors
    /// If the kernel can't be read.
    pub fn take() -> Result<Self, ObserveError> {
        let open = |error| ObserveError { what: "links", source: NetlinkError::Socket(error) };
        Self::read(&mut RtSocket::open().map_err(open)?)
    }

    pub(crate) fn read(socket: &mut RtSocket) -> Result<Self, ObserveError> {
        let mut routes = routes(socket, AddressFamily::Inet)?;
        routes.extend(self::routes(socket, AddressFamily::Inet6)?);
        Ok(Self { links: links(socket)?, addresses: addresses(socket)?, routes })
    }

    /// The link of that index.
    pub fn link(&self, index: u32) -> Option<&Link> {
        self.links.iter().find(|link| link.index == index)
    }
}

/// All links.
pub(crate) fn links(socket: &mut RtSocket) -> Result<Vec<Link>, ObserveError> {
    let answers = socket.dump(&link::show_all()).map_err(|source| ObserveError { what: "links", source })?;
    Ok(answers.iter().filter_map(as_link).collect())
}

/// One link; `None`: there is none.
pub(crate) fn one_link(socket: &mut RtSocket, which: Which<'_>) -> Result<Option<Link>, ObserveError> {
    match socket.get(link::show(which)) {
        Ok(answer) => Ok(as_link(&answer)),
        Err(error) if error.is(nix::errno::Errno::ENODEV) => Ok(None),
        Err(source) => Err(ObserveError { what: "links", source }),
    }
}

/// All addresses.
pub(crate) fn addresses(socket: &mut RtSocket) -> Result<Vec<Address>, ObserveError> {
    let address = |answer: &RouteNetlinkMessage| match answer {
        RouteNetlinkMessage::NewAddress(message) => as_address(message),
        _ => None,
    };
    Ok(address_messages(socket)?.iter().filter_map(address).collect())
}

fn address_messages(socket: &mut RtSocket) -> Result<Vec<RouteNetlinkMessage>, ObserveError> {
    let answers = socket.dump(&link::address::show_all());
    answers.map_err(|source| ObserveError { what: "addresses", source })
}

/// The routes of one family that the main table has.
pub(crate) fn routes(socket: &mut RtSocket, family: AddressFamily) -> Result<Vec<Route>, ObserveError> {
    let in_main = |message: &&RouteMessage| {
        message.header.table == RouteHeader::RT_TABLE_MAIN && message.header.kind == RouteType::Unicast
    };
    let answers = route_messages(socket, family)?;
    Ok(answers.iter().filter_map(route_message).filter(in_main).filter_map(as_route).collect())
}

/// Whether a route decides about packets for some host, whatever it does with them.
const fn decides(message: &RouteMessage) -> bool {
    !matches!(message.header.kind, RouteType::Broadcast | RouteType::Anycast | RouteType::Multicast)
}

/// What addresses and routes of all tables cover, those of policy routing and of VPNs among them.
pub(crate) fn covered(socket: &mut RtSocket) -> Result<Covered, ObserveError> {
    let mut covered = Covered::default();
    let links = socket.dump(&link::show_all()).map_err(|source| ObserveError { what: "links", source })?;
    links.iter().for_each(|link| covered.hear(link));
    address_messages(socket)?.iter().for_each(|address| covered.hear(address));
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        route_messages(socket, family)?.iter().for_each(|route| covered.hear(route));
    }
    Ok(covered)
}

fn route_messages(
    socket: &mut RtSocket,
    family: AddressFamily,
) -> Result<Vec<RouteNetlinkMessage>, ObserveError> {
    let answers = socket.dump(&link::route::show_all(family));
    let mut answers = answers.map_err(|source| ObserveError { what: "routes", source })?;
    // Asked for a family that it does not have, the kernel shows the routes of all others.
    answers.retain(|answer| route_message(answer).is_none_or(|route| route.header.address_family == family));
    Ok(answers)
}

fn as_link(answer: &RouteNetlinkMessage) -> Option<Link> {
    let RouteNetlinkMessage::NewLink(LinkMessage { header, attributes, .. }) = answer else { return None };
    let mut link = Link {
        index: header.index,
        name: named(attributes)?,
        kind: String::new(),
        up: header.flags.contains(LinkFlags::Up),
        mtu: None,
        mac: Vec::new(),
        bridge: None,
        group: 0,
        alias: None,
        peer: None,
    };
    let mut namespace = None;
    for attribute in attributes {
        match attribute {
            LinkAttribute::Link(index) if *index != 0 && *index != header.index => {
                link.peer = Some(Peer { index: *index, namespace: None });
            }
            LinkAttribute::LinkNetNsId(id) => namespace = Some(*id),
            LinkAttribute::Mtu(mtu) => link.mtu = Mtu::try_from(*mtu).ok(),
            LinkAttribute::Address(mac) => link.mac.clone_from(mac),
            LinkAttribute::Controller(bridge) => link.bridge = Some(*bridge),
            LinkAttribute::Group(group) => link.group = *group,
            LinkAttribute::IfAlias(alias) => link.alias = Some(alias.clone()),
            LinkAttribute::LinkInfo(info) => link.kind = kind(info),
            _ => {}
        }
    }
    if let Some(peer) = &mut link.peer {
        peer.namespace = namespace;
    }
    // A pair may have the same index on both sides.
    if let (None, Some(_)) = (link.peer, namespace) {
        link.peer = Some(Peer { index: header.index, namespace });
    }
    Some(link)
}

fn named(attributes: &[LinkAttribute]) -> Option<IfName> {
    attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => name.parse().ok(),
        _ => None,
    })
}

fn kind(info: &[LinkInfo]) -> String {
    let kind = info.iter().find_map(|part| match part {
        LinkInfo::Kind(kind) => Some(InfoKind::to_string(kind)),
        _ => None,
    });
    kind.unwrap_or_default()
}

fn as_address(AddressMessage { header, attributes, .. }: &AddressMessage) -> Option<Address> {
    let mut found = None;
    for attribute in attributes {
        match attribute {
            // With a peer, `Address` is the other end's.
            AddressAttribute::Local(ip) => found = Some(*ip),
            AddressAttribute::Address(ip) => found = found.or(Some(*ip)),
            _ => {}
        }
    }
    let address = IpNetwork::new(found?, header.prefix_len).ok()?;
    Some(Address { link: header.index, address })
}

const fn route_message(answer: &RouteNetlinkMessage) -> Option<&RouteMessage> {
    if let RouteNetlinkMessage::NewRoute(message) = answer { Some(message) } else { None }
}

fn as_route(RouteMessage { header, attributes, .. }: &RouteMessage) -> Option<Route> {
    let everywhere: IpAddr = match header.address_family {
        AddressFamily::Inet => std::net::Ipv4Addr::UNSPECIFIED.into(),
        _ => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let (mut to, mut gateway, mut link) = (everywhere, None, None);
    for attribute in attributes {
        match attribute {
            RouteAttribute::Destination(address) => to = ip(address)?,
            RouteAttribute::Gateway(address) => gateway = ip(address),
            RouteAttribute::Oif(index) => link = Some(*index),
            _ => {}
        }
    }
    let to = IpNetwork::new(to, header.destination_prefix_length).ok()?;
    Some(Route { to, gateway, link })
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(v4) => Some((*v4).into()),
        RouteAddress::Inet6(v6) => Some((*v6).into()),
        _ => None,
    }
}
