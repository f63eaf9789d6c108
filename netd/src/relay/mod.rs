//! Carries flows to published ports that the kernel can't lead by rewriting addresses (see `libnet::ports::Relay`). All
//! ports share one set of descriptors that one task waits for, so that a port that nobody uses costs an entry in a table;
//! each flow is one task of its own. How many there may be is bounded, for each port and in all.
//!
//! What is carried ends with the port, and with the daemon.

mod datagrams;
mod seat;
mod stream;
mod table;
#[cfg(test)]
mod tests;

use std::{
    io,
    net::SocketAddr,
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use libnet::ports::{self, RelayedPort, Serving};
use nix::sys::resource::{Resource, getrlimit};
use tokio::{io::unix::AsyncFd, net::TcpStream, sync::Semaphore, task, time::sleep};
use tokio_util::sync::{CancellationToken, DropGuard};

use seat::Seat;
use table::{Table, Token, WhenFull};

/// How long datagrams may be silent before their flow ends: Docker's.
const IDLE: Duration = Duration::from_secs(90);
/// Flows of one port, and of all. A flow takes up to two descriptors, of which ports need some as well.
const PER_PORT: usize = 1_024;
const IN_ALL: usize = 8_192;
/// The part of the descriptors that flows may have: one in so many of them is a flow.
const DESCRIPTORS: u64 = 8;
/// How many clients of one port are let in before the others are looked at.
const BURST: usize = 32;
/// After the system had no descriptor or memory for a client, how long its port rests.
const REST: Duration = Duration::from_secs(1);

/// How much is carried at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Flows of one port.
    pub(crate) per_port: usize,
    /// Flows of all ports.
    pub(crate) in_all: usize,
    /// How long datagrams may be silent before their flow ends.
    pub(crate) idle: Duration,
}

/// Carries flows until it is dropped.
#[derive(Debug)]
pub(crate) struct Relay {
    inner: Arc<Inner>,
    _end: DropGuard,
}

#[derive(Debug)]
struct Inner {
    table: Table,
    limits: Limits,
    room: Arc<Semaphore>,
    streams: AtomicU64,
    datagrams: AtomicU64,
}

/// What was carried so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Carried {
    /// Connections.
    pub(crate) streams: u64,
    /// Flows of datagrams.
    pub(crate) datagrams: u64,
    /// Flows that are carried now.
    pub(crate) open: usize,
}

/// A port that is served; see [`Serving`].
#[derive(Debug)]
struct Served {
    inner: Arc<Inner>,
    token: Token,
}

impl Limits {
    /// What a process with the descriptors of this one can carry.
    pub(crate) fn of_this_process() -> Self {
        let (open_files, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((1_024, 1_024));
        let in_all = usize::try_from(open_files / DESCRIPTORS).unwrap_or(IN_ALL).clamp(16, IN_ALL);
        Self { per_port: PER_PORT.min(in_all / 2), in_all, idle: IDLE }
    }
}

impl Relay {
    /// Starts to wait for clients, on the runtime that this is called in.
    ///
    /// # Errors
    /// If the process has no descriptor left.
    pub(crate) fn start(limits: Limits) -> io::Result<Self> {
        let table = Table::new()?;
        let waiting = table.readable()?;
        let room = Arc::new(Semaphore::new(limits.in_all));
        let inner = Inner { table, limits, room, streams: AtomicU64::new(0), datagrams: AtomicU64::new(0) };
        let (inner, end) = (Arc::new(inner), CancellationToken::new());
        let worker = Arc::clone(&inner).work(waiting);
        let ended = end.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = ended.cancelled() => {}
                failed = worker => tracing::error!(error = %failed, "published ports are no longer relayed"),
            }
        });
        Ok(Self { inner, _end: end.drop_guard() })
    }

    /// What was carried so far.
    pub(crate) fn carried(&self) -> Carried {
        Carried {
            streams: self.inner.streams.load(Ordering::Relaxed),
            datagrams: self.inner.datagrams.load(Ordering::Relaxed),
            open: self.inner.limits.in_all - self.inner.room.available_permits(),
        }
    }
}

impl ports::Relay for Relay {
    fn serve(&self, port: Arc<RelayedPort>) -> io::Result<Box<dyn Serving>> {
        let token = self.inner.table.insert(port)?;
        Ok(Box::new(Served { inner: Arc::clone(&self.inner), token }))
    }
}

impl Serving for Served {}

impl Drop for Served {
    fn drop(&mut self) {
        self.inner.table.remove(self.token);
    }
}

impl Inner {
    /// Lets clients in for ever; what comes back is why it can't go on.
    async fn work(self: Arc<Self>, waiting: AsyncFd<OwnedFd>) -> io::Error {
        let mut buffer = vec![0; datagrams::LARGEST];
        loop {
            let mut ready = match waiting.readable().await {
                Ok(ready) => ready,
                Err(error) => return error,
            };
            loop {
                match self.table.ready() {
                    Ok(ready) if ready.is_empty() => break,
                    Ok(ready) => ready.into_iter().for_each(|token| self.let_in(token, &mut buffer)),
                    Err(error) => return error,
                }
                task::yield_now().await;
            }
            ready.clear_ready();
        }
    }

    /// Lets in who waits at a port.
    fn let_in(self: &Arc<Self>, token: Token, buffer: &mut [u8]) {
        let Some((to, is_stream)) = self.table.way(token) else { return };
        for _ in 0..BURST {
            let next = if is_stream { self.connection(token, to) } else { self.datagram(token, to, buffer) };
            match next {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => return self.tire(token, &error),
            }
        }
    }

    /// Lets one connection in; `false`: there is none, or no room.
    fn connection(self: &Arc<Self>, token: Token, to: SocketAddr) -> io::Result<bool> {
        let Some(seat) = Seat::take(self, token, WhenFull::Rest) else { return Ok(false) };
        match self.table.accept(token) {
            Ok(Some(client)) => {
                client.set_nonblocking(true)?;
                let client = TcpStream::from_std(client)?;
                self.streams.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move { stream::carry(client, to, seat.end()).await });
                Ok(true)
            }
            Ok(None) => Ok(true),
            Err(error) => nobody(error),
        }
    }

    /// The system can't take a client now.
    fn tire(self: &Arc<Self>, token: Token, error: &io::Error) {
        tracing::warn!(%error, "a relayed port rests");
        self.table.rest(token);
        let inner = Arc::downgrade(self);
        tokio::spawn(async move {
            sleep(REST).await;
            inner.upgrade().iter().for_each(|inner| inner.table.wake());
        });
    }
}

/// Nobody waits any more, or who did has gone: no error. `true`: there may be others.
fn nobody(error: io::Error) -> io::Result<bool> {
    match error.kind() {
        io::ErrorKind::WouldBlock => Ok(false),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted => Ok(true),
        _ => Err(error),
    }
}
