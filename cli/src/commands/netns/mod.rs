//! `pontoon netns …`: network namespaces, whoever made them. No daemon is needed to look at them, to make them and to run
//! something in them, and one that runs is not asked. Who is in its networks is the daemon's to say: it is asked to attach
//! and to detach.

mod add;
mod attach;
mod detach;
mod exec;
mod inspect;
mod look;
mod ls;
mod rm;

use std::path::Path;

use libnet::netns::{NAMES, Reference};

use crate::args::NetnsCommand;
use crate::context::Context;
use crate::error::CliError;

pub(super) async fn run(command: &NetnsCommand, context: &Context<'_>) -> Result<(), CliError> {
    match command {
        NetnsCommand::Attach(args) => attach::run(args, context).await,
        NetnsCommand::Detach(args) => detach::run(args, context).await,
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

/// The namespace as the daemon is told of it: it has another working directory.
fn for_daemon(text: &str, context: &Context<'_>) -> Result<String, CliError> {
    Ok(match read(text)? {
        Reference::Path(path) => context.world.cwd.join(path).to_string_lossy().into_owned(),
        other => other.to_string(),
    })
}

fn read(text: &str) -> Result<Reference, CliError> {
    Reference::read(text, names()).map_err(CliError::library)
}
