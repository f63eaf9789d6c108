//! [`Shim`]: one container, as the daemon holds it.

use std::os::fd::OwnedFd;

use tokio::net::UnixStream;

use super::values::{Attach, ExecSpec, Exit, ShimState, Stats, Top};
use crate::error::RuntimeError;

/// One container. Clones are the same container; dropping the last one changes nothing for the container.
#[derive(Debug, Clone)]
pub struct Shim;

/// A process that [`Shim::exec`] added.
#[derive(Debug)]
pub struct Exec {
    /// Its bytes, where the caller asked for streams: as for [`Shim::attach`].
    pub stream: Option<UnixStream>,
}

fn refused<T>() -> Result<T, RuntimeError> {
    Err(RuntimeError::Refused("not built yet".to_owned()))
}

impl Shim {
    /// The container's first process, in the daemon's pid namespace.
    #[must_use]
    pub fn pid(&self) -> i32 {
        0
    }

    /// The shim's own process.
    #[must_use]
    pub fn shim_pid(&self) -> i32 {
        0
    }

    /// Where the container stands.
    pub async fn state(&self) -> Result<ShimState, RuntimeError> {
        refused()
    }

    /// Lets the process run; comes back when the command is executing, or could not be executed.
    pub async fn start(&self) -> Result<(), RuntimeError> {
        refused()
    }

    /// Sends a signal to the container's first process.
    pub async fn kill(&self, signal: i32) -> Result<(), RuntimeError> {
        let _ = signal;
        refused()
    }

    /// Sets the size of the terminal.
    pub async fn resize(&self, rows: u16, cols: u16) -> Result<(), RuntimeError> {
        let _ = (rows, cols);
        refused()
    }

    /// Waits for the end. Any number of callers may wait, before and after it.
    pub async fn wait(&self) -> Result<Exit, RuntimeError> {
        refused()
    }

    /// A stream to and from the process. With a terminal the bytes are raw; otherwise output comes in Docker's frames
    /// (8 bytes: stream, 0, 0, 0, length big-endian), input is raw. Closing the writing half ends the input.
    pub async fn attach(&self, streams: Attach) -> Result<UnixStream, RuntimeError> {
        let _ = streams;
        refused()
    }

    /// Runs one more process in the container.
    pub async fn exec(&self, spec: &ExecSpec) -> Result<Exec, RuntimeError> {
        let _ = spec;
        refused()
    }

    /// Copies of the sockets that were handed over at creation.
    pub async fn dns_sockets(&self) -> Result<Vec<OwnedFd>, RuntimeError> {
        refused()
    }

    /// Freezes every process of the container.
    pub async fn pause(&self) -> Result<(), RuntimeError> {
        refused()
    }

    /// Lets them go on.
    pub async fn unpause(&self) -> Result<(), RuntimeError> {
        refused()
    }

    /// Changes the limits of a living container.
    pub async fn update(&self, resources: &crate::spec::Resources) -> Result<(), RuntimeError> {
        let _ = resources;
        refused()
    }

    /// What the container uses now.
    pub async fn stats(&self) -> Result<Stats, RuntimeError> {
        refused()
    }

    /// The container's processes; `ps_args` as for `ps`, empty is `-ef`.
    pub async fn top(&self, ps_args: &str) -> Result<Top, RuntimeError> {
        let _ = ps_args;
        refused()
    }

    /// Removes what is left of a container that ended, or was never started: cgroup, directory, shim.
    pub async fn delete(&self) -> Result<(), RuntimeError> {
        refused()
    }
}

impl Exec {
    /// The process, in the daemon's pid namespace.
    #[must_use]
    pub fn pid(&self) -> i32 {
        0
    }

    /// Waits for its end: exit code, or 128 + signal.
    pub async fn wait(&self) -> Result<i32, RuntimeError> {
        refused()
    }

    /// Sets the size of its terminal.
    pub async fn resize(&self, rows: u16, cols: u16) -> Result<(), RuntimeError> {
        let _ = (rows, cols);
        refused()
    }

    /// Sends it a signal.
    pub async fn kill(&self, signal: i32) -> Result<(), RuntimeError> {
        let _ = signal;
        refused()
    }
}
