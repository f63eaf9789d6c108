//! What leaves this program: data on stdout, talk on stderr. A reader that has gone ends the program quietly.

use std::io::{self, Write};

use crate::error::CliError;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    Stdout,
    Stderr,
}

/// Text for stdout, as it is.
pub(crate) fn data(text: &str) -> Result<(), CliError> {
    bytes(To::Stdout, text.as_bytes())
}

/// A line for stdout.
pub(crate) fn line(text: &str) -> Result<(), CliError> {
    bytes(To::Stdout, format!("{text}\n").as_bytes())
}

/// A line for stderr; that it can't be written is nobody's trouble.
pub(crate) fn talk(text: &str) {
    let _ = bytes(To::Stderr, format!("{text}\n").as_bytes());
}

/// Bytes, at once.
pub(crate) fn bytes(to: To, bytes: &[u8]) -> Result<(), CliError> {
    let done = match to {
        To::Stdout => {
            let mut out = io::stdout().lock();
            out.write_all(bytes).and_then(|()| out.flush())
        }
        To::Stderr => io::stderr().lock().write_all(bytes),
    };
    done.map_err(|source| match source.kind() {
        io::ErrorKind::BrokenPipe => CliError::BrokenPipe,
        _ => CliError::Io { what: "write".to_owned(), source },
    })
}
