//! Paths of the container that are hidden or read-only: what of `/proc` and `/sys` belongs to the whole machine.

use std::fs;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::CWD;
use rustix::mount::{MountAttrFlags, MoveMountFlags, OpenTreeFlags};

use super::Outcome;
use crate::error::LaunchError;
use crate::launch::InitPlan;
use crate::reason::reason;
use crate::sys::{self, MountAttr};

/// Hides, write-protects, and closes the root file system last.
pub(super) fn protect(plan: &InitPlan) -> Outcome<()> {
    for path in &plan.readonly {
        make_readonly(path)?;
    }
    for path in &plan.masked {
        mask(path)?;
    }
    if plan.readonly_root {
        set_attr(Path::new("/"), MountAttrFlags::MOUNT_ATTR_RDONLY.bits().into())?;
    }
    Ok(())
}

/// Adds attributes to the mount at `path`.
pub(super) fn set_attr(path: &Path, attr: u64) -> Outcome<()> {
    let failed = |why: String| LaunchError::other(format_args!("cannot protect {}", path.display()), why);
    let mount = rustix::fs::open(
        path,
        rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    )
    .map_err(|errno| failed(reason(&errno.into())))?;
    sys::mount_setattr(mount.as_fd(), &MountAttr::new(attr, 0), false).map_err(|error| failed(reason(&error)))
}

fn make_readonly(path: &Path) -> Outcome<()> {
    let failed =
        |why: String| LaunchError::other(format_args!("cannot make {} read-only", path.display()), why);
    let flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    let tree = match rustix::mount::open_tree(CWD, path, flags) {
        Err(rustix::io::Errno::NOENT) => return Ok(()),
        other => other.map_err(|errno| failed(reason(&errno.into())))?,
    };
    let attr = MountAttr::new(MountAttrFlags::MOUNT_ATTR_RDONLY.bits().into(), 0);
    sys::mount_setattr(tree.as_fd(), &attr, true).map_err(|error| failed(reason(&error)))?;
    rustix::mount::move_mount(tree, "", CWD, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .map_err(|errno| failed(reason(&errno.into())))
}

/// A file reads as `/dev/null`, a directory as empty.
fn mask(path: &Path) -> Outcome<()> {
    let failed = |errno: rustix::io::Errno| {
        LaunchError::other(format_args!("cannot mask {}", path.display()), reason(&errno.into()))
    };
    let Ok(found) = fs::metadata(path) else { return Ok(()) };
    if found.is_dir() {
        let flags = rustix::mount::MountFlags::RDONLY;
        return rustix::mount::mount("tmpfs", path, "tmpfs", flags, None).map_err(failed);
    }
    rustix::mount::mount_bind("/dev/null", path).map_err(failed)
}
