//! `clone3(2)` used as a fork: the child goes on at the same place with a copy of the memory.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::libc;
use nix::unistd::Pid;

/// The kernel's value; `libc`'s constant is too narrow for it.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Which side of the call this is.
pub(crate) enum Cloned {
    /// The new process.
    Child,
    /// The caller, with the new process.
    Parent {
        /// Its id in the caller's pid namespace.
        pid: Pid,
        /// A descriptor that keeps meaning this process.
        pidfd: OwnedFd,
    },
}

/// Clones the calling process with the `CLONE_NEW*` bits of `namespaces`, born in `cgroup` (a v2 directory) if given.
///
/// The caller must be single-threaded: the child has a copy of all locks, and nobody who could open them.
pub(crate) fn clone_process(namespaces: u64, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Cloned> {
    let mut pidfd: libc::c_int = -1;
    // SAFETY: all fields of clone_args are plain integers, for which zero is valid and means "not used".
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = namespaces | libc::CLONE_PIDFD as u64;
    args.pidfd = std::ptr::from_mut(&mut pidfd) as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    if let Some(cgroup) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: `args` is valid for its size and outlives the call; without CLONE_VM and with stack 0 the call behaves as
    // fork does, and the single-threaded caller holds no lock that the child would miss.
    let pid = unsafe {
        libc::syscall(libc::SYS_clone3, std::ptr::from_mut(&mut args), size_of::<libc::clone_args>())
    };
    match pid {
        0 => Ok(Cloned::Child),
        pid if pid > 0 => {
            // SAFETY: the kernel has just made this descriptor for us; nobody else owns it.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Cloned::Parent { pid: Pid::from_raw(pid as libc::pid_t), pidfd })
        }
        _ => Err(io::Error::last_os_error()),
    }
}

/// Plain fork: the child gets `None`. The caller must be single-threaded, as for [`clone_process`].
pub(crate) fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: the single-threaded caller holds no lock that the child would miss.
    match unsafe { libc::fork() } {
        0 => Ok(None),
        pid if pid > 0 => Ok(Some(Pid::from_raw(pid))),
        _ => Err(io::Error::last_os_error()),
    }
}
