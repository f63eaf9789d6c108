//! `pontoon netns rm`.

use std::path::PathBuf;

use libnet::netns::{self, Identity, NetNs, Process, Reference};

use super::{names, read};
use crate::args::NetnsRm;
use crate::commands::Each;
use crate::error::CliError;
use crate::resolve::Invalid;

/// How many processes are named to whoever should end them.
const SHOWN: usize = 3;

pub(super) fn run(args: &NetnsRm) -> Result<(), CliError> {
    let mut each = Each::default();
    for text in &args.namespaces {
        match remove(text, args.force) {
            Ok(Removal::Done) => each.done(text, Ok::<(), CliError>(()))?,
            Ok(Removal::NotThere) => {}
            Err(error) => each.done(text, Err(error))?,
        }
    }
    each.end()
}

enum Removal {
    Done,
    /// And that is no error.
    NotThere,
}

fn remove(text: &str, force: bool) -> Result<Removal, CliError> {
    let reference = read(text)?;
    let path = removable(&reference)?;
    if force && !path.exists() {
        return Ok(Removal::NotThere);
    }
    if !force && path.exists() {
        check_unused(&reference)?;
    }
    if !path.exists() {
        reference.open(names()).map_err(CliError::library)?;
    }
    NetNs::unbind(&path)
        .map_err(|source| CliError::Io { what: format!("remove network namespace {text}"), source })?;
    Ok(Removal::Done)
}

/// The file that is to go.
fn removable(reference: &Reference) -> Result<PathBuf, CliError> {
    match reference {
        Reference::Path(path) if !path.starts_with("/proc") => Ok(path.clone()),
        Reference::Name(_) => Ok(reference.path(names())),
        Reference::Path(_) | Reference::Process(_) => {
            let text = format!(
                "network namespace {reference} has no name that could be removed: it ends with its last process"
            );
            Err(Invalid(text).into())
        }
    }
}

/// A name that is left over from a namespace that is gone is nobody's.
fn check_unused(reference: &Reference) -> Result<(), CliError> {
    let Some(namespace) = Identity::at(&reference.path(names())) else { return Ok(()) };
    let processes = netns::processes()
        .map_err(|source| CliError::Io { what: "look for processes".to_owned(), source })?;
    let Some(inside) = processes.get(&namespace) else { return Ok(()) };
    let shown = inside.iter().take(SHOWN).map(|pid| Process::read(*pid));
    let mut list: Vec<String> = shown.map(|process| format!("{} ({})", process.pid, process.name)).collect();
    if inside.len() > SHOWN {
        list.push(format!("{} more", inside.len() - SHOWN));
    }
    let text = format!(
        "network namespace {reference} is in use by {}: end {}, or take the name away with -f",
        list.join(", "),
        if inside.len() == 1 { "it" } else { "them" }
    );
    Err(Invalid(text).into())
}
