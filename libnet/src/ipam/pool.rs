//! One pool: a subnet, the part of it that addresses are handed out from, and which are taken.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use serde::{Deserialize, Serialize};

use super::{IpamError, PoolUsage, ranges::RangeSet, rest::Resting, subnet};

/// The addresses of one subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Addresses {
    subnet: IpNetwork,
    range: Option<IpNetwork>,
    /// What is taken, and what rests.
    closed: RangeSet,
    /// What was given back and waits until all others were used: a peer's ARP cache or a connection that still ends
    /// should meet nobody else there.
    resting: Resting,
    /// The number handed out last: the search goes on behind it.
    last: Option<u128>,
}

impl Addresses {
    pub(crate) fn new(subnet: IpNetwork, range: Option<IpNetwork>) -> Self {
        Self { subnet, range, closed: RangeSet::default(), resting: Resting::default(), last: None }
    }

    pub(crate) const fn range(&self) -> Option<IpNetwork> {
        self.range
    }

    /// The given address, or the first free one after the last that was handed out.
    pub(crate) fn request(&mut self, ip: Option<IpAddr>) -> Result<IpAddr, IpamError> {
        match ip {
            Some(ip) => self.request_exactly(ip),
            None => self.request_any(),
        }
    }

    /// Takes an address that was handed out earlier, before this value was made: the search goes on behind the highest.
    pub(crate) fn restore(&mut self, ip: IpAddr) -> Result<IpAddr, IpamError> {
        let ip = self.request_exactly(ip)?;
        let number = subnet::number(ip);
        let (low, high) = self.dynamic();
        if (low..=high).contains(&number) {
            self.last = self.last.max(Some(number));
        }
        Ok(ip)
    }

    /// The first address that is free, wherever others are handed out from: the gateway of a network that names none.
    pub(crate) fn request_first(&mut self) -> Result<IpAddr, IpamError> {
        let (first, last) = self.usable();
        let free = self.closed.first_free(first, last).or_else(|| self.resting.longest());
        let number = free.ok_or(IpamError::NoAddresses)?;
        self.take(number);
        Ok(subnet::address(subnet::family(&self.subnet), number))
    }

    /// Gives an address back; false if it wasn't taken.
    pub(crate) fn release(&mut self, ip: IpAddr) -> bool {
        let number = subnet::number(ip);
        if !self.subnet.contains(ip) || !self.is_taken(number) {
            return false;
        }
        let (low, high) = self.dynamic();
        // Nobody gets another one without asking for it by name, so there is nothing to wait for.
        let open = if (low..=high).contains(&number) { self.resting.push(number) } else { Some(number) };
        open.map(|open| self.closed.remove(open));
        true
    }

    pub(crate) fn usage(&self) -> PoolUsage {
        let (first, last) = subnet::span(&self.subnet);
        let (usable_first, usable_last) = self.usable();
        let reserved = (usable_first - first) + (last - usable_last);
        let (low, high) = self.dynamic();
        let resting = self.resting.count();
        PoolUsage {
            in_use: self.closed.count(first, last).saturating_sub(resting).saturating_add(reserved),
            available: (high - low)
                .saturating_add(1)
                .saturating_sub(self.closed.count(low, high))
                .saturating_add(resting),
        }
    }

    fn request_exactly(&mut self, ip: IpAddr) -> Result<IpAddr, IpamError> {
        if !self.subnet.contains(ip) {
            return Err(IpamError::OutOfRange);
        }
        let number = subnet::number(ip);
        let (first, last) = self.usable();
        if number < first || number > last || self.is_taken(number) {
            return Err(IpamError::AddressInUse);
        }
        self.take(number);
        Ok(ip)
    }

    fn request_any(&mut self) -> Result<IpAddr, IpamError> {
        let (low, high) = self.dynamic();
        let next = self.last.filter(|last| (low..high).contains(last)).map_or(low, |last| last + 1);
        let rested = self.closed.first_free(next, high).or_else(|| self.closed.first_free(low, high));
        let number = rested.or_else(|| self.resting.longest()).ok_or(IpamError::NoAddresses)?;
        self.take(number);
        self.last = Some(number);
        Ok(subnet::address(subnet::family(&self.subnet), number))
    }

    fn is_taken(&self, number: u128) -> bool {
        self.closed.contains(number) && !self.resting.contains(number)
    }

    fn take(&mut self, number: u128) {
        self.closed.insert(number, number);
        self.resting.remove(number);
    }

    /// Where addresses that nobody asked for by name come from: the usable ones of the range. A range that has none of
    /// them (it is the network address alone) counts as the whole subnet.
    fn dynamic(&self) -> (u128, u128) {
        let (low, high) = self.usable();
        let (first, last) = subnet::span(&self.range.unwrap_or(self.subnet));
        let narrowed = (first.max(low), last.min(high));
        if narrowed.0 <= narrowed.1 { narrowed } else { (low, high) }
    }

    /// The numbers that hosts may have. RFC 3021: in a v4 /31 both, as in a /32 the only one; else neither the network nor
    /// the broadcast address. RFC 4291 2.6.1: in v6 the first is the routers' anycast address, the last is a host's.
    fn usable(&self) -> (u128, u128) {
        let (first, last) = subnet::span(&self.subnet);
        match self.subnet {
            IpNetwork::V4(v4) if v4.prefix() < 31 => (first + 1, last - 1),
            IpNetwork::V6(v6) if v6.prefix() < 127 => (first + 1, last),
            _ => (first, last),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn pool(subnet: &str, range: &str) -> Addresses {
        Addresses::new(subnet.parse().unwrap(), range.parse().ok())
    }

    fn all(pool: &mut Addresses) -> Vec<String> {
        std::iter::from_fn(|| pool.request(None).ok()).take(300).map(|ip| ip.to_string()).collect()
    }

    #[test]
    fn hands_out_what_hosts_may_have() {
        let ends = |subnet: &str, range: &str| {
            let got = all(&mut pool(subnet, range));
            (got.len(), got.first().cloned().unwrap(), got.last().cloned().unwrap())
        };
        let table = [
            ("10.0.0.0/24", "", 254, "10.0.0.1", "10.0.0.254"),
            ("10.0.0.0/30", "", 2, "10.0.0.1", "10.0.0.2"),
            ("10.0.0.0/31", "", 2, "10.0.0.0", "10.0.0.1"),
            ("10.0.0.7/32", "", 1, "10.0.0.7", "10.0.0.7"),
            ("10.0.0.0/16", "10.0.5.0/30", 4, "10.0.5.0", "10.0.5.3"),
            ("10.0.0.0/24", "10.0.0.0/30", 3, "10.0.0.1", "10.0.0.3"),
            ("10.0.0.0/24", "10.0.0.252/30", 3, "10.0.0.252", "10.0.0.254"),
            ("10.0.0.0/24", "10.0.0.0/32", 254, "10.0.0.1", "10.0.0.254"),
            ("fd00::/126", "", 3, "fd00::1", "fd00::3"),
            ("fd00::/127", "", 2, "fd00::", "fd00::1"),
            ("fd00::1/128", "", 1, "fd00::1", "fd00::1"),
        ];
        for (subnet, range, count, first, last) in table {
            assert_eq!(ends(subnet, range), (count, first.to_owned(), last.to_owned()), "{subnet} {range}");
        }
    }

    #[test]
    fn a_large_pool_is_cheap() {
        for subnet in ["10.0.0.0/8", "fd00::/64", "::/0"] {
            let mut pool = pool(subnet, "");
            for _ in 0..10_000 {
                pool.request(None).unwrap();
            }
            assert!(serde_json::to_string(&pool).unwrap().len() < 200, "{subnet}");
        }
    }

    #[test]
    fn an_address_rests_before_it_is_used_again() {
        let mut pool = pool("10.0.0.0/29", "");
        let first = pool.request(None).unwrap();
        assert!(pool.release(first));
        assert!(!pool.release(first));
        for expected in ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.1"] {
            assert_eq!(pool.request(None).unwrap().to_string(), expected);
        }
        assert_eq!(pool.request(None), Err(IpamError::NoAddresses));
    }

    #[test]
    fn the_one_that_rested_longest_comes_first() {
        let mut pool = pool("10.0.0.0/24", "");
        let all: Vec<_> = std::iter::from_fn(|| pool.request(None).ok()).collect();
        let given_back = [200, 3, 77, 150, 4].map(|n| all[n]);
        given_back.iter().for_each(|ip| assert!(pool.release(*ip)));
        assert_eq!(pool.request(Some(given_back[2])), Ok(given_back[2]), "who asks by name need not wait");
        let again: Vec<_> = std::iter::from_fn(|| pool.request(None).ok()).collect();
        assert_eq!(again, [200, 3, 150, 4].map(|n| all[n]));
    }

    #[test]
    fn fresh_addresses_come_before_rested_ones() {
        let mut pool = pool("10.0.0.0/24", "");
        let held: Vec<_> = (0..100).map(|_| pool.request(None).unwrap()).collect();
        held.iter().for_each(|ip| assert!(pool.release(*ip)));
        let next: Vec<_> = (0..154).map(|_| pool.request(None).unwrap()).collect();
        assert!(next.iter().all(|ip| !held.contains(ip)), "{next:?}");
        assert_eq!(pool.request(None).unwrap(), held[0]);
    }

    #[test]
    fn static_addresses() {
        let mut pool = pool("10.0.0.0/24", "10.0.0.128/25");
        let mut ask = |ip: &str| pool.request(Some(ip.parse().unwrap())).map(|_| ());
        assert_eq!(ask("10.0.0.5"), Ok(()), "outside of the range, but in the subnet");
        assert_eq!(ask("10.0.0.5"), Err(IpamError::AddressInUse));
        assert_eq!(ask("10.0.0.0"), Err(IpamError::AddressInUse));
        assert_eq!(ask("10.0.0.255"), Err(IpamError::AddressInUse));
        assert_eq!(ask("10.0.1.1"), Err(IpamError::OutOfRange));
        assert_eq!(ask("fd00::1"), Err(IpamError::OutOfRange));
    }

    proptest! {
        #[test]
        fn never_hands_out_twice_and_uses_all(prefix in 24..=32_u8, steps in prop::collection::vec(any::<Option<u8>>(), 0..600)) {
            let mut pool = pool(&format!("10.9.8.0/{prefix}"), "");
            let mut held = BTreeSet::new();
            let all = pool.usage().available;
            for step in steps {
                match step {
                    None => match pool.request(None) {
                        Ok(ip) => prop_assert!(held.insert(ip)),
                        Err(_) => prop_assert_eq!(held.len() as u128, all),
                    },
                    Some(n) => {
                        let ip: IpAddr = [10, 9, 8, n].into();
                        prop_assert_eq!(pool.release(ip), held.remove(&ip));
                    }
                }
                prop_assert_eq!(pool.usage().available, all - held.len() as u128);
            }
        }
    }
}
