//! `--link` on the default bridge, which has no names: lines in /etc/hosts, and variables if the daemon is told so. Links in other networks are names that one
//! container alone sees, and the network's.

use std::sync::Arc;

use super::{
    ContainerError,
    create::{NetworkMode, link_parts},
    error::invalid,
    link_env,
    list::wanted_ports,
    parts::Parts,
    record::{Endpoint, Record},
    registry::{Container, Registry},
};
use crate::{config::LinkVariables, names::HostEntry, network::EndpointView};

/// The network in which links are lines of a file.
pub(super) const NETWORK: &str = "bridge";

/// Whether such links can be made: they name containers that are there, and not in the machine's network.
pub(super) fn check(registry: &Registry, links: &[String]) -> Result<(), ContainerError> {
    for link in links {
        let (name, _) = link_parts(link)?;
        let mut wanted = name.to_owned();
        // Bounded: containers that share in a circle can't have been started.
        for _ in 0..16 {
            let other = registry.find(&wanted).map_err(|source| ContainerError::Other {
                what: format!("could not get container for {wanted}"),
                source: Box::new(source),
            })?;
            match NetworkMode::read(other.record().network_mode()) {
                NetworkMode::Container(next) => wanted = next,
                NetworkMode::Host => {
                    return invalid(
                        "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
                    );
                }
                NetworkMode::None | NetworkMode::Private => break,
            }
        }
    }
    Ok(())
}

/// The lines of a container's links: alias, host name and name of the other one.
pub(super) fn entries(
    parts: &Parts,
    registry: &Registry,
    record: &Record,
) -> Result<Vec<HostEntry>, ContainerError> {
    let Some(bridge) = on_bridge(record) else { return Ok(Vec::new()) };
    let linked = bridge.settings.links.iter().map(|link| Linked::find(parts, registry, record, link));
    let linked = linked.collect::<Result<Vec<_>, _>>()?;
    Ok(linked.iter().flat_map(Linked::entries).collect())
}

/// The lines of those links whose other container runs.
pub(super) fn entries_now(parts: &Parts, registry: &Registry, record: &Record) -> Vec<HostEntry> {
    let links = on_bridge(record).into_iter().flat_map(|bridge| &bridge.settings.links);
    let linked = links.filter_map(|link| Linked::find(parts, registry, record, link).ok());
    linked.flat_map(|linked| linked.entries()).collect()
}

/// What links put into the environment: addresses, ports and environment of the other container, by the alias.
pub(super) fn variables(parts: &Parts, registry: &Registry, record: &Record) -> Vec<String> {
    if parts.defaults.link_variables == LinkVariables::Absent {
        return Vec::new();
    }
    let links = on_bridge(record).into_iter().flat_map(|bridge| &bridge.settings.links);
    let linked = links.filter_map(|link| Linked::find(parts, registry, record, link).ok());
    linked.flat_map(|linked| linked.variables(record)).collect()
}

/// The running containers that are linked to this one.
pub(super) fn owners(registry: &Registry, record: &Record) -> Vec<Arc<Container>> {
    let is_linked = |other: &Arc<Container>| {
        let theirs = other.record();
        let links = on_bridge(&theirs).into_iter().flat_map(|bridge| &bridge.settings.links);
        let mut names = links.filter_map(|link| link_parts(link).ok()).map(|(name, _)| name);
        theirs.state.phase.has_process()
            && names.any(|name| registry.find(name).is_ok_and(|found| found.id == record.id))
    };
    if on_bridge(record).is_none() {
        return Vec::new();
    }
    registry.all().into_iter().filter(is_linked).collect()
}

/// The names that a link gives another container in /etc/hosts, as far as it is known.
pub(super) fn names(registry: &Registry, link: &str) -> Vec<String> {
    let Ok((name, alias)) = link_parts(link) else { return Vec::new() };
    registry.find(name).map(|other| called(&other.record(), alias)).unwrap_or_default()
}

fn on_bridge(record: &Record) -> Option<&Endpoint> {
    record.endpoints.iter().find(|endpoint| endpoint.network_name == NETWORK)
}

fn called(record: &Record, alias: &str) -> Vec<String> {
    let hostname = record.config.hostname.clone().unwrap_or_default();
    let mut names = vec![alias.to_owned(), hostname];
    if alias != record.name {
        names.push(record.name.clone());
    }
    names.retain(|name| !name.is_empty());
    names
}

/// A running container that another one is linked to.
struct Linked<'a> {
    alias: &'a str,
    theirs: Arc<Record>,
    endpoint: EndpointView,
}

impl<'a> Linked<'a> {
    fn find(
        parts: &Parts,
        registry: &Registry,
        record: &Record,
        link: &'a str,
    ) -> Result<Self, ContainerError> {
        let (name, alias) = link_parts(link)?;
        let other = registry.find(name).map_err(|source| ContainerError::Other {
            what: format!("could not get container for {name}"),
            source: Box::new(source),
        })?;
        let theirs = other.record();
        if !theirs.state.phase.has_process() {
            return Err(ContainerError::Link(format!(
                "Cannot link to a non running container: /{} AS /{}/{alias}",
                theirs.name, record.name
            )));
        }
        let network = on_bridge(record).map(|bridge| bridge.network);
        let mut endpoints = parts.networks.endpoints(other.id).into_iter();
        let Some(endpoint) = endpoints.find(|endpoint| Some(endpoint.network) == network) else {
            return Err(ContainerError::Link(format!(
                "Cannot link to /{}, as it does not belong to the default network",
                theirs.name
            )));
        };
        Ok(Self { alias, theirs, endpoint })
    }

    fn entries(&self) -> Vec<HostEntry> {
        let names = called(&self.theirs, self.alias);
        self.endpoint.addresses().map(|ip| HostEntry { ip, names: names.clone() }).collect()
    }

    fn variables(&self, owner: &Record) -> Vec<String> {
        let Some(v4) = self.endpoint.v4 else { return Vec::new() };
        let link = link_env::Link {
            alias: self.alias,
            path: &format!("/{}/{}", owner.name, self.alias),
            ip: v4.ip(),
            ports: wanted_ports(&self.theirs).exposed.into_iter().collect(),
            env: self.theirs.config.env.as_deref().unwrap_or_default(),
        };
        link.variables()
    }
}

/// The links as they are shown: `/db:/web/alias`.
pub(super) fn shown(record: &Record) -> Option<Vec<String>> {
    let links = on_bridge(record)?.settings.links.iter().filter_map(|link| link_parts(link).ok());
    let shown: Vec<_> = links.map(|(name, alias)| format!("/{name}:/{}/{alias}", record.name)).collect();
    (!shown.is_empty()).then_some(shown)
}
