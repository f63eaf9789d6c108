//! What a container is to be: the values that the daemon fills in. Nothing here touches the kernel; [`crate::bundle`]
//! turns a [`ContainerSpec`] into an OCI bundle, and the shim turns that into a process.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Everything that is known about a container before it is made.
#[derive(Debug, Clone, Default)]
pub struct ContainerSpec {
    /// Full container id; it names the cgroup.
    pub id: String,
    /// Where the root file system comes from.
    pub rootfs: Rootfs,
    /// Where changes to the root file system go; `None` binds a [`Rootfs::Dir`] itself.
    pub writable: Option<Writable>,
    /// The root file system is mounted read-only.
    pub readonly_rootfs: bool,
    /// The container's first process.
    pub process: Process,
    /// Run the process under a small init that reaps and forwards signals.
    pub init: bool,
    /// Host name in the container's UTS namespace.
    pub hostname: String,
    /// NIS domain name in the container's UTS namespace.
    pub domainname: Option<String>,
    /// Network namespace.
    pub netns: Netns,
    /// Pid namespace.
    pub pid: Namespace,
    /// IPC namespace.
    pub ipc: Namespace,
    /// UTS namespace.
    pub uts: Namespace,
    /// Cgroup namespace.
    pub cgroupns: Namespace,
    /// Mounts beside Docker's own, in order.
    pub mounts: Vec<Mount>,
    /// Devices that the container sees beside the usual ones.
    pub devices: Vec<Device>,
    /// `net.*`, `kernel.*` and `fs.mqueue.*` settings of the container's namespaces.
    pub sysctls: BTreeMap<String, String>,
    /// Limits.
    pub resources: Resources,
    /// System call filter.
    pub seccomp: Seccomp,
    /// All capabilities, all devices, nothing masked, no filter.
    pub privileged: bool,
    /// Paths hidden in the container; `None` takes Docker's list.
    pub masked_paths: Option<Vec<PathBuf>>,
    /// Paths that are read-only in the container; `None` takes Docker's list.
    pub readonly_paths: Option<Vec<PathBuf>>,
    /// Size of `/dev/shm` in bytes; `None` is Docker's 64 MiB.
    pub shm_size: Option<u64>,
    /// Cgroup parent of this container, below every hierarchy; `None` takes the runtime's.
    pub cgroup_parent: Option<String>,
    /// Notes that end up in the bundle.
    pub annotations: BTreeMap<String, String>,
}

/// The source of a root file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rootfs {
    /// The machine's own root as a read-only lower layer.
    Host {
        /// What the container must not see. A directory is shown empty, a file does not exist; a `*` at the end of
        /// the last component stands for any rest of a name.
        hidden: Vec<PathBuf>,
    },
    /// A directory that holds a root file system.
    Dir(PathBuf),
}

impl Default for Rootfs {
    fn default() -> Self {
        Self::Host { hidden: Vec::new() }
    }
}

/// The writable half of an overlay. Both directories lie on one file system and exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writable {
    /// Receives the container's changes.
    pub upper: PathBuf,
    /// Overlayfs' own.
    pub work: PathBuf,
}

/// A process in a container: the first one, or one that `exec` adds.
#[derive(Debug, Clone, Default)]
pub struct Process {
    /// The command and its arguments; never empty.
    pub args: Vec<String>,
    /// `NAME=value` pairs.
    pub env: Vec<String>,
    /// Working directory, made if it is missing; empty is `/`.
    pub cwd: String,
    /// `user`, `uid`, `user:group`, ... resolved with the container's own passwd and group files; empty is root.
    pub user: String,
    /// Groups, by name or number, beside those of the user.
    pub extra_groups: Vec<String>,
    /// The process gets a terminal instead of pipes.
    pub terminal: bool,
    /// First size of the terminal: rows, columns.
    pub console_size: Option<(u16, u16)>,
    /// Capabilities (`CAP_NET_RAW`, ...); see [`crate::capabilities`].
    pub capabilities: Vec<String>,
    /// `setuid` binaries give nothing.
    pub no_new_privileges: bool,
    /// Resource limits.
    pub rlimits: Vec<Rlimit>,
    /// Preference of the out-of-memory killer.
    pub oom_score_adj: Option<i32>,
}

/// One resource limit; `name` is Docker's (`nofile`) or the OCI's (`RLIMIT_NOFILE`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rlimit {
    /// Which one.
    pub name: String,
    /// Soft limit.
    pub soft: u64,
    /// Hard limit.
    pub hard: u64,
}

/// The network namespace of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Netns {
    /// One that exists already, by path.
    Path(PathBuf),
    /// The daemon's own.
    #[default]
    Host,
}

/// Which namespace of a kind a container gets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Namespace {
    /// A new one.
    #[default]
    Private,
    /// The daemon's own.
    Host,
    /// An existing one, usually `/proc/<pid>/ns/<kind>` of another container's process.
    Path(PathBuf),
}

/// A mount that the user asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where, in the container; made if it is missing.
    pub target: PathBuf,
    /// What.
    pub source: MountSource,
    /// Options as `mount` and the OCI name them: `ro`, `rbind`, `rslave`, `noexec`, `size=64m`, `mode=1777`.
    pub options: Vec<String>,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountSource {
    /// A file or directory of the host; it must exist.
    Bind(PathBuf),
    /// A new, empty tmpfs.
    Tmpfs,
}

/// A device of the host that a container may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The node on the host.
    pub host: PathBuf,
    /// The node in the container.
    pub container: PathBuf,
    /// Some of `rwm`.
    pub permissions: String,
}

/// Limits; `None` leaves the kernel's default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// Bytes of memory.
    pub memory: Option<i64>,
    /// Bytes below which memory is not reclaimed first.
    pub memory_reservation: Option<i64>,
    /// Bytes of memory and swap together; -1 is unlimited.
    pub memory_swap: Option<i64>,
    /// Relative weight, 2 to 262144 (Docker's scale, 1024 is the default).
    pub cpu_shares: Option<u64>,
    /// Microseconds of CPU per period.
    pub cpu_quota: Option<i64>,
    /// Length of a period in microseconds.
    pub cpu_period: Option<u64>,
    /// CPUs that may be used, `0-2,7`.
    pub cpuset_cpus: Option<String>,
    /// Memory nodes that may be used.
    pub cpuset_mems: Option<String>,
    /// Most processes and threads; 0 or -1 is unlimited.
    pub pids: Option<i64>,
    /// Extra device access rules, in Docker's words: `c 1:3 rwm`.
    pub device_rules: Vec<String>,
}

/// The system call filter of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum Seccomp {
    /// Docker's default profile, opened by the capabilities that the container has.
    #[default]
    Default,
    /// None.
    Unconfined,
    /// A profile in Docker's JSON format.
    Profile(String),
}
