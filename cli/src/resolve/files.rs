//! Files that flags name. The one place of this folder that reads anything.

use std::fs;

use super::Invalid;

/// The files with their contents.
pub(crate) fn read_all(paths: &[String]) -> Result<Vec<(String, String)>, Invalid> {
    paths.iter().map(|path| Ok((path.clone(), read(path)?))).collect()
}

/// One file; the error reads as Go's does.
pub(crate) fn read(path: &str) -> Result<String, Invalid> {
    let bytes = fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::IsADirectory => {
            Invalid(format!("invalid env file ({path}): read {path}: is a directory"))
        }
        _ => Invalid(format!("open {path}: {}", reason(&error))),
    })?;
    String::from_utf8(bytes).map_err(|_| Invalid(format!("invalid env file ({path}): invalid utf8 bytes")))
}

/// What the system says, in lower case and without the number, as in Go.
pub(crate) fn reason(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        Some(code) => nix::errno::Errno::from_raw(code).desc().to_lowercase(),
        None => error.to_string(),
    }
}
