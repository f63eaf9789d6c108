//! From typed values to what the runtime wants: pure.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use netd_runtime::{
    ContainerSpec, LogTarget, Mount, MountSource, Namespace, Netns, Process, Rootfs as RuntimeRootfs, Stdin,
    Writable,
};

use super::{
    create::{Access, Logging, Rootfs, Source, Wanted, WantedMount},
    parts::Paths,
    record::Record,
};

/// What was found out about a container on the way: paths, namespaces.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) netns: Netns,
    pub(super) pid: Namespace,
    pub(super) ipc: Namespace,
    pub(super) uts: Namespace,
    pub(super) cgroupns: Namespace,
    /// Where the files of the network's owner are: the container's own, or those of the one it shares it with.
    pub(super) files: PathBuf,
    pub(super) hostname: String,
}

/// The container that the runtime is to make.
pub(super) fn container(record: &Record, wanted: &Wanted, paths: &Paths, found: Found) -> ContainerSpec {
    let data = paths.data(record.id);
    let rootfs = match &wanted.rootfs {
        Rootfs::Host => RuntimeRootfs::Host { hidden: paths.hidden.clone() },
        Rootfs::Dir(dir) => RuntimeRootfs::Dir(dir.clone()),
    };
    let host = &record.host;
    let listed = |paths: &Option<Vec<String>>| {
        if wanted.all_paths {
            return Some(Vec::new());
        }
        paths.as_ref().map(|paths| paths.iter().map(PathBuf::from).collect())
    };
    let mut mounts = files(wanted, &found.files);
    mounts.extend(wanted.mounts.iter().filter_map(|mount| self::mount(record, mount)));
    ContainerSpec {
        id: record.id.to_string(),
        rootfs,
        writable: Some(Writable { upper: data.join("upper"), work: data.join("work") }),
        readonly_rootfs: host.readonly_rootfs == Some(true),
        process: process(record, wanted),
        init: wanted.init,
        hostname: found.hostname,
        domainname: Some(wanted.domainname.clone()).filter(|name| !name.is_empty()),
        netns: found.netns,
        pid: found.pid,
        ipc: found.ipc,
        uts: found.uts,
        cgroupns: found.cgroupns,
        mounts,
        devices: wanted.devices.clone(),
        sysctls: wanted.sysctls.clone(),
        resources: wanted.resources.clone(),
        seccomp: wanted.seccomp.clone(),
        privileged: host.privileged == Some(true),
        masked_paths: listed(&host.masked_paths),
        readonly_paths: listed(&host.readonly_paths),
        shm_size: Some(wanted.shm_size),
        cgroup_parent: wanted.cgroup_parent.clone(),
        annotations: host
            .annotations
            .iter()
            .flatten()
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect::<BTreeMap<_, _>>(),
    }
}

fn process(record: &Record, wanted: &Wanted) -> Process {
    let size = record.host.console_size.as_deref();
    let console_size = match size {
        Some([rows, cols]) if *rows > 0 && *cols > 0 => {
            u16::try_from(*rows).ok().zip(u16::try_from(*cols).ok())
        }
        _ => None,
    };
    Process {
        args: wanted.args.clone(),
        env: wanted.env.clone(),
        cwd: wanted.cwd.clone(),
        user: record.config.user.clone().unwrap_or_default(),
        extra_groups: record.host.group_add.clone().unwrap_or_default(),
        terminal: record.tty(),
        console_size,
        capabilities: wanted.capabilities.clone(),
        no_new_privileges: wanted.no_new_privileges,
        rlimits: wanted.rlimits.clone(),
        oom_score_adj: wanted.oom_score_adj,
    }
}

/// /etc/hosts, /etc/hostname and /etc/resolv.conf, unless the user mounts something there.
fn files(wanted: &Wanted, dir: &Path) -> Vec<Mount> {
    let free = |target: &Path| wanted.mounts.iter().all(|mount| mount.target != target);
    ["resolv.conf", "hostname", "hosts"]
        .iter()
        .map(|name| (Path::new("/etc").join(name), dir.join(name)))
        .filter(|(target, _)| free(target))
        .map(|(target, source)| Mount {
            target,
            source: MountSource::Bind(source),
            options: ["rbind", "rprivate", "rw"].map(str::to_owned).to_vec(),
        })
        .collect()
}

fn mount(record: &Record, wanted: &WantedMount) -> Option<Mount> {
    let access = match wanted.access {
        Access::ReadWrite => "rw",
        Access::ReadOnly => "ro",
    };
    let (source, mut options) = match &wanted.source {
        Source::Tmpfs(options) => {
            let mut all = ["noexec", "nosuid", "nodev"].map(str::to_owned).to_vec();
            // What the user says against a default replaces it.
            all.retain(|word| !options.iter().any(|said| word.strip_prefix("no") == Some(said)));
            all.extend(options.iter().cloned());
            return Some(Mount { target: wanted.target.clone(), source: MountSource::Tmpfs, options: all });
        }
        Source::Bind { path, .. } => {
            let bind = if wanted.recursive { "rbind" } else { "bind" };
            (path.clone(), vec![bind.to_owned()])
        }
        Source::Volume { subpath, .. } => {
            let target = wanted.target.to_str()?;
            let volume = record.volumes.iter().find(|volume| volume.target == target)?;
            let path = subpath.as_ref().map_or_else(|| volume.path.clone(), |path| volume.path.join(path));
            (path, vec!["rbind".to_owned()])
        }
    };
    let propagation = if wanted.propagation.is_empty() { "rprivate" } else { &wanted.propagation };
    options.extend([propagation.to_owned(), access.to_owned()]);
    Some(Mount { target: wanted.target.clone(), source: MountSource::Bind(source), options })
}

/// Where the output goes.
pub(super) fn log(record: &Record, wanted: &Wanted, paths: &Paths) -> Option<LogTarget> {
    match wanted.logging {
        Logging::None => None,
        Logging::JsonFile { max_size, max_files } => {
            Some(LogTarget { path: paths.log(record.id), max_size, max_files })
        }
    }
}

/// What becomes of the input.
pub(super) fn stdin(record: &Record) -> Stdin {
    match (record.config.open_stdin, record.config.stdin_once) {
        (Some(true), Some(true)) => Stdin::Once,
        (Some(true), _) => Stdin::Open,
        _ => Stdin::Closed,
    }
}
