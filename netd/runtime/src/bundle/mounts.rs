//! The mounts of a bundle: Docker's own and the user's.

use std::path::{Path, PathBuf};

use oci_spec::runtime as oci;

use super::invalid;
use crate::error::BundleError;
use crate::spec::{ContainerSpec, Mount, MountSource, Namespace};

/// Size of `/dev/shm` where nobody said otherwise.
const SHM_SIZE: u64 = 64 << 20;

struct Standard {
    target: &'static str,
    fstype: &'static str,
    source: &'static str,
    options: Vec<String>,
}

fn standard(target: &'static str, fstype: &'static str, source: &'static str, options: &str) -> Standard {
    Standard { target, fstype, source, options: options.split(',').map(str::to_owned).collect() }
}

fn standard_mounts(spec: &ContainerSpec) -> Vec<Standard> {
    let access = if spec.privileged { "rw" } else { "ro" };
    let shm = format!("nosuid,noexec,nodev,mode=1777,size={}", spec.shm_size.unwrap_or(SHM_SIZE));
    vec![
        standard("/proc", "proc", "proc", "nosuid,noexec,nodev"),
        standard("/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"),
        standard("/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"),
        standard("/sys", "sysfs", "sysfs", &format!("nosuid,noexec,nodev,{access}")),
        standard("/sys/fs/cgroup", "cgroup", "cgroup", &format!("{access},nosuid,noexec,nodev")),
        standard("/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev"),
        standard("/dev/shm", "tmpfs", "shm", &shm),
    ]
}

/// All mounts of a container, in order.
pub(super) fn mounts(spec: &ContainerSpec) -> Result<Vec<oci::Mount>, BundleError> {
    let mut wanted = spec.mounts.clone();
    if let Some(shm) = shared_shm(spec) {
        wanted.insert(0, shm);
    }
    // what lies higher is mounted first
    wanted.sort_by_key(|mount| mount.target.components().count());
    let replaced = |target: &str| wanted.iter().any(|mount| mount.target == Path::new(target));
    let mut mounts = Vec::new();
    for own in standard_mounts(spec).into_iter().filter(|own| !replaced(own.target)) {
        let mount = oci::MountBuilder::default().destination(own.target).typ(own.fstype).source(own.source);
        mounts.push(mount.options(own.options).build().map_err(invalid)?);
    }
    for mount in &wanted {
        mounts.push(user_mount(mount)?);
    }
    Ok(mounts)
}

/// Who shares an IPC namespace shares its `/dev/shm`.
fn shared_shm(spec: &ContainerSpec) -> Option<Mount> {
    let source = match &spec.ipc {
        Namespace::Private => return None,
        Namespace::Host => PathBuf::from("/dev/shm"),
        Namespace::Path(path) => path.parent()?.parent()?.join("root/dev/shm"),
    };
    let options = ["rbind", "nosuid", "noexec", "nodev"].map(str::to_owned).to_vec();
    Some(Mount { target: "/dev/shm".into(), source: MountSource::Bind(source), options })
}

fn user_mount(mount: &Mount) -> Result<oci::Mount, BundleError> {
    let builder = oci::MountBuilder::default().destination(mount.target.clone());
    let mut options = mount.options.clone();
    let builder = match &mount.source {
        MountSource::Bind(source) => {
            if !options.iter().any(|option| option == "bind" || option == "rbind") {
                options.insert(0, "rbind".to_owned());
            }
            builder.typ("bind").source(source.clone())
        }
        MountSource::Tmpfs => builder.typ("tmpfs").source("tmpfs"),
    };
    builder.options(options).build().map_err(invalid)
}
