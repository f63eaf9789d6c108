//! Datagrams of one client, carried to the container by a socket of their own, and back by that of the port.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, atomic::Ordering},
};

use libnet::ports::Sender;
use rustix::net::{SendFlags, send};
use tokio::{net::UdpSocket, time::timeout};

use super::{
    Inner, nobody,
    seat::Seat,
    table::{Came, Token, WhenFull},
};

/// No datagram is larger.
pub(super) const LARGEST: usize = 65_535;

impl Inner {
    /// Carries one datagram to the container; `false`: there is none. One that finds no room is lost.
    pub(super) fn datagram(
        self: &Arc<Self>,
        token: Token,
        to: SocketAddr,
        buffer: &mut [u8],
    ) -> io::Result<bool> {
        let Came { length, from, flow } = match self.table.receive(token, buffer) {
            Ok(Some(came)) => came,
            Ok(None) => return Ok(true),
            Err(error) => return nobody(error),
        };
        let flow = match flow {
            Some(flow) => flow,
            None => match Seat::take(self, token, WhenFull::GoOn) {
                Some(seat) => self.begin(seat, from, to)?,
                None => return Ok(true),
            },
        };
        // Not by the runtime, which does not know yet that a new socket takes anything. What the container's side does
        // not take is lost, as anywhere on the way.
        let _ = send(&*flow, &buffer[..length], SendFlags::DONTWAIT);
        Ok(true)
    }

    fn begin(self: &Arc<Self>, seat: Seat, client: Sender, to: SocketAddr) -> io::Result<Arc<UdpSocket>> {
        let any: SocketAddr =
            if to.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
        let socket = std::net::UdpSocket::bind(any)?;
        socket.connect(to)?;
        socket.set_nonblocking(true)?;
        let socket = Arc::new(UdpSocket::from_std(socket)?);
        self.table.begin(seat.token(), client, Arc::clone(&socket));
        self.datagrams.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(answers(seat, client, Arc::clone(&socket)));
        Ok(socket)
    }
}

/// Carries what the container says, until the flow is silent or must end.
async fn answers(seat: Seat, client: Sender, socket: Arc<UdpSocket>) {
    let (inner, token) = (seat.inner(), seat.token());
    let mut left = inner.limits.idle;
    loop {
        let readable = tokio::select! {
            () = seat.end().cancelled() => return,
            readable = timeout(left, socket.readable()) => readable,
        };
        if readable.is_ok() {
            answer(inner, token, &client, &socket);
        }
        match inner.table.end_if_silent(token, &client, inner.limits.idle) {
            Ok(()) => return,
            Err(rest) => left = rest,
        }
    }
}

/// Carries what there is. That the container has nobody at the port is an error of the socket, once for each datagram,
/// which nobody can be told.
fn answer(inner: &Inner, token: Token, client: &Sender, socket: &UdpSocket) {
    let mut buffer = [0; LARGEST];
    loop {
        match socket.try_recv(&mut buffer) {
            Ok(length) => {
                if let Err(error) = inner.table.answer(token, client, &buffer[..length]) {
                    tracing::debug!(%error, "a relayed answer is lost");
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(_) => {}
        }
    }
}
