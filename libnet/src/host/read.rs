//! What a host has already, for those who choose addresses and sizes.

use std::collections::HashSet;

use ipnetwork::IpNetwork;

use super::{Host, HostError};
use crate::{
    bridge::names::CONDEMNED,
    ipam::masked,
    observe::{self, Snapshot},
    types::Mtu,
};

impl Host {
    /// Every subnet that addresses of this host and routes of any of its tables cover, default routes left out: a new
    /// network must overlap none of them, or the host loses its way there.
    ///
    /// # Errors
    /// If the kernel can't be read.
    pub fn routes_and_links(&self) -> Result<Vec<IpNetwork>, HostError> {
        let mut socket = self.inner.sockets.admit().map_err(HostError::Open)?;
        let links = observe::links(&mut socket)?;
        let addresses = observe::addresses(&mut socket)?;
        let routes = observe::routes_of_all_tables(&mut socket)?;
        let condemned: HashSet<u32> =
            links.iter().filter(|link| link.group == CONDEMNED).map(|link| link.index).collect();
        let alive = |link: u32| !condemned.contains(&link);
        let addresses = addresses.iter().filter(|address| alive(address.link)).map(|address| address.address);
        let routes = routes.iter().filter(|route| route.link.is_none_or(alive)).map(|route| route.to);
        let mut subnets: Vec<IpNetwork> = addresses
            .chain(routes)
            .filter(|subnet| !is_default(subnet))
            .map(|subnet| masked(&subnet))
            .collect();
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

/// A VPN that takes everything over often has two routes, to either half of all addresses, so that the host's own default
/// route stays as it is. No network could keep clear of them.
fn is_default(subnet: &IpNetwork) -> bool {
    subnet.prefix() <= 1
}
