//! Who may work on links now. The kernel serialises all such work under one mutex (RTNL) that knows no order: a few
//! callers keep it busy, more only make each other wait. So there is one socket per admitted caller, and the others
//! queue here, first come, first served.

use std::{
    collections::VecDeque,
    io,
    ops::{Deref, DerefMut},
    sync::{Mutex, MutexGuard, PoisonError, mpsc},
};

use crate::sys::rtnl::RtSocket;

/// The sockets of one host.
#[derive(Debug, Default)]
pub(crate) struct Sockets(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    free: Vec<RtSocket>,
    queue: VecDeque<mpsc::Sender<RtSocket>>,
}

/// A socket while its holder is admitted; dropping it admits the next.
#[derive(Debug)]
pub(crate) struct Admitted<'a> {
    sockets: &'a Sockets,
    socket: Option<RtSocket>,
}

impl Sockets {
    /// Opens `count` sockets, at least one, in the calling thread's namespace.
    pub(crate) fn open(count: usize) -> io::Result<Self> {
        let free = (0..count.max(1)).map(|_| RtSocket::open()).collect::<io::Result<_>>()?;
        Ok(Self(Mutex::new(Waiting { free, queue: VecDeque::new() })))
    }

    /// Waits for a socket.
    pub(crate) fn admit(&self) -> io::Result<Admitted<'_>> {
        let turn = {
            let mut waiting = self.lock();
            if let Some(socket) = waiting.free.pop() {
                return Ok(Admitted { sockets: self, socket: Some(socket) });
            }
            let (sender, turn) = mpsc::channel();
            waiting.queue.push_back(sender);
            turn
        };
        let socket = turn.recv().map_err(io::Error::other)?;
        Ok(Admitted { sockets: self, socket: Some(socket) })
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        let Some(mut socket) = self.socket.take() else { return };
        let mut waiting = self.sockets.lock();
        // A waiter that is gone hands the socket back.
        while let Some(next) = waiting.queue.pop_front() {
            match next.send(socket) {
                Ok(()) => return,
                Err(mpsc::SendError(back)) => socket = back,
            }
        }
        waiting.free.push(socket);
    }
}

// An admitted caller always has a socket: `drop` alone takes it.
#[allow(clippy::expect_used)]
impl Deref for Admitted<'_> {
    type Target = RtSocket;

    fn deref(&self) -> &RtSocket {
        self.socket.as_ref().expect("admitted")
    }
}

#[allow(clippy::expect_used)]
impl DerefMut for Admitted<'_> {
    fn deref_mut(&mut self) -> &mut RtSocket {
        self.socket.as_mut().expect("admitted")
    }
}
