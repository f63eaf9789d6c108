//! How a new endpoint tells its neighbours whose its addresses are: by gratuitous ARP (RFC 5227) and unsolicited
//! neighbour advertisements (RFC 4861, 7.2.6).

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What is announced of new endpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Announce {
    /// Addresses that neighbours may know as another's. Every announcement goes to all ports of a bridge, so that in a
    /// large network each costs.
    #[default]
    WhatMoved,
    /// All addresses.
    Always {
        /// How often.
        times: Times,
        /// How long after each other.
        every: Interval,
    },
}

/// How often something is announced: at most three times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Times(u8);

/// The time between two announcements: 100 ms to 2 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Interval(u16);

/// A number out of its range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be in the range {least} to {most}")]
pub struct OutOfRange {
    least: i64,
    most: i64,
}

impl Times {
    /// Docker's default (`AdvertiseAddrNMsgsDefault`).
    pub const DEFAULT: Self = Self(3);

    /// The number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Interval {
    /// Docker's default (`AdvertiseAddrIntervalDefault`).
    pub const DEFAULT: Self = Self(1_000);

    /// The time.
    pub const fn get(self) -> Duration {
        Duration::from_millis(self.0 as u64)
    }
}

impl TryFrom<i64> for Times {
    type Error = OutOfRange;

    fn try_from(times: i64) -> Result<Self, OutOfRange> {
        within(times, 0, 3).map(Self)
    }
}

impl TryFrom<i64> for Interval {
    type Error = OutOfRange;

    fn try_from(ms: i64) -> Result<Self, OutOfRange> {
        within(ms, 100, 2_000).map(Self)
    }
}

fn within<N: TryFrom<i64>>(number: i64, least: i64, most: i64) -> Result<N, OutOfRange> {
    let number = Some(number).filter(|number| (least..=most).contains(number));
    number.and_then(|number| number.try_into().ok()).ok_or(OutOfRange { least, most })
}

impl From<Times> for i64 {
    fn from(times: Times) -> Self {
        times.0.into()
    }
}

impl From<Interval> for i64 {
    fn from(interval: Interval) -> Self {
        interval.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_docker_s() {
        for (times, every) in [(-1, 99), (4, 2_001)] {
            let text = Times::try_from(times).unwrap_err().to_string();
            assert_eq!(text, "must be in the range 0 to 3");
            let text = Interval::try_from(every).unwrap_err().to_string();
            assert_eq!(text, "must be in the range 100 to 2000");
        }
        assert_eq!(Times::try_from(3), Ok(Times::DEFAULT));
        assert_eq!(Interval::try_from(1_000), Ok(Interval::DEFAULT));
    }
}
