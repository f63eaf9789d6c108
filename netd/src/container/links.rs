//! `--link` on the default bridge, which has no names: lines in /etc/hosts. Links in other networks are names that one
//! container alone sees, and the network's.

use super::{
    ContainerError, create::NetworkMode, create::link_parts, error::invalid, parts::Parts, record::Record,
    registry::Registry,
};
use crate::names::HostEntry;

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
    let mut entries = Vec::new();
    let bridge = record.endpoints.iter().find(|endpoint| endpoint.network_name == NETWORK);
    let Some(bridge) = bridge else { return Ok(entries) };
    for link in &bridge.settings.links {
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
        let endpoints = parts.networks.endpoints(other.id);
        let Some(theirs_here) = endpoints.iter().find(|endpoint| endpoint.network == bridge.network) else {
            return Err(ContainerError::Link(format!(
                "Cannot link to /{}, as it does not belong to the default network",
                theirs.name
            )));
        };
        let hostname = theirs.config.hostname.clone().unwrap_or_default();
        let mut names = vec![alias.to_owned(), hostname];
        if alias != theirs.name {
            names.push(theirs.name.clone());
        }
        names.retain(|name| !name.is_empty());
        entries.extend(theirs_here.addresses().map(|ip| HostEntry { ip, names: names.clone() }));
    }
    Ok(entries)
}

/// The links as they are shown: `/db:/web/alias`.
pub(super) fn shown(record: &Record) -> Option<Vec<String>> {
    let bridge = record.endpoints.iter().find(|endpoint| endpoint.network_name == NETWORK)?;
    let links = bridge.settings.links.iter().filter_map(|link| link_parts(link).ok());
    let shown: Vec<_> = links.map(|(name, alias)| format!("/{name}:/{}/{alias}", record.name)).collect();
    (!shown.is_empty()).then_some(shown)
}
