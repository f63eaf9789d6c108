//! The terminal itself: its size, and raw mode for as long as a value lives.

use std::io::IsTerminal;

use rustix::termios::{self, OptionalActions, Termios};

use crate::error::CliError;
use crate::output::To;

/// Rows and columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) rows: u16,
    pub(crate) columns: u16,
}

/// Whether standard input is a terminal.
pub(crate) fn is_terminal() -> bool {
    std::io::stdin().is_terminal()
}

/// The size of the terminal, if there is one that knows its size.
pub(crate) fn size() -> Option<Size> {
    let size =
        termios::tcgetwinsize(std::io::stdout()).or_else(|_| termios::tcgetwinsize(std::io::stdin())).ok()?;
    (size.ws_row > 0 && size.ws_col > 0).then_some(Size { rows: size.ws_row, columns: size.ws_col })
}

/// Keys go to the container one by one, signals included. Dropping this puts the terminal back.
#[derive(Debug)]
pub(crate) struct RawMode {
    before: Termios,
}

impl RawMode {
    /// Sets standard input raw.
    pub(crate) fn enter() -> Result<Self, CliError> {
        let failed = |e: rustix::io::Errno| CliError::Io {
            what: "set terminal to raw mode".to_owned(),
            source: e.into(),
        };
        let before = termios::tcgetattr(std::io::stdin()).map_err(failed)?;
        let mut raw = before.clone();
        raw.make_raw();
        termios::tcsetattr(std::io::stdin(), OptionalActions::Now, &raw).map_err(failed)?;
        Ok(Self { before })
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        let put_back = termios::tcsetattr(std::io::stdin(), OptionalActions::Now, &self.before);
        if put_back.is_err() {
            let _ = crate::output::bytes(To::Stderr, b"the terminal could not be put back: run `reset`\r\n");
        }
    }
}
