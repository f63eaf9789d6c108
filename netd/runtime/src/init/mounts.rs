//! The mounts inside the root file system. What comes from the host is opened as a detached tree before the root changes,
//! and put in place afterwards: then every target is an ordinary path of the container, and no symbolic link in the
//! root file system leads out of it.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::sched::CloneFlags;
use rustix::fs::CWD;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags};

use super::{Outcome, files};
use crate::error::LaunchError;
use crate::launch::{DeviceNode, DevicePlan, InitPlan, MountFrom, MountPlan};
use crate::reason::{reason, words};
use crate::sys::{self, MountAttr};

/// A detached copy of something on the host.
pub(super) struct Tree {
    fd: OwnedFd,
    is_dir: bool,
}

/// Detached copies, in the order of the plan.
#[derive(Default)]
pub(super) struct Sources {
    mounts: Vec<Option<Tree>>,
    devices: Vec<Option<Tree>>,
}

/// Opens everything that the plan takes from the host.
pub(super) fn open_sources(plan: &InitPlan) -> Outcome<Sources> {
    let mut sources = Sources::default();
    for mount in &plan.mounts {
        sources.mounts.push(match &mount.source {
            MountFrom::Bind { source } => Some(open_bind(mount, source)?),
            _ => None,
        });
    }
    for device in &plan.devices {
        sources.devices.push(match &device.node {
            DeviceNode::Bind(host) => Some(open_tree(host, false)?),
            DeviceNode::Make { .. } => None,
        });
    }
    Ok(sources)
}

fn open_bind(mount: &MountPlan, source: &Path) -> Outcome<Tree> {
    let tree = open_tree(source, mount.recursive)?;
    let attr = MountAttr::new(mount.attr, mount.propagation);
    sys::mount_setattr(tree.fd.as_fd(), &attr, mount.recursive)
        .map_err(|error| mount_failed(mount, reason(&error)))?;
    Ok(tree)
}

fn open_tree(path: &Path, recursive: bool) -> Outcome<Tree> {
    match other_namespace(path) {
        Some((namespace, inside)) => open_tree_in(&namespace, &inside, recursive),
        None => open_tree_here(path, recursive),
    }
}

/// `/proc/<pid>/root/<path>` is in another mount namespace, and a mount can be copied only in its own.
fn other_namespace(path: &Path) -> Option<(PathBuf, PathBuf)> {
    let mut parts = path.strip_prefix("/proc").ok()?.components();
    let process: i32 = parts.next()?.as_os_str().to_str()?.parse().ok()?;
    (parts.next()?.as_os_str() == "root")
        .then(|| (format!("/proc/{process}/ns/mnt").into(), Path::new("/").join(parts.as_path())))
}

fn open_tree_in(namespace: &Path, path: &Path, recursive: bool) -> Outcome<Tree> {
    let open = |path: &Path| {
        fs::File::open(path).map_err(|error| {
            LaunchError::other(format_args!("cannot open {}", path.display()), reason(&error))
        })
    };
    let enter = |namespace: fs::File| {
        nix::sched::setns(namespace, CloneFlags::CLONE_NEWNS)
            .map_err(|errno| LaunchError::other("cannot join a mount namespace", words(errno)))
    };
    let (own, other) = (open(Path::new("/proc/self/ns/mnt"))?, open(namespace)?);
    enter(other)?;
    let tree = open_tree_here(path, recursive);
    enter(own)?;
    tree
}

fn open_tree_here(path: &Path, recursive: bool) -> Outcome<Tree> {
    let failed = |why: String| {
        LaunchError::other(format_args!("bind source path does not exist: {}", path.display()), why)
    };
    let is_dir = fs::metadata(path).map_err(|error| failed(reason(&error)))?.is_dir();
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    let fd = rustix::mount::open_tree(CWD, path, flags).map_err(|errno| failed(reason(&errno.into())))?;
    Ok(Tree { fd, is_dir })
}

/// Opens the container's own v1 cgroup directories; a v2 one is mounted anew, in its namespace.
pub(super) fn open_cgroups(cgroups: &[(String, PathBuf)]) -> Outcome<Vec<(String, Option<Tree>)>> {
    let open = |(name, dir): &(String, PathBuf)| {
        let tree = if name.is_empty() { None } else { Some(open_tree(dir, false)?) };
        Ok((name.clone(), tree))
    };
    cgroups.iter().map(open).collect()
}

/// Mounts everything but cgroups, then the devices.
pub(super) fn mount_all(plan: &InitPlan, sources: Sources) -> Outcome<()> {
    for (mount, tree) in plan.mounts.iter().zip(sources.mounts) {
        match (&mount.source, tree) {
            (MountFrom::New { fstype, source, options }, _) => mount_new(mount, fstype, source, options)?,
            (MountFrom::Bind { .. }, Some(tree)) => put(&tree, mount)?,
            _ => {}
        }
        if mount.target == Path::new("/dev") {
            link_devices()?;
        }
    }
    for (device, tree) in plan.devices.iter().zip(sources.devices) {
        make_device(device, tree)?;
    }
    Ok(())
}

fn mount_failed(mount: &MountPlan, why: impl std::fmt::Display) -> LaunchError {
    let source = match &mount.source {
        MountFrom::New { source, .. } => source.clone(),
        MountFrom::Bind { source } => source.display().to_string(),
        MountFrom::Cgroup => "cgroup".to_owned(),
    };
    LaunchError::other(
        format_args!("error mounting {source:?} to rootfs at {:?}", mount.target.display().to_string()),
        why,
    )
}

fn put(tree: &Tree, mount: &MountPlan) -> Outcome<()> {
    let make = if tree.is_dir { files::make_dir } else { files::make_file };
    make(&mount.target)?;
    place(tree.fd.as_fd(), &mount.target).map_err(|why| mount_failed(mount, why))
}

fn place(tree: impl AsFd, target: &Path) -> Result<(), String> {
    rustix::mount::move_mount(
        tree,
        "",
        CWD,
        target,
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_SYMLINKS,
    )
    .map_err(|errno| reason(&errno.into()))
}

fn mount_new(
    mount: &MountPlan,
    fstype: &str,
    source: &str,
    options: &[(String, Option<String>)],
) -> Outcome<()> {
    files::make_dir(&mount.target)?;
    let failed = |errno: rustix::io::Errno| mount_failed(mount, reason(&errno.into()));
    let fs = rustix::mount::fsopen(fstype, FsOpenFlags::FSOPEN_CLOEXEC).map_err(failed)?;
    let _ = rustix::mount::fsconfig_set_string(fs.as_fd(), "source", source);
    for (key, value) in options {
        match value {
            Some(value) => rustix::mount::fsconfig_set_string(fs.as_fd(), key.as_str(), value.as_str()),
            None => rustix::mount::fsconfig_set_flag(fs.as_fd(), key.as_str()),
        }
        .map_err(|errno| mount_failed(mount, format_args!("option {key}: {}", reason(&errno.into()))))?;
    }
    rustix::mount::fsconfig_create(fs.as_fd()).map_err(failed)?;
    let attr = MountAttrFlags::from_bits_truncate(u32::try_from(mount.attr).unwrap_or(0));
    let tree = rustix::mount::fsmount(fs.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attr).map_err(failed)?;
    place(tree, &mount.target).map_err(|why| mount_failed(mount, why))
}

/// The names that programs expect in `/dev` beside the nodes.
fn link_devices() -> Outcome<()> {
    let links = [
        ("/proc/self/fd", "/dev/fd"),
        ("/proc/self/fd/0", "/dev/stdin"),
        ("/proc/self/fd/1", "/dev/stdout"),
        ("/proc/self/fd/2", "/dev/stderr"),
        ("pts/ptmx", "/dev/ptmx"),
    ];
    for (to, link) in links {
        std::os::unix::fs::symlink(to, link)
            .map_err(|error| LaunchError::other(format_args!("cannot link {link}"), reason(&error)))?;
    }
    Ok(())
}

fn make_device(device: &DevicePlan, tree: Option<Tree>) -> Outcome<()> {
    let failed = |why: String| {
        LaunchError::other(format_args!("cannot make the device {}", device.path.display()), why)
    };
    match (&device.node, tree) {
        (DeviceNode::Make { block, major, minor, mode, uid, gid }, _) => {
            if let Some(parent) = device.path.parent() {
                files::make_dir(parent)?;
            }
            let kind = if *block {
                rustix::fs::FileType::BlockDevice
            } else {
                rustix::fs::FileType::CharacterDevice
            };
            let number = rustix::fs::makedev(*major as u32, *minor as u32);
            let mode = rustix::fs::Mode::from_bits_truncate(*mode);
            rustix::fs::mknodat(CWD, &device.path, kind, mode, number)
                .map_err(|errno| failed(reason(&errno.into())))?;
            // the mask has had its say in mknod
            rustix::fs::chmodat(CWD, &device.path, mode, rustix::fs::AtFlags::empty())
                .map_err(|errno| failed(reason(&errno.into())))?;
            std::os::unix::fs::chown(&device.path, Some(*uid), Some(*gid))
                .map_err(|error| failed(reason(&error)))
        }
        (DeviceNode::Bind(_), Some(tree)) => {
            files::make_file(&device.path)?;
            place(tree.fd, &device.path).map_err(failed)
        }
        (DeviceNode::Bind(_), None) => Ok(()),
    }
}

/// Shows the container its own cgroups: a v2 tree as it is, v1 hierarchies as directories on a small tmpfs.
pub(super) fn mount_cgroups(plan: &InitPlan, cgroups: Vec<(String, Option<Tree>)>) -> Outcome<()> {
    let Some(mount) = plan.mounts.iter().find(|mount| mount.source == MountFrom::Cgroup) else {
        return Ok(());
    };
    if cgroups.iter().any(|(name, _)| name.is_empty()) {
        return mount_new(mount, "cgroup2", "cgroup", &[]);
    }
    let writable = MountPlan {
        attr: mount.attr & !u64::from(MountAttrFlags::MOUNT_ATTR_RDONLY.bits()),
        ..mount.clone()
    };
    mount_new(&writable, "tmpfs", "tmpfs", &[("mode".to_owned(), Some("755".to_owned()))])?;
    for (name, tree) in cgroups {
        let Some(tree) = tree else { continue };
        let target = mount.target.join(name);
        files::make_dir(&target)?;
        sys::mount_setattr(tree.fd.as_fd(), &MountAttr::new(mount.attr, 0), false)
            .map_err(|error| mount_failed(mount, reason(&error)))?;
        place(tree.fd, &target).map_err(|why| mount_failed(mount, why))?;
    }
    super::hide::set_attr(&mount.target, mount.attr)
}
