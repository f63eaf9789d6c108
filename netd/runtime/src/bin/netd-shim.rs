//! The shim: one per container. Started by the daemon through [`netd_runtime::Runtime`], never by hand.

use std::process::ExitCode;

fn main() -> ExitCode {
    match netd_runtime::run_shim() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
