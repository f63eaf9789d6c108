//! [`Runtime`]: makes containers and finds those that an earlier daemon made.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::link::Link;
use super::shim::{Shim, read_exit};
use super::spawner::Spawner;
use super::values::{CreateRequest, Exit, ShimState};
use crate::cgroup::{Cgroup, Layout};
use crate::error::RuntimeError;
use crate::protocol::{Reply, Report, Request, STATE_FILE};
use crate::seccomp::Filters;

/// What a runtime needs to know of the daemon.
#[derive(Debug, Clone)]
pub struct RuntimeConfig {
    /// The program `netd-shim`.
    pub shim: PathBuf,
    /// Parent of the containers' cgroups, below every hierarchy: `/pontoon`.
    pub cgroup_parent: String,
}

/// Makes containers.
#[derive(Debug, Clone)]
pub struct Runtime {
    spawner: Arc<Spawner>,
    cgroup_parent: String,
    parts: Arc<Parts>,
}

/// What is worked out once.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) layout: Layout,
    pub(super) filters: Filters,
}

/// What became of a container of an earlier daemon.
#[derive(Debug)]
pub enum Adopted {
    /// Its shim lives, and said how the container is: created, running, or exited with the exit still to be collected.
    Running(Shim, ShimState),
    /// It ended, and its shim with it.
    Exited(Exit),
    /// Nothing is left, and nobody knows how it ended.
    Gone,
}

impl Runtime {
    /// A runtime; looks at the machine's cgroups, changes nothing.
    #[must_use]
    pub fn new(config: RuntimeConfig) -> Self {
        let parts = Parts { layout: Layout::detect(), filters: Filters::default() };
        let spawner = Arc::new(Spawner::new(config.shim));
        Self { spawner, cgroup_parent: config.cgroup_parent, parts: Arc::new(parts) }
    }

    /// Makes a container up to the point where its process waits to be started. A failure leaves nothing behind.
    pub async fn create(&self, request: CreateRequest) -> Result<Shim, RuntimeError> {
        let launch =
            crate::lower::launch(&request, &self.cgroup_parent, &self.parts.layout, &self.parts.filters)?;
        let dir = request.dir.clone();
        let mut link =
            self.spawner.spawn().and_then(Link::new).map_err(|source| self.spawn_failed(source))?;
        let fds: Vec<BorrowedFd<'_>> = request.dns.iter().map(AsFd::as_fd).collect();
        link.send(&Request::Create(Box::new(launch)), &fds, "create").await?;
        match link.receive("create").await {
            Ok(Reply::State(report)) => Ok(Shim::follow(dir, report, Arc::clone(&self.parts), link)),
            Ok(Reply::Failed(error)) => Err(error.into()),
            Ok(other) => Err(RuntimeError::Refused(format!("unexpected reply {other:?}"))),
            Err(gone) => {
                self.parts.sweep(&dir).await?;
                Err(gone)
            }
        }
    }

    fn spawn_failed(&self, source: io::Error) -> RuntimeError {
        RuntimeError::Spawn { path: self.spawner.path().clone(), source }
    }

    /// Finds the container whose shim's directory is `dir`. Where the shim is gone, what it left (directory, cgroup,
    /// process) is removed.
    pub async fn adopt(&self, dir: &Path) -> Result<Adopted, RuntimeError> {
        if let Ok(mut link) = Link::connect(dir)
            && let Ok(Reply::State(report)) = link.ask(&Request::Watch, "report").await
        {
            let state = report.state;
            let shim = Shim::follow(dir.to_owned(), report, Arc::clone(&self.parts), link);
            return Ok(Adopted::Running(shim, state));
        }
        let exit = read_exit(dir);
        self.parts.sweep(dir).await?;
        Ok(exit.map_or(Adopted::Gone, Adopted::Exited))
    }
}

impl Parts {
    /// Removes what a dead shim left.
    pub(super) async fn sweep(self: &Arc<Self>, dir: &Path) -> Result<(), RuntimeError> {
        let (parts, leftover) = (Arc::clone(self), dir.to_owned());
        let swept = tokio::task::spawn_blocking(move || sweep(&parts.layout, &leftover)).await;
        swept.map_err(|error| RuntimeError::Refused(format!("cannot clean up {}: {error}", dir.display())))
    }
}

fn sweep(layout: &Layout, dir: &Path) {
    let report: Option<Report> =
        std::fs::read(dir.join(STATE_FILE)).ok().and_then(|text| serde_json::from_slice(&text).ok());
    if let Some(report) = report {
        if report.start_ticks != 0 && super::start_ticks(report.pid) == report.start_ticks {
            let pid = nix::unistd::Pid::from_raw(report.pid);
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
        }
        Cgroup::existing(layout, &report.cgroup).remove();
    }
    crate::shim::remove_dir(dir);
}
