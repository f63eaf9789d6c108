//! `pontoon`: the command line of Pontoon. It speaks the Docker Engine API with a daemon on a unix socket.
//!
//! Read in this order: [`args`] (as parsed), [`resolve`] (as meant), [`commands`] (what is done), [`mod@format`] and
//! [`output`] (what is printed), [`error`] (how it ends). Only this file looks at the process around it.

use std::process::ExitCode;

mod args;
mod client;
mod commands;
mod context;
mod error;
mod format;
mod help;
mod output;
mod resolve;
mod run;
mod template;
mod terminal;
mod usage;

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    let world = context::World {
        variables: std::env::vars_os()
            .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
            .collect(),
        cwd: std::env::current_dir().unwrap_or_else(|_| "/".into()),
        executable: std::env::current_exe().ok(),
        now: jiff::Timestamp::now(),
        zone: jiff::tz::TimeZone::system,
    };
    run::run(&words, &world).into()
}
