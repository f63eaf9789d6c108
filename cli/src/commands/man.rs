//! `pontoon man DIRECTORY`: manual pages for packagers.

use std::path::Path;

use clap::Command;

use crate::args::Man;
use crate::error::CliError;

pub(super) fn run(args: &Man) -> Result<(), CliError> {
    let mut command = crate::help::command();
    command.build();
    pages(&command, "pontoon", &args.directory)
}

fn pages(command: &Command, name: &str, directory: &Path) -> Result<(), CliError> {
    let path = directory.join(format!("{name}.1"));
    let failed = |source| CliError::Io { what: format!("write {}", path.display()), source };
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).title(name).render(&mut page).map_err(failed)?;
    std::fs::write(&path, page).map_err(failed)?;
    for below in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        pages(below, &format!("{name}-{}", below.get_name()), directory)?;
    }
    Ok(())
}
