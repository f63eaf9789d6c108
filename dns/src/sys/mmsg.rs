//! Many UDP messages per system call: recvmmsg(2) and sendmmsg(2).
//!
//! The safe wrappers that exist tie the buffers of a batch to one borrow, so that a batch can't be used again; a
//! batch here owns its buffers and lives as long as its thread.
#![allow(unsafe_code)] // Two system calls over arrays of pointers into buffers of our own.

use std::io;
use std::mem::{MaybeUninit, zeroed};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use nix::libc;

use super::leave::{Leave, remove};

/// Messages per call. Findings: a batch of 32 saves a third of the time of single calls, more gains nothing.
pub(super) const BATCH: usize = 32;

/// Room for one message that comes in.
const ROOM: usize = crate::answer::MAX_UDP as usize;

/// Messages that came in, and the replies to them.
pub(crate) struct Batch {
    rooms: Vec<[u8; ROOM]>,
    senders: [libc::sockaddr_storage; BATCH],
    sender_lens: [libc::socklen_t; BATCH],
    lens: [usize; BATCH],
    cut: [bool; BATCH],
    replies: Vec<Vec<u8>>,
    received: usize,
}

impl Batch {
    pub(crate) fn new() -> Self {
        Self {
            rooms: vec![[0; ROOM]; BATCH],
            // SAFETY: sockaddr_storage is plain old data, for which all zeroes is the unspecified address.
            senders: unsafe { zeroed() },
            sender_lens: [0; BATCH],
            lens: [0; BATCH],
            cut: [false; BATCH],
            replies: vec![Vec::new(); BATCH],
            received: 0,
        }
    }

    /// Reads what waits in the socket, at most a batch; the messages of the batch before are gone.
    pub(crate) fn receive(&mut self, socket: BorrowedFd<'_>, leave: Leave) -> io::Result<Received> {
        self.received = 0;
        let mut iovecs = [const { MaybeUninit::<libc::iovec>::uninit() }; BATCH];
        // SAFETY: mmsghdr is plain old data; null pointers with zero lengths are valid in it.
        let mut headers: [libc::mmsghdr; BATCH] = unsafe { zeroed() };
        for (i, header) in headers.iter_mut().enumerate() {
            let iovec =
                iovecs[i].write(libc::iovec { iov_base: self.rooms[i].as_mut_ptr().cast(), iov_len: ROOM });
            header.msg_hdr.msg_iov = iovec;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_name = ptr::from_mut(&mut self.senders[i]).cast();
            header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
        }
        // SAFETY: every header points at an iovec, a room and an address that live and are borrowed for the whole
        // call, with their true sizes; the count is that of the array.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_DONTWAIT | leave.flags(),
                ptr::null_mut(),
            )
        };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        for (i, header) in headers.iter().enumerate().take(count) {
            self.lens[i] = header.msg_len as usize;
            self.sender_lens[i] = header.msg_hdr.msg_namelen;
            self.cut[i] = header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0;
            self.replies[i].clear();
            self.replies[i].shrink_to(ROOM); // One long answer must not hold its memory for ever.
        }
        self.received = count;
        Ok(if count < BATCH { Received::All } else { Received::MoreMayWait })
    }

    /// How many messages came in.
    pub(crate) fn len(&self) -> usize {
        self.received
    }

    /// One message and the place for the reply to it, which stays empty for none.
    pub(crate) fn message(&mut self, i: usize) -> (&[u8], &mut Vec<u8>) {
        let len = if self.cut[i] { 0 } else { self.lens[i].min(ROOM) };
        (&self.rooms[i][..len], &mut self.replies[i])
    }

    /// Who sent it.
    pub(crate) fn sender(&self, i: usize) -> Option<SocketAddr> {
        let storage = ptr::from_ref(&self.senders[i]);
        match libc::c_int::from(self.senders[i].ss_family) {
            libc::AF_INET => {
                // SAFETY: the family says that the kernel wrote a sockaddr_in, which the storage has room and
                // alignment for.
                let v4 = unsafe { &*storage.cast::<libc::sockaddr_in>() };
                let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
                Some((ip, u16::from_be(v4.sin_port)).into())
            }
            libc::AF_INET6 => {
                // SAFETY: as above, for sockaddr_in6.
                let v6 = unsafe { &*storage.cast::<libc::sockaddr_in6>() };
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                let port = u16::from_be(v6.sin6_port);
                Some(SocketAddrV6::new(ip, port, v6.sin6_flowinfo, v6.sin6_scope_id).into())
            }
            _ => None,
        }
    }

    /// Sends the replies to who asked; says how many the socket did not take.
    pub(crate) fn send(&mut self, socket: BorrowedFd<'_>) -> usize {
        let mut iovecs = [const { MaybeUninit::<libc::iovec>::uninit() }; BATCH];
        // SAFETY: as in `receive`.
        let mut headers: [libc::mmsghdr; BATCH] = unsafe { zeroed() };
        let mut count = 0;
        let replies = self.replies.iter_mut().take(self.received).enumerate();
        for (i, reply) in replies.filter(|(_, reply)| !reply.is_empty()) {
            let iovec = libc::iovec { iov_base: reply.as_mut_ptr().cast(), iov_len: reply.len() };
            let iovec = iovecs[count].write(iovec);
            let header = &mut headers[count].msg_hdr;
            header.msg_iov = iovec;
            header.msg_iovlen = 1;
            header.msg_name = ptr::from_mut(&mut self.senders[i]).cast();
            header.msg_namelen = self.sender_lens[i];
            count += 1;
        }
        send_all(socket, &mut headers[..count])
    }

    /// Forgets the batch, whose messages leave the socket now if they have not yet.
    pub(crate) fn finish(&mut self, socket: BorrowedFd<'_>, leave: Leave) {
        let messages = std::mem::take(&mut self.received);
        if leave == Leave::Answered {
            let filled = self.lens[..messages].iter().filter(|len| **len > 0).count();
            remove(socket, messages, filled);
        }
    }
}

/// What a receive leaves behind in the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// Nothing, at the moment of the call.
    All,
    /// The batch is full.
    MoreMayWait,
}

/// sendmmsg stops at the first message that fails; that one is skipped, as UDP may lose any.
fn send_all(socket: BorrowedFd<'_>, mut headers: &mut [libc::mmsghdr]) -> usize {
    let mut unsent = 0;
    while !headers.is_empty() {
        // SAFETY: the caller's headers point at replies and addresses that it holds borrowed during this call; the
        // count is that of the slice.
        let sent = unsafe {
            libc::sendmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                headers.len() as libc::c_uint,
                libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            )
        };
        let done = match usize::try_from(sent) {
            Ok(sent) if sent > 0 => sent,
            _ if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => 0,
            _ => {
                unsent += 1;
                1
            }
        };
        headers = &mut headers[done..];
    }
    unsent
}
