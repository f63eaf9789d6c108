//! What passed the links of a namespace.

use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{LinkAttribute, LinkMessage, Stats64},
};

use super::ObserveError;
use crate::{bridge::names::Owner, link, sys::rtnl::RtSocket, types::EndpointId};

/// What an endpoint received and sent since it was attached, as the container sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes that it received.
    pub rx_bytes: u64,
    /// Packets that it received.
    pub rx_packets: u64,
    /// Packets for it that were dropped.
    pub rx_dropped: u64,
    /// Bytes that it sent.
    pub tx_bytes: u64,
    /// Packets that it sent.
    pub tx_packets: u64,
    /// Packets of its own that were dropped.
    pub tx_dropped: u64,
}

/// The traffic of all endpoints that have an end here. What the host's end receives is what the container sends.
pub(crate) fn traffic(socket: &mut RtSocket) -> Result<Vec<(EndpointId, Traffic)>, ObserveError> {
    let answers = socket.dump(&link::show_all_counted());
    let answers = answers.map_err(|source| ObserveError { what: "links", source })?;
    Ok(answers.iter().filter_map(of_endpoint).collect())
}

fn of_endpoint(answer: &RouteNetlinkMessage) -> Option<(EndpointId, Traffic)> {
    let RouteNetlinkMessage::NewLink(LinkMessage { attributes, .. }) = answer else { return None };
    let (mut owner, mut counted) = (None, None);
    for attribute in attributes {
        match attribute {
            LinkAttribute::IfAlias(alias) => owner = Owner::of_alias(alias),
            LinkAttribute::Stats64(stats) => counted = Some(*stats),
            _ => {}
        }
    }
    match (owner?, counted?) {
        (Owner::Endpoint(id), stats) => Some((id, seen_from_inside(&stats))),
        (Owner::Network(_) | Owner::Detour(_), _) => None,
    }
}

fn seen_from_inside(host: &Stats64) -> Traffic {
    Traffic {
        rx_bytes: host.tx_bytes,
        rx_packets: host.tx_packets,
        rx_dropped: host.tx_dropped,
        tx_bytes: host.rx_bytes,
        tx_packets: host.rx_packets,
        tx_dropped: host.rx_dropped,
    }
}
