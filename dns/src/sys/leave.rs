//! When messages leave their UDP socket: once they are answered, so that who is killed in between has taken nothing from
//! whoever serves the socket next.
//!
//! `SO_PEEK_OFF` (socket(7)) makes each look go on behind what the one before saw, counted in bytes, and what is received
//! moves it back. Both must count datagrams whole, also those that are longer than their room: `MSG_TRUNC`. An empty
//! datagram can't be counted: the kernel marks one that was looked at, and passes over it for ever.
#![allow(unsafe_code)] // Two system calls: a number goes in, and messages without room for their bytes come out.

use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use nix::libc;

use super::mmsg::BATCH;

/// asm-generic/socket.h; `libc` has it for some systems only.
const SO_PEEK_OFF: libc::c_int = 42;

/// When messages leave their socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    /// When they are answered. A kill may leave some behind that are: their answer comes twice, which does no harm.
    Answered,
    /// When they are read. A kill loses those that are not answered.
    Read,
}

impl Leave {
    /// What this socket's kernel can. Looks begin at the oldest message, whoever looked before.
    pub(crate) fn arrange(socket: BorrowedFd<'_>) -> Self {
        match look_from_start(socket) {
            Ok(()) => Self::Answered,
            Err(error) => {
                tracing::debug!(%error, "no peek offset: messages leave their socket before they are answered");
                Self::Read
            }
        }
    }

    /// Flags for a call that reads messages.
    pub(super) const fn flags(self) -> libc::c_int {
        match self {
            Self::Answered => libc::MSG_PEEK | libc::MSG_TRUNC,
            Self::Read => 0,
        }
    }
}

/// Takes out of the socket what was looked at since the last time: these messages, of which so many were not empty. Empty
/// ones that somebody else had looked at may stand between them; they go along.
pub(super) fn remove(socket: BorrowedFd<'_>, messages: usize, mut filled: usize) {
    let mut wanted = messages;
    while wanted > 0 {
        let Some((removed, of_them_filled)) = discard(socket, wanted) else {
            // Not all of them were there. Where the next look would begin is in doubt, and twice is better than never.
            let _ = look_from_start(socket);
            return;
        };
        filled = filled.saturating_sub(of_them_filled);
        wanted = wanted.saturating_sub(removed).max(filled);
    }
}

fn look_from_start(socket: BorrowedFd<'_>) -> io::Result<()> {
    let start: libc::c_int = 0;
    // SAFETY: the kernel reads one int, which lives during the call, and its size is the one that is told.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_PEEK_OFF,
            ptr::from_ref(&start).cast(),
            size_of_val(&start) as libc::socklen_t,
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Receives at most so many messages into no room at all; how many there were, and how many were not empty. `None`: none.
fn discard(socket: BorrowedFd<'_>, most: usize) -> Option<(usize, usize)> {
    // SAFETY: mmsghdr is plain old data; null pointers with zero lengths are valid in it.
    let mut headers: [libc::mmsghdr; BATCH] = unsafe { zeroed() };
    // SAFETY: the headers live during the call and point nowhere; the count is at most that of the array.
    let count = unsafe {
        libc::recvmmsg(
            socket.as_raw_fd(),
            headers.as_mut_ptr(),
            most.min(BATCH) as libc::c_uint,
            libc::MSG_DONTWAIT | libc::MSG_TRUNC,
            ptr::null_mut(),
        )
    };
    let removed = headers.get(..usize::try_from(count).ok()?)?;
    Some((removed.len(), removed.iter().filter(|header| header.msg_len > 0).count()))
}
