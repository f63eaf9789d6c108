//! A specification as an OCI bundle: Docker's default mounts, devices and masks with what the user asked for. Pure. The
//! user of the process stays text (only the root file system knows its users): `process.user.username` carries it, and
//! the shim fills in the numbers.

mod devices;
mod mounts;

use std::collections::HashSet;
use std::path::PathBuf;

use oci_spec::OciSpecError;
use oci_spec::runtime as oci;

use crate::capabilities;
use crate::error::BundleError;
use crate::lower::rlimit_name;
use crate::seccomp;
use crate::spec::{ContainerSpec, Namespace, Netns, Process, Resources};

pub(crate) use devices::{device_texts, node};

/// What of `/proc` and `/sys` tells about the machine (Docker's list).
const MASKED: &[&str] = &[
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];

/// What of `/proc` changes the machine (Docker's list).
const READONLY: &[&str] = &["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// The bundle of a container. Its root path is `root`, relative to the bundle's directory.
///
/// # Errors
/// Where the specification contradicts itself or names what does not exist.
pub fn bundle(spec: &ContainerSpec) -> Result<oci::Spec, BundleError> {
    let mut bundle = without_seccomp(spec)?;
    let profile =
        if spec.privileged { None } else { seccomp::profile(&spec.seccomp, &spec.process.capabilities)? };
    if let (Some(profile), Some(linux)) = (profile, bundle.linux_mut()) {
        linux.set_seccomp(Some(seccomp::to_oci(&profile).map_err(invalid)?));
    }
    Ok(bundle)
}

/// The bundle without its filter, which the built-in runtime has compiled already.
pub(crate) fn without_seccomp(spec: &ContainerSpec) -> Result<oci::Spec, BundleError> {
    check(spec)?;
    let root =
        oci::RootBuilder::default().path("root").readonly(spec.readonly_rootfs).build().map_err(invalid)?;
    let builder = oci::SpecBuilder::default()
        .version("1.0.2")
        .root(root)
        .process(process(&spec.process, spec.privileged)?)
        .mounts(mounts::mounts(spec)?)
        .annotations(spec.annotations.clone().into_iter().collect::<std::collections::HashMap<_, _>>())
        .linux(linux(spec)?);
    let mut bundle = builder.build().map_err(invalid)?;
    // only a namespace of its own is named; the builder would name it "youki"
    let own = spec.uts == Namespace::Private;
    bundle.set_hostname(Some(spec.hostname.clone()).filter(|name| own && !name.is_empty()));
    bundle.set_domainname(spec.domainname.clone().filter(|_| own));
    Ok(bundle)
}

#[allow(clippy::needless_pass_by_value)] // the shape that map_err wants
fn invalid(error: OciSpecError) -> BundleError {
    BundleError::Oci(error.to_string())
}

fn check(spec: &ContainerSpec) -> Result<(), BundleError> {
    if spec.process.args.is_empty() {
        return Err(BundleError::NoCommand);
    }
    if spec.writable.is_none() && matches!(spec.rootfs, crate::spec::Rootfs::Host { .. }) {
        return Err(BundleError::NoWritable);
    }
    if let Some(mount) = spec.mounts.iter().find(|mount| !mount.target.is_absolute()) {
        return Err(BundleError::RelativeTarget(mount.target.display().to_string()));
    }
    let namespaced = |key: &str| {
        let ipc = key.starts_with("fs.mqueue.")
            || ["kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem"].contains(&key)
            || key.starts_with("kernel.shm");
        let net = key.starts_with("net.") && spec.netns != Netns::Host;
        (ipc && spec.ipc != Namespace::Host)
            || net
            || (key == "kernel.domainname" && spec.uts != Namespace::Host)
    };
    match spec.sysctls.keys().find(|key| !namespaced(key)) {
        Some(key) => Err(BundleError::Sysctl(key.clone())),
        None => Ok(()),
    }
}

fn process(process: &Process, privileged: bool) -> Result<oci::Process, BundleError> {
    let user = oci::UserBuilder::default().uid(0_u32).gid(0_u32).username(process.user.clone()).build();
    let cwd = if process.cwd.is_empty() { "/" } else { &process.cwd };
    let rlimits = process.rlimits.iter().map(|limit| {
        let (typ, _) = rlimit_name(&limit.name).ok_or_else(|| BundleError::Rlimit(limit.name.clone()))?;
        oci::PosixRlimitBuilder::default().typ(typ).soft(limit.soft).hard(limit.hard).build().map_err(invalid)
    });
    let mut builder = oci::ProcessBuilder::default()
        .terminal(process.terminal)
        .user(user.map_err(invalid)?)
        .args(process.args.clone())
        .env(process.env.clone())
        .cwd(cwd)
        .capabilities(oci_capabilities(process, privileged)?)
        .rlimits(rlimits.collect::<Result<Vec<_>, _>>()?)
        .no_new_privileges(process.no_new_privileges);
    if let Some(score) = process.oom_score_adj {
        builder = builder.oom_score_adj(score);
    }
    if let (true, Some((rows, cols))) = (process.terminal, process.console_size) {
        let size = oci::BoxBuilder::default().height(rows).width(cols).build().map_err(invalid)?;
        builder = builder.console_size(size);
    }
    builder.build().map_err(invalid)
}

/// The capabilities of a process; a privileged container has what the machine's root has.
pub(crate) fn capability_names(process: &Process, privileged: bool) -> Vec<String> {
    if privileged { capabilities::all() } else { process.capabilities.clone() }
}

fn oci_capabilities(process: &Process, privileged: bool) -> Result<oci::LinuxCapabilities, BundleError> {
    let parse = |name: String| {
        let bare = name.strip_prefix("CAP_").unwrap_or(&name).to_owned();
        bare.parse::<oci::Capability>().map_err(|_| BundleError::Capability(name))
    };
    let set: HashSet<oci::Capability> =
        capability_names(process, privileged).into_iter().map(parse).collect::<Result<_, _>>()?;
    // inheritable and ambient stay empty, so that a program of another user gets nothing by itself
    let none = HashSet::new();
    oci::LinuxCapabilitiesBuilder::default()
        .bounding(set.clone())
        .effective(set.clone())
        .permitted(set)
        .inheritable(none.clone())
        .ambient(none)
        .build()
        .map_err(invalid)
}

fn linux(spec: &ContainerSpec) -> Result<oci::Linux, BundleError> {
    let paths = |own: &Option<Vec<PathBuf>>, standard: &[&str]| -> Vec<String> {
        match own {
            Some(paths) => paths.iter().map(|path| path.display().to_string()).collect(),
            None if spec.privileged => Vec::new(),
            None => standard.iter().map(ToString::to_string).collect(),
        }
    };
    oci::LinuxBuilder::default()
        .namespaces(namespaces(spec)?)
        .sysctl(spec.sysctls.clone().into_iter().collect::<std::collections::HashMap<_, _>>())
        .resources(resources(spec)?)
        .masked_paths(paths(&spec.masked_paths, MASKED))
        .readonly_paths(paths(&spec.readonly_paths, READONLY))
        .rootfs_propagation("rprivate")
        .build()
        .map_err(invalid)
}

fn namespaces(spec: &ContainerSpec) -> Result<Vec<oci::LinuxNamespace>, BundleError> {
    use oci::LinuxNamespaceType as Type;
    let mut all = vec![oci::LinuxNamespaceBuilder::default().typ(Type::Mount).build().map_err(invalid)?];
    let kinds = [
        (Type::Pid, &spec.pid),
        (Type::Ipc, &spec.ipc),
        (Type::Uts, &spec.uts),
        (Type::Cgroup, &spec.cgroupns),
    ];
    for (kind, choice) in kinds {
        let builder = oci::LinuxNamespaceBuilder::default().typ(kind);
        match choice {
            Namespace::Private => all.push(builder.build().map_err(invalid)?),
            Namespace::Path(path) => all.push(builder.path(path.clone()).build().map_err(invalid)?),
            Namespace::Host => {}
        }
    }
    if let Netns::Path(path) = &spec.netns {
        let builder = oci::LinuxNamespaceBuilder::default().typ(Type::Network).path(path.clone());
        all.push(builder.build().map_err(invalid)?);
    }
    Ok(all)
}

fn resources(spec: &ContainerSpec) -> Result<oci::LinuxResources, BundleError> {
    let mut builder = oci::LinuxResourcesBuilder::default().devices(devices::device_rules(spec)?);
    let Resources { memory, memory_reservation, memory_swap, .. } = spec.resources;
    if memory.is_some() || memory_reservation.is_some() || memory_swap.is_some() {
        let mut limits = oci::LinuxMemory::default();
        limits.set_limit(memory).set_reservation(memory_reservation).set_swap(memory_swap);
        builder = builder.memory(limits);
    }
    let Resources { cpu_shares, cpu_quota, cpu_period, cpuset_cpus, cpuset_mems, .. } = &spec.resources;
    if cpu_shares.is_some()
        || cpu_quota.is_some()
        || cpu_period.is_some()
        || cpuset_cpus.is_some()
        || cpuset_mems.is_some()
    {
        let mut limits = oci::LinuxCpu::default();
        limits.set_shares(*cpu_shares).set_quota(*cpu_quota).set_period(*cpu_period);
        limits.set_cpus(cpuset_cpus.clone()).set_mems(cpuset_mems.clone());
        builder = builder.cpu(limits);
    }
    if let Some(limit) = spec.resources.pids {
        builder = builder.pids(oci::LinuxPidsBuilder::default().limit(limit).build().map_err(invalid)?);
    }
    builder.build().map_err(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Mount, MountSource, Rlimit, Rootfs, Writable};

    fn spec() -> ContainerSpec {
        ContainerSpec {
            id: "abc".to_owned(),
            rootfs: Rootfs::Dir("/srv/root".into()),
            writable: Some(Writable { upper: "/u".into(), work: "/w".into() }),
            hostname: "box".to_owned(),
            process: Process {
                args: vec!["sh".to_owned()],
                capabilities: capabilities::defaults(),
                ..Process::default()
            },
            ..ContainerSpec::default()
        }
    }

    fn json(spec: &ContainerSpec) -> serde_json::Value {
        serde_json::to_value(bundle(spec).unwrap()).unwrap()
    }

    #[test]
    fn nothing_of_the_builders_own_taste_is_left() {
        let value = json(&spec());
        assert_eq!(value["hostname"], "box");
        assert_eq!(value["process"]["noNewPrivileges"], false);
        assert_eq!(value["process"]["rlimits"], serde_json::json!([]));
        assert_eq!(value["process"]["env"], serde_json::json!([]));
        let linux: Vec<&String> = value["linux"].as_object().unwrap().keys().collect();
        let mut linux: Vec<&str> = linux.into_iter().map(String::as_str).collect();
        linux.sort_unstable();
        assert_eq!(
            linux,
            [
                "maskedPaths",
                "namespaces",
                "readonlyPaths",
                "resources",
                "rootfsPropagation",
                "seccomp",
                "sysctl"
            ]
        );
        let shared = ContainerSpec { uts: Namespace::Path("/proc/7/ns/uts".into()), ..spec() };
        assert!(json(&shared).get("hostname").is_none());
    }

    #[test]
    fn what_lies_higher_is_mounted_first_and_replaces_the_default() {
        let tmpfs =
            |target: &str| Mount { target: target.into(), source: MountSource::Tmpfs, options: Vec::new() };
        let spec = ContainerSpec { mounts: vec![tmpfs("/a/b"), tmpfs("/a"), tmpfs("/dev/shm")], ..spec() };
        let value = json(&spec);
        let targets: Vec<&str> = value["mounts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|mount| mount["destination"].as_str().unwrap())
            .collect();
        assert_eq!(
            targets,
            ["/proc", "/dev", "/dev/pts", "/sys", "/sys/fs/cgroup", "/dev/mqueue", "/a", "/a/b", "/dev/shm"]
        );
    }

    #[test]
    fn nonsense_is_refused() {
        let with = |change: &dyn Fn(&mut ContainerSpec)| {
            let mut spec = spec();
            change(&mut spec);
            bundle(&spec).unwrap_err()
        };
        assert_eq!(with(&|spec| spec.process.args.clear()), BundleError::NoCommand);
        assert_eq!(
            with(&|spec| spec.process.rlimits.push(Rlimit { name: "files".to_owned(), soft: 1, hard: 1 })),
            BundleError::Rlimit("files".to_owned())
        );
        assert_eq!(
            with(&|spec| spec.resources.device_rules.push("x 1:2 rwm".to_owned())),
            BundleError::DeviceRule("x 1:2 rwm".to_owned())
        );
        assert_eq!(
            with(&|spec| drop(spec.sysctls.insert("net.ipv4.ip_forward".to_owned(), "1".to_owned()))),
            BundleError::Sysctl("net.ipv4.ip_forward".to_owned()),
            "the machine's own network is not the container's to set"
        );
        assert_eq!(
            with(&|spec| {
                let source = MountSource::Tmpfs;
                spec.mounts.push(Mount { target: "relative".into(), source, options: Vec::new() });
            }),
            BundleError::RelativeTarget("relative".to_owned())
        );
        let host = ContainerSpec { rootfs: Rootfs::default(), writable: None, ..spec() };
        assert_eq!(bundle(&host), Err(BundleError::NoWritable));
    }
}
