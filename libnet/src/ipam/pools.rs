//! Where automatic subnets come from: bases that are cut into subnets of one size, in order.

use ipnetwork::{IpNetwork, Ipv6Network};
use serde::{Deserialize, Serialize};

use super::{IpamError, ranges::RangeSet, subnet};
use crate::types::Family;

/// One entry of `default-address-pools`: `base` cut into subnets of prefix length `size`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "PoolBaseText", into = "PoolBaseText")]
pub struct PoolBase {
    base: IpNetwork,
    size: u8,
}

/// As daemon.json has it.
#[derive(Clone, Serialize, Deserialize)]
struct PoolBaseText {
    base: IpNetwork,
    size: u8,
}

impl PoolBase {
    /// `base` without its host bits, cut into subnets of `size`.
    pub fn new(base: IpNetwork, size: u8) -> Result<Self, IpamError> {
        let legal = base.prefix() <= size && size <= subnet::bits(subnet::family(&base));
        let base = subnet::masked(&base);
        if legal { Ok(Self { base, size }) } else { Err(IpamError::InvalidBase { base, size }) }
    }

    /// The subnet that is cut.
    pub const fn base(&self) -> IpNetwork {
        self.base
    }

    /// The prefix length of the pieces.
    pub const fn size(&self) -> u8 {
        self.size
    }

    /// The same base cut into other pieces, if it is large enough for one.
    fn of_size(self, size: u8) -> Option<Self> {
        Self::new(self.base, size).ok()
    }

    /// The first piece that touches nothing of `taken`.
    fn first_free(&self, taken: &RangeSet) -> Option<IpNetwork> {
        let family = subnet::family(&self.base);
        let (mut first, end) = subnet::span(&self.base);
        let size_less_one =
            u128::MAX.checked_shr(128 - u32::from(subnet::bits(family) - self.size)).unwrap_or(0);
        loop {
            let last = first | size_less_one;
            let Some((_, taken_to)) = taken.overlap(first, last) else {
                return IpNetwork::new(subnet::address(family, first), self.size).ok();
            };
            // On to the piece behind the one that the obstacle ends in.
            first = taken_to.max(last) | size_less_one;
            if first >= end {
                return None;
            }
            first += 1;
        }
    }
}

impl TryFrom<PoolBaseText> for PoolBase {
    type Error = IpamError;

    fn try_from(text: PoolBaseText) -> Result<Self, IpamError> {
        Self::new(text.base, text.size)
    }
}

impl From<PoolBase> for PoolBaseText {
    fn from(pool: PoolBase) -> Self {
        Self { base: pool.base, size: pool.size }
    }
}

/// The bases of both families, in the order in which they are used up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pools(Vec<PoolBase>);

impl Pools {
    /// What Docker uses without configuration (172.17.0.0/16 to 172.31.0.0/16, 192.168.0.0/16 in /20s: 31 networks), and
    /// when that is used up 10.128.0.0/9 in /24s, so that the 32nd network still gets one. IPv6: /64s of `ula`.
    pub fn docker(ula: Ipv6Network) -> Self {
        let v4 = |a, b, prefix, size| PoolBase {
            base: IpNetwork::V4(
                ipnetwork::Ipv4Network::new_checked([a, b, 0, 0].into(), prefix).unwrap_or(ANY_V4),
            ),
            size,
        };
        let mut bases: Vec<_> = (17..=31).map(|second| v4(172, second, 16, 16)).collect();
        bases.extend([v4(192, 168, 16, 20), v4(10, 128, 9, 24)]);
        bases.extend(PoolBase::new(ula.into(), 64));
        Self(bases)
    }

    /// These bases; for a family that has none of them, the ones of `defaults`.
    pub fn configured(bases: Vec<PoolBase>, defaults: &Self) -> Self {
        let missing = |family| !bases.iter().any(|pool| subnet::family(&pool.base) == family);
        let kept: Vec<_> =
            defaults.0.iter().copied().filter(|pool| missing(subnet::family(&pool.base))).collect();
        Self(bases.into_iter().chain(kept).collect())
    }

    /// The bases in their order.
    pub fn bases(&self) -> &[PoolBase] {
        &self.0
    }

    /// Whether a subnet has addresses in common with any of the bases.
    pub(crate) fn touch(&self, net: &IpNetwork) -> bool {
        self.0.iter().any(|pool| subnet::overlaps(&pool.base, net))
    }

    /// The first subnet of the family that touches nothing of `taken`; of the given prefix length, else of each base's own.
    pub(crate) fn first_free<'a>(
        &self,
        family: Family,
        size: Option<u8>,
        taken: impl Iterator<Item = &'a IpNetwork>,
    ) -> Option<IpNetwork> {
        let mut ranges = RangeSet::default();
        for (first, last) in taken.filter(|net| subnet::family(net) == family).map(subnet::span) {
            ranges.insert(first, last);
        }
        let bases = self.0.iter().filter(|pool| subnet::family(&pool.base) == family);
        let mut cut = bases.filter_map(|pool| size.map_or(Some(*pool), |size| pool.of_size(size)));
        cut.find_map(|pool| pool.first_free(&ranges))
    }
}

const ANY_V4: ipnetwork::Ipv4Network =
    match ipnetwork::Ipv4Network::new_checked(std::net::Ipv4Addr::UNSPECIFIED, 0) {
        Some(any) => any,
        None => panic!("0.0.0.0/0 is a network"),
    };

/// The /48 of RFC 4193 that belongs to these 40 random bits: a daemon's own, made from its identity.
pub fn unique_local(global_id: [u8; 5]) -> Ipv6Network {
    let [a, b, c, d, e] = global_id;
    let octets = [0xfd, a, b, c, d, e, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    Ipv6Network::new_checked(octets.into(), 48).unwrap_or(ANY_V6)
}

const ANY_V6: Ipv6Network = match Ipv6Network::new_checked(std::net::Ipv6Addr::UNSPECIFIED, 0) {
    Some(any) => any,
    None => panic!("::/0 is a network"),
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nets(texts: &[&str]) -> Vec<IpNetwork> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn docker() -> Pools {
        Pools::docker(unique_local([1, 2, 3, 4, 5]))
    }

    #[test]
    fn takes_docker_s_subnets_in_order_and_avoids_what_is_there() {
        let first =
            |taken: &[&str]| docker().first_free(Family::V4, None, nets(taken).iter()).unwrap().to_string();
        assert_eq!(first(&[]), "172.17.0.0/16");
        assert_eq!(first(&["172.17.3.0/24"]), "172.18.0.0/16");
        assert_eq!(first(&["172.16.0.0/12"]), "192.168.0.0/20");
        assert_eq!(first(&["172.16.0.0/12", "192.168.1.0/24"]), "192.168.16.0/20");
        assert_eq!(first(&["172.16.0.0/12", "192.168.0.0/16"]), "10.128.0.0/24");
        assert_eq!(first(&["172.16.0.0/12", "192.168.0.0/16", "10.128.0.0/23"]), "10.128.2.0/24");
        let all = nets(&["0.0.0.0/0"]);
        assert_eq!(docker().first_free(Family::V4, None, all.iter()), None);
        assert_eq!(
            docker().first_free(Family::V6, None, all.iter()).unwrap().to_string(),
            "fd01:203:405::/64"
        );
    }

    #[test]
    fn configuration_replaces_its_family_only() {
        let own = vec![PoolBase::new("10.10.1.2/16".parse().unwrap(), 24).unwrap()];
        let pools = Pools::configured(own, &docker());
        assert_eq!(pools.first_free(Family::V4, None, [].iter()).unwrap().to_string(), "10.10.0.0/24");
        assert_eq!(pools.first_free(Family::V6, None, [].iter()).unwrap().to_string(), "fd01:203:405::/64");
        assert!(PoolBase::new("10.0.0.0/16".parse().unwrap(), 8).is_err());
        assert!(PoolBase::new("10.0.0.0/16".parse().unwrap(), 33).is_err());
    }

    #[test]
    fn reads_what_daemon_json_has() {
        let pool: PoolBase = serde_json::from_str(r#"{"base":"10.10.0.0/16","size":24}"#).unwrap();
        assert_eq!((pool.base().to_string().as_str(), pool.size()), ("10.10.0.0/16", 24));
        assert!(serde_json::from_str::<PoolBase>(r#"{"base":"10.10.0.0/16","size":8}"#).is_err());
    }

    proptest! {
        #[test]
        fn a_free_subnet_touches_nothing_and_none_is_passed_over(
            taken in prop::collection::vec((any::<u8>(), 18..=26_u8), 0..40),
        ) {
            let base = PoolBase::new("10.0.0.0/16".parse().unwrap(), 20).unwrap();
            let taken: Vec<IpNetwork> = taken.into_iter()
                .map(|(third, prefix)| subnet::masked(&IpNetwork::new([10, 0, third, 9].into(), prefix).unwrap()))
                .collect();
            let pieces = (0..16_u8).map(|n| IpNetwork::new([10, 0, n << 4, 0].into(), 20).unwrap());
            let expected = pieces.into_iter().find(|piece| !taken.iter().any(|net| subnet::overlaps(net, piece)));
            prop_assert_eq!(Pools(vec![base]).first_free(Family::V4, None, taken.iter()), expected);
        }
    }
}
