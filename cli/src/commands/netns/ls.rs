//! `pontoon netns ls`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use libnet::netns::{NetNs, Reference};
use libnet::observe::Owned;
use serde_json::{Map, Value, json};

use super::look::{Seen, Surroundings};
use super::names;
use crate::args::NetnsLs;
use crate::error::CliError;
use crate::format::list::{self, Row};
use crate::format::namespaces::KIND;
use crate::output;

pub(super) fn run(args: &NetnsLs) -> Result<(), CliError> {
    let around = Surroundings::look()?;
    let mut rows = Vec::new();
    for named in &around.named {
        let seen = match named.namespace {
            Some(_) => look(&Reference::Name(named.name.clone()))?,
            None => None,
        };
        rows.push(row(&named.name, &named.path, seen.as_ref(), &around));
    }
    if args.all {
        for path in nameless(&around) {
            let seen = look(&Reference::Path(path.clone()))?;
            if seen.is_some() {
                rows.push(row(&path.to_string_lossy(), &path, seen.as_ref(), &around));
            }
        }
    }
    let text = list::render(&KIND, args.format.as_deref(), args.quiet, &rows);
    output::data(&text.map_err(CliError::ListTemplate)?)
}

/// One that has gone since it was listed is none.
fn look(reference: &Reference) -> Result<Option<Seen>, CliError> {
    let path = reference.path(names());
    NetNs::open(&path).ok().map(|netns| Seen::look(path, &netns)).transpose()
}

/// A way to each namespace that processes live in and that has no name, in order of the first of them.
fn nameless(around: &Surroundings) -> Vec<PathBuf> {
    let named: BTreeSet<_> = around.named.iter().filter_map(|named| named.namespace).collect();
    let all = around.processes.iter().filter(|(namespace, _)| !named.contains(namespace));
    let mut firsts: Vec<u32> = all.filter_map(|(_, processes)| processes.first().copied()).collect();
    firsts.sort_unstable();
    firsts.iter().map(|pid| Reference::Process(*pid).path(names())).collect()
}

fn row(name: &str, path: &Path, seen: Option<&Seen>, around: &Surroundings) -> Row {
    let Some(seen) = seen else {
        let nothing = json!({
            "Name": name, "Path": path.to_string_lossy(), "Inode": "-", "Processes": "", "Pids": "", "Links": "",
            "Addresses": "", "Container": "", "Networks": "",
        });
        return Row::new(nothing, Map::new());
    };
    let links = &seen.inside.snapshot.links;
    let processes = around.processes_in(seen.identity);
    let (containers, networks) = owners(seen, around);
    let pids: Vec<String> = processes.iter().map(u32::to_string).collect();
    let names: Vec<&str> = links.iter().map(|link| link.name.as_str()).collect();
    let cells = json!({
        "Name": name,
        "Path": path.to_string_lossy(),
        "Inode": seen.identity.inode().to_string(),
        "Processes": processes.len().to_string(),
        "Pids": pids.join(","),
        "Links": names.join(","),
        "Addresses": seen.addresses(None).join(","),
        "Container": if seen.identity == around.own { "(this host)".to_owned() } else { containers.join(",") },
        "Networks": networks.join(","),
    });
    Row::new(cells, Map::<String, Value>::new())
}

/// Whose endpoints are inside, and in which networks.
fn owners(seen: &Seen, around: &Surroundings) -> (Vec<String>, Vec<String>) {
    let (mut containers, mut networks) = (BTreeSet::new(), BTreeSet::new());
    for link in &seen.inside.snapshot.links {
        if let Some(Owned::Endpoint { network, container, .. }) = around.owner(seen, link) {
            containers.insert(container);
            networks.insert(network);
        }
    }
    (containers.into_iter().collect(), networks.into_iter().collect())
}
