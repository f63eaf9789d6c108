//! Ports of a host that lead into containers: what a user writes ([`parse_publish`]), what is asked for, what is held
//! for it ([`PortTable`]). The firewall leads the packets; what it can't lead is a [`Relay`]'s.

mod ephemeral;
mod error;
mod freed;
mod held;
mod order;
mod publish;
mod relay;
mod table;
#[cfg(test)]
mod tests;

pub use error::PortError;
pub use publish::{ParsedPort, PublishError, parse_publish};
pub(crate) use relay::Barred;
pub use relay::{Datagrams, Listener, Relay, RelayedPort, RelayedSocket, Sender, Serving};
pub(crate) use table::Relaying;
pub use table::{PortTable, Reservation};

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::{
    netns::Process,
    observe,
    types::{Port, PortRange, Proto},
};

/// The process that keeps others from binding this address of the calling thread's namespace; `None`: nobody does, or
/// whoever does is not ours to see.
pub fn holder(address: SocketAddr, proto: Proto) -> Option<Process> {
    observe::holder(address, proto)
}

/// A port to publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PortRequest {
    /// The address of the host; `None`: all of them.
    pub host_ip: Option<IpAddr>,
    /// The port of the host.
    pub host: HostPort,
    /// The port of the container.
    pub container: Port,
    /// The protocol.
    pub proto: Proto,
}

/// Which port of the host is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum HostPort {
    /// Any free one.
    Ephemeral,
    /// This one.
    Exactly(Port),
    /// The first free one of these.
    OneOf(PortRange),
    /// None: the container is reached by its own address, in a network that is routed.
    Direct,
}

/// A port that is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PublishedPort {
    /// The address of the host.
    pub host_ip: IpAddr,
    /// The port of the host; none in a network that is routed, where the container is reached by its own address.
    pub host_port: Option<Port>,
    /// The port of the container.
    pub container: Port,
    /// The protocol.
    pub proto: Proto,
}

impl PublishedPort {
    /// What asks for just this port again.
    pub fn exactly(&self) -> PortRequest {
        PortRequest {
            host_ip: Some(self.host_ip),
            host: self.host_port.map_or(HostPort::Direct, HostPort::Exactly),
            container: self.container,
            proto: self.proto,
        }
    }
}
