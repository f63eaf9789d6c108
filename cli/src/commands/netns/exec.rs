//! `pontoon netns exec`: this process becomes the command, so that exit code, signals and terminal are the command's own.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use libnet::netns::{self, ETC, ExecError, Identity, Program, Reference};

use super::{names, read};
use crate::args::NetnsExec;
use crate::error::CliError;

/// What went wrong before there was a command, as for `env(1)` and `docker run`.
const NOT_BEGUN: u8 = 125;
const NOT_ALLOWED: u8 = 126;
const NOT_FOUND: u8 = 127;

pub(super) fn run(args: &NetnsExec) -> Result<(), CliError> {
    let failed = |error: CliError| CliError::Command { code: NOT_BEGUN, text: error.to_string() };
    let [namespace, name, rest @ ..] = args.words.as_slice() else {
        return Err(failed(CliError::Flags("a namespace and a command are needed".to_owned())));
    };
    let reference = read(&namespace.to_string_lossy()).map_err(failed)?;
    let netns = reference.open(names()).map_err(CliError::library).map_err(failed)?;
    let etc = etc(&reference, netns.identity().ok());
    let error = netns.exec(&Program { name: name.clone(), args: rest.to_vec(), etc });
    Err(CliError::Command { code: code(&error), text: CliError::library(error).to_string() })
}

/// The files of the namespace's name; without a name of its own, those of a name that it has.
fn etc(reference: &Reference, namespace: Option<Identity>) -> Option<PathBuf> {
    if let Reference::Name(name) = reference {
        return Some(Path::new(ETC).join(name));
    }
    let all = netns::named(names()).ok()?;
    let named = all.into_iter().find(|named| named.namespace.is_some() && named.namespace == namespace);
    named.map(|named| Path::new(ETC).join(OsStr::new(&named.name)))
}

fn code(error: &ExecError) -> u8 {
    match error {
        ExecError::Prepare { .. } => NOT_BEGUN,
        ExecError::Exec { reason, .. } if reason.kind() == io::ErrorKind::NotFound => NOT_FOUND,
        ExecError::Exec { .. } => NOT_ALLOWED,
    }
}
