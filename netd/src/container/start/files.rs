//! hosts, hostname and resolv.conf of a container: written where they are mounted from, in place, so that a running
//! container sees what changes. At a start they are written as they should be; while the container runs, its own lines
//! come and go, and what a user wrote stays.

use std::{io, path::Path};

use super::{Planned, network::Networked};
use crate::{
    container::{
        ContainerError,
        create::{NetworkMode, Wanted},
        links,
        parts::{Parts, blocking},
        record::Record,
        registry::Registry,
    },
    names::{self, HostEntry},
    network::{EndpointView, FilesAsk, Space},
};

/// The machine's own file, as far as its network's containers see it.
const MACHINE_HOSTS: &str = "/etc/hosts";
/// What we wrote last: if the file is another one by now, it is the user's.
const WRITTEN: &str = "resolv.conf.written";

/// Whether an endpoint of a running container comes or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::container) enum Change<'a> {
    Joined(&'a EndpointView),
    Left(&'a EndpointView),
}

/// Writes them for a container that is about to start.
pub(super) async fn write(plan: &Planned<'_>, networked: &Networked) -> Result<(), ContainerError> {
    if !networked.own_files {
        return Ok(());
    }
    let Planned { parts, registry, record, wanted, .. } = plan;
    let links = links::entries(parts, registry, record)?;
    let files = parts.networks.files(&ask(record, wanted, links))?;
    let full = match wanted.domainname.as_str() {
        "" => format!("{}\n", wanted.hostname),
        domain => format!("{}.{domain}\n", wanted.hostname),
    };
    let dir = parts.paths.data(record.id);
    blocking(move || {
        let hosts = match files.hosts {
            Some(hosts) => hosts,
            None => read(Path::new(MACHINE_HOSTS))?,
        };
        let resolv_conf = files.resolv_conf;
        put(&dir.join(WRITTEN), &resolv_conf)?;
        put(&dir.join("resolv.conf"), &resolv_conf)?;
        put(&dir.join("hosts"), &hosts)?;
        put(&dir.join("hostname"), &full)
    })
    .await
}

/// Writes what a change means for a running container.
pub(in crate::container) async fn update(
    parts: &Parts,
    registry: &Registry,
    (record, wanted): (&Record, &Wanted),
    change: Change<'_>,
) -> Result<(), ContainerError> {
    let files = parts.networks.files(&ask(record, wanted, Vec::new()))?;
    let own = |view: &EndpointView| {
        let entry = |ip| HostEntry::own(ip, &wanted.hostname, &wanted.domainname);
        view.addresses().map(entry).collect::<Vec<_>>()
    };
    let (come, gone) = match change {
        Change::Joined(view) if view.network_name == links::NETWORK => {
            ([links::entries(parts, registry, record)?, own(view)].concat(), Vec::new())
        }
        Change::Joined(view) => (own(view), Vec::new()),
        Change::Left(view) => (Vec::new(), own(view)),
    };
    let dir = parts.paths.data(record.id);
    blocking(move || {
        let hosts = dir.join("hosts");
        let text = read(&hosts)?;
        put(&hosts, &names::with(&names::without(&text, &gone), &come))?;
        if read(&dir.join(WRITTEN))? == read(&dir.join("resolv.conf"))? {
            put(&dir.join(WRITTEN), &files.resolv_conf)?;
            put(&dir.join("resolv.conf"), &files.resolv_conf)?;
        }
        Ok(())
    })
    .await
}

/// The lines of links that are there get the addresses that the linked containers have now.
pub(in crate::container) async fn readdress(
    parts: &Parts,
    registry: &Registry,
    record: &Record,
) -> Result<(), ContainerError> {
    let entries = links::entries_now(parts, registry, record);
    rewrite_hosts(parts, record, move |text| names::readdressed(text, &entries)).await
}

/// The lines of these names go.
pub(in crate::container) async fn drop_names(
    parts: &Parts,
    record: &Record,
    names: Vec<String>,
) -> Result<(), ContainerError> {
    rewrite_hosts(parts, record, move |text| names::without_names(text, &names)).await
}

async fn rewrite_hosts(
    parts: &Parts,
    record: &Record,
    change: impl FnOnce(&str) -> String + Send + 'static,
) -> Result<(), ContainerError> {
    let hosts = parts.paths.data(record.id).join("hosts");
    blocking(move || {
        let text = read(&hosts)?;
        let changed = change(&text);
        if changed == text { Ok(()) } else { put(&hosts, &changed) }
    })
    .await
}

fn ask(record: &Record, wanted: &Wanted, links: Vec<HostEntry>) -> FilesAsk {
    let space = if wanted.mode == NetworkMode::Host { Space::Machine } else { Space::Own };
    FilesAsk {
        container: record.id,
        space,
        hostname: wanted.hostname.clone(),
        domain: wanted.domainname.clone(),
        dns: wanted.dns.clone(),
        extra_hosts: wanted.extra_hosts.clone(),
        links,
    }
}

/// A file that is not there is empty.
fn read(path: &Path) -> Result<String, ContainerError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(ContainerError::file("read", path)(error)),
    }
}

/// Truncated, not replaced: the inode is bind-mounted.
fn put(path: &Path, text: &str) -> Result<(), ContainerError> {
    std::fs::write(path, text).map_err(ContainerError::file("write", path))
}
