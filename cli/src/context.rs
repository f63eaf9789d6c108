//! What `main` hands down: everything that the process gets from outside, read once.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::args::Global;
use crate::client::{Client, Host};
use crate::error::CliError;
use crate::format::colour::Colour;
use crate::resolve::container::Caller;

/// The world outside, as it was when the program started.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) cwd: PathBuf,
    pub(crate) executable: Option<PathBuf>,
    pub(crate) now: Timestamp,
    pub(crate) zone: fn() -> TimeZone,
}

/// The world and the options that stand before the command.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) world: &'a World,
    pub(crate) global: &'a Global,
}

impl Context<'_> {
    /// Where the daemon is.
    pub(crate) fn host(&self) -> Result<Host, CliError> {
        let variable = |name: &str| self.world.variables.get(name).map(String::as_str);
        let flag = self.global.host.as_deref();
        Ok(Host::choose(flag, variable("PONTOON_HOST"), variable("DOCKER_HOST"))?)
    }

    /// The daemon.
    pub(crate) fn client(&self) -> Result<Client, CliError> {
        Ok(Client::new(self.host()?))
    }

    /// Whether what goes to stdout is coloured.
    pub(crate) fn colour(&self) -> Colour {
        // https://no-color.org
        let plain = self.world.variables.get("NO_COLOR").is_some_and(|value| !value.is_empty());
        if plain || !std::io::stdout().is_terminal() { Colour::Plain } else { Colour::Ansi }
    }

    /// What flags of `run`, `create` and `exec` are read against.
    pub(crate) fn caller(&self) -> Caller<'_> {
        Caller { variables: &self.world.variables, cwd: &self.world.cwd }
    }

    /// Seconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.world.now.as_second()
    }

    /// The zone in which moments are shown.
    pub(crate) fn zone(&self) -> TimeZone {
        (self.world.zone)()
    }
}
