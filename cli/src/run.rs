//! From words to an exit code.

use std::ffi::OsString;

use clap::FromArgMatches;

use crate::args::Cli;
use crate::context::{Context, World};
use crate::error::{CliError, Ending};
use crate::usage::{Said, say};
use crate::{commands, help, output, terminal};

/// Help is wrapped here where the terminal does not say its width.
const USUAL_WIDTH: usize = 80;

/// Reads the words, does what they say, and says how it ended.
pub(crate) fn run(words: &[OsString], world: &World) -> u8 {
    let ending = match parse(words) {
        Ok(cli) => {
            execute(&cli, world).map_or_else(|error| error.ending(), |()| Ending { text: None, code: 0 })
        }
        Err(Said::Help(text)) => {
            output::data(&text).map_or_else(|error| error.ending(), |()| Ending { text: None, code: 0 })
        }
        Err(Said::Refused(ending)) => ending,
    };
    if let Some(text) = &ending.text {
        output::talk(text);
    }
    ending.code
}

fn parse(words: &[OsString]) -> Result<Cli, Said> {
    let mut command = help::command();
    let width = || terminal::size().map_or(USUAL_WIDTH, |size| size.columns.into());
    let matches = command.try_get_matches_from_mut(words);
    let cli = matches.and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = cli.map_err(|error| say(&error, &command, words, width()))?;
    match (&cli.command, cli.global.version) {
        (_, true) => Err(Said::Help(format!("Pontoon version {}\n", env!("CARGO_PKG_VERSION")))),
        (None, false) => Err(Said::Help(help::page("pontoon", &command, width()))),
        _ => Ok(cli),
    }
}

fn execute(cli: &Cli, world: &World) -> Result<(), CliError> {
    let Some(command) = &cli.command else { return Ok(()) };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| CliError::Io { what: "start".to_owned(), source })?;
    let result = runtime.block_on(commands::run(command, &Context { world, global: &cli.global }));
    runtime.shutdown_background();
    result
}
