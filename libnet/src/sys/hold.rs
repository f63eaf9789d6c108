//! Sockets that hold a port of the host and talk to nobody, until they are opened.

use std::{
    io,
    net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::fd::{AsRawFd, OwnedFd},
};

use nix::{
    errno::Errno,
    libc,
    sys::socket::{
        AddressFamily, Backlog, SockFlag, SockProtocol, SockType, SockaddrStorage, bind, listen, setsockopt,
        socket, sockopt,
    },
};

use crate::{
    sys::{datagram, filter},
    types::{Port, Proto},
};

/// Binds a socket to `addr`, so that nobody else can.
///
/// A TCP socket that is bound and does not listen is as good as none to a client: its SYN is refused, as for a port
/// without a server, until the firewall leads it elsewhere. A datagram is dropped.
///
/// `SO_REUSEADDR` isn't set, because two sockets that have it could share the port as long as none of them listens.
/// Connections of a former server in TIME_WAIT then count as holders; only if they are the only ones, the port is taken
/// by a socket that listens, and a filter that drops everything keeps it from answering.
pub(crate) fn hold(addr: SocketAddr, proto: Proto) -> io::Result<OwnedFd> {
    let fd = open(addr, proto, Reach::OneFamily)?;
    if proto == Proto::Udp {
        drop_all(&fd)?;
    }
    match bind(fd.as_raw_fd(), &SockaddrStorage::from(addr)) {
        Err(Errno::EADDRINUSE) if proto != Proto::Udp => hold_beside_old_connections(addr, proto),
        bound => Ok(bound.map(|()| fd)?),
    }
}

/// Binds one socket to a port of all addresses of both families: half the descriptors of two. What a refusal doesn't
/// say is which family the port is taken in.
pub(crate) fn hold_both(port: Port, proto: Proto) -> io::Result<OwnedFd> {
    let addr = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port.get());
    let fd = open(addr, proto, Reach::BothFamilies)?;
    if proto == Proto::Udp {
        drop_all(&fd)?;
    }
    bind(fd.as_raw_fd(), &SockaddrStorage::from(addr))?;
    Ok(fd)
}

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1_024;
/// Seconds of silence after which a client is asked whether it is still there, and between two questions.
const ASK_AFTER: u32 = 60;
const ASK_EVERY: u32 = 15;

/// Lets connections in to a socket that held a port. What it accepts is asked now and then whether it lives.
pub(crate) fn listen_on(fd: OwnedFd) -> io::Result<TcpListener> {
    filter::detach(&fd)?;
    listen(&fd, Backlog::new(BACKLOG)?)?;
    // Not before it listens: see `hold`. What it accepts has it too, and is not in the way of who holds the port next.
    setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    setsockopt(&fd, sockopt::KeepAlive, &true)?;
    setsockopt(&fd, sockopt::TcpKeepIdle, &ASK_AFTER)?;
    setsockopt(&fd, sockopt::TcpKeepInterval, &ASK_EVERY)?;
    let listener = TcpListener::from(fd);
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Lets datagrams in to a socket that held a port.
pub(crate) fn receive_on(fd: OwnedFd) -> io::Result<UdpSocket> {
    let socket = UdpSocket::from(fd);
    datagram::ask_for_ends(&socket)?;
    socket.set_nonblocking(true)?;
    filter::detach(&socket)?;
    Ok(socket)
}

/// Makes the end of a connection an abrupt one: its client is told that it was refused.
pub(crate) fn reset_on_close(stream: &TcpStream) -> io::Result<()> {
    Ok(setsockopt(stream, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 })?)
}

/// Whether an IPv6 socket holds the port of IPv4 as well.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    OneFamily,
    BothFamilies,
}

fn hold_beside_old_connections(addr: SocketAddr, proto: Proto) -> io::Result<OwnedFd> {
    let fd = open(addr, proto, Reach::OneFamily)?;
    setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    drop_all(&fd)?;
    bind(fd.as_raw_fd(), &SockaddrStorage::from(addr))?;
    listen(&fd, Backlog::new(0)?)?;
    Ok(fd)
}

fn open(addr: SocketAddr, proto: Proto, reach: Reach) -> io::Result<OwnedFd> {
    let family = if addr.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let (kind, protocol) = match proto {
        Proto::Tcp => (SockType::Stream, SockProtocol::Tcp),
        Proto::Udp => (SockType::Datagram, SockProtocol::Udp),
        Proto::Sctp => (SockType::Stream, SockProtocol::Sctp),
    };
    let fd = socket(family, kind, SockFlag::SOCK_CLOEXEC, protocol)?;
    if addr.is_ipv6() {
        setsockopt(&fd, sockopt::Ipv6V6Only, &(reach == Reach::OneFamily))?;
    }
    Ok(fd)
}

/// The classic BPF program `ret #0`: nothing passes.
fn drop_all(fd: &OwnedFd) -> io::Result<()> {
    filter::attach(fd, &mut [filter::ret(0)])
}
