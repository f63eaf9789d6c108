//! Network namespaces as file descriptors, and the thread that is thrown away.
//!
//! `setns` and `unshare` change the calling thread only, and for good: a runtime's thread that came back into the wrong
//! namespace would serve other requests from there. Each change therefore happens on a thread of its own that ends with
//! it; what the thread leaves behind (sockets, descriptors) keeps the namespace it was made in.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    os::unix::{
        fs::{MetadataExt, OpenOptionsExt},
        process::CommandExt,
    },
    path::Path,
    process::Command,
    thread,
};

use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, setns, unshare},
    sys::statvfs::{FsFlags, statvfs},
};

use crate::netns::{ExecError, NetNs, Program};

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

/// Whether `file` is a network namespace: not an empty file, nor a namespace of another kind.
pub(crate) fn is_namespace(file: &File) -> io::Result<bool> {
    /// `NSFS_MAGIC` of linux/magic.h.
    const NSFS: i64 = 0x6e73_6673;
    let found = nix::sys::statfs::fstatfs(file)?;
    Ok(found.filesystem_type().0 == NSFS && kind(file)? == CloneFlags::CLONE_NEWNET.bits())
}

/// The kind of a namespace, as the flag of `clone(2)` that makes such a one.
fn kind(file: &File) -> io::Result<i32> {
    // SAFETY: the request takes no argument, so that the kernel reads and writes no memory of ours; the descriptor is
    // open for as long as `file` is borrowed. See ioctl_ns(2).
    Ok(unsafe { ns_get_nstype(file.as_raw_fd()) }?)
}

nix::ioctl_none!(
    /// `NS_GET_NSTYPE` of linux/nsfs.h.
    ns_get_nstype,
    0xb7,
    0x3
);

/// Becomes a program inside a namespace. All of it happens on a thread that is thrown away: if the program starts, the
/// kernel ends all other threads and makes this one the process; if it does not, no other thread has changed.
pub(crate) fn exec_in(target: &NetNs, program: &Program) -> ExecError {
    let spawned = thread::scope(|scope| {
        let thread = thread::Builder::new().name("netns-exec".to_owned());
        let running = thread.spawn_scoped(scope, || become_inside(target.as_fd(), program))?;
        Ok(running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    spawned.unwrap_or_else(|source| ExecError::Prepare { doing: "start a thread".to_owned(), source })
}

fn become_inside(target: BorrowedFd<'_>, program: &Program) -> ExecError {
    match enter(target, program) {
        Err(error) => error,
        Ok(()) => {
            let reason = Command::new(&program.name).args(&program.args).exec();
            ExecError::exec(&program.name, reason)
        }
    }
}

/// What `netns_switch` of iproute2 does: the namespace, mounts of one's own, a `/sys` that shows this namespace's links,
/// files over `/etc`.
fn enter(target: BorrowedFd<'_>, program: &Program) -> Result<(), ExecError> {
    setns(target, CloneFlags::CLONE_NEWNET).map_err(ExecError::prepare("enter the namespace"))?;
    unshare(CloneFlags::CLONE_NEWNS).map_err(ExecError::prepare("make mounts of its own"))?;
    let slave = MsFlags::MS_SLAVE | MsFlags::MS_REC;
    mount(None::<&str>, "/", None::<&str>, slave, None::<&str>)
        .map_err(ExecError::prepare("keep its mounts to itself"))?;
    mount_sys().map_err(ExecError::prepare("mount /sys"))?;
    program.etc.as_deref().map_or(Ok(()), mount_etc)
}

/// sysfs shows the network namespace that it was mounted in. What was mounted below (control groups) goes with the old
/// one, as under `ip netns exec`.
fn mount_sys() -> nix::Result<()> {
    let read_only = statvfs("/sys").is_ok_and(|found| found.flags().contains(FsFlags::ST_RDONLY));
    match umount2("/sys", MntFlags::MNT_DETACH) {
        // Not mounted.
        Ok(()) | Err(nix::errno::Errno::EINVAL) => {}
        Err(errno) => return Err(errno),
    }
    let flags = if read_only { MsFlags::MS_RDONLY } else { MsFlags::empty() };
    mount(Some("sysfs"), "/sys", Some("sysfs"), flags, None::<&str>)
}

/// Files that have no like in `/etc` are left out, as by `ip netns exec`.
fn mount_etc(folder: &Path) -> Result<(), ExecError> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let over = Path::new("/etc").join(entry.file_name());
        match mount(Some(&entry.path()), &over, None::<&str>, MsFlags::MS_BIND, None::<&str>) {
            Ok(()) | Err(nix::errno::Errno::ENOENT | nix::errno::Errno::ENOTDIR) => {}
            Err(errno) => return Err(ExecError::prepare(format!("mount over {}", over.display()))(errno)),
        }
    }
    Ok(())
}
