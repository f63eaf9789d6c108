//! All that is in one namespace, for somebody who looks at it from another.

use std::{collections::BTreeMap, net::IpAddr};

use netlink_packet_route::{
    RouteNetlinkMessage,
    neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState},
    nsid::{NsidAttribute, NsidMessage},
};

use super::{Listening, NetlinkError, ObserveError, Snapshot, sockets};
use crate::{
    bridge::names::Owner,
    firewall,
    link::neighbour,
    netns::NetNs,
    sys::{rtnl::RtSocket, sysctl::Settings},
    types::{EndpointId, NetworkId},
};

/// Settings that decide where packets go and who may use what.
const SETTINGS: [&str; 8] = [
    "ipv4/conf/all/route_localnet",
    "ipv4/conf/all/rp_filter",
    "ipv4/ip_forward",
    "ipv4/ip_unprivileged_port_start",
    "ipv4/ping_group_range",
    "ipv6/conf/all/disable_ipv6",
    "ipv6/conf/all/forwarding",
    "ipv6/conf/default/disable_ipv6",
];

/// What is in a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inside {
    /// Links, addresses, routes.
    pub snapshot: Snapshot,
    /// Who is known to have which address.
    pub neighbours: Vec<Neighbour>,
    /// Tables of the firewall.
    pub tables: Vec<Table>,
    /// Sockets that wait for somebody.
    pub listening: Vec<Listening>,
    /// Kernel settings, by their name below `net`, with slashes.
    pub settings: BTreeMap<String, String>,
    /// The number that the namespace has for the caller's, if it has one: see [`Peer::namespace`](super::Peer).
    pub caller: Option<i32>,
}

/// A neighbour entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Index of the link.
    pub link: u32,
    /// The address.
    pub address: IpAddr,
    /// Its Ethernet address, if it is known.
    pub mac: Vec<u8>,
    /// `reachable`, `stale`, …
    pub state: String,
}

/// A table of nf_tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// `inet`, `ip`, `ip6`, `arp`, `bridge`, `netdev`.
    pub family: String,
    /// Its name.
    pub name: String,
}

/// Whose a link of this host is, as its alias says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owned {
    /// A network's bridge.
    Network {
        /// The network.
        id: NetworkId,
        /// Its name.
        name: String,
    },
    /// The host's end of an endpoint, or the detour of what it sends.
    Endpoint {
        /// The endpoint.
        id: EndpointId,
        /// The name of its network.
        network: String,
        /// The name of its container.
        container: String,
    },
}

/// Reads the alias of a link; `None`: it is not ours.
pub fn owned(alias: &str) -> Option<Owned> {
    let label = alias.splitn(4, ' ').nth(3).unwrap_or_default();
    Some(match Owner::of_alias(alias)? {
        Owner::Network(id) => Owned::Network { id, name: label.to_owned() },
        Owner::Endpoint(id) | Owner::Detour(id) => {
            let (network, container) = label.split_once(' ').unwrap_or((label, ""));
            Owned::Endpoint { id, network: network.to_owned(), container: container.to_owned() }
        }
    })
}

impl Inside {
    /// Looks at everything in `netns`.
    ///
    /// # Errors
    /// If it can't be entered or read.
    pub fn look(netns: &NetNs) -> Result<Self, ObserveError> {
        let caller = NetNs::current().map_err(socket("namespace"))?;
        netns.run(|| Self::look_here(&caller)).map_err(socket("namespace"))?
    }

    fn look_here(caller: &NetNs) -> Result<Self, ObserveError> {
        let mut links = RtSocket::open().map_err(socket("links"))?;
        Ok(Self {
            snapshot: Snapshot::read(&mut links)?,
            neighbours: neighbours(&mut links)?,
            tables: tables()?,
            listening: sockets::listening().map_err(socket("sockets"))?,
            settings: settings(),
            caller: number_of(&mut links, caller)?,
        })
    }
}

fn socket(what: &'static str) -> impl FnOnce(std::io::Error) -> ObserveError {
    move |error| ObserveError { what, source: NetlinkError::Socket(error) }
}

fn neighbours(socket: &mut RtSocket) -> Result<Vec<Neighbour>, ObserveError> {
    let answers = socket.dump(&neighbour::show_all());
    let answers = answers.map_err(|source| ObserveError { what: "neighbours", source })?;
    Ok(answers.iter().filter_map(as_neighbour).collect())
}

/// Multicast groups, which need no asking, are left out, as by `ip neighbour`.
fn as_neighbour(answer: &RouteNetlinkMessage) -> Option<Neighbour> {
    let RouteNetlinkMessage::NewNeighbour(NeighbourMessage { header, attributes, .. }) = answer else {
        return None;
    };
    if header.state == NeighbourState::Noarp {
        return None;
    }
    let (mut address, mut mac) = (None, Vec::new());
    for attribute in attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(v4)) => address = Some(IpAddr::V4(*v4)),
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(v6)) => address = Some(IpAddr::V6(*v6)),
            NeighbourAttribute::LinkLayerAddress(bytes) => mac.clone_from(bytes),
            _ => {}
        }
    }
    let state = format!("{:?}", header.state).to_lowercase();
    Some(Neighbour { link: header.ifindex, address: address?, mac, state })
}

/// A kernel without nf_tables has none.
fn tables() -> Result<Vec<Table>, ObserveError> {
    let found = firewall::tables().map_err(socket("firewall"))?;
    Ok(found.into_iter().map(|(family, name)| Table { family: family.to_owned(), name }).collect())
}

fn settings() -> BTreeMap<String, String> {
    let here = Settings::here();
    let read = |key: &str| Some((key.to_owned(), here.read(key).ok()?.replace('\t', " ")));
    SETTINGS.into_iter().filter_map(read).collect()
}

/// `ip netns list-id target-nsid`: namespaces have numbers for each other, and have none before they need one.
fn number_of(links: &mut RtSocket, other: &NetNs) -> Result<Option<i32>, ObserveError> {
    let mut message = NsidMessage::default();
    let descriptor = u32::try_from(other.raw()).unwrap_or_default();
    message.attributes.push(NsidAttribute::Fd(descriptor));
    let answer = links.get(RouteNetlinkMessage::GetNsId(message));
    let answer = answer.map_err(|source| ObserveError { what: "namespaces", source })?;
    let RouteNetlinkMessage::NewNsId(NsidMessage { attributes, .. }) = answer else { return Ok(None) };
    Ok(attributes.iter().find_map(|attribute| match attribute {
        NsidAttribute::Id(id) if *id >= 0 => Some(*id),
        _ => None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_tells_network_and_container() {
        let id = "1".repeat(64);
        let endpoint = owned(&format!("pontoon endpoint {id} web c1")).unwrap();
        let expected = Owned::Endpoint {
            id: id.parse().unwrap(),
            network: "web".to_owned(),
            container: "c1".to_owned(),
        };
        assert_eq!(endpoint, expected);
        let network = owned(&format!("pontoon network {id} web")).unwrap();
        assert_eq!(network, Owned::Network { id: id.parse().unwrap(), name: "web".to_owned() });
        assert_eq!(owned("uplink"), None);
    }
}
