//! What a host has already, for those who choose addresses and sizes.

use ipnetwork::IpNetwork;

use super::{Host, HostError};
use crate::{bridge::names::CONDEMNED, observe::Snapshot, types::Mtu};

impl Host {
    /// Every subnet that addresses and routes of this host cover, default routes left out: a new network must overlap
    /// none of them, or the host loses its way there.
    ///
    /// # Errors
    /// If the kernel can't be read.
    pub fn routes_and_links(&self) -> Result<Vec<IpNetwork>, HostError> {
        let snapshot = self.snapshot()?;
        let alive = |link: u32| snapshot.link(link).is_some_and(|link| link.group != CONDEMNED);
        let addresses =
            snapshot.addresses.iter().filter(|address| alive(address.link)).map(|address| address.address);
        let routes =
            snapshot.routes.iter().filter(|route| route.link.is_none_or(alive)).map(|route| route.to);
        let mut subnets: Vec<IpNetwork> =
            addresses.chain(routes).filter(|subnet| subnet.prefix() > 0).filter_map(network_of).collect();
        subnets.sort();
        subnets.dedup();
        Ok(subnets)
    }

    /// The MTU of the link that packets leave by which are for nobody near: that of a default route, IPv4's first.
    ///
    /// # Errors
    /// If the kernel can't be read.
    pub fn egress_mtu(&self) -> Result<Option<Mtu>, HostError> {
        let snapshot = self.snapshot()?;
        let default = snapshot.routes.iter().find(|route| route.to.prefix() == 0);
        let link = default.and_then(|route| route.link).and_then(|link| snapshot.link(link));
        Ok(link.and_then(|link| link.mtu))
    }

    fn snapshot(&self) -> Result<Snapshot, HostError> {
        let mut socket = self.inner.sockets.admit().map_err(HostError::Open)?;
        Ok(Snapshot::read(&mut socket)?)
    }
}

fn network_of(address: IpNetwork) -> Option<IpNetwork> {
    IpNetwork::new(address.network(), address.prefix()).ok()
}
