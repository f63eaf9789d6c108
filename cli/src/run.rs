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

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn refusal(line: &str) -> (String, u8) {
        let words: Vec<OsString> =
            std::iter::once("pontoon").chain(line.split(' ')).map(OsString::from).collect();
        match parse(&words) {
            Err(Said::Refused(ending)) => (ending.text.unwrap_or_default(), ending.code),
            Err(Said::Help(text)) => (text, 0),
            Ok(_) => (String::new(), 0),
        }
    }

    #[test]
    fn what_can_not_be_read_is_refused_as_docker_does() {
        let table = [
            ("run --foo x", "unknown flag: --foo", 125),
            ("run -Z x", "unknown shorthand flag: 'Z' in -Z", 125),
            ("run -e", "flag needs an argument: 'e' in -e", 125),
            ("run --env", "flag needs an argument: --env", 125),
            (
                "ps -n abc",
                "invalid argument \"abc\" for \"-n, --last\" flag: strconv.ParseInt: parsing \"abc\": invalid syntax",
                125,
            ),
            (
                "run --rm=foo x",
                "invalid argument \"foo\" for \"--rm\" flag: strconv.ParseBool: parsing \"foo\": invalid syntax",
                125,
            ),
            ("run -m abc x", "invalid argument \"abc\" for \"-m, --memory\" flag: invalid size: 'abc'", 125),
            (
                "run --add-host foo x",
                "invalid argument \"foo\" for \"--add-host\" flag: bad format for add-host: \"foo\"",
                125,
            ),
            (
                "run -a foo x",
                "invalid argument \"foo\" for \"-a, --attach\" flag: valid streams are STDIN, STDOUT and STDERR",
                125,
            ),
            (
                "run --network name=a,foo=1 x",
                "invalid argument \"name=a,foo=1\" for \"--network\" flag: invalid field key foo",
                125,
            ),
            (
                "run --mount type=foo x",
                "invalid argument \"type=foo\" for \"--mount\" flag: invalid mount type: foo",
                125,
            ),
            (
                "ps --filter foo",
                "invalid argument \"foo\" for \"-f, --filter\" flag: bad format of filter (expected name=value)",
                125,
            ),
            ("run", "pontoon: 'pontoon run' requires at least 1 argument", 1),
            ("exec c", "pontoon: 'pontoon exec' requires at least 2 arguments", 1),
            ("netns exec n", "pontoon: 'pontoon netns exec' requires at least 2 arguments", 1),
            ("network create", "pontoon: 'pontoon network create' requires 1 argument", 1),
            ("network create a b", "pontoon: 'pontoon network create' requires 1 argument", 1),
            ("rename a", "pontoon: 'pontoon rename' requires 2 arguments", 1),
            ("port", "pontoon: 'pontoon port' requires at least 1 and at most 2 arguments", 1),
            ("ps x", "pontoon: 'pontoon ps' accepts no arguments", 1),
            ("foo", "pontoon: unknown command: pontoon foo", 1),
            ("network foo", "pontoon: unknown command: pontoon network foo", 1),
        ];
        for (line, expected, code) in table {
            let (text, found) = refusal(line);
            assert_eq!(text.lines().next(), Some(expected), "{line}");
            assert_eq!(found, code, "{line}");
        }
    }

    #[test]
    fn every_command_can_be_built_and_read() {
        help::command().debug_assert();
    }

    #[test]
    fn help_has_docker_s_layout() {
        for line in [
            "--help",
            "network create --help",
            "run --help",
            "exec --help",
            "network --help",
            "netns exec --help",
        ] {
            assert_snapshot!(line.replace(' ', "_"), refusal(line).0);
        }
    }
}
