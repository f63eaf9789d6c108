//! Filters of sockets: programs of the classic BPF (linux/filter.h) that say of each packet how much of it is let in.

use std::{io, os::fd::AsRawFd};

use nix::{errno::Errno, libc};

/// `BPF_LD | BPF_W | BPF_ABS`, `BPF_JMP | BPF_JEQ | BPF_K`, `BPF_RET | BPF_K`.
const LOAD_WORD: u16 = 0x20;
const JUMP_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
/// All of a packet.
pub(crate) const ALL: u32 = u32::MAX;

/// Loads the four bytes at `offset`, as a number in network order.
pub(crate) const fn load(offset: u32) -> libc::sock_filter {
    libc::sock_filter { code: LOAD_WORD, jt: 0, jf: 0, k: offset }
}

/// Skips the next instruction unless what was loaded is `value`.
pub(crate) const fn next_if(value: u32) -> libc::sock_filter {
    libc::sock_filter { code: JUMP_EQUAL, jt: 0, jf: 1, k: value }
}

/// Lets the first `length` bytes of the packet in; 0: none of it.
pub(crate) const fn ret(length: u32) -> libc::sock_filter {
    libc::sock_filter { code: RETURN, jt: 0, jf: 0, k: length }
}

/// Gives a socket its filter.
pub(crate) fn attach(socket: &impl AsRawFd, program: &mut [libc::sock_filter]) -> io::Result<()> {
    let len = u16::try_from(program.len()).map_err(|_| Errno::E2BIG)?;
    let program = libc::sock_fprog { len, filter: program.as_mut_ptr() };
    let length = libc::socklen_t::try_from(size_of_val(&program)).unwrap_or_default();
    // SAFETY: the kernel reads `length` bytes of a `sock_fprog`, which points to `len` instructions; both live until the
    // call returns, and it keeps neither.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            length,
        )
    };
    Ok(Errno::result(result).map(drop)?)
}

/// Takes a socket's filter away; one that has none needs nothing.
pub(crate) fn detach(socket: &impl AsRawFd) -> io::Result<()> {
    let nothing: libc::c_int = 0;
    // SAFETY: the kernel reads an integer of the given length, and ignores it.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_DETACH_FILTER,
            (&raw const nothing).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    match Errno::result(result) {
        Ok(_) | Err(Errno::ENOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
