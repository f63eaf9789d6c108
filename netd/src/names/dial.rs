//! How the server of a sandbox reaches upstreams: the host's from the daemon's namespace, the container's own (`--dns`)
//! from inside the sandbox. A socket keeps the namespace that it was made in, so a thread that is thrown away enters the
//! sandbox, makes the socket, and ends.

use std::{
    io,
    net::{SocketAddr, TcpStream, UdpSocket},
    path::PathBuf,
};

use dns::{Dial, DialFrom, LocalDial};
use libnet::netns::NetNs;

/// Dials for one sandbox.
#[derive(Debug)]
pub(super) struct SandboxDial {
    /// Where its namespace is mounted.
    pub(super) path: PathBuf,
}

impl SandboxDial {
    fn dial<T: Send>(&self, from: DialFrom, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        match from {
            DialFrom::Host => work(),
            DialFrom::Container => NetNs::open(&self.path)?.run(work)?,
        }
    }
}

impl Dial for SandboxDial {
    fn udp(&self, from: DialFrom, to: SocketAddr) -> io::Result<UdpSocket> {
        self.dial(from, || LocalDial.udp(from, to))
    }

    fn tcp(&self, from: DialFrom, to: SocketAddr) -> io::Result<TcpStream> {
        self.dial(from, || LocalDial.tcp(from, to))
    }
}
