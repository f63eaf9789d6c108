//! The largest packet that a link carries.

use std::fmt;

use serde::{Deserialize, Serialize};

/// `ETH_MIN_MTU` of linux/if_ether.h; RFC 791 requires every IPv4 host to take 68 bytes.
const MIN: u32 = 68;
/// `ETH_MAX_MTU` of linux/if_ether.h.
const MAX: u32 = 65_535;

/// A link's MTU in bytes, 68 to 65,535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Mtu(u32);

/// A number that is no MTU.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid MTU number: {0}")]
pub struct MtuError(i64);

impl Mtu {
    /// Ethernet's (IEEE 802.3): what a network gets when nothing else is known.
    pub const ETHERNET: Self = Self(1_500);

    /// The least that IPv6 works with (RFC 8200, 5).
    pub const LEAST_V6: Self = Self(1_280);

    /// The MTU in bytes.
    pub const fn bytes(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Mtu {
    type Error = MtuError;

    fn try_from(bytes: u32) -> Result<Self, MtuError> {
        i64::from(bytes).try_into()
    }
}

impl TryFrom<i64> for Mtu {
    type Error = MtuError;

    fn try_from(bytes: i64) -> Result<Self, MtuError> {
        u32::try_from(bytes).ok().filter(|bytes| (MIN..=MAX).contains(bytes)).map(Self).ok_or(MtuError(bytes))
    }
}

impl From<Mtu> for u32 {
    fn from(mtu: Mtu) -> Self {
        mtu.0
    }
}

impl fmt::Display for Mtu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds() {
        assert!(Mtu::try_from(67_i64).is_err() && Mtu::try_from(65_536_i64).is_err());
        assert_eq!(Mtu::try_from(-1_i64).unwrap_err().to_string(), "invalid MTU number: -1");
        assert_eq!(Mtu::try_from(1_400_i64).unwrap().bytes(), 1_400);
    }
}
