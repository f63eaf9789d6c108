//! A cable between two namespaces: a veth pair with an address on each end.

use std::io;

use ipnetwork::IpNetwork;

use super::NetNs;
use crate::{
    link::{self, Which, address, veth},
    observe::NetlinkError,
    sys::rtnl::RtSocket,
    types::IfName,
};

/// One end of a cable.
#[derive(Clone, Debug)]
pub struct CableEnd<'a> {
    /// The namespace that it is in.
    pub netns: &'a NetNs,
    /// The name of the interface there.
    pub name: IfName,
    /// Its address; both ends should be in one subnet.
    pub address: IpNetwork,
}

/// Two namespaces can't be joined; nothing is left of the attempt.
#[derive(Debug, thiserror::Error)]
pub enum CableError {
    /// A namespace can't be entered.
    #[error("enter the namespace of {0}")]
    Enter(IfName, #[source] io::Error),
    /// The kernel makes no such pair.
    #[error("create veth pair {0} - {1}")]
    Create(IfName, IfName, #[source] NetlinkError),
    /// An end can't be configured.
    #[error("configure {0}")]
    Configure(IfName, #[source] NetlinkError),
}

/// Joins two namespaces.
///
/// # Errors
/// If a namespace can't be entered, or the kernel refuses the pair or an address.
pub fn join(near: &CableEnd<'_>, far: &CableEnd<'_>) -> Result<(), CableError> {
    let (mut here, mut there) = (near.socket()?, far.socket()?);
    here.send(vec![veth::cable(&near.name, &far.name, far.netns.raw())])
        .map_err(|source| CableError::Create(near.name.clone(), far.name.clone(), source))?;
    near.configure(&mut here).and_then(|()| far.configure(&mut there)).inspect_err(|_| {
        // One end takes the other with it. The first error is the one to tell.
        let _ = here.send(vec![link::delete(&near.name)]);
    })
}

impl CableEnd<'_> {
    fn socket(&self) -> Result<RtSocket, CableError> {
        self.netns
            .run(RtSocket::open)
            .flatten()
            .map_err(|source| CableError::Enter(self.name.clone(), source))
    }

    fn configure(&self, socket: &mut RtSocket) -> Result<(), CableError> {
        let index = socket.get(link::show(Which::Name(&self.name))).map(|answer| link::index(&answer));
        let requests = |index| vec![address::add(index, self.address), link::up(Which::Index(index))];
        index
            .and_then(|index| socket.send(requests(index)))
            .map_err(|source| CableError::Configure(self.name.clone(), source))
    }
}
