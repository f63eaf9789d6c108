//! What goes into and comes out of the calls of [`crate::Runtime`] and [`crate::Shim`].

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::spec::{ContainerSpec, Process};

/// What [`crate::Runtime::create`] needs.
#[derive(Debug)]
pub struct CreateRequest {
    /// The container.
    pub spec: ContainerSpec,
    /// The shim's own directory; made if it is missing, removed by [`crate::Shim::delete`].
    pub dir: PathBuf,
    /// Where output is recorded.
    pub log: Option<LogTarget>,
    /// What becomes of the process' standard input.
    pub stdin: Stdin,
    /// Sockets that the shim keeps open for the next daemon.
    pub dns: Vec<OwnedFd>,
    /// Who makes the process.
    pub engine: Engine,
}

/// A json-file log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogTarget {
    /// The file.
    pub path: PathBuf,
    /// Rotate when the file has grown to this many bytes.
    pub max_size: Option<u64>,
    /// Files kept, the current one included; at least 1.
    pub max_files: u32,
}

/// What a process reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stdin {
    /// `/dev/null`.
    #[default]
    Closed,
    /// A pipe that stays open when clients come and go.
    Open,
    /// A pipe that is closed when the first attached client closes its side.
    Once,
}

/// Who turns the bundle into a process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Engine {
    /// The runtime built in here.
    #[default]
    Builtin,
    /// An OCI runtime binary such as `runc` or `crun`.
    Oci(PathBuf),
}

/// Which streams an attached client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attach {
    /// Bytes from the client go to the process.
    pub stdin: bool,
    /// Standard output comes back.
    pub stdout: bool,
    /// Standard error comes back.
    pub stderr: bool,
}

impl Attach {
    /// All three streams.
    pub const ALL: Self = Self { stdin: true, stdout: true, stderr: true };
}

/// A process to be added to a running container.
#[derive(Debug, Clone, Default)]
pub struct ExecSpec {
    /// The process; `oom_score_adj` is taken from the container where it is not set.
    pub process: Process,
    /// The streams that the caller wants; `None` runs it detached, reading nothing, its output thrown away.
    pub attach: Option<Attach>,
    /// System call filter, as for the container.
    pub seccomp: crate::spec::Seccomp,
    /// All capabilities and no filter.
    pub privileged: bool,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// The exit code, or 128 + signal.
    pub code: i32,
    /// The kernel's out-of-memory killer struck in the container.
    pub oom_killed: bool,
    /// Nanoseconds since 1970.
    pub finished_at_unix_nanos: i64,
}

/// Where a container stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ShimState {
    /// Made, not started.
    Created,
    /// Running.
    Running,
    /// Running, but frozen.
    Paused,
    /// Ended.
    Exited(Exit),
}

/// What a container uses, read from its cgroups and processes at one moment. Figures that the machine's cgroups do not
/// offer are zero.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// CPU time, all of it, in nanoseconds.
    pub cpu_total_ns: u64,
    /// Of which in user mode.
    pub cpu_user_ns: u64,
    /// Of which in the kernel.
    pub cpu_system_ns: u64,
    /// Periods in which the quota stopped it, and for how long.
    pub throttled_periods: u64,
    /// Nanoseconds.
    pub throttled_ns: u64,
    /// Bytes of memory.
    pub memory_usage: u64,
    /// Most bytes ever.
    pub memory_max_usage: u64,
    /// Bytes of page cache that can be given up at once (`inactive_file`).
    pub memory_inactive_file: u64,
    /// Limit in bytes; 0 where there is none.
    pub memory_limit: u64,
    /// Processes and threads.
    pub pids: u64,
    /// Limit; 0 where there is none.
    pub pids_limit: u64,
    /// Bytes read from block devices.
    pub blkio_read: u64,
    /// Bytes written to block devices.
    pub blkio_write: u64,
}

/// The processes of a container, as `ps` shows them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Top {
    /// Column titles.
    pub titles: Vec<String>,
    /// One row per process.
    pub processes: Vec<Vec<String>>,
}
