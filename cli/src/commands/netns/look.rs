//! A namespace as it is: what `ls` and `inspect` show of it.

use std::collections::HashMap;
use std::path::PathBuf;

use libnet::netns::{self, Identity, NetNs};
use libnet::observe::{Inside, Link, Owned, Snapshot, owned};

use super::names;
use crate::error::CliError;

/// What there is around namespaces: names, processes, the links of this one.
pub(super) struct Surroundings {
    pub(super) named: Vec<netns::Named>,
    pub(super) processes: HashMap<Identity, Vec<u32>>,
    pub(super) here: Snapshot,
    pub(super) own: Identity,
}

/// A namespace and what is in it.
pub(super) struct Seen {
    pub(super) path: PathBuf,
    pub(super) identity: Identity,
    pub(super) inside: Inside,
}

impl Surroundings {
    pub(super) fn look() -> Result<Self, CliError> {
        let io = |what: &str| {
            let what = what.to_owned();
            move |source| CliError::Io { what, source }
        };
        let own = NetNs::current().and_then(|own| own.identity()).map_err(io("look at this namespace"))?;
        Ok(Self {
            named: netns::named(names()).map_err(io("list the names of namespaces"))?,
            processes: netns::processes().map_err(io("look for processes"))?,
            here: Snapshot::take().map_err(CliError::library)?,
            own,
        })
    }

    /// The processes in a namespace.
    pub(super) fn processes_in(&self, namespace: Identity) -> &[u32] {
        self.processes.get(&namespace).map_or(&[], Vec::as_slice)
    }

    /// The end on this side of a link that is inside `seen`.
    pub(super) fn host_end(&self, seen: &Seen, link: &Link) -> Option<&Link> {
        let peer =
            link.peer.filter(|peer| peer.namespace.is_some() && peer.namespace == seen.inside.caller)?;
        self.here.link(peer.index)
    }

    /// Whose a link inside is: its end on this side says so, or it does itself, where it has none (macvlan).
    pub(super) fn owner(&self, seen: &Seen, link: &Link) -> Option<Owned> {
        let of = |link: &Link| link.alias.as_deref().and_then(owned);
        self.host_end(seen, link).and_then(of).or_else(|| of(link))
    }
}

impl Seen {
    pub(super) fn look(path: PathBuf, netns: &NetNs) -> Result<Self, CliError> {
        let failed = |source| CliError::Io { what: format!("look at {}", path.display()), source };
        let identity = netns.identity().map_err(failed)?;
        let inside = Inside::look(netns).map_err(CliError::library)?;
        Ok(Self { path, identity, inside })
    }

    /// The addresses of a link, or of all but loopback; those that every link has (link-local ones) are left out unless
    /// one link is meant.
    pub(super) fn addresses(&self, of: Option<&Link>) -> Vec<String> {
        let snapshot = &self.inside.snapshot;
        let global = |address: &ipnetwork::IpNetwork| match address {
            ipnetwork::IpNetwork::V6(v6) => !v6.ip().is_unicast_link_local() && !v6.ip().is_loopback(),
            ipnetwork::IpNetwork::V4(v4) => !v4.ip().is_loopback(),
        };
        let shown = snapshot.addresses.iter().filter(|found| match of {
            Some(link) => found.link == link.index,
            None => global(&found.address),
        });
        shown.map(|found| found.address.to_string()).collect()
    }
}
