//! Network namespaces as file descriptors, and the thread that is thrown away.
//!
//! `setns` and `unshare` change the calling thread only, and for good: a runtime's thread that came back into the wrong
//! namespace would serve other requests from there. Each change therefore happens on a thread of its own that ends with
//! it; what the thread leaves behind (sockets, descriptors) keeps the namespace it was made in.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
    thread,
};

use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, setns, unshare},
};

/// The namespace of the calling thread.
const OWN: &str = "/proc/thread-self/ns/net";

/// The calling thread's network namespace.
pub(crate) fn own() -> io::Result<File> {
    File::open(OWN)
}

/// Runs `work` inside the namespace `target`, on a thread that is thrown away.
pub(crate) fn run_in<T: Send>(target: BorrowedFd<'_>, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    on_throw_away_thread(|| {
        setns(target, CloneFlags::CLONE_NEWNET)?;
        Ok(work())
    })
}

/// Runs `work` inside a new namespace, on a thread that is thrown away.
pub(crate) fn run_in_new<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    on_throw_away_thread(|| {
        unshare(CloneFlags::CLONE_NEWNET)?;
        Ok(work())
    })
}

fn on_throw_away_thread<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("netns".to_owned()).spawn_scoped(scope, work)?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Gives the namespace a name: a bind mount over an empty file, as `ip netns` makes them.
pub(crate) fn bind(namespace: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o444).open(path)?;
    let source = format!("/proc/self/fd/{}", namespace.as_raw_fd());
    mount(Some(source.as_str()), path, None::<&str>, MsFlags::MS_BIND, None::<&str>).map_err(|errno| {
        // The empty file is of no use, and its name must be free for the next try.
        let _ = fs::remove_file(path);
        errno.into()
    })
}

/// Makes `folder` a mount of its own, shared with itself, as the first `ip netns add` does. Without it, that command would
/// cover the names that are there with copies of them, and no name could be taken away any more.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let shared = MsFlags::MS_SHARED | MsFlags::MS_REC;
    match mount(None::<&str>, folder, None::<&str>, shared, None::<&str>) {
        // Not a mount yet.
        Err(nix::errno::Errno::EINVAL) => {
            mount(Some(folder), folder, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>)?;
            Ok(mount(None::<&str>, folder, None::<&str>, shared, None::<&str>)?)
        }
        other => Ok(other?),
    }
}

/// Takes the name away. The namespace ends once nothing else refers to it; the kernel cleans it up later, by itself.
pub(crate) fn unbind(path: &Path) -> io::Result<()> {
    match umount2(path, MntFlags::MNT_DETACH) {
        // EINVAL: a file that was left behind without its mount.
        Ok(()) | Err(nix::errno::Errno::EINVAL) => fs::remove_file(path),
        Err(nix::errno::Errno::ENOENT) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// What tells one namespace from another: inode numbers of nsfs are not used twice at a time.
pub(crate) fn identity(namespace: BorrowedFd<'_>) -> io::Result<(u64, u64)> {
    let metadata = File::from(namespace.as_fd().try_clone_to_owned()?).metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Whether `path` is a bind-mounted namespace, and not an empty file.
pub(crate) fn is_namespace(file: &File) -> io::Result<bool> {
    /// `NSFS_MAGIC` of linux/magic.h.
    const NSFS: i64 = 0x6e73_6673;
    let found = nix::sys::statfs::fstatfs(file)?;
    Ok(found.filesystem_type().0 == NSFS)
}
