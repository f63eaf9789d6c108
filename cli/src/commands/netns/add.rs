//! `pontoon netns add`.

use std::io;

use libnet::netns::{self, Reference};

use super::{names, read};
use crate::args::NetnsAdd;
use crate::commands::Each;
use crate::error::CliError;
use crate::resolve::Invalid;

pub(super) fn run(args: &NetnsAdd) -> Result<(), CliError> {
    let mut each = Each::default();
    for name in &args.names {
        each.done(name, add(name))?;
    }
    each.end()
}

fn add(name: &str) -> Result<(), CliError> {
    // A number is a name here: there is nothing yet that it could point at.
    if let Reference::Path(path) = read(name)? {
        let text =
            format!("{} is a path: give a name, which appears in {}", path.display(), names().display());
        return Err(Invalid(text).into());
    }
    netns::add(names(), name).map(drop).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => Invalid(format!("network namespace {name} already exists")).into(),
        _ => CliError::Io { what: format!("make network namespace {name}"), source },
    })
}
