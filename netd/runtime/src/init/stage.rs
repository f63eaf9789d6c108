//! The mount namespace that those of containers are copied from: one empty directory to put a root file system on, and
//! nothing of the host. A copy of the host's own would cost what the host has mounted, and each container adds to that
//! with the name of its network namespace.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::sched::CloneFlags;
use rustix::mount::MountAttrFlags;

use super::{Outcome, files, rootfs};
use crate::error::LaunchError;
use crate::reason::{reason, words};
use crate::sys::{self, MountAttr};

/// Where the root file system goes.
const ROOT: &str = "/root";
/// Where the stage is mounted while it is made: a directory that every host has.
const MADE_AT: &str = "/proc";

/// A mount namespace to be copied.
#[derive(Debug)]
pub(crate) struct Stage(File);

impl Stage {
    /// Makes one. The caller must be single-threaded, and is afterwards where it was before.
    pub(crate) fn make() -> Outcome<Self> {
        let own = own_mounts()?;
        unshare()?;
        let made = Self::furnish();
        enter(&own)?;
        made
    }

    fn furnish() -> Outcome<Self> {
        rootfs::detach_from_host()?;
        // Its descriptor, while there is a /proc.
        let namespace = own_mounts()?;
        let made_at = Path::new(MADE_AT);
        rootfs::attach(rootfs::tmpfs()?, made_at)?;
        files::make_dir(&made_at.join(ROOT.trim_start_matches('/')))?;
        rootfs::pivot(made_at)?;
        let root = File::open("/").map_err(|error| LaunchError::other("cannot open /", reason(&error)))?;
        let attr = MountAttr::new(MountAttrFlags::MOUNT_ATTR_RDONLY.bits().into(), 0);
        sys::mount_setattr(root.as_fd(), &attr, false)
            .map_err(|error| LaunchError::other("cannot make the stage read-only", reason(&error)))?;
        Ok(Self(namespace))
    }

    /// Leaves the caller's mount namespace for a copy of this one, with `tree` as its only mount.
    pub(super) fn become_root(&self, tree: OwnedFd) -> Outcome<()> {
        enter(&self.0)?;
        unshare()?;
        rootfs::attach(tree, Path::new(ROOT))?;
        rootfs::pivot(Path::new(ROOT))
    }
}

fn own_mounts() -> Outcome<File> {
    File::open("/proc/self/ns/mnt")
        .map_err(|error| LaunchError::other("cannot open /proc/self/ns/mnt", reason(&error)))
}

/// Puts the caller into a mount namespace of its own, a copy of the one that it is in.
pub(super) fn unshare() -> Outcome<()> {
    nix::sched::unshare(CloneFlags::CLONE_NEWNS)
        .map_err(|errno| LaunchError::other("cannot make a mount namespace", words(errno)))
}

fn enter(namespace: &File) -> Outcome<()> {
    nix::sched::setns(namespace, CloneFlags::CLONE_NEWNS)
        .map_err(|errno| LaunchError::other("cannot join a mount namespace", words(errno)))
}
