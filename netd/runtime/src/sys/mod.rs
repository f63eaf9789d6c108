//! The system calls that neither `nix` nor `rustix` offers as safe functions. The only `unsafe` of the crate.
#![allow(unsafe_code)] // each block says why it is sound

mod bpf;
mod clone;
mod rlimit;
mod seccomp;

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::libc;

pub(crate) use bpf::attach_device_program;
pub(crate) use clone::{Cloned, clone_process, fork};
pub(crate) use rlimit::{lower_to_hard_limit, set_rlimit};
pub(crate) use seccomp::install_filter;

/// `struct mount_attr` of `mount_setattr(2)`.
#[repr(C)]
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct MountAttr {
    /// `MOUNT_ATTR_*` to set.
    pub(crate) set: u64,
    /// `MOUNT_ATTR_*` to clear.
    pub(crate) clear: u64,
    /// `MS_PRIVATE`, `MS_SLAVE`, `MS_SHARED` or 0.
    pub(crate) propagation: u64,
    userns_fd: u64,
}

impl MountAttr {
    pub(crate) fn new(set: u64, propagation: u64) -> Self {
        Self { set, propagation, ..Self::default() }
    }
}

/// Changes the mount that `mount` is the root of, with all below it if `recursive`.
pub(crate) fn mount_setattr(mount: BorrowedFd<'_>, attr: &MountAttr, recursive: bool) -> io::Result<()> {
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is an empty C string, `attr` is a valid mount_attr of the size given, and both outlive the call.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            std::ptr::from_ref(attr),
            size_of::<MountAttr>(),
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Ends the calling process at once: no destructors, no flushing of what the parent's copy holds too.
pub(crate) fn exit_now(code: c_int) -> ! {
    // SAFETY: _exit has no preconditions and does not return.
    unsafe { libc::_exit(code) }
}

/// Who collects the exits of the calling process' children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reaping {
    /// Nobody: the kernel forgets them.
    ByTheKernel,
    /// The process itself, as is usual.
    ByTheParent,
}

/// Says who collects the exits of children; what is said holds for processes that are forked from now on, too.
pub(crate) fn reap(reaping: Reaping) -> io::Result<()> {
    use nix::sys::signal::{SigHandler, Signal, signal};
    let handler = match reaping {
        Reaping::ByTheKernel => SigHandler::SigIgn,
        Reaping::ByTheParent => SigHandler::SigDfl,
    };
    // SAFETY: neither installs a handler of ours.
    unsafe { signal(Signal::SIGCHLD, handler) }?;
    Ok(())
}

/// Gives every signal its default action and unblocks all: what a program expects to inherit. Rust's own start-up
/// ignores SIGPIPE, and an ignored signal stays ignored across exec.
pub(crate) fn default_signals() {
    for signal in nix::sys::signal::Signal::iterator() {
        // SAFETY: SIG_DFL installs no handler of ours; signals that can't be changed only return an error.
        unsafe { libc::signal(signal as c_int, libc::SIG_DFL) };
    }
    let _ = nix::sys::signal::SigSet::empty().thread_set_mask();
}

/// Sends any signal, real-time ones included, to the process that `pidfd` means.
pub(crate) fn send_signal(pidfd: BorrowedFd<'_>, signal: c_int) -> io::Result<()> {
    // SAFETY: the descriptor is valid for the call, and a null siginfo means "as kill(2) does".
    let done = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
