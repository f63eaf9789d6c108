//! Network namespaces.

use std::{
    io,
    net::{TcpListener, UdpSocket},
};

/// The sockets of a container's DNS server, bound in its namespace.
#[derive(Debug)]
pub struct DnsSockets {
    /// Bound, not connected.
    pub udp: UdpSocket,
    /// Listening.
    pub tcp: TcpListener,
}

impl DnsSockets {
    /// The same sockets once more.
    ///
    /// # Errors
    /// If the process has no descriptor left.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { udp: self.udp.try_clone()?, tcp: self.tcp.try_clone()? })
    }
}
