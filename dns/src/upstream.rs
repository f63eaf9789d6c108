//! Where questions go that are not ours.

use std::net::SocketAddr;

/// The servers of one sandbox, in the order in which they are asked. The list can change while a server runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upstreams {
    /// In order of preference.
    pub servers: Vec<Upstream>,
}

/// One server, and from where it can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Upstream {
    /// Its address and port.
    pub addr: SocketAddr,
    /// The namespace that it is dialled from.
    pub from: DialFrom,
}

/// The namespace that an upstream is dialled from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DialFrom {
    /// The host's: servers of the host's resolv.conf, which may be on its loopback (127.0.0.53).
    Host,
    /// The container's own: servers given with `--dns`.
    Container,
}
