//! Links of the default bridge, where its containers are kept apart (`icc=false`): what a container may reach of those
//! that it is linked to. Which holes there are follows from who is in the network now, and is worked out anew whenever
//! that changes.

use std::collections::BTreeSet;

use libnet::{
    firewall::Opening,
    types::{ContainerId, Icc, NetworkId},
};

use super::{
    NetworkError,
    inner::{Inner, failed, put_endpoint},
    record::{EndpointRecord, NetworkRecord},
    state::State,
};

/// An id is as good as a name from so many digits on; fewer could be a name.
const DIGITS: usize = 12;

impl Inner {
    /// Lets through what the links of a network's containers allow by now.
    pub(super) fn relink(&self, network: NetworkId) -> Result<(), NetworkError> {
        let _alone = self.linking();
        let openings = self.state().openings(network);
        let Some(openings) = openings else { return Ok(()) };
        self.kernel.set_openings(network, openings).map_err(failed("open links in network", network))
    }

    /// Makes these the links of a container in a network.
    pub(super) fn set_links(
        &self,
        container: ContainerId,
        network: NetworkId,
        links: Vec<(String, String)>,
    ) -> Result<(), NetworkError> {
        let changed = self.state().set_links(container, network, links);
        let Some(record) = changed else { return Ok(()) };
        self.live.commit(&[put_endpoint(&record)?])?;
        self.relink(network)
    }
}

impl State {
    /// What the links of its containers open in a network that keeps them apart; nothing where there is nothing to open.
    pub(super) fn openings(&self, network: NetworkId) -> Option<BTreeSet<Opening>> {
        let record = self.network(network).ok().filter(|record| keeps_apart(record))?;
        let all: Vec<_> = self.endpoints_in(record.id).collect();
        let links = all.iter().flat_map(|from| from.links.iter().map(move |(_, name)| (*from, name)));
        let pairs = links.filter_map(|(from, name)| Some((from, called(&all, name)?)));
        Some(pairs.flat_map(|(from, to)| between(from, to)).collect())
    }
}

fn keeps_apart(network: &NetworkRecord) -> bool {
    network.default && network.bridge.as_ref().is_some_and(|bridge| bridge.icc == Icc::Denied)
}

fn called<'a>(all: &[&'a EndpointRecord], name: &str) -> Option<&'a EndpointRecord> {
    let by_id =
        |record: &&&EndpointRecord| name.len() >= DIGITS && record.container.to_string().starts_with(name);
    all.iter().find(|record| record.name == name).or_else(|| all.iter().find(by_id)).copied()
}

/// All ports that one of them offers, for the other.
fn between(from: &EndpointRecord, to: &EndpointRecord) -> Vec<Opening> {
    let published = to.ports.iter().map(|port| (port.container, port.proto));
    let offered: BTreeSet<_> = to.exposed.iter().copied().chain(published).collect();
    let (from, to) = (from.addresses(), to.addresses());
    let pairs = from.iter().flat_map(|from| to.iter().map(move |to| (*from, *to)));
    let same_family = pairs.filter(|(from, to)| from.is_ipv4() == to.is_ipv4());
    same_family
        .flat_map(|(from, to)| {
            offered.iter().map(move |(port, proto)| Opening { from, to, at: (*proto, *port) })
        })
        .collect()
}
