//! "Are you sure?"

use std::io::BufRead;

use crate::error::CliError;
use crate::output;

/// Asks on stdout; anything but `y` is no, and then there is nothing left to do.
pub(super) fn confirm(warning: &str) -> Result<(), CliError> {
    output::data(&format!("{warning}\nAre you sure you want to continue? [y/N] "))?;
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    match read {
        Ok(_) if answer.trim().eq_ignore_ascii_case("y") => Ok(()),
        _ => Err(CliError::Exit(0)),
    }
}
