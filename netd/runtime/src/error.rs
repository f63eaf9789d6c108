//! What can go wrong between a specification and a running process. The texts keep the key words by which Docker's
//! clients choose their exit code: "executable file not found", "no such file or directory" (127) and
//! "permission denied" (126).

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A failure of the runtime.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The specification can't be turned into a bundle.
    #[error("invalid container specification")]
    Bundle(#[from] BundleError),
    /// The shim program could not be started.
    #[error("cannot start the shim {path}")]
    Spawn {
        /// The program.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The shim said why the container can't be made or started.
    #[error("failed to create task for container: {0}")]
    Launch(#[from] LaunchError),
    /// The shim refused or failed a request.
    #[error("{0}")]
    Refused(String),
    /// The shim ended, or its socket broke, before it answered.
    #[error("the shim of this container does not answer (while asked to {request})")]
    Gone {
        /// What was asked.
        request: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file or directory of the runtime's own.
    #[error("cannot {action} {path}")]
    File {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl RuntimeError {
    /// The exit code that `docker run` reports for this failure, where it is not the daemon's fault (125).
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        match self {
            Self::Launch(error) => match error.fault {
                Fault::NotFound => Some(127),
                Fault::NotExecutable => Some(126),
                Fault::Other => None,
            },
            _ => None,
        }
    }
}

/// A specification that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Nothing to run.
    #[error("no command specified")]
    NoCommand,
    /// A capability that the kernel does not have.
    #[error("invalid capability: {0:?}")]
    Capability(String),
    /// A resource limit that does not exist.
    #[error("invalid ulimit argument: {0}")]
    Rlimit(String),
    /// A path in the container that is not absolute.
    #[error("invalid mount path: '{0}' mount path must be absolute")]
    RelativeTarget(String),
    /// A device access rule that can't be read.
    #[error("invalid device cgroup rule format: '{0}'")]
    DeviceRule(String),
    /// A seccomp profile that can't be read.
    #[error("Decoding seccomp profile failed: {0}")]
    Seccomp(String),
    /// The machine's root needs somewhere to put changes.
    #[error("the host root file system needs a writable directory")]
    NoWritable,
    /// A sysctl that belongs to no namespace of the container.
    #[error("sysctl '{0}' is not allowed")]
    Sysctl(String),
    /// The bundle does not keep the OCI's rules.
    #[error("cannot build the OCI bundle: {0}")]
    Oci(String),
}

/// Why a process did not come to life; made in the shim or in the container's first process, passed on as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{text}")]
pub struct LaunchError {
    /// What kind of failure.
    pub fault: Fault,
    /// What failed, on which object, and why.
    pub text: String,
}

/// The three outcomes that a user's script tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// The command, or its interpreter, does not exist: 127.
    NotFound,
    /// The command can't be executed: 126.
    NotExecutable,
    /// Anything else: 125.
    Other,
}

impl LaunchError {
    /// A failure of `what`.
    pub(crate) fn other(what: impl std::fmt::Display, why: impl std::fmt::Display) -> Self {
        Self { fault: Fault::Other, text: format!("{what}: {why}") }
    }
}
