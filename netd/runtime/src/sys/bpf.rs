//! `bpf(2)`: loading a device program and attaching it to a cgroup.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::libc;

/// From the kernel's `bpf.h`: commands, program type, attach type, "beside others".
const PROG_LOAD: libc::c_int = 5;
const PROG_ATTACH: libc::c_int = 8;
const CGROUP_DEVICE_PROGRAM: u32 = 15;
const CGROUP_DEVICE: u32 = 6;
const ALLOW_MULTI: u32 = 2;

/// The part of `union bpf_attr` that loading a program reads.
#[repr(C)]
#[derive(Default)]
struct Load {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel: u32,
    flags: u32,
    name: [u8; 16],
    interface: u32,
    attach_type: u32,
}

/// The part that attaching reads.
#[repr(C)]
struct AttachTo {
    target: u32,
    program: u32,
    attach_type: u32,
    flags: u32,
}

/// Lets `program` decide about devices for the cgroup whose directory is `cgroup`. It stays until the group is removed.
pub(crate) fn attach_device_program(program: &[u64], cgroup: BorrowedFd<'_>) -> io::Result<()> {
    let mut load = Load {
        kind: CGROUP_DEVICE_PROGRAM,
        count: u32::try_from(program.len()).unwrap_or(u32::MAX),
        instructions: program.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        attach_type: CGROUP_DEVICE,
        ..Load::default()
    };
    load.name[..7].copy_from_slice(b"pontoon");
    // SAFETY: `load` is the head of a bpf_attr; the instructions and the licence that it points at outlive the call.
    let loaded = unsafe { libc::syscall(libc::SYS_bpf, PROG_LOAD, &raw const load, size_of::<Load>()) };
    let loaded =
        libc::c_int::try_from(loaded).ok().filter(|fd| *fd >= 0).ok_or_else(io::Error::last_os_error)?;
    // SAFETY: the kernel has just made this descriptor for us; nobody else owns it.
    let loaded = unsafe { OwnedFd::from_raw_fd(loaded) };
    let attach = AttachTo {
        target: cgroup.as_raw_fd().cast_unsigned(),
        program: loaded.as_raw_fd().cast_unsigned(),
        attach_type: CGROUP_DEVICE,
        flags: ALLOW_MULTI,
    };
    // SAFETY: `attach` is the head of a bpf_attr, and both descriptors are open.
    let done = unsafe { libc::syscall(libc::SYS_bpf, PROG_ATTACH, &raw const attach, size_of::<AttachTo>()) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
