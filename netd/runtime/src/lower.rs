//! From a bundle to the plan that a shim carries out: options become flags, names become numbers, the filter becomes
//! instructions. Pure but for device numbers, which only the machine knows.

use std::path::{Path, PathBuf};

use nix::libc;
use oci_spec::runtime as oci;

use crate::bundle::{self, capability_names};
use crate::capabilities;
use crate::cgroup::Layout;
use crate::client::{CreateRequest, Engine, ExecSpec};
use crate::error::{BundleError, RuntimeError};
use crate::hostdev;
use crate::launch::{
    CapabilityMasks, CgroupPlan, DeviceNode, DevicePlan, DeviceRule, EnginePlan, InitPlan, Launch, MountFrom,
    MountPlan, ProcessPlan, RlimitPlan, RootPlan,
};
use crate::seccomp::Filters;
use crate::spec::{ContainerSpec, MountSource, Process, Rootfs};

/// The devices that every container has.
const DEVICES: &[(&str, u64, u64)] = &[
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
];

/// What keeps a container from opening the machine's devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DeviceGuard {
    /// Every file system that it can write to has `nodev`: costs nothing, and holds as long as it can't mount.
    MountFlags,
    /// The devices cgroup.
    Cgroup,
    /// Nothing: it is privileged.
    None,
}

/// The plan for a container.
pub(crate) fn launch(
    request: &CreateRequest,
    parent: &str,
    layout: &Layout,
    filters: &Filters,
) -> Result<Launch, RuntimeError> {
    let spec = &request.spec;
    let guard = match request.engine {
        Engine::Builtin => device_guard(spec),
        Engine::Oci(_) => DeviceGuard::None,
    };
    let engine = match &request.engine {
        Engine::Builtin => EnginePlan::Builtin(Box::new(init_plan(spec, guard, filters)?)),
        Engine::Oci(runtime) => oci_plan(runtime, spec, parent)?,
    };
    Ok(Launch {
        id: spec.id.clone(),
        dir: request.dir.clone(),
        log: request.log.clone(),
        stdin: request.stdin,
        root: root_plan(spec, guard),
        cgroup: cgroup_plan(request, parent, layout, guard),
        engine,
        terminal: spec.process.terminal,
    })
}

fn cgroup_path(spec: &ContainerSpec, parent: &str) -> String {
    let parent = spec.cgroup_parent.as_deref().unwrap_or(parent).trim_matches('/');
    if parent.is_empty() { spec.id.clone() } else { format!("{parent}/{}", spec.id) }
}

fn cgroup_plan(request: &CreateRequest, parent: &str, layout: &Layout, guard: DeviceGuard) -> CgroupPlan {
    let spec = &request.spec;
    let path = cgroup_path(spec, parent);
    if request.engine != Engine::Builtin {
        return CgroupPlan { layout: layout.clone(), path, external: true, ..CgroupPlan::default() };
    }
    let rules = |spec| {
        bundle::device_texts(spec).into_iter().map(|(allow, text)| DeviceRule { allow, text }).collect()
    };
    let devices = (guard == DeviceGuard::Cgroup).then(|| rules(spec));
    CgroupPlan { layout: layout.clone(), path, external: false, resources: spec.resources.clone(), devices }
}

fn device_guard(spec: &ContainerSpec) -> DeviceGuard {
    if spec.privileged {
        return DeviceGuard::None;
    }
    let can_mount = spec.process.capabilities.iter().any(|name| name == "CAP_SYS_ADMIN");
    let partly = spec.devices.iter().any(|device| !["", "rwm", "rw"].contains(&device.permissions.as_str()));
    let shows_dev = |mount: &crate::spec::Mount| match &mount.source {
        MountSource::Bind(source) => source.starts_with("/dev") || source == Path::new("/"),
        MountSource::Tmpfs => false,
    };
    let by_rules = !spec.resources.device_rules.is_empty();
    if can_mount || partly || by_rules || spec.mounts.iter().any(shows_dev) {
        DeviceGuard::Cgroup
    } else {
        DeviceGuard::MountFlags
    }
}

fn root_plan(spec: &ContainerSpec, guard: DeviceGuard) -> RootPlan {
    let (lower, hidden) = match &spec.rootfs {
        Rootfs::Host { hidden } => (PathBuf::from("/"), hidden.clone()),
        Rootfs::Dir(path) => (path.clone(), Vec::new()),
    };
    RootPlan { lower, writable: spec.writable.clone(), hidden, nodev: guard == DeviceGuard::MountFlags }
}

fn oci_plan(runtime: &Path, spec: &ContainerSpec, parent: &str) -> Result<EnginePlan, BundleError> {
    let bundle = bundle::bundle(spec)?;
    let mut config = serde_json::to_value(bundle).map_err(|error| BundleError::Oci(error.to_string()))?;
    config["linux"]["cgroupsPath"] = format!("/{}", cgroup_path(spec, parent)).into();
    Ok(EnginePlan::Oci {
        runtime: runtime.to_owned(),
        config: Box::new(config),
        user: spec.process.user.clone(),
        extra_groups: spec.process.extra_groups.clone(),
    })
}

fn init_plan(spec: &ContainerSpec, guard: DeviceGuard, filters: &Filters) -> Result<InitPlan, BundleError> {
    let bundle = bundle::without_seccomp(spec)?;
    let linux = bundle.linux().as_ref();
    let (unshare, join, unshare_cgroup) = namespaces(linux);
    let filters =
        if spec.privileged { Vec::new() } else { filters.get(&spec.seccomp, &spec.process.capabilities)? };
    let paths = |paths: Option<&Vec<String>>| paths.into_iter().flatten().map(PathBuf::from).collect();
    Ok(InitPlan {
        unshare,
        unshare_cgroup,
        join,
        hostname: bundle.hostname().clone(),
        domainname: bundle.domainname().clone(),
        mounts: bundle.mounts().iter().flatten().map(|mount| mount_plan(mount, guard)).collect(),
        devices: devices(spec, guard),
        sysctls: spec.sysctls.clone().into_iter().collect(),
        masked: paths(linux.and_then(|linux| linux.masked_paths().as_ref())),
        readonly: paths(linux.and_then(|linux| linux.readonly_paths().as_ref())),
        readonly_root: spec.readonly_rootfs,
        process: ProcessPlan { reaper: spec.init, filters, ..process_plan(&spec.process, spec.privileged)? },
    })
}

fn namespaces(linux: Option<&oci::Linux>) -> (u64, Vec<(u64, PathBuf)>, bool) {
    let mut unshare = 0;
    let mut join = Vec::new();
    let mut cgroup = false;
    for namespace in linux.and_then(|linux| linux.namespaces().as_ref()).into_iter().flatten() {
        let bit = clone_flag(namespace.typ());
        match namespace.path() {
            Some(path) => join.push((bit, path.clone())),
            None if namespace.typ() == oci::LinuxNamespaceType::Cgroup => cgroup = true,
            None => unshare |= bit,
        }
    }
    (unshare, join, cgroup)
}

fn clone_flag(kind: oci::LinuxNamespaceType) -> u64 {
    use oci::LinuxNamespaceType as Type;
    let flag = match kind {
        Type::Mount => libc::CLONE_NEWNS,
        Type::Cgroup => libc::CLONE_NEWCGROUP,
        Type::Uts => libc::CLONE_NEWUTS,
        Type::Ipc => libc::CLONE_NEWIPC,
        Type::User => libc::CLONE_NEWUSER,
        Type::Pid => libc::CLONE_NEWPID,
        Type::Network => libc::CLONE_NEWNET,
        Type::Time => libc::CLONE_NEWTIME,
    };
    flag as u64
}

/// What an option of a mount means.
enum Meaning {
    Attr(u64),
    Clear(u64),
    Propagation(u64, bool),
    Recursive,
    /// Goes to the file system.
    Data,
    /// Says nothing that is not so anyway.
    Nothing,
}

fn meaning(option: &str) -> Meaning {
    use rustix::mount::MountAttrFlags as Flag;
    let attr = |flag: Flag| Meaning::Attr(flag.bits().into());
    match option {
        "ro" | "rro" => attr(Flag::MOUNT_ATTR_RDONLY),
        "nosuid" => attr(Flag::MOUNT_ATTR_NOSUID),
        "nodev" => attr(Flag::MOUNT_ATTR_NODEV),
        "noexec" => attr(Flag::MOUNT_ATTR_NOEXEC),
        "noatime" => attr(Flag::MOUNT_ATTR_NOATIME),
        "strictatime" => attr(Flag::MOUNT_ATTR_STRICTATIME),
        "nodiratime" => attr(Flag::MOUNT_ATTR_NODIRATIME),
        "rw" => Meaning::Clear(Flag::MOUNT_ATTR_RDONLY.bits().into()),
        "suid" => Meaning::Clear(Flag::MOUNT_ATTR_NOSUID.bits().into()),
        "dev" => Meaning::Clear(Flag::MOUNT_ATTR_NODEV.bits().into()),
        "exec" => Meaning::Clear(Flag::MOUNT_ATTR_NOEXEC.bits().into()),
        "private" => Meaning::Propagation(libc::MS_PRIVATE, false),
        "rprivate" => Meaning::Propagation(libc::MS_PRIVATE, true),
        "slave" => Meaning::Propagation(libc::MS_SLAVE, false),
        "rslave" => Meaning::Propagation(libc::MS_SLAVE, true),
        "shared" => Meaning::Propagation(libc::MS_SHARED, false),
        "rshared" => Meaning::Propagation(libc::MS_SHARED, true),
        "rbind" => Meaning::Recursive,
        // a devpts of one's own is the only kind since 4.7
        "bind" | "defaults" | "async" | "relatime" | "newinstance" | "z" | "Z" | "cached" | "delegated"
        | "consistent" | "copy" | "nocopy" => Meaning::Nothing,
        _ => Meaning::Data,
    }
}

fn mount_plan(mount: &oci::Mount, guard: DeviceGuard) -> MountPlan {
    let fstype = mount.typ().clone().unwrap_or_default();
    let bind = fstype == "bind";
    let mut attr = 0;
    let mut propagation = if bind { libc::MS_PRIVATE } else { 0 };
    let mut recursive = false;
    let mut data = Vec::new();
    for option in mount.options().iter().flatten() {
        match meaning(option) {
            Meaning::Attr(bits) => attr |= bits,
            Meaning::Clear(bits) => attr &= !bits,
            Meaning::Propagation(kind, all) => {
                propagation = kind;
                recursive |= all && bind;
            }
            Meaning::Recursive => recursive = true,
            Meaning::Data => data.push(match option.split_once('=') {
                Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
                None => (option.clone(), None),
            }),
            Meaning::Nothing => {}
        }
    }
    // the terminals are devices, and nobody can make others there
    if guard == DeviceGuard::MountFlags && fstype != "devpts" {
        attr |= u64::from(rustix::mount::MountAttrFlags::MOUNT_ATTR_NODEV.bits());
    }
    let source = mount.source().clone().unwrap_or_default();
    let source = match fstype.as_str() {
        "bind" => MountFrom::Bind { source },
        "cgroup" => MountFrom::Cgroup,
        _ => MountFrom::New { fstype, source: source.display().to_string(), options: data },
    };
    MountPlan { target: mount.destination().clone(), source, attr, propagation, recursive }
}

fn devices(spec: &ContainerSpec, guard: DeviceGuard) -> Vec<DevicePlan> {
    let mut plans: Vec<DevicePlan> = DEVICES
        .iter()
        .map(|(path, major, minor)| {
            let made =
                DeviceNode::Make { block: false, major: *major, minor: *minor, mode: 0o666, uid: 0, gid: 0 };
            let path = PathBuf::from(path);
            let node = if guard == DeviceGuard::MountFlags { DeviceNode::Bind(path.clone()) } else { made };
            DevicePlan { path, node }
        })
        .collect();
    if spec.privileged {
        plans.extend(
            hostdev::all()
                .into_iter()
                .filter(|found| !DEVICES.iter().any(|own| found.path == Path::new(own.0))),
        );
    }
    for device in &spec.devices {
        let made = bundle::node(&device.host).filter(|_| guard != DeviceGuard::MountFlags);
        let node = match made {
            Some((block, major, minor)) => made_like(&device.host, block, major, minor),
            // a missing node is reported when it is bound
            None => DeviceNode::Bind(device.host.clone()),
        };
        plans.retain(|plan| plan.path != device.container);
        plans.push(DevicePlan { path: device.container.clone(), node });
    }
    plans
}

fn made_like(host: &Path, block: bool, major: u64, minor: u64) -> DeviceNode {
    use std::os::unix::fs::MetadataExt;
    let (mode, uid, gid) = std::fs::metadata(host)
        .map_or((0o666, 0, 0), |found| (found.mode() & 0o777, found.uid(), found.gid()));
    DeviceNode::Make { block, major, minor, mode, uid, gid }
}

fn process_plan(process: &Process, privileged: bool) -> Result<ProcessPlan, BundleError> {
    let mask = capabilities::mask(&capability_names(process, privileged))?;
    let rlimits = process.rlimits.iter().map(|limit| {
        let (_, resource) =
            rlimit_name(&limit.name).ok_or_else(|| BundleError::Rlimit(limit.name.clone()))?;
        Ok(RlimitPlan { resource, soft: limit.soft, hard: limit.hard })
    });
    Ok(ProcessPlan {
        args: process.args.clone(),
        env: process.env.clone(),
        cwd: process.cwd.clone(),
        user: process.user.clone(),
        extra_groups: process.extra_groups.clone(),
        terminal: process.terminal,
        console_size: process.console_size,
        capabilities: CapabilityMasks {
            bounding: mask,
            effective: mask,
            permitted: mask,
            inheritable: 0,
            ambient: 0,
        },
        no_new_privileges: process.no_new_privileges,
        rlimits: rlimits.collect::<Result<_, BundleError>>()?,
        oom_score_adj: process.oom_score_adj,
        ..ProcessPlan::default()
    })
}

/// The plan for a process that joins a container.
pub(crate) fn exec_plan(spec: &ExecSpec, filters: &Filters) -> Result<ProcessPlan, BundleError> {
    if spec.process.args.is_empty() {
        return Err(BundleError::NoCommand);
    }
    let filters =
        if spec.privileged { Vec::new() } else { filters.get(&spec.seccomp, &spec.process.capabilities)? };
    Ok(ProcessPlan { filters, ..process_plan(&spec.process, spec.privileged)? })
}

/// A resource limit by Docker's name or the OCI's: the OCI's type and the kernel's number.
pub(crate) fn rlimit_name(name: &str) -> Option<(oci::PosixRlimitType, u32)> {
    use oci::PosixRlimitType as Type;
    let lower = name.to_lowercase();
    Some(match lower.strip_prefix("rlimit_").unwrap_or(&lower) {
        "cpu" => (Type::RlimitCpu, libc::RLIMIT_CPU),
        "fsize" => (Type::RlimitFsize, libc::RLIMIT_FSIZE),
        "data" => (Type::RlimitData, libc::RLIMIT_DATA),
        "stack" => (Type::RlimitStack, libc::RLIMIT_STACK),
        "core" => (Type::RlimitCore, libc::RLIMIT_CORE),
        "rss" => (Type::RlimitRss, libc::RLIMIT_RSS),
        "nproc" => (Type::RlimitNproc, libc::RLIMIT_NPROC),
        "nofile" => (Type::RlimitNofile, libc::RLIMIT_NOFILE),
        "memlock" => (Type::RlimitMemlock, libc::RLIMIT_MEMLOCK),
        "as" => (Type::RlimitAs, libc::RLIMIT_AS),
        "locks" => (Type::RlimitLocks, libc::RLIMIT_LOCKS),
        "sigpending" => (Type::RlimitSigpending, libc::RLIMIT_SIGPENDING),
        "msgqueue" => (Type::RlimitMsgqueue, libc::RLIMIT_MSGQUEUE),
        "nice" => (Type::RlimitNice, libc::RLIMIT_NICE),
        "rtprio" => (Type::RlimitRtprio, libc::RLIMIT_RTPRIO),
        "rttime" => (Type::RlimitRttime, libc::RLIMIT_RTTIME),
        _ => return None,
    })
}
