//! The daemon's entry point: the only place that reads the environment, prints, and decides the exit code.

use std::process::ExitCode;

use clap::Parser as _;
use netd::{config::Flags, daemon, error::chain};

#[allow(clippy::print_stderr, clippy::print_stdout, reason = "the user is here, and nowhere below")]
fn main() -> ExitCode {
    let environment = daemon::Environment::from_vars(std::env::vars_os(), std::process::id());
    match daemon::run(&Flags::parse(), &environment) {
        Ok(daemon::Ended::Valid) => println!("configuration OK"),
        Ok(daemon::Ended::Stopped) => {}
        Err(error) => {
            eprintln!("netd: {}", chain(&error));
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
