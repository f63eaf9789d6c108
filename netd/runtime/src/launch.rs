//! The plan that a shim carries out: an OCI bundle lowered to numbers (mount flags, capability masks, compiled filters),
//! so that the shim parses little and decides nothing. Values only; [`crate::lower`] makes them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::cgroup::Layout;
use crate::client::{LogTarget, Stdin};
use crate::spec::{Resources, Writable};

/// Everything a shim needs to make one container.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Launch {
    /// Container id.
    pub(crate) id: String,
    /// The shim's directory.
    pub(crate) dir: PathBuf,
    pub(crate) log: Option<LogTarget>,
    pub(crate) stdin: Stdin,
    pub(crate) root: RootPlan,
    pub(crate) cgroup: CgroupPlan,
    pub(crate) engine: EnginePlan,
    /// The first process has a terminal.
    pub(crate) terminal: bool,
}

/// Who makes the process, and of what.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum EnginePlan {
    /// The runtime built in here.
    Builtin(Box<InitPlan>),
    /// An OCI runtime binary, with the bundle's `config.json`; the user is still to be resolved.
    Oci { runtime: PathBuf, config: Box<serde_json::Value>, user: String, extra_groups: Vec<String> },
}

/// How the root file system comes about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RootPlan {
    /// The lower layer, or the directory itself where there is no writable half.
    pub(crate) lower: PathBuf,
    pub(crate) writable: Option<Writable>,
    /// Paths that the lower layer must not show.
    pub(crate) hidden: Vec<PathBuf>,
    /// Device nodes on the root file system are dead.
    pub(crate) nodev: bool,
}

/// Where the container's processes are counted and limited.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CgroupPlan {
    /// The machine's hierarchies, read once by the daemon.
    pub(crate) layout: Layout,
    /// Path below every hierarchy, without a leading slash.
    pub(crate) path: String,
    /// An OCI runtime makes the groups and sets the limits.
    pub(crate) external: bool,
    pub(crate) resources: Resources,
    /// Device rules, in the words of v1's `devices.deny` and `devices.allow`; `None` where mount flags do the work.
    pub(crate) devices: Option<Vec<DeviceRule>>,
}

/// One line of a device policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeviceRule {
    pub(crate) allow: bool,
    /// `a`, or `c 1:3 rwm`.
    pub(crate) text: String,
}

/// What the container's first process does before it becomes the user's command.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct InitPlan {
    /// `CLONE_NEW*` bits of the namespaces made new, cgroup excepted.
    pub(crate) unshare: u64,
    /// A new cgroup namespace, entered once the process is in its cgroups.
    pub(crate) unshare_cgroup: bool,
    /// Existing namespaces: `CLONE_NEW*` bit and path.
    pub(crate) join: Vec<(u64, PathBuf)>,
    pub(crate) hostname: Option<String>,
    pub(crate) domainname: Option<String>,
    pub(crate) mounts: Vec<MountPlan>,
    pub(crate) devices: Vec<DevicePlan>,
    pub(crate) sysctls: Vec<(String, String)>,
    pub(crate) masked: Vec<PathBuf>,
    pub(crate) readonly: Vec<PathBuf>,
    pub(crate) readonly_root: bool,
    pub(crate) process: ProcessPlan,
}

/// One mount, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MountPlan {
    pub(crate) target: PathBuf,
    pub(crate) source: MountFrom,
    /// `MOUNT_ATTR_*` bits.
    pub(crate) attr: u64,
    /// `MS_PRIVATE`, `MS_SLAVE`, `MS_SHARED` or 0.
    pub(crate) propagation: u64,
    /// Attributes and propagation reach the mounts below.
    pub(crate) recursive: bool,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum MountFrom {
    /// A new instance of a file system: type, source name, options (`None` for a flag).
    New { fstype: String, source: String, options: Vec<(String, Option<String>)> },
    /// A path of the host.
    Bind { source: PathBuf },
    /// The container's own cgroups, as the machine's layout offers them.
    Cgroup,
}

/// A device node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DevicePlan {
    /// In the container.
    pub(crate) path: PathBuf,
    pub(crate) node: DeviceNode,
}

/// How a device node comes about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum DeviceNode {
    /// The host's node is bound in place: works where the mount has `nodev`.
    Bind(PathBuf),
    /// A new node.
    Make { block: bool, major: u64, minor: u64, mode: u32, uid: u32, gid: u32 },
}

/// A process: its credentials and limits as numbers, its user still as text (only the rootfs knows).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessPlan {
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<String>,
    pub(crate) cwd: String,
    pub(crate) user: String,
    pub(crate) extra_groups: Vec<String>,
    pub(crate) terminal: bool,
    pub(crate) console_size: Option<(u16, u16)>,
    pub(crate) capabilities: CapabilityMasks,
    pub(crate) no_new_privileges: bool,
    pub(crate) rlimits: Vec<RlimitPlan>,
    pub(crate) oom_score_adj: Option<i32>,
    /// Stay as process 1, reap, forward signals, and run the command as a child.
    pub(crate) reaper: bool,
    /// Compiled filters, in the order of loading, base64.
    pub(crate) filters: Vec<String>,
}

/// Capability sets, bit n for capability n.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CapabilityMasks {
    pub(crate) bounding: u64,
    pub(crate) effective: u64,
    pub(crate) permitted: u64,
    pub(crate) inheritable: u64,
    pub(crate) ambient: u64,
}

/// A limit: the kernel's number of the resource, soft, hard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RlimitPlan {
    pub(crate) resource: u32,
    pub(crate) soft: u64,
    pub(crate) hard: u64,
}
