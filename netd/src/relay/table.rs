//! The ports that are served, and the one set of descriptors in which the kernel notes who has clients. Sockets of ports
//! are used under the lock of the table alone, so that a port that is removed is closed when its removal returns.

use std::{
    collections::HashMap,
    io,
    net::{SocketAddr, TcpStream},
    os::fd::OwnedFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use libnet::ports::{RelayedPort, RelayedSocket, Sender};
use nix::{
    errno::Errno,
    sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    net::UdpSocket,
};
use tokio_util::sync::CancellationToken;

/// How many ports with clients are told of at a time.
const AT_ONCE: usize = 64;

/// Names a port; never another one later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Token(u64);

#[derive(Debug)]
pub(super) struct Table {
    /// Each port in it has its token, and is noted as long as it has clients that were not let in.
    set: Epoll,
    ports: Mutex<Ports>,
}

#[derive(Debug, Default)]
struct Ports {
    all: HashMap<Token, Entry>,
    next: u64,
    /// Those that nobody is told of, until there is room.
    resting: Vec<Token>,
}

#[derive(Debug)]
struct Entry {
    port: Arc<RelayedPort>,
    /// Nothing as long as nobody came.
    use_: Option<Box<Use>>,
}

/// What a port carries.
#[derive(Debug, Default)]
struct Use {
    /// Ends all of it.
    end: CancellationToken,
    /// How many flows.
    open: usize,
    flows: HashMap<Sender, Flow>,
}

/// A client whose datagrams are carried.
#[derive(Debug)]
struct Flow {
    /// Towards the container.
    socket: Arc<UdpSocket>,
    /// When a datagram came last, from either side.
    last: Instant,
}

/// What a port does if it can carry no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WhenFull {
    /// Its clients wait.
    Rest,
    /// It goes on for those that it has.
    GoOn,
}

/// A datagram that came.
#[derive(Debug)]
pub(super) struct Came {
    pub(super) length: usize,
    pub(super) from: Sender,
    /// Where the flow goes that it belongs to, if it isn't the first.
    pub(super) flow: Option<Arc<UdpSocket>>,
}

impl Table {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { set: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?, ports: Mutex::default() })
    }

    /// Something that is readable whenever [`ready`](Self::ready) has news.
    #[expect(
        deprecated,
        reason = "what it warns of is a descriptor that is closed too early; this one is owned"
    )]
    pub(super) fn readable(&self) -> io::Result<AsyncFd<OwnedFd>> {
        AsyncFd::with_interest(self.set.0.try_clone()?, Interest::READABLE)
    }

    /// Some of the ports that have clients; none if no port has any.
    pub(super) fn ready(&self) -> io::Result<Vec<Token>> {
        let mut events = [EpollEvent::empty(); AT_ONCE];
        match self.set.wait(&mut events, EpollTimeout::ZERO) {
            Ok(count) => Ok(events[..count].iter().map(|event| Token(event.data())).collect()),
            Err(Errno::EINTR) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn insert(&self, port: Arc<RelayedPort>) -> io::Result<Token> {
        let mut ports = self.lock();
        let token = Token(ports.next);
        self.set.add(&*port, noted(token))?;
        ports.next += 1;
        ports.all.insert(token, Entry { port, use_: None });
        Ok(token)
    }

    /// Ends a port and what it carries.
    pub(super) fn remove(&self, token: Token) {
        let mut ports = self.lock();
        ports.resting.retain(|resting| *resting != token);
        let Some(entry) = ports.all.remove(&token) else { return };
        if let Err(error) = self.set.delete(&*entry.port) {
            tracing::error!(%error, "a port that is closed stays in the set");
        }
        entry.use_.iter().for_each(|carried| carried.end.cancel());
    }

    /// Where a port leads, and whether by connections.
    pub(super) fn way(&self, token: Token) -> Option<(SocketAddr, bool)> {
        let ports = self.lock();
        let port = &ports.all.get(&token)?.port;
        Some((port.to(), matches!(port.socket(), RelayedSocket::Stream(_))))
    }

    /// Counts one flow more, if there are fewer than `limit`; what ends it comes back.
    pub(super) fn enter(&self, token: Token, limit: usize, full: WhenFull) -> Option<CancellationToken> {
        let mut ports = self.lock();
        let carried = ports.all.get_mut(&token)?.use_.get_or_insert_default();
        if carried.open < limit {
            carried.open += 1;
            return Some(carried.end.clone());
        }
        if full == WhenFull::Rest {
            self.rest_in(&mut ports, token);
        }
        None
    }

    /// One flow less: those that waited for room may go on.
    pub(super) fn leave(&self, token: Token) {
        let mut ports = self.lock();
        if let Some(carried) = ports.all.get_mut(&token).and_then(|entry| entry.use_.as_mut()) {
            carried.open -= 1;
        }
        self.wake_in(&mut ports);
    }

    /// Clients of a port wait, until [`wake`](Self::wake) or until a flow ends.
    pub(super) fn rest(&self, token: Token) {
        self.rest_in(&mut self.lock(), token);
    }

    pub(super) fn wake(&self) {
        self.wake_in(&mut self.lock());
    }

    /// The next connection; `None`: one that was not let in.
    pub(super) fn accept(&self, token: Token) -> io::Result<Option<TcpStream>> {
        match self.lock().all.get(&token).map(|entry| entry.port.socket()) {
            Some(RelayedSocket::Stream(listener)) => listener.accept(),
            _ => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// The next datagram; `None`: one that was not let in.
    pub(super) fn receive(&self, token: Token, buffer: &mut [u8]) -> io::Result<Option<Came>> {
        let mut ports = self.lock();
        let Some(entry) = ports.all.get_mut(&token) else { return Err(io::ErrorKind::WouldBlock.into()) };
        let RelayedSocket::Datagrams(datagrams) = entry.port.socket() else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        let Some((length, from)) = datagrams.receive(buffer)? else { return Ok(None) };
        let flow = entry.use_.as_mut().and_then(|carried| carried.flows.get_mut(&from)).map(Flow::touch);
        Ok(Some(Came { length, from, flow }))
    }

    /// Notes the flow of a client.
    pub(super) fn begin(&self, token: Token, client: Sender, socket: Arc<UdpSocket>) {
        if let Some(carried) = self.lock().all.get_mut(&token).and_then(|entry| entry.use_.as_mut()) {
            carried.flows.insert(client, Flow { socket, last: Instant::now() });
        }
    }

    /// Sends a client of a flow what the container says.
    pub(super) fn answer(&self, token: Token, client: &Sender, payload: &[u8]) -> io::Result<()> {
        let mut ports = self.lock();
        let Some(entry) = ports.all.get_mut(&token) else { return Ok(()) };
        if let Some(flow) = entry.use_.as_mut().and_then(|carried| carried.flows.get_mut(client)) {
            flow.touch();
        }
        match entry.port.socket() {
            RelayedSocket::Datagrams(datagrams) => datagrams.answer(client, payload),
            RelayedSocket::Stream(_) => Ok(()),
        }
    }

    /// Forgets the flow of a client if it was silent for so long; else says how much is left of that time.
    pub(super) fn end_if_silent(
        &self,
        token: Token,
        client: &Sender,
        silence: Duration,
    ) -> Result<(), Duration> {
        let mut ports = self.lock();
        let Some(carried) = ports.all.get_mut(&token).and_then(|entry| entry.use_.as_mut()) else {
            return Ok(());
        };
        match carried.flows.get(client).map(|flow| silence.saturating_sub(flow.last.elapsed())) {
            Some(left) if !left.is_zero() => Err(left),
            _ => {
                carried.flows.remove(client);
                Ok(())
            }
        }
    }

    fn rest_in(&self, ports: &mut Ports, token: Token) {
        let Some(entry) = ports.all.get(&token) else { return };
        if !ports.resting.contains(&token) && self.note(entry, token, EpollFlags::empty()) {
            ports.resting.push(token);
        }
    }

    fn wake_in(&self, ports: &mut Ports) {
        for token in std::mem::take(&mut ports.resting) {
            if let Some(entry) = ports.all.get(&token) {
                self.note(entry, token, EpollFlags::EPOLLIN);
            }
        }
    }

    fn note(&self, entry: &Entry, token: Token, what: EpollFlags) -> bool {
        let changed = self.set.modify(&*entry.port, &mut EpollEvent::new(what, token.0));
        changed.inspect_err(|error| tracing::error!(%error, "a relayed port can't be told to wait")).is_ok()
    }

    /// Whoever panicked while holding the lock left tables that are still tables.
    fn lock(&self) -> MutexGuard<'_, Ports> {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flow {
    fn touch(&mut self) -> Arc<UdpSocket> {
        self.last = Instant::now();
        Arc::clone(&self.socket)
    }
}

const fn noted(token: Token) -> EpollEvent {
    EpollEvent::new(EpollFlags::EPOLLIN, token.0)
}
