//! Subnets as ranges of numbers: the arithmetic that both the pools and the addresses in them need.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnetwork::IpNetwork;

use crate::types::Family;

/// The family of a subnet.
pub(crate) const fn family(subnet: &IpNetwork) -> Family {
    match subnet {
        IpNetwork::V4(_) => Family::V4,
        IpNetwork::V6(_) => Family::V6,
    }
}

/// An address as a number.
pub(crate) fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip),
    }
}

/// The address of a number; of a v4 number the low 32 bits count.
pub(crate) fn address(family: Family, number: u128) -> IpAddr {
    match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::from(number as u32)),
        Family::V6 => IpAddr::V6(Ipv6Addr::from(number)),
    }
}

/// The first and the last number of a subnet, whatever they are used for.
pub(crate) fn span(subnet: &IpNetwork) -> (u128, u128) {
    let first = number(subnet.network());
    let host_bits = bits(family(subnet)) - subnet.prefix();
    let size_less_one = u128::MAX.checked_shr(128 - u32::from(host_bits)).unwrap_or(0);
    (first, first | size_less_one)
}

/// How many bits an address of the family has.
pub(crate) const fn bits(family: Family) -> u8 {
    match family {
        Family::V4 => 32,
        Family::V6 => 128,
    }
}

/// Whether two subnets have an address in common. Subnets of different families have none.
pub fn overlaps(a: &IpNetwork, b: &IpNetwork) -> bool {
    let ((a_first, a_last), (b_first, b_last)) = (span(a), span(b));
    family(a) == family(b) && a_first <= b_last && b_first <= a_last
}

/// Whether every address of `inner` is one of `outer`.
pub fn encloses(outer: &IpNetwork, inner: &IpNetwork) -> bool {
    outer.prefix() <= inner.prefix() && overlaps(outer, inner)
}

/// The subnet without host bits: `10.0.0.1/24` becomes `10.0.0.0/24`.
pub fn masked(subnet: &IpNetwork) -> IpNetwork {
    IpNetwork::new(subnet.network(), subnet.prefix()).unwrap_or(*subnet)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNetwork {
        text.parse().unwrap()
    }

    #[test]
    fn spans() {
        assert_eq!(span(&net("10.0.0.0/30")), (0x0a00_0000, 0x0a00_0003));
        assert_eq!(span(&net("10.0.0.7/32")), (0x0a00_0007, 0x0a00_0007));
        assert_eq!(span(&net("0.0.0.0/0")), (0, u128::from(u32::MAX)));
        assert_eq!(span(&net("::/0")), (0, u128::MAX));
        assert_eq!(span(&net("fd00::/127")).1 - span(&net("fd00::/127")).0, 1);
    }

    #[test]
    fn overlapping_and_enclosing() {
        assert!(overlaps(&net("10.0.0.0/8"), &net("10.1.0.0/16")));
        assert!(!overlaps(&net("10.0.0.0/24"), &net("10.0.1.0/24")));
        assert!(!overlaps(&net("0.0.0.0/0"), &net("::/0")));
        assert!(encloses(&net("10.0.0.0/8"), &net("10.1.0.0/16")));
        assert!(!encloses(&net("10.1.0.0/16"), &net("10.0.0.0/8")));
    }
}
