//! The shim: one per container, forked from one that netd started through [`netd_runtime::Runtime`]; never by hand.

use std::process::ExitCode;

fn main() -> ExitCode {
    match netd_runtime::run_spawner() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
