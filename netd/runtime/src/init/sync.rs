//! The conversation between the shim and a process that is not yet the user's command: a pair of sockets, one message per
//! packet. The process' end is closed by a successful exec, which is how the shim learns of it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType};
use serde::{Deserialize, Serialize};

use crate::error::LaunchError;
use crate::fdpass;
use crate::reason::reason;

/// What the process says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromInit {
    /// The terminal's other end comes along.
    Terminal,
    /// All is set up; only the exec is left.
    Ready,
    Failed(LaunchError),
}

/// What the shim says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ToInit {
    /// The process is in its cgroups.
    Joined,
    /// Become the command.
    Start,
}

/// The process' end.
pub(crate) struct InitSide(OwnedFd);

/// The shim's end.
#[derive(Debug)]
pub(crate) struct ShimSide(OwnedFd);

/// A new pair.
pub(crate) fn pair() -> io::Result<(ShimSide, InitSide)> {
    let (shim, init) =
        rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    Ok((ShimSide(shim), InitSide(init)))
}

impl InitSide {
    pub(crate) fn tell(&self, message: &FromInit) -> io::Result<()> {
        self.tell_with(message, &[])
    }

    pub(crate) fn tell_with(&self, message: &FromInit, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let text = serde_json::to_vec(message)?;
        fdpass::send(&self.0, &text, fds).map(drop)
    }

    /// Waits until the shim says `expected`. A shim that is gone ends the process: nobody is left to run for.
    pub(crate) fn wait_for(&self, expected: &ToInit) -> Result<(), LaunchError> {
        let mut buffer = [0; 64];
        let length = loop {
            match fdpass::receive(&self.0, &mut buffer, &mut Vec::new()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        }
        .map_err(|error| LaunchError::other("cannot hear the shim", reason(&error)))?;
        match serde_json::from_slice::<ToInit>(&buffer[..length]) {
            Ok(message) if message == *expected => Ok(()),
            _ => Err(LaunchError::other("cannot hear the shim", "it is gone")),
        }
    }
}

impl ShimSide {
    pub(crate) fn tell(&self, message: &ToInit) -> io::Result<()> {
        let text = serde_json::to_vec(message)?;
        fdpass::send(&self.0, &text, &[]).map(drop)
    }

    /// The next message; `None` when the process has executed the command, or died.
    pub(crate) fn hear(&self, fds: &mut Vec<OwnedFd>) -> io::Result<Option<FromInit>> {
        let mut buffer = vec![0; 16 << 10];
        let length = loop {
            match fdpass::receive(&self.0, &mut buffer, fds) {
                // the kernel reports once that the other side left something unread; its own last words come after that
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        if length == 0 {
            return Ok(None);
        }
        Ok(Some(serde_json::from_slice(&buffer[..length])?))
    }
}

impl AsFd for ShimSide {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
