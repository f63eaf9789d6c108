//! Sockets that hold a port of the host and talk to nobody.

use std::{
    io,
    net::{Ipv6Addr, SocketAddr},
    os::fd::{AsRawFd, OwnedFd},
};

use nix::{
    errno::Errno,
    sys::socket::{
        AddressFamily, Backlog, SockFlag, SockProtocol, SockType, SockaddrStorage, bind, listen, setsockopt,
        socket, sockopt,
    },
};

use crate::{
    sys::filter,
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
