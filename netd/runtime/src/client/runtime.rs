//! [`Runtime`]: makes containers and finds those that an earlier daemon made.

use std::path::{Path, PathBuf};

use super::shim::Shim;
use super::values::{CreateRequest, Exit};
use crate::error::RuntimeError;

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
    config: RuntimeConfig,
}

/// What became of a container of an earlier daemon.
#[derive(Debug)]
pub enum Adopted {
    /// Its shim lives: created, running, or exited with the exit still to be collected.
    Running(Shim),
    /// It ended, and its shim with it.
    Exited(Exit),
    /// Nothing is left, and nobody knows how it ended.
    Gone,
}

impl Runtime {
    /// A runtime; touches nothing.
    #[must_use]
    pub fn new(config: RuntimeConfig) -> Self {
        Self { config }
    }

    /// Makes a container up to the point where its process waits to be started. A failure leaves nothing behind.
    pub async fn create(&self, request: CreateRequest) -> Result<Shim, RuntimeError> {
        let _ = (&self.config, request);
        Err(RuntimeError::Refused("not built yet".to_owned()))
    }

    /// Finds the container whose shim's directory is `dir`. Where the shim is gone, what it left (directory, cgroup,
    /// process) is removed.
    pub async fn adopt(&self, dir: &Path) -> Result<Adopted, RuntimeError> {
        let _ = dir;
        Ok(Adopted::Gone)
    }
}
