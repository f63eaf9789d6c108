//! Addresses: which subnet a network gets, which address an endpoint. Pure values without clock and I/O; what the host's
//! routes cover comes in as an argument, and whoever holds an [`Ipam`] keeps it. The texts of the errors are Docker's.

mod pool;
mod pools;
mod ranges;
mod rest;
mod subnet;

use std::{collections::BTreeMap, net::IpAddr};

use ipnetwork::IpNetwork;
use serde::{Deserialize, Serialize};

use crate::types::Family;
use pool::Addresses;
pub(crate) use ranges::RangeSet;

pub use pools::{PoolBase, Pools, unique_local};
pub use subnet::{encloses, masked, overlaps};

/// Why there is no pool or no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IpamError {
    /// The subnet has addresses in common with a pool that exists.
    #[error("invalid pool request: Pool overlaps with other one on this address space")]
    Overlap {
        /// What was asked for.
        subnet: IpNetwork,
        /// The pool that is in the way.
        other: IpNetwork,
    },
    /// No default pool has a subnet left that nothing else uses.
    #[error("all predefined address pools have been fully subnetted{}", in_the_way(.routes))]
    PoolsUsedUp {
        /// What lies in the default pools and is no pool of ours: routes and addresses of the host.
        routes: Vec<IpNetwork>,
    },
    /// Every address of the pool is taken.
    #[error("no available addresses on this pool")]
    NoAddresses,
    /// The address that was asked for is taken, or is the network or broadcast address.
    #[error("Address already in use")]
    AddressInUse,
    /// The address that was asked for is not one of the pool's subnet.
    #[error("requested address is out of range")]
    OutOfRange,
    /// The subnet is not of the family that was asked for, or has bits set behind its prefix.
    #[error("invalid address pool")]
    InvalidPool,
    /// The range is not a part of the subnet.
    #[error("invalid address subpool")]
    InvalidRange,
    /// The pool was never requested, or is released.
    #[error("address space does not contain specified address pool")]
    UnknownPool,
    /// A default pool that can't be cut into subnets of its size.
    #[error("invalid default address pool {base}: subnets of size {size} don't fit into it")]
    InvalidBase {
        /// The subnet to cut.
        base: IpNetwork,
        /// The prefix length of the pieces.
        size: u8,
    },
}

/// The subnet that a network wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// The next free one of the default pools.
    #[default]
    Any,
    /// The next free one of the default pools, cut to this prefix length.
    OfSize(u8),
    /// This one.
    Exactly(IpNetwork),
}

impl Wanted {
    /// The subnet that is named, if one is.
    pub const fn named(self) -> Option<IpNetwork> {
        if let Self::Exactly(subnet) = self { Some(subnet) } else { None }
    }
}

/// What a network wants: a subnet, and the part of it that addresses are handed out from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolAsk {
    /// Which subnet.
    pub subnet: Wanted,
    /// Where addresses that nobody asks for by name come from; else the whole subnet.
    pub range: Option<IpNetwork>,
    /// The family of a subnet that is not given.
    pub family: Family,
}

/// A pool that was handed out; pools don't overlap, so its subnet names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pool(IpNetwork);

impl Pool {
    /// All addresses of the pool.
    pub const fn subnet(&self) -> IpNetwork {
        self.0
    }
}

/// How full a pool is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolUsage {
    /// Addresses that are taken, and those that no host may have.
    pub in_use: u128,
    /// Addresses that are left in the range for those who ask for any.
    pub available: u128,
}

/// The address space of one host: the pools of all its networks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ipam {
    pools: Pools,
    used: BTreeMap<IpNetwork, Addresses>,
}

impl Ipam {
    /// Nothing handed out; automatic subnets will come from `pools`.
    pub const fn new(pools: Pools) -> Self {
        Self { pools, used: BTreeMap::new() }
    }

    /// Hands out a pool. An automatic subnet also stays clear of everything in `taken` (the host's routes and addresses);
    /// whoever names a subnet is believed to know better.
    pub fn request_pool(&mut self, ask: &PoolAsk, taken: &[IpNetwork]) -> Result<Pool, IpamError> {
        let subnet = match ask.subnet {
            Wanted::Exactly(subnet) => self.check_subnet(subnet, ask.family)?,
            Wanted::OfSize(size) => self.free_subnet(ask.family, Some(size), taken)?,
            Wanted::Any => self.free_subnet(ask.family, None, taken)?,
        };
        let in_subnet = |range: &IpNetwork| encloses(&subnet, range) && masked(range) == *range;
        if ask.range.is_some_and(|range| !in_subnet(&range)) {
            return Err(IpamError::InvalidRange);
        }
        self.used.insert(subnet, Addresses::new(subnet, ask.range));
        Ok(Pool(subnet))
    }

    /// Takes a pool back, whatever is still handed out of it.
    pub fn release_pool(&mut self, pool: Pool) -> Result<(), IpamError> {
        self.used.remove(&pool.0).map(|_| ()).ok_or(IpamError::UnknownPool)
    }

    /// Hands out the given address, or the first free one after the last that was handed out.
    pub fn request_address(&mut self, pool: Pool, ip: Option<IpAddr>) -> Result<IpAddr, IpamError> {
        self.addresses(pool)?.request(ip)
    }

    /// Takes in an address that was handed out by an earlier process. The next one is looked for behind the highest of
    /// these, so that a restart doesn't hand out what was given back a moment ago.
    pub fn restore_address(&mut self, pool: Pool, ip: IpAddr) -> Result<IpAddr, IpamError> {
        self.addresses(pool)?.restore(ip)
    }

    /// Hands out the given gateway address, or the first of the subnet that is free; an address range doesn't bind it.
    pub fn request_gateway(&mut self, pool: Pool, ip: Option<IpAddr>) -> Result<IpAddr, IpamError> {
        let addresses = self.addresses(pool)?;
        match ip {
            Some(ip) => addresses.request(Some(ip)),
            None => addresses.request_first(),
        }
    }

    /// Takes an address back. One that isn't taken is let pass: the caller may be repeating what a crash cut short.
    pub fn release_address(&mut self, pool: Pool, ip: IpAddr) -> Result<(), IpamError> {
        self.addresses(pool)?.release(ip);
        Ok(())
    }

    /// How full the pool is.
    pub fn usage(&self, pool: Pool) -> Result<PoolUsage, IpamError> {
        self.used.get(&pool.0).map(Addresses::usage).ok_or(IpamError::UnknownPool)
    }

    /// The part of the pool that addresses are handed out from, if it is not the whole.
    pub fn range(&self, pool: Pool) -> Option<IpNetwork> {
        self.used.get(&pool.0).and_then(Addresses::range)
    }

    /// The pool of exactly this subnet, if it is handed out.
    pub fn pool(&self, subnet: IpNetwork) -> Option<Pool> {
        self.used.contains_key(&subnet).then_some(Pool(subnet))
    }

    /// The pools that are handed out, in the order of their addresses.
    pub fn pools(&self) -> impl Iterator<Item = Pool> {
        self.used.keys().copied().map(Pool)
    }

    fn free_subnet(
        &self,
        family: Family,
        size: Option<u8>,
        taken: &[IpNetwork],
    ) -> Result<IpNetwork, IpamError> {
        let free = self.pools.first_free(family, size, self.used.keys().chain(taken));
        free.ok_or_else(|| {
            // The links of our own pools are among the host's routes.
            let foreign = |net: &&IpNetwork| !self.used.keys().any(|used| encloses(used, net));
            let in_pools = |net: &&IpNetwork| self.pools.touch(net);
            IpamError::PoolsUsedUp {
                routes: taken.iter().filter(in_pools).filter(foreign).copied().collect(),
            }
        })
    }

    fn check_subnet(&self, subnet: IpNetwork, family: Family) -> Result<IpNetwork, IpamError> {
        if subnet::family(&subnet) != family || masked(&subnet) != subnet {
            return Err(IpamError::InvalidPool);
        }
        match self.used.keys().find(|used| overlaps(used, &subnet)) {
            Some(other) => Err(IpamError::Overlap { subnet, other: *other }),
            None => Ok(subnet),
        }
    }

    fn addresses(&mut self, pool: Pool) -> Result<&mut Addresses, IpamError> {
        self.used.get_mut(&pool.0).ok_or(IpamError::UnknownPool)
    }
}

/// Docker's text goes on where the pools are not used up by networks alone: the user learns what to look at.
fn in_the_way(routes: &[IpNetwork]) -> String {
    const NAMED: usize = 4;
    if routes.is_empty() {
        return String::new();
    }
    let named: Vec<_> = routes.iter().take(NAMED).map(ToString::to_string).collect();
    let more = if routes.len() > NAMED { ", …" } else { "" };
    format!(" (routes or addresses of the host cover {}{more})", named.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ipam() -> Ipam {
        Ipam::new(Pools::docker(unique_local([0; 5])))
    }

    fn ask(subnet: &str, range: &str) -> PoolAsk {
        let subnet = subnet.parse().map_or(Wanted::Any, Wanted::Exactly);
        PoolAsk { subnet, range: range.parse().ok(), family: Family::V4 }
    }

    #[test]
    fn refuses_bad_pools() {
        let mut ipam = ipam();
        ipam.request_pool(&ask("10.0.0.0/16", ""), &[]).unwrap();
        let mut text = |subnet, range| ipam.request_pool(&ask(subnet, range), &[]).unwrap_err().to_string();
        let overlap = "invalid pool request: Pool overlaps with other one on this address space";
        assert_eq!(text("10.0.3.0/24", ""), overlap);
        assert_eq!(text("10.0.0.0/8", ""), overlap);
        assert_eq!(text("10.1.0.1/24", ""), "invalid address pool");
        assert_eq!(text("fd00::/64", ""), "invalid address pool");
        assert_eq!(text("10.1.0.0/24", "10.1.0.0/16"), "invalid address subpool");
        assert_eq!(text("10.1.0.0/24", "10.2.0.0/28"), "invalid address subpool");
    }

    #[test]
    fn automatic_subnets_avoid_pools_and_routes() {
        let mut ipam = ipam();
        let routes = ["172.18.5.0/24".parse().unwrap()];
        let mut next = || ipam.request_pool(&ask("", ""), &routes).unwrap().subnet().to_string();
        assert_eq!([next(), next()], ["172.17.0.0/16", "172.19.0.0/16"]);
    }

    #[test]
    fn a_size_alone_is_any_subnet_of_that_size() {
        let mut ipam = ipam();
        let mut next = |size, family| {
            let ask = PoolAsk { subnet: Wanted::OfSize(size), range: None, family };
            ipam.request_pool(&ask, &[]).map(|pool| pool.subnet().to_string())
        };
        assert_eq!(next(24, Family::V4).unwrap(), "172.17.0.0/24");
        assert_eq!(next(24, Family::V4).unwrap(), "172.17.1.0/24");
        assert_eq!(next(16, Family::V4).unwrap(), "172.18.0.0/16");
        assert_eq!(next(32, Family::V4).unwrap(), "172.17.2.0/32");
        assert_eq!(next(9, Family::V4).unwrap(), "10.128.0.0/9", "the only base that is large enough");
        assert_eq!(next(56, Family::V6).unwrap(), "fd00::/56");
        assert_eq!(next(64, Family::V6).unwrap(), "fd00:0:0:100::/64");
        assert!(next(8, Family::V4).is_err());
        assert!(next(33, Family::V4).is_err());
    }

    #[test]
    fn pools_that_routes_use_up_are_told_from_those_that_networks_do() {
        let base = PoolBase::new("10.0.0.0/23".parse().unwrap(), 24).unwrap();
        let mut ipam = Ipam::new(Pools::configured(vec![base], &Pools::docker(unique_local([0; 5]))));
        let ours = ipam.request_pool(&ask("", ""), &[]).unwrap().subnet();
        let text = |ipam: &mut Ipam, taken: &[&str]| {
            let taken: Vec<_> = taken.iter().map(|net| net.parse().unwrap()).chain([ours]).collect();
            ipam.request_pool(&ask("", ""), &taken).unwrap_err().to_string()
        };
        let dockers = "all predefined address pools have been fully subnetted";
        assert_eq!(
            text(&mut ipam, &["10.0.0.0/9", "192.168.0.0/16", "10.0.0.1/32"]),
            format!("{dockers} (routes or addresses of the host cover 10.0.0.0/9)")
        );
        ipam.request_pool(&ask("", ""), &[]).unwrap();
        assert_eq!(text(&mut ipam, &["192.168.0.0/16"]), dockers);
    }

    #[test]
    fn gateways_and_what_is_left_for_others() {
        let mut ipam = ipam();
        for (subnet, gateway, next) in [
            ("10.1.0.0/24", "10.1.0.1", Ok("10.1.0.2")),
            ("10.2.0.0/31", "10.2.0.0", Ok("10.2.0.1")),
            ("10.3.0.0/32", "10.3.0.0", Err(IpamError::NoAddresses)),
        ] {
            let pool = ipam.request_pool(&ask(subnet, ""), &[]).unwrap();
            assert_eq!(ipam.request_gateway(pool, None).unwrap().to_string(), gateway);
            assert_eq!(ipam.request_address(pool, None), next.map(|ip| ip.parse().unwrap()), "{subnet}");
            assert_eq!(ipam.request_gateway(pool, gateway.parse().ok()), Err(IpamError::AddressInUse));
        }
    }

    #[test]
    fn an_automatic_gateway_makes_way_and_ignores_the_range() {
        let mut ipam = ipam();
        let pool = ipam.request_pool(&ask("10.1.0.0/24", "10.1.0.128/25"), &[]).unwrap();
        ipam.request_address(pool, "10.1.0.1".parse().ok()).unwrap();
        assert_eq!(ipam.request_gateway(pool, None).unwrap().to_string(), "10.1.0.2");
        assert_eq!(ipam.request_address(pool, None).unwrap().to_string(), "10.1.0.128");
    }

    #[test]
    fn a_restart_goes_on_behind_the_highest() {
        let mut ipam = ipam();
        let pool = ipam.request_pool(&ask("10.1.0.0/29", ""), &[]).unwrap();
        ipam.restore_address(pool, "10.1.0.4".parse().unwrap()).unwrap();
        ipam.restore_address(pool, "10.1.0.2".parse().unwrap()).unwrap();
        let next = std::iter::from_fn(|| ipam.request_address(pool, None).ok()).map(|ip| ip.to_string());
        assert_eq!(next.collect::<Vec<_>>(), ["10.1.0.5", "10.1.0.6", "10.1.0.1", "10.1.0.3"]);
    }

    #[test]
    fn a_released_pool_is_free_again_and_unknown() {
        let mut ipam = ipam();
        let pool = ipam.request_pool(&ask("10.1.0.0/24", "10.1.0.128/25"), &[]).unwrap();
        assert_eq!(ipam.range(pool).unwrap().to_string(), "10.1.0.128/25");
        assert_eq!(ipam.usage(pool).unwrap(), PoolUsage { in_use: 2, available: 127 });
        let copy: Ipam = serde_json::from_str(&serde_json::to_string(&ipam).unwrap()).unwrap();
        assert_eq!(copy, ipam);
        ipam.release_pool(pool).unwrap();
        assert_eq!(ipam.request_address(pool, None), Err(IpamError::UnknownPool));
        assert_eq!(ipam.release_pool(pool), Err(IpamError::UnknownPool));
        assert_eq!(ipam.request_pool(&ask("10.1.0.0/24", ""), &[]).unwrap(), pool);
    }
}
