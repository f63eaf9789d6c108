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
    record::{Endpoint, EndpointSettings, Link, Record},
    registry::{Container, Registry},
};
use crate::{config::LinkVariables, names::HostEntry, network::EndpointView};

/// The network in which links are lines of a file.
pub(super) const NETWORK: &str = "bridge";

/// Finds whom the links lead to: containers that are there, and not in the machine's network. As in Docker, of two links of
/// one alias the first is taken, and one to a container that shares another's network leads to that other.
pub(super) fn resolve(registry: &Registry, settings: &mut EndpointSettings) -> Result<(), ContainerError> {
    for link in std::mem::take(&mut settings.links) {
        let (name, alias) = link_parts(&link)?;
        let to = reachable(registry, name)?;
        if settings.linked.iter().all(|known| known.alias != alias) {
            settings.linked.push(Link { alias: alias.to_owned(), to: to.id, name: to.name.clone() });
        }
    }
    Ok(())
}

fn reachable(registry: &Registry, name: &str) -> Result<Arc<Record>, ContainerError> {
    let mut wanted = name.to_owned();
    // Bounded: containers that share in a circle can't have been started.
    for _ in 0..16 {
        let other = registry.find(&wanted).map_err(|source| ContainerError::Other {
            what: format!("could not get container for {wanted}"),
            source: Box::new(source),
        })?;
        let other = other.record();
        match other.mode() {
            NetworkMode::Container(next) => wanted = next,
            NetworkMode::Host => {
                return invalid(
                    "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
                );
            }
            NetworkMode::None | NetworkMode::Private => return Ok(other),
        }
    }
    invalid(format!("the network of container {name} is nobody's"))
}

/// What the linked containers are called now: a start writes it down, and it stands until the next one.
pub(super) fn learn_names(registry: &Registry, record: &mut Record) {
    for link in record.endpoints.iter_mut().flat_map(|endpoint| &mut endpoint.settings.linked) {
        link.name = name_now(registry, link);
    }
}

/// A container that is gone keeps the name that was known.
fn name_now(registry: &Registry, link: &Link) -> String {
    registry
        .find(&link.to.to_string())
        .map_or_else(|_| link.name.clone(), |other| other.record().name.clone())
}

/// The lines of a container's links: alias, host name and name of the other one.
pub(super) fn entries(
    parts: &Parts,
    registry: &Registry,
    record: &Record,
) -> Result<Vec<HostEntry>, ContainerError> {
    let linked = links(record).map(|link| Linked::find(parts, registry, record, link));
    let linked = linked.collect::<Result<Vec<_>, _>>()?;
    Ok(linked.iter().flat_map(Linked::entries).collect())
}

/// The lines of those links whose other container runs.
pub(super) fn entries_now(parts: &Parts, registry: &Registry, record: &Record) -> Vec<HostEntry> {
    let linked = links(record).filter_map(|link| Linked::find(parts, registry, record, link).ok());
    linked.flat_map(|linked| linked.entries()).collect()
}

/// What links put into the environment: addresses, ports and environment of the other container, by the alias.
pub(super) fn variables(parts: &Parts, registry: &Registry, record: &Record) -> Vec<String> {
    if parts.defaults.link_variables == LinkVariables::Absent {
        return Vec::new();
    }
    let linked = links(record).filter_map(|link| Linked::find(parts, registry, record, link).ok());
    linked.flat_map(|linked| linked.variables(record)).collect()
}

/// The running containers that are linked to this one.
pub(super) fn owners(registry: &Registry, record: &Record) -> Vec<Arc<Container>> {
    let is_linked = |other: &Arc<Container>| {
        let theirs = other.record();
        theirs.state.phase.has_process() && links(&theirs).any(|link| link.to == record.id)
    };
    if on_bridge(record).is_none() {
        return Vec::new();
    }
    registry.all().into_iter().filter(is_linked).collect()
}

/// The names that a link gives another container in /etc/hosts, as far as it is known.
pub(super) fn names(registry: &Registry, link: &Link) -> Vec<String> {
    registry.find(&link.to.to_string()).map(|other| called(&other.record(), link)).unwrap_or_default()
}

fn on_bridge(record: &Record) -> Option<&Endpoint> {
    record.endpoints.iter().find(|endpoint| endpoint.network_name == NETWORK)
}

fn links(record: &Record) -> impl Iterator<Item = &Link> {
    on_bridge(record).into_iter().flat_map(|bridge| &bridge.settings.linked)
}

fn called(theirs: &Record, Link { alias, name, .. }: &Link) -> Vec<String> {
    let hostname = theirs.config.hostname.clone().unwrap_or_default();
    let mut names = vec![alias.clone(), hostname];
    if alias != name {
        names.push(name.clone());
    }
    names.retain(|name| !name.is_empty());
    names
}

/// A running container that another one is linked to.
struct Linked<'a> {
    link: &'a Link,
    theirs: Arc<Record>,
    endpoint: EndpointView,
}

impl<'a> Linked<'a> {
    fn find(
        parts: &Parts,
        registry: &Registry,
        record: &Record,
        link: &'a Link,
    ) -> Result<Self, ContainerError> {
        let theirs = registry.find(&link.to.to_string()).map(|other| other.record());
        let Some(theirs) = theirs.ok().filter(|theirs| theirs.state.phase.has_process()) else {
            let (theirs, own, alias) = (name_now(registry, link), &record.name, &link.alias);
            return Err(ContainerError::Link(format!(
                "Cannot link to a non running container: /{theirs} AS /{own}/{alias}"
            )));
        };
        let mut endpoints = parts.networks.endpoints(link.to).into_iter();
        let Some(endpoint) = endpoints.find(|endpoint| endpoint.network_name == NETWORK) else {
            return Err(ContainerError::Link(format!(
                "Cannot link to /{}, as it does not belong to the default network",
                theirs.name
            )));
        };
        Ok(Self { link, theirs, endpoint })
    }

    fn entries(&self) -> Vec<HostEntry> {
        let names = called(&self.theirs, self.link);
        self.endpoint.addresses().map(|ip| HostEntry { ip, names: names.clone() }).collect()
    }

    fn variables(&self, owner: &Record) -> Vec<String> {
        let Some(v4) = self.endpoint.v4 else { return Vec::new() };
        let link = link_env::Link {
            alias: &self.link.alias,
            path: &format!("/{}/{}", owner.name, self.link.alias),
            ip: v4.ip(),
            ports: wanted_ports(&self.theirs).exposed.into_iter().collect(),
            env: self.theirs.config.env.as_deref().unwrap_or_default(),
        };
        link.variables()
    }
}

/// The links as they are shown: `/db:/web/alias`.
pub(super) fn shown(registry: &Registry, record: &Record) -> Option<Vec<String>> {
    let show = |link: &Link| format!("/{}:/{}/{}", name_now(registry, link), record.name, link.alias);
    let shown: Vec<_> = links(record).map(show).collect();
    (!shown.is_empty()).then_some(shown)
}
