//! What the kernel tells whoever listens: rtnetlink of links, addresses and forwarding, netfilter of nf_tables. Nothing is
//! asked, and reading never waits; who wants to wait polls the socket.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
};

use netlink_sys::{
    Socket, SocketAddr,
    protocols::{NETLINK_NETFILTER, NETLINK_ROUTE},
};
use nix::{
    errno::Errno,
    libc::MSG_DONTWAIT,
    sys::socket::{setsockopt, sockopt},
};

use super::filter;

/// `RTNLGRP_LINK`, `RTNLGRP_TC`, `RTNLGRP_IPV4_IFADDR`, `RTNLGRP_IPV4_ROUTE`, `RTNLGRP_IPV6_IFADDR`,
/// `RTNLGRP_IPV6_ROUTE`, `RTNLGRP_IPV4_NETCONF`, `RTNLGRP_IPV6_NETCONF` of linux/rtnetlink.h.
const ROUTE_GROUPS: [u32; 8] = [1, 4, 5, 7, 9, 11, 24, 25];
/// `RTNLGRP_LINK`, `RTNLGRP_IPV4_IFADDR`, `RTNLGRP_IPV4_ROUTE`, `RTNLGRP_IPV6_IFADDR`, `RTNLGRP_IPV6_ROUTE`.
const WAY_GROUPS: [u32; 5] = [1, 5, 7, 9, 11];
/// `NFNLGRP_NFTABLES` of linux/netfilter/nfnetlink.h.
const NFTABLES_GROUP: u32 = 7;
/// Where `nlmsg_pid`, the port of the socket that caused an event, is in a message (`struct nlmsghdr`).
const PORT_OFFSET: u32 = 12;
/// Room for the events of a storm. What does not fit is told as lost.
const ROOM: usize = 1 << 20;
/// An event is a page at most, several of nf_tables come in one datagram.
const DATAGRAM: usize = 32 * 1024;

/// A socket that hears of changes in one namespace.
pub(crate) struct Events {
    socket: Socket,
    buffer: Vec<u8>,
}

/// What was in the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Every event.
    All,
    /// Not every event: more came than there is room for.
    Gaps,
}

impl Events {
    /// Changes of links, queues, addresses, routes and forwarding settings in the calling thread's namespace.
    pub(crate) fn of_links() -> io::Result<Self> {
        Self::open(NETLINK_ROUTE, &ROUTE_GROUPS, |_| Ok(()))
    }

    /// Changes of links, addresses and routes in the calling thread's namespace.
    pub(crate) fn of_routes() -> io::Result<Self> {
        Self::open(NETLINK_ROUTE, &WAY_GROUPS, |_| Ok(()))
    }

    /// Changes of nf_tables in the calling thread's namespace, but those that the sockets of these ports make.
    pub(crate) fn of_tables(own: [u32; 2]) -> io::Result<Self> {
        // The filter reads in network order what the kernel wrote in its own. All events of a datagram have one cause.
        let [one, two] = own.map(|port| u32::from_be_bytes(port.to_ne_bytes()));
        let mut program = [
            filter::load(PORT_OFFSET),
            filter::next_if(one),
            filter::ret(0),
            filter::next_if(two),
            filter::ret(0),
            filter::ret(filter::ALL),
        ];
        Self::open(NETLINK_NETFILTER, &[NFTABLES_GROUP], |socket| filter::attach(socket, &mut program))
    }

    fn open(
        protocol: isize,
        groups: &[u32],
        prepare: impl FnOnce(&Socket) -> io::Result<()>,
    ) -> io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.bind(&SocketAddr::new(0, 0))?;
        prepare(&socket)?;
        // Without it there are gaps sooner, no more.
        let _ = setsockopt(&socket, sockopt::RcvBufForce, &ROOM);
        groups.iter().try_for_each(|group| socket.add_membership(*group))?;
        Ok(Self { socket, buffer: vec![0; DATAGRAM] })
    }

    /// Hands all that came since the last time to `each`, a datagram at a time.
    pub(crate) fn drain(&mut self, mut each: impl FnMut(&[u8])) -> io::Result<Heard> {
        let mut heard = Heard::All;
        loop {
            match self.socket.recv(&mut &mut self.buffer[..], MSG_DONTWAIT) {
                Ok(length) => each(&self.buffer[..length.min(DATAGRAM)]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(heard),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.raw_os_error() == Some(Errno::ENOBUFS as i32) => heard = Heard::Gaps,
                Err(error) => return Err(error),
            }
        }
    }
}

impl AsFd for Events {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
