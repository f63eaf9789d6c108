//! Transport protocols, ports and port ranges.

use std::{fmt, num::NonZeroU16, str::FromStr};

use serde::{Deserialize, Serialize};

/// A transport protocol whose ports can be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proto {
    /// RFC 9293.
    Tcp,
    /// RFC 768.
    Udp,
    /// RFC 9260.
    Sctp,
}

/// A port, 1 to 65,535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Port(NonZeroU16);

/// Ports from `first` to `last`, both included; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "(Port, Port)", into = "(Port, Port)")]
pub struct PortRange {
    first: Port,
    last: Port,
}

/// A text that is no protocol, port or range of ports.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// Neither tcp, udp nor sctp.
    #[error("invalid proto: {0}")]
    Proto(String),
    /// Not a number from 1 to 65535.
    #[error("invalid port \"{0}\": it should be a number from 1 to 65535")]
    Port(String),
    /// The range ends before it begins.
    #[error("invalid port range {first}-{last}: it ends before it begins")]
    Range {
        /// Where it should begin.
        first: Port,
        /// Where it should end.
        last: Port,
    },
}

impl Port {
    /// The port of this number; zero is none.
    pub const fn new(number: u16) -> Option<Self> {
        match NonZeroU16::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0.get()
    }
}

impl PortRange {
    /// From `first` to `last`, both included.
    ///
    /// # Errors
    /// [`PortError::Range`] if `last` is below `first`.
    pub fn new(first: Port, last: Port) -> Result<Self, PortError> {
        if last < first { Err(PortError::Range { first, last }) } else { Ok(Self { first, last }) }
    }

    /// The lowest port.
    pub const fn first(self) -> Port {
        self.first
    }

    /// The highest port.
    pub const fn last(self) -> Port {
        self.last
    }

    /// How many ports; at least one.
    pub const fn count(self) -> u32 {
        self.last.get() as u32 - self.first.get() as u32 + 1
    }

    /// The ports in ascending order.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = Port> {
        (self.first.get()..=self.last.get()).filter_map(Port::new)
    }
}

impl From<Port> for PortRange {
    fn from(port: Port) -> Self {
        Self { first: port, last: port }
    }
}

impl TryFrom<(Port, Port)> for PortRange {
    type Error = PortError;

    fn try_from((first, last): (Port, Port)) -> Result<Self, PortError> {
        Self::new(first, last)
    }
}

impl From<PortRange> for (Port, Port) {
    fn from(range: PortRange) -> Self {
        (range.first, range.last)
    }
}

impl FromStr for Port {
    type Err = PortError;

    fn from_str(text: &str) -> Result<Self, PortError> {
        let number = text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        number.and_then(Self::new).ok_or_else(|| PortError::Port(text.to_owned()))
    }
}

impl FromStr for PortRange {
    type Err = PortError;

    /// Reads `80` or `80-90`.
    fn from_str(text: &str) -> Result<Self, PortError> {
        match text.split_once('-') {
            Some((first, last)) => Self::new(first.parse()?, last.parse()?),
            None => text.parse::<Port>().map(Self::from),
        }
    }
}

impl FromStr for Proto {
    type Err = PortError;

    fn from_str(text: &str) -> Result<Self, PortError> {
        match text.to_ascii_lowercase().as_str() {
            "tcp" => Ok(Self::Tcp),
            "udp" => Ok(Self::Udp),
            "sctp" => Ok(Self::Sctp),
            _ => Err(PortError::Proto(text.to_owned())),
        }
    }
}

impl fmt::Display for Proto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        })
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { self.first.fmt(f) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_port_is_refused() {
        for text in ["", "0", "65536", "-1", "+80", "80-", "-80", "90-80", "a", "80-90-95"] {
            assert!(text.parse::<PortRange>().is_err(), "{text}");
        }
        assert_eq!("TCP".parse(), Ok(Proto::Tcp));
        assert!("icmp".parse::<Proto>().is_err());
    }

    proptest! {
        #[test]
        fn a_range_reads_what_it_writes(a in 1..=u16::MAX, b in 1..=u16::MAX) {
            let (first, last) = (Port::new(a.min(b)).unwrap(), Port::new(a.max(b)).unwrap());
            let range = PortRange::new(first, last).unwrap();
            prop_assert_eq!(range.to_string().parse(), Ok(range));
            prop_assert_eq!(range.iter().count(), range.count() as usize);
        }
    }
}
