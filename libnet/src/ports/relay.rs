//! Flows to a published port that rewriting addresses can't lead: from `[::1]`, which no route leads away from, and from
//! one address family to a container that has the other one. Whoever serves them gets the socket that holds the port.
//! Which ports need it is `bridge::publish`'s to say; what a relay does with flows is no business of this library.

use std::{
    collections::HashMap,
    fmt, io,
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, PoisonError, RwLock},
};

use ipnetwork::IpNetwork;

use crate::{
    sys::{
        datagram::{self, Ends},
        hold,
    },
    types::{NetworkId, Proto},
};

/// Serves what NAT can't.
pub trait Relay: fmt::Debug + Send + Sync {
    /// Serves a port, until what comes back is dropped.
    ///
    /// # Errors
    /// If it can't; the port is then held as one that needs nobody.
    fn serve(&self, port: Arc<RelayedPort>) -> io::Result<Box<dyn Serving>>;
}

/// A port that is served. Dropping it ends all its flows and gives back the port itself before it returns.
pub trait Serving: fmt::Debug + Send {}

/// A port of the host whose clients are to be led to a container by hand.
#[derive(Debug)]
pub struct RelayedPort {
    to: RwLock<SocketAddr>,
    socket: RelayedSocket,
}

/// Where the clients of a port come in.
#[derive(Debug)]
pub enum RelayedSocket {
    /// One connection after the other.
    Stream(Listener),
    /// One datagram after the other.
    Datagrams(Datagrams),
}

/// Where connections come in.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    barred: Barred,
}

/// Where datagrams come in.
#[derive(Debug)]
pub struct Datagrams {
    socket: UdpSocket,
    barred: Barred,
}

/// Who sent a datagram, and where to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sender(Ends);

/// Who is not let in: networks that have no way to another one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Barred(Arc<RwLock<HashMap<NetworkId, Outsider>>>);

#[derive(Debug)]
struct Outsider {
    link: u32,
    subnets: Vec<IpNetwork>,
}

impl RelayedPort {
    /// Opens the socket that holds a port.
    pub(super) fn open(fd: OwnedFd, proto: Proto, to: SocketAddr, barred: Barred) -> io::Result<Self> {
        let socket = match proto {
            Proto::Tcp => RelayedSocket::Stream(Listener { socket: hold::listen_on(fd)?, barred }),
            Proto::Udp => RelayedSocket::Datagrams(Datagrams { socket: hold::receive_on(fd)?, barred }),
            Proto::Sctp => return Err(io::ErrorKind::Unsupported.into()),
        };
        Ok(Self { to: RwLock::new(to), socket })
    }

    /// Takes a port of the calling thread's namespace, whose clients are to be led to `to`.
    ///
    /// # Errors
    /// If somebody has it, or flows of this protocol can't be relayed.
    pub fn bind(at: SocketAddr, proto: Proto, to: SocketAddr) -> io::Result<Self> {
        Self::open(hold::hold(at, proto)?, proto, to, Barred::default())
    }

    /// Where clients come in, as an address; with the port that was chosen if none was named.
    ///
    /// # Errors
    /// If the kernel doesn't say.
    pub fn at(&self) -> io::Result<SocketAddr> {
        match &self.socket {
            RelayedSocket::Stream(listener) => listener.socket.local_addr(),
            RelayedSocket::Datagrams(datagrams) => datagrams.socket.local_addr(),
        }
    }

    /// The port of the container.
    pub fn to(&self) -> SocketAddr {
        *self.to.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Clients that come from now on are to be led to another port.
    pub(super) fn lead_to(&self, to: SocketAddr) {
        *self.to.write().unwrap_or_else(PoisonError::into_inner) = to;
    }

    /// Where clients come in; it never blocks.
    pub const fn socket(&self) -> &RelayedSocket {
        &self.socket
    }
}

impl AsFd for RelayedPort {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.socket {
            RelayedSocket::Stream(listener) => listener.socket.as_fd(),
            RelayedSocket::Datagrams(datagrams) => datagrams.socket.as_fd(),
        }
    }
}

impl Listener {
    /// The next connection; `None`: one that was not let in.
    ///
    /// # Errors
    /// `WouldBlock` if nobody waits; else if the process has no descriptor left.
    pub fn accept(&self) -> io::Result<Option<TcpStream>> {
        let (stream, peer) = self.socket.accept()?;
        if self.barred.includes(peer.ip(), scope(peer)) {
            hold::reset_on_close(&stream)?;
            return Ok(None);
        }
        Ok(Some(stream))
    }
}

impl Datagrams {
    /// The length of the next datagram and who sent it; `None`: one that was not let in.
    ///
    /// # Errors
    /// `WouldBlock` if there is none.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<(usize, Sender)>> {
        let (length, ends) = datagram::receive(&self.socket, buffer)?;
        let admitted = ends.filter(|ends| !self.barred.includes(ends.from.ip(), ends.link));
        Ok(admitted.map(|ends| (length, Sender(ends))))
    }

    /// Answers a sender, from the address that it knows.
    ///
    /// # Errors
    /// If the kernel doesn't take it.
    pub fn answer(&self, sender: &Sender, payload: &[u8]) -> io::Result<()> {
        datagram::answer(&self.socket, payload, &sender.0)
    }
}

impl Barred {
    /// Keeps a network out.
    pub(crate) fn bar(&self, id: NetworkId, link: u32, subnets: Vec<IpNetwork>) {
        self.write(|all| all.insert(id, Outsider { link, subnets }));
    }

    /// Keeps a network out no longer.
    pub(crate) fn admit(&self, id: NetworkId) {
        self.write(|all| all.remove(&id));
    }

    fn write<T>(&self, change: impl FnOnce(&mut HashMap<NetworkId, Outsider>) -> T) {
        // A change is one insertion or removal: there is no half of it.
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Whether somebody at this address, who came by this link, is kept out. Link 0: not known.
    fn includes(&self, ip: IpAddr, link: u32) -> bool {
        let ip = ip.to_canonical();
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.values().any(|it| it.link == link || it.subnets.iter().any(|subnet| subnet.contains(ip)))
    }
}

/// The link that a link-local address is of.
const fn scope(peer: SocketAddr) -> u32 {
    match peer {
        SocketAddr::V6(v6) => v6.scope_id(),
        SocketAddr::V4(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_an_address_or_a_link_tells_to_be_of_an_internal_network_stays_outside() {
        let (barred, id) = (Barred::default(), NetworkId::from_bytes([1; 32]));
        barred.bar(id, 7, vec!["10.0.0.1/24".parse().unwrap(), "fd00::1/64".parse().unwrap()]);
        let table = [
            ("10.0.0.9", 0, true),
            ("::ffff:10.0.0.9", 0, true),
            ("10.0.1.9", 0, false),
            ("fd00::9", 0, true),
            ("fd01::9", 3, false),
            ("fe80::9", 7, true),
            ("fe80::9", 8, false),
            ("::1", 1, false),
        ];
        for (ip, link, expected) in table {
            assert_eq!(barred.includes(ip.parse().unwrap(), link), expected, "{ip} by {link}");
        }
        barred.admit(id);
        assert!(!barred.includes("10.0.0.9".parse().unwrap(), 7));
    }
}
