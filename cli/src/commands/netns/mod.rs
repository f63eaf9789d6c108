//! `pontoon netns …`: network namespaces, whoever made them. No daemon is needed to look at them, to make them and to run
//! something in them; a daemon that runs is not asked.

mod add;
mod exec;
mod inspect;
mod look;
mod ls;
mod rm;

use std::path::Path;

use libnet::netns::{NAMES, Reference};

use crate::args::NetnsCommand;
use crate::error::CliError;

pub(super) fn run(command: &NetnsCommand) -> Result<(), CliError> {
    match command {
        NetnsCommand::Add(args) => add::run(args),
        NetnsCommand::Exec(args) => exec::run(args),
        NetnsCommand::Inspect(args) => inspect::run(args),
        NetnsCommand::Ls(args) => ls::run(args),
        NetnsCommand::Rm(args) => rm::run(args),
    }
}

/// Where names are.
fn names() -> &'static Path {
    Path::new(NAMES)
}

fn read(text: &str) -> Result<Reference, CliError> {
    Reference::read(text, names()).map_err(CliError::library)
}
