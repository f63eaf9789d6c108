//! The process that shims are forked from, as the daemon holds it (docs/adr/0009). Started at the first container, and
//! anew if it has gone. It ends with the daemon, or with the last [`Spawner`].

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::program::Program;
use crate::fdpass;

/// A spawner that takes no order for so long is stopped or stuck.
const PATIENCE: Duration = Duration::from_secs(5);

/// Starts shims.
#[derive(Debug)]
pub(super) struct Spawner {
    program: Program,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    process: Child,
    orders: UnixStream,
}

impl Spawner {
    pub(super) fn new(shim: PathBuf) -> Self {
        Self { program: Program::new(shim), running: Mutex::new(None) }
    }

    pub(super) fn path(&self) -> &PathBuf {
        self.program.path()
    }

    /// Starts a shim that reads its orders from the socket that comes back.
    pub(super) fn spawn(&self) -> io::Result<UnixStream> {
        let (ours, theirs) = UnixStream::pair()?;
        // whoever panicked while holding the lock left a process that lives, or is found dead below
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(spawner) = &*running
            && spawner.order(&theirs).is_ok()
        {
            return Ok(ours);
        }
        running.take().map(Running::end).transpose()?;
        running.insert(Running::start(&self.program)?).order(&theirs)?;
        Ok(ours)
    }
}

impl Running {
    fn start(program: &Program) -> io::Result<Self> {
        let (orders, theirs) = UnixStream::pair()?;
        orders.set_write_timeout(Some(PATIENCE))?;
        let process = program
            .command()?
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .env_clear()
            .spawn()?;
        Ok(Self { process, orders })
    }

    fn order(&self, socket: &UnixStream) -> io::Result<()> {
        fdpass::send(&self.orders, &[0], &[socket.as_fd()]).map(drop)
    }

    fn end(mut self) -> io::Result<()> {
        self.process.kill()?;
        self.process.wait().map(drop)
    }
}
