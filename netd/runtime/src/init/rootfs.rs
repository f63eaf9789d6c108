//! The root file system: an overlay over the machine's own root or over a directory, or a directory as it is. It is made
//! as a detached tree, which is nowhere until it is attached in a mount namespace of the container's.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::CWD;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags,
    UnmountFlags,
};

use super::{Outcome, files, stage};
use crate::error::LaunchError;
use crate::launch::RootPlan;
use crate::reason::reason;
use crate::sys::{self, MountAttr};

/// `TMPFS_MAGIC` of linux/magic.h.
const TMPFS: rustix::fs::FsWord = 0x0102_1994;

/// Where an OCI runtime finds the root file system.
pub(crate) fn mount_point(dir: &Path) -> PathBuf {
    dir.join("root")
}

fn failed(what: impl std::fmt::Display) -> impl FnOnce(rustix::io::Errno) -> LaunchError {
    let what = what.to_string();
    move |errno| LaunchError::other(what, reason(&errno.into()))
}

/// Cuts the copied mounts off from the host's: nothing that is mounted from here on is seen outside.
pub(crate) fn detach_from_host() -> Outcome<()> {
    rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .map_err(failed("cannot make the mounts private"))
}

/// Mounts the root file system on [`mount_point`].
pub(crate) fn mount_root(root: &RootPlan, dir: &Path) -> Outcome<()> {
    attach(detached(root, dir)?, &mount_point(dir))
}

/// The root file system as a detached tree; `dir` is the shim's directory.
pub(super) fn detached(root: &RootPlan, dir: &Path) -> Outcome<OwnedFd> {
    match &root.writable {
        Some(_) => overlay(root, dir),
        None => bound(root),
    }
}

pub(super) fn attach(tree: impl AsFd, target: &Path) -> Outcome<()> {
    rustix::mount::move_mount(tree, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .map_err(failed(format_args!("cannot mount on {}", target.display())))
}

fn bound(root: &RootPlan) -> Outcome<OwnedFd> {
    let flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    let what = format!("cannot use the root file system {}", root.lower.display());
    let tree = rustix::mount::open_tree(CWD, &root.lower, flags).map_err(failed(&what))?;
    let attr = if root.nodev { MountAttrFlags::MOUNT_ATTR_NODEV.bits() } else { 0 };
    let attr = MountAttr::new(u64::from(attr), MountPropagationFlags::PRIVATE.bits().into());
    sys::mount_setattr(tree.as_fd(), &attr, true)
        .map_err(|error| LaunchError::other(what, reason(&error)))?;
    Ok(tree)
}

fn overlay(root: &RootPlan, dir: &Path) -> Outcome<OwnedFd> {
    let Some(writable) = &root.writable else {
        return Err(LaunchError::other("cannot mount the root file system", "no writable directory"));
    };
    for path in [&root.lower, &writable.upper, &writable.work] {
        if !path.is_dir() {
            let what = format_args!("cannot use {} for the root file system", path.display()).to_string();
            return Err(LaunchError::other(what, "no such file or directory"));
        }
    }
    let mut lower = escaped(&root.lower);
    if !root.hidden.is_empty() {
        lower = format!("{}:{lower}", escaped(&mask_layer(root, dir)?));
    }
    let what = "cannot mount the root file system (overlay)";
    let fs = rustix::mount::fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).map_err(failed(what))?;
    let option = |key: &str, value: &str| {
        rustix::mount::fsconfig_set_string(fs.as_fd(), key, value)
            .map_err(failed(format_args!("{what}: option {key}={value}")))
    };
    option("source", "overlay")?;
    option("lowerdir", &lower)?;
    option("upperdir", &writable.upper.to_string_lossy())?;
    option("workdir", &writable.work.to_string_lossy())?;
    rustix::mount::fsconfig_create(fs.as_fd()).map_err(failed(what))?;
    let attr = if root.nodev { MountAttrFlags::MOUNT_ATTR_NODEV } else { MountAttrFlags::empty() };
    rustix::mount::fsmount(fs.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attr).map_err(failed(what))
}

/// A colon ends a layer's path, a backslash escapes.
fn escaped(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "\\\\").replace(':', "\\:")
}

/// The layer that hides: whiteouts for files, opaque empty directories for directories. Overlayfs refuses layers that lie
/// inside one another: it is on a tmpfs.
fn mask_layer(root: &RootPlan, dir: &Path) -> Outcome<PathBuf> {
    let mask = dir.join("mask");
    if !is_apart(&mask, &root.lower) {
        // Nothing is to be mounted on the host.
        stage::unshare()?;
        detach_from_host()?;
        attach(tmpfs()?, &mask)?;
    }
    files::copy_owner(&root.lower, &mask)?;
    for path in outermost(&root.hidden) {
        for hidden in files::expand(&root.lower, path) {
            hide(&root.lower, &mask, &hidden)?;
        }
    }
    Ok(mask)
}

/// Whether a directory is on a tmpfs that has no part of `lower`, as the runtime's directories under `/run` are.
fn is_apart(dir: &Path, lower: &Path) -> bool {
    let device = |path: &Path| rustix::fs::stat(path).map(|found| found.st_dev);
    let is_tmpfs = rustix::fs::statfs(dir).is_ok_and(|found| found.f_type == TMPFS);
    is_tmpfs && device(dir).is_ok_and(|own| device(lower).is_ok_and(|other| own != other))
}

/// A tmpfs that is mounted nowhere.
pub(super) fn tmpfs() -> Outcome<OwnedFd> {
    let what = "cannot make a tmpfs";
    let fs = rustix::mount::fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).map_err(failed(what))?;
    rustix::mount::fsconfig_set_string(fs.as_fd(), "mode", "0755").map_err(failed(what))?;
    rustix::mount::fsconfig_create(fs.as_fd()).map_err(failed(what))?;
    rustix::mount::fsmount(fs.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
        .map_err(failed(what))
}

/// Without the paths that are hidden with a directory above them. Overlayfs shows a whiteout as a device where no layer
/// below has its directory.
fn outermost(hidden: &[PathBuf]) -> impl Iterator<Item = &PathBuf> {
    let covered = |path: &PathBuf| hidden.iter().any(|other| path != other && path.starts_with(other));
    hidden.iter().filter(move |path| !covered(path))
}

fn hide(lower: &Path, mask: &Path, relative: &Path) -> Outcome<()> {
    let Ok(found) = fs::symlink_metadata(lower.join(relative)) else { return Ok(()) };
    let target = mask.join(relative);
    files::copy_parents(lower, mask, relative)?;
    if found.is_dir() {
        if !target.is_dir() {
            files::copy_dir(&lower.join(relative), &target)?;
        }
        return rustix::fs::setxattr(
            &target,
            "trusted.overlay.opaque",
            b"y",
            rustix::fs::XattrFlags::empty(),
        )
        .map_err(failed(format_args!("cannot hide /{}", relative.display())));
    }
    let whiteout = rustix::fs::mknodat(
        CWD,
        &target,
        rustix::fs::FileType::CharacterDevice,
        rustix::fs::Mode::empty(),
        rustix::fs::makedev(0, 0),
    );
    match whiteout {
        Err(rustix::io::Errno::EXIST) => Ok(()),
        other => other.map_err(failed(format_args!("cannot hide /{}", relative.display()))),
    }
}

/// Makes `root` the root directory, and lets go of everything that was mounted before.
pub(crate) fn pivot(root: &Path) -> Outcome<()> {
    let what = "cannot change to the root file system";
    rustix::process::chdir(root).map_err(failed(what))?;
    // the old root ends up on top of the new one, and "." is then the old one (pivot_root(2), "pivot_root(".", ".")")
    rustix::process::pivot_root(".", ".").map_err(failed(what))?;
    rustix::mount::unmount(".", UnmountFlags::DETACH).map_err(failed(what))?;
    rustix::process::chdir("/").map_err(failed(what))
}
