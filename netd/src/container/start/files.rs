//! hosts, hostname and resolv.conf of a container: written where they are mounted from, in place, so that a running
//! container sees what changes.

use std::{fmt::Write as _, net::IpAddr};

use tokio::fs;

use super::{Planned, network::Networked};
use crate::{
    container::{
        ContainerError,
        create::{NetworkMode, Wanted, link_parts},
        parts::{Parts, blocking},
        record::Record,
        registry::Registry,
    },
    network::FilesAsk,
};

/// Writes them for a container that is about to start.
pub(super) async fn write(plan: &Planned<'_>, networked: &Networked) -> Result<(), ContainerError> {
    if !networked.own_files {
        return Ok(());
    }
    refresh(plan.parts, plan.registry, plan.record, &plan.wanted).await
}

/// Writes them for the endpoints that the container has now.
pub(in crate::container) async fn refresh(
    parts: &Parts,
    registry: &Registry,
    record: &Record,
    wanted: &Wanted,
) -> Result<(), ContainerError> {
    let mut extra_hosts = wanted.extra_hosts.clone();
    extra_hosts.extend(legacy_links(parts, registry, record)?);
    let (resolv_conf, hosts) = match wanted.mode {
        NetworkMode::Container(_) => return Ok(()),
        NetworkMode::Host => (host_resolv_conf(wanted).await?, host_hosts(&extra_hosts).await?),
        NetworkMode::None | NetworkMode::Private => {
            let files = parts.networks.files(&FilesAsk {
                container: record.id,
                hostname: wanted.hostname.clone(),
                domain: wanted.domainname.clone(),
                dns: wanted.dns.clone(),
                extra_hosts,
            })?;
            (files.resolv_conf, files.hosts)
        }
    };
    let dir = parts.paths.data(record.id);
    let full = match wanted.domainname.as_str() {
        "" => format!("{}\n", wanted.hostname),
        domain => format!("{}.{domain}\n", wanted.hostname),
    };
    let texts = [("resolv.conf", resolv_conf), ("hosts", hosts), ("hostname", full)];
    blocking(move || {
        texts.iter().try_for_each(|(name, text)| {
            let path = dir.join(name);
            // Truncated, not replaced: the inode is bind-mounted.
            std::fs::write(&path, text).map_err(ContainerError::file("write", &path))
        })
    })
    .await
}

/// In the machine's network the machine's servers are right, unless the user knows better.
async fn host_resolv_conf(wanted: &Wanted) -> Result<String, ContainerError> {
    let dns = &wanted.dns;
    if dns.servers.is_empty() && dns.search.is_empty() && dns.options.is_empty() {
        return Ok(fs::read_to_string("/etc/resolv.conf").await.unwrap_or_default());
    }
    let mut text = String::new();
    for server in &dns.servers {
        let _ = writeln!(text, "nameserver {server}");
    }
    if !dns.search.is_empty() && dns.search != ["."] {
        let _ = writeln!(text, "search {}", dns.search.join(" "));
    }
    if !dns.options.is_empty() {
        let _ = writeln!(text, "options {}", dns.options.join(" "));
    }
    Ok(text)
}

async fn host_hosts(extra: &[(String, String)]) -> Result<String, ContainerError> {
    let mut text = fs::read_to_string("/etc/hosts").await.unwrap_or_default();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    for (name, ip) in extra {
        // In the machine's own network the gateway to the machine is the machine.
        let ip = if ip == "host-gateway" { "127.0.0.1" } else { ip };
        let _ = writeln!(text, "{ip}\t{name}");
    }
    Ok(text)
}

/// Links on the default bridge, which has no names: lines in /etc/hosts.
fn legacy_links(
    parts: &Parts,
    registry: &Registry,
    record: &Record,
) -> Result<Vec<(String, String)>, ContainerError> {
    let mut lines = Vec::new();
    let bridge = record.endpoints.iter().find(|endpoint| endpoint.network_name == "bridge");
    let Some(bridge) = bridge else { return Ok(lines) };
    for link in &bridge.settings.links {
        let (name, alias) = link_parts(link)?;
        let other = registry.find(name).map_err(|source| ContainerError::Other {
            what: "could not get container for a link",
            source: Box::new(source),
        })?;
        let theirs = other.record();
        if !theirs.state.phase.has_process() {
            return Err(ContainerError::Conflict(format!(
                "Cannot link to a non running container: /{} AS /{}/{alias}",
                theirs.name, record.name
            )));
        }
        let endpoints = parts.networks.endpoints(other.id);
        let ip = endpoints.iter().find(|endpoint| endpoint.network == bridge.network).and_then(|endpoint| {
            endpoint.v4.map(|v4| IpAddr::V4(v4.ip())).or(endpoint.v6.map(|v6| IpAddr::V6(v6.ip())))
        });
        let Some(ip) = ip else {
            return Err(ContainerError::Conflict(format!(
                "Cannot link to /{}, as it does not belong to the default network",
                theirs.name
            )));
        };
        let mut names = vec![alias.to_owned(), theirs.name.clone(), other.id.short(12)];
        names.dedup();
        lines.extend(names.into_iter().map(|name| (name, ip.to_string())));
    }
    Ok(lines)
}
