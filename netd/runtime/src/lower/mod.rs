//! From a bundle to the plan that a shim carries out: options become flags, names become numbers, the filter becomes
//! instructions. Pure but for device numbers, which only the machine knows.

mod devices;
mod hostdev;
mod mount;

use std::path::{Path, PathBuf};

use nix::libc;
use oci_spec::runtime as oci;

use self::devices::{DeviceGuard, device_guard};
use crate::bundle::{self, capability_names};
use crate::capabilities;
use crate::cgroup::Layout;
use crate::client::{CreateRequest, Engine, ExecSpec};
use crate::error::{BundleError, RuntimeError};
use crate::launch::{
    CapabilityMasks, CgroupPlan, DeviceRule, EnginePlan, InitPlan, Launch, ProcessPlan, RlimitPlan, RootPlan,
};
use crate::seccomp::Filters;
use crate::spec::{ContainerSpec, Process, Rootfs};

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
        mounts: bundle.mounts().iter().flatten().map(|mount| mount::mount_plan(mount, guard)).collect(),
        devices: devices::devices(spec, guard),
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
