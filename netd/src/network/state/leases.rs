//! Leases: the addresses of a container in a network, its own until it is removed or leaves the network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libnet::{
    ipam::{IpamError, Pool},
    types::{ContainerId, Family, IfName, MacAddr, NetworkId},
};

use super::State;
use crate::network::{
    EndpointAsk, NetworkError,
    record::{Lease, NetworkRecord, SubnetRecord},
};

/// A container's lease in a network, as an endpoint has it, and the one before.
#[derive(Clone, Debug)]
pub(in crate::network) struct LeaseChange {
    pub(in crate::network) now: Lease,
    /// On disk.
    pub(in crate::network) before: Option<Lease>,
}

impl LeaseChange {
    /// Whether there is anything to write down, or to take back.
    pub(in crate::network) fn is_change(&self) -> bool {
        self.before.as_ref() != Some(&self.now)
    }
}

impl State {
    /// The container's lease in a network: what it has there already stays, as far as it asks for nothing else.
    pub(super) fn lease(
        &mut self,
        container: ContainerId,
        ask: &EndpointAsk,
        ifname: &IfName,
        mac: MacAddr,
    ) -> Result<LeaseChange, NetworkError> {
        let before = self.lease_of(container, ask.network).cloned();
        let addresses =
            |lease: &Lease| (ask.v4.or(lease.v4), ask.v6.or(lease.v6), ask.mac.unwrap_or(lease.mac));
        let (v4, v6, mac) = before.as_ref().map_or((ask.v4, ask.v6, ask.mac.unwrap_or(mac)), addresses);
        self.release_lease(container, ask.network);
        let taken = self.take_addresses(ask.network, v4, v6);
        let (v4, v6) = taken.inspect_err(|_| _ = before.clone().map(|before| self.restore_lease(before)))?;
        let ifname = Some(ifname.clone());
        let now = Lease { container, network: ask.network, v4, v6, mac, ifname, durability: ask.durability };
        self.containers.entry(container).or_default().leases.insert(ask.network, now.clone());
        Ok(LeaseChange { now, before })
    }

    /// These addresses, or any where none is named; both or none.
    fn take_addresses(
        &mut self,
        network: NetworkId,
        v4: Option<Ipv4Addr>,
        v6: Option<Ipv6Addr>,
    ) -> Result<(Option<Ipv4Addr>, Option<Ipv6Addr>), NetworkError> {
        let network = self.network(network)?.clone();
        let v4 = self.address(&network, Family::V4, v4.map(IpAddr::V4))?;
        let v6 = self.address(&network, Family::V6, v6.map(IpAddr::V6));
        let v6 = v6.inspect_err(|_| self.free(&network, v4))?;
        Ok((
            v4.and_then(|ip| if let IpAddr::V4(ip) = ip { Some(ip) } else { None }),
            v6.and_then(|ip| if let IpAddr::V6(ip) = ip { Some(ip) } else { None }),
        ))
    }

    /// Takes in a lease as it was written down. False if its network is gone or an address is another's: it is void.
    pub(in crate::network) fn restore_lease(&mut self, lease: Lease) -> bool {
        let Some(network) = self.networks.get(&lease.network).map(|network| network.record.clone()) else {
            return false;
        };
        let v4 = lease.v4.map(IpAddr::V4);
        if !self.restore_address(&network, v4) {
            return false;
        }
        if !self.restore_address(&network, lease.v6.map(IpAddr::V6)) {
            self.free(&network, v4);
            return false;
        }
        self.containers.entry(lease.container).or_default().leases.insert(lease.network, lease);
        true
    }

    /// False if the address can't be had.
    fn restore_address(&mut self, network: &NetworkRecord, ip: Option<IpAddr>) -> bool {
        let Some(ip) = ip else { return true };
        let pool = network.subnet_of(ip).and_then(|subnet| self.pool(subnet));
        pool.is_some_and(|pool| self.ipam.restore_address(pool, ip).is_ok())
    }

    /// The lease of a container in a network.
    pub(in crate::network) fn lease_of(&self, container: ContainerId, network: NetworkId) -> Option<&Lease> {
        self.containers.get(&container)?.leases.get(&network)
    }

    /// All leases of a container.
    pub(in crate::network) fn leases_of(&self, container: ContainerId) -> Vec<Lease> {
        self.containers
            .get(&container)
            .map(|member| member.leases.values().cloned().collect())
            .unwrap_or_default()
    }

    /// All leases in a network.
    pub(in crate::network) fn leases_in(&self, network: NetworkId) -> Vec<Lease> {
        self.containers.values().filter_map(|member| member.leases.get(&network)).cloned().collect()
    }

    /// Gives a container's addresses in a network back.
    pub(in crate::network) fn release_lease(&mut self, container: ContainerId, network: NetworkId) {
        let lease = self.containers.get_mut(&container).and_then(|member| member.leases.remove(&network));
        self.sweep(container);
        let Some(lease) = lease else { return };
        let Some(record) = self.networks.get(&network).map(|network| network.record.clone()) else { return };
        self.free(&record, lease.v4.map(IpAddr::V4));
        self.free(&record, lease.v6.map(IpAddr::V6));
    }

    /// This address, or any of the first subnet that has one left; none in a family that the network doesn't have.
    fn address(
        &mut self,
        network: &NetworkRecord,
        family: Family,
        wanted: Option<IpAddr>,
    ) -> Result<Option<IpAddr>, NetworkError> {
        let fits = |subnet: &&SubnetRecord| wanted.is_none_or(|ip| subnet.net.contains(ip));
        if network.subnets_of(family).next().is_none() {
            return Ok(None);
        }
        let fitting = network.subnets_of(family).filter(fits).filter_map(|subnet| self.pool(subnet));
        let fitting: Vec<_> = fitting.collect();
        let mut got = Err(if wanted.is_some() { IpamError::OutOfRange } else { IpamError::NoAddresses });
        for pool in fitting {
            got = self.ipam.request_address(pool, wanted);
            if got != Err(IpamError::NoAddresses) {
                break;
            }
        }
        got.map(Some).map_err(|error| match error {
            IpamError::NoAddresses => NetworkError::NoAddresses {
                family: if family == Family::V4 { "IPv4" } else { "IPv6" },
                name: network.name.clone(),
                id: network.id,
            },
            error => error.into(),
        })
    }

    fn free(&mut self, network: &NetworkRecord, ip: Option<IpAddr>) {
        let pool = ip.and_then(|ip| self.pool(network.subnet_of(ip)?));
        if let (Some(pool), Some(ip)) = (pool, ip) {
            // The pool was found a line above.
            let _ = self.ipam.release_address(pool, ip);
        }
    }

    fn pool(&self, subnet: &SubnetRecord) -> Option<Pool> {
        self.ipam.pool(subnet.net)
    }
}
