//! How an upstream is reached. The namespace of a socket is the one that it was made in, so who knows namespaces
//! makes the sockets, and this crate uses them.

use std::io;
use std::net::{SocketAddr, TcpStream, UdpSocket};

use crate::sys;
use crate::upstream::DialFrom;

/// Makes sockets towards upstreams.
///
/// Both calls run on a thread for blocking work when `from` is [`DialFrom::Container`] (entering a namespace takes a
/// thread of its own) and on the runtime's thread when it is [`DialFrom::Host`], where they must not wait.
/// [`LocalDial`] has the body that both sides need.
pub trait Dial: Send + Sync {
    /// A non-blocking UDP socket connected to `to`.
    ///
    /// # Errors
    /// What the system says: no route, no socket left.
    fn udp(&self, from: DialFrom, to: SocketAddr) -> io::Result<UdpSocket>;

    /// A non-blocking TCP socket whose connection to `to` is made or under way.
    ///
    /// # Errors
    /// What the system says: no route, no socket left.
    fn tcp(&self, from: DialFrom, to: SocketAddr) -> io::Result<TcpStream>;
}

/// Dials from the namespace of the calling thread, whatever is asked for. It is all that the host's side needs, and
/// a thread inside a container's namespace can call it for the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalDial;

impl Dial for LocalDial {
    fn udp(&self, _from: DialFrom, to: SocketAddr) -> io::Result<UdpSocket> {
        let any: SocketAddr = if to.is_ipv4() { ([0; 4], 0).into() } else { ([0u16; 8], 0).into() };
        let socket = UdpSocket::bind(any)?;
        socket.set_nonblocking(true)?;
        socket.connect(to)?;
        Ok(socket)
    }

    fn tcp(&self, _from: DialFrom, to: SocketAddr) -> io::Result<TcpStream> {
        sys::tcp_connect(to)
    }
}
