//! Marks that a host's own rules put on packets.

use std::{fmt, num::ParseIntError, str::FromStr};

/// A mark that packets are recognised by, of those bits that a mask selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FwMark {
    mark: u32,
    mask: u32,
}

/// A text that is no mark.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FwMarkError {
    /// The mark is no number of 32 bits.
    #[error("invalid firewall mark \"{0}\"")]
    Mark(String, #[source] ParseIntError),
    /// The mask is no number of 32 bits.
    #[error("invalid firewall mask \"{0}\"")]
    Mask(String, #[source] ParseIntError),
    /// No packet has such a mark.
    #[error("firewall mark \"{0}\" has bits that its mask leaves out")]
    Never(String),
}

impl FwMark {
    /// The value that the selected bits must have.
    pub const fn mark(self) -> u32 {
        self.mark
    }

    /// The bits that count.
    pub const fn mask(self) -> u32 {
        self.mask
    }
}

impl FromStr for FwMark {
    type Err = FwMarkError;

    /// Reads `mark[/mask]`, decimal, `0x…`, `0o…` or `0b…` each.
    fn from_str(text: &str) -> Result<Self, FwMarkError> {
        let (mark, mask) = text.split_once('/').unwrap_or((text, "0xffffffff"));
        let mark = number(mark).map_err(|error| FwMarkError::Mark(text.to_owned(), error))?;
        let mask = number(mask).map_err(|error| FwMarkError::Mask(text.to_owned(), error))?;
        if mark & !mask != 0 { Err(FwMarkError::Never(text.to_owned())) } else { Ok(Self { mark, mask }) }
    }
}

/// Go's `strconv.ParseUint` with base 0, which iptables and nft agree with.
fn number(text: &str) -> Result<u32, ParseIntError> {
    let lower = text.to_ascii_lowercase();
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = lower.strip_prefix(prefix) {
            return u32::from_str_radix(digits, radix);
        }
    }
    lower.parse()
}

impl fmt::Display for FwMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mask {
            u32::MAX => write!(f, "{:#x}", self.mark),
            mask => write!(f, "{:#x}/{mask:#x}", self.mark),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn forms() {
        let read = |text: &str| text.parse::<FwMark>().map(|mark| (mark.mark, mark.mask));
        assert_eq!(read("1"), Ok((1, u32::MAX)));
        assert_eq!(read("0x10/0xff"), Ok((16, 255)));
        assert_eq!(read("0b1/3"), Ok((1, 3)));
        for text in ["", "x", "1/", "/1", "-1", "0x1ffffffff", "1/2/3"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(matches!(read("3/2"), Err(FwMarkError::Never(_))));
    }

    proptest! {
        #[test]
        fn a_mark_reads_what_it_writes(bits: u32, mask: u32) {
            let mark = FwMark { mark: bits & mask, mask };
            prop_assert_eq!(mark.to_string().parse(), Ok(mark));
        }
    }
}
