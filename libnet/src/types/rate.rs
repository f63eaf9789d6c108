//! How fast: bytes in a second, in the words of tc(8).

use std::{fmt, num::NonZeroU64, str::FromStr};

use serde::{Deserialize, Serialize};

/// A rate. At least a kilobyte a second: with less, one packet takes longer than anybody waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate(NonZeroU64);

/// How fast packets may come to a container, and from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rates {
    /// To it; `None`: as fast as they can.
    pub into: Option<Rate>,
    /// From it.
    pub out: Option<Rate>,
}

impl Rates {
    /// Whether anything is limited.
    pub fn is_any(self) -> bool {
        self != Self::default()
    }
}

/// A text that is no rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no rate: it should be a number with a unit, as in 10mbit or 1.5gbit (bits in a second) or 500kbps (bytes in a second), from 8kbit to 1000gbit"
)]
pub struct RateError(String);

/// Bytes in a second.
const LEAST: u64 = 1_000;
const MOST: u64 = 125_000_000_000;

/// Words of tc(8), and the bits that each stands for.
const UNITS: [(&str, u64); 12] = [
    ("kibit", 1 << 10),
    ("mibit", 1 << 20),
    ("gibit", 1 << 30),
    ("kbit", 1_000),
    ("mbit", 1_000_000),
    ("gbit", 1_000_000_000),
    ("tbit", 1_000_000_000_000),
    ("kbps", 8_000),
    ("mbps", 8_000_000),
    ("gbps", 8_000_000_000),
    ("bit", 1),
    ("bps", 8),
];

impl Rate {
    /// So many bytes in a second, if that is within bounds.
    pub fn new(bytes: u64) -> Option<Self> {
        NonZeroU64::new(bytes).filter(|_| (LEAST..=MOST).contains(&bytes)).map(Self)
    }

    /// Bytes in a second.
    pub const fn bytes(self) -> u64 {
        self.0.get()
    }
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let lower = text.trim().to_ascii_lowercase();
        let parts = UNITS.iter().find_map(|(unit, bits)| Some((lower.strip_suffix(unit)?, *bits)));
        let bits = parts.and_then(|(number, bits)| times(number.trim(), bits));
        bits.and_then(|bits| Self::new(bits / 8)).ok_or_else(|| RateError(text.to_owned()))
    }
}

/// A number with or without a fraction, times `unit`.
fn times(number: &str, unit: u64) -> Option<u64> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let value = whole.parse::<u128>().ok()?.checked_mul(scale)? + fraction.parse::<u128>().ok()?;
    u64::try_from(value.checked_mul(u128::from(unit))? / scale).ok()
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.bytes() * 8;
        match [("gbit", 1_000_000_000), ("mbit", 1_000_000), ("kbit", 1_000)]
            .iter()
            .find(|(_, unit)| bits.is_multiple_of(*unit))
        {
            Some((word, unit)) => write!(f, "{}{word}", bits / unit),
            None => write!(f, "{bits}bit"),
        }
    }
}

impl TryFrom<String> for Rate {
    type Error = RateError;

    fn try_from(text: String) -> Result<Self, RateError> {
        text.parse()
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rates_are_written_as_for_tc() {
        let table = [
            ("10mbit", 1_250_000, "10mbit"),
            ("1gbit", 125_000_000, "1gbit"),
            ("1.5Gbit", 187_500_000, "1500mbit"),
            ("500kbps", 500_000, "4mbit"),
            ("8000 bit", 1_000, "8kbit"),
            ("64kibit", 8_192, "65536bit"),
            ("100gbps", 100_000_000_000, "800gbit"),
            ("1tbit", 125_000_000_000, "1000gbit"),
        ];
        for (text, bytes, shown) in table {
            let rate: Rate = text.parse().unwrap();
            assert_eq!((rate.bytes(), rate.to_string().as_str()), (bytes, shown), "{text}");
        }
        for wrong in [
            "",
            "10",
            "mbit",
            "10mb",
            "-1mbit",
            "1e3mbit",
            "0mbit",
            "7kbit",
            "2tbit",
            ".5mbit",
            "1.mbit",
            "99999999999999999999gbit",
        ] {
            let text = wrong.parse::<Rate>().unwrap_err().to_string();
            assert!(text.starts_with(&format!("\"{wrong}\" is no rate: it should be")), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_rate_reads_what_it_writes(bytes in LEAST..=MOST) {
            let rate = Rate::new(bytes).unwrap();
            prop_assert_eq!(rate.to_string().parse(), Ok(rate));
        }
    }
}
