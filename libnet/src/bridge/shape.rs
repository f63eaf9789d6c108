//! Endpoints whose traffic is limited: the steps that limit it, and what is missing of that on a host. Pure.
//!
//! What a container receives is what the host's end of its pair sends, and waits there in a queue. What it sends is received
//! there, where nothing can wait: it takes a detour through a link of its own (`ifb`), which has such a queue and gives it
//! back. Both are on the host, where a container can't alter them.

use super::{
    Step,
    names::{Owner, detour, host_link},
};
use crate::{
    host::EndpointSpec,
    observe::{Link, Queues, Snapshot},
    types::{EndpointId, IfName, Mtu, Rate},
};

/// A queue that what a container receives waits in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    /// The host's end.
    pub(crate) host: IfName,
    pub(crate) rate: Rate,
    pub(crate) mtu: Mtu,
}

/// The detour of what a container sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Detour {
    pub(crate) endpoint: EndpointId,
    /// The host's end.
    pub(crate) host: IfName,
    /// The link that it leads through.
    pub(crate) through: IfName,
    pub(crate) alias: String,
    pub(crate) rate: Rate,
    pub(crate) mtu: Mtu,
}

/// The steps that limit an endpoint whose host's end is there.
pub(crate) fn limits(ep: &EndpointSpec) -> impl Iterator<Item = Step> {
    let host = host_link(&ep.id);
    let into = ep.rates.into.map(|rate| Limit { host: host.clone(), rate, mtu: ep.mtu });
    let out = ep.rates.out.map(|rate| Detour {
        endpoint: ep.id,
        host,
        through: detour(&ep.id),
        alias: Owner::Detour(ep.id).alias(&ep.label),
        rate,
        mtu: ep.mtu,
    });
    into.map(Step::Limit).into_iter().chain(out.map(|out| Step::Detour(Box::new(out))))
}

/// Those of the endpoints that are not limited as they should be.
pub(crate) fn unlimited<'e>(
    endpoints: impl Iterator<Item = &'e EndpointSpec>,
    seen: &Snapshot,
    queues: &Queues,
) -> Vec<EndpointSpec> {
    let link = |name: &IfName| seen.links.iter().find(|link| link.name == *name);
    let is_right = |ep: &&EndpointSpec| {
        // What has no link any more is lost, not unlimited.
        let Some(host) = link(&host_link(&ep.id)) else { return true };
        let into = ep.rates.into.is_none_or(|rate| queues.limit(host.index) == Some(rate));
        into && ep.rates.out.is_none_or(|rate| is_detour_right(ep, host, link(&detour(&ep.id)), rate, queues))
    };
    endpoints.filter(|ep| !is_right(ep)).cloned().collect()
}

fn is_detour_right(
    ep: &EndpointSpec,
    host: &Link,
    through: Option<&Link>,
    rate: Rate,
    queues: &Queues,
) -> bool {
    through.is_some_and(|through| {
        through.up
            && Owner::of_link(through) == Some(Owner::Detour(ep.id))
            && queues.limit(through.index) == Some(rate)
            && queues.leads(host.index, through.index)
    })
}
