//! Sets and maps, and their elements: tuples of typed values.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use ipnetwork::{IpNetwork, Ipv4Network, Ipv6Network};

use super::{
    field::{IFNAME_LEN, icmp, ifname, nfproto, protocol},
    verdict::Verdict,
};
use crate::types::{Family, IfName, MacAddr, Port, Proto};

/// The type of one value; the numbers are `enum datatypes` of nft, which the kernel keeps for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub(crate) enum Kind {
    NfProto = 2,
    V4 = 7,
    V6 = 8,
    Ether = 9,
    Proto = 12,
    Port = 13,
    IfName = 41,
}

impl Kind {
    /// Length in bytes, before it is padded to a whole register.
    pub(crate) const fn len(self) -> usize {
        match self {
            Self::V4 => 4,
            Self::V6 => 16,
            Self::Ether => 6,
            Self::NfProto | Self::Proto => 1,
            Self::Port => 2,
            Self::IfName => IFNAME_LEN,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::NfProto => "nf_proto",
            Self::V4 => "ipv4_addr",
            Self::V6 => "ipv6_addr",
            Self::Ether => "ether_addr",
            Self::Proto => "inet_proto",
            Self::Port => "inet_service",
            Self::IfName => "ifname",
        }
    }
}

/// What a tuple is made of.
pub(crate) type Kinds = &'static [Kind];

/// The type number of a tuple: six bits for each value (`TYPE_BITS` of nft).
pub(crate) fn type_number(kinds: Kinds) -> u32 {
    kinds.iter().fold(0, |number, kind| number << 6 | *kind as u32)
}

/// The length of a tuple: each value of several begins a register.
pub(crate) fn type_len(kinds: Kinds) -> usize {
    match kinds {
        [only] => only.len(),
        several => several.iter().map(|kind| kind.len().next_multiple_of(4)).sum(),
    }
}

/// What a type number stands for, if it is made of types that we know.
pub(crate) fn kinds_of(mut number: u32) -> Option<Vec<Kind>> {
    let known = [Kind::NfProto, Kind::V4, Kind::V6, Kind::Ether, Kind::Proto, Kind::Port, Kind::IfName];
    let mut kinds = Vec::new();
    while number != 0 {
        kinds.insert(0, known.into_iter().find(|kind| *kind as u32 == number & 0x3f)?);
        number >>= 6;
    }
    Some(kinds)
}

pub(crate) fn type_text(kinds: &[Kind]) -> String {
    kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(" . ")
}

/// One value of an element.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Value {
    IfName(IfName),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
    Ether(MacAddr),
    /// The family of a packet.
    NfProto(Family),
    Proto(Proto),
    /// ICMP of a family, as a protocol.
    Icmp(Family),
    Port(Port),
    /// All addresses of a subnet; only alone, in a set of ranges.
    Subnet(IpNetwork),
}

impl Value {
    fn append(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::IfName(name) => bytes.extend(ifname(name.as_str())),
            Self::V4(addr) => bytes.extend(addr.octets()),
            Self::V6(addr) => bytes.extend(addr.octets()),
            Self::Ether(mac) => bytes.extend(mac.octets()),
            Self::NfProto(family) => bytes.push(nfproto(*family)),
            Self::Proto(proto) => bytes.push(protocol(*proto)),
            Self::Icmp(family) => bytes.push(icmp(*family)),
            Self::Port(port) => bytes.extend(port.get().to_be_bytes()),
            Self::Subnet(IpNetwork::V4(net)) => bytes.extend(net.network().octets()),
            Self::Subnet(IpNetwork::V6(net)) => bytes.extend(net.network().octets()),
        }
    }

    fn read(kind: Kind, bytes: &[u8]) -> Option<Self> {
        match kind {
            Kind::V4 => Some(Self::V4(<[u8; 4]>::try_from(bytes).ok()?.into())),
            Kind::V6 => Some(Self::V6(<[u8; 16]>::try_from(bytes).ok()?.into())),
            Kind::Ether => MacAddr::from_octets(bytes.try_into().ok()?).map(Self::Ether),
            Kind::Port => Port::new(u16::from_be_bytes(bytes.try_into().ok()?)).map(Self::Port),
            Kind::NfProto => {
                let family = [Family::V4, Family::V6].into_iter().find(|family| [nfproto(*family)] == *bytes);
                family.map(Self::NfProto)
            }
            Kind::Proto => {
                let with_ports = [Proto::Tcp, Proto::Udp, Proto::Sctp].map(Self::Proto);
                let all = with_ports.into_iter().chain([Family::V4, Family::V6].map(Self::Icmp));
                all.into_iter().find(|value| Tuple(vec![value.clone()]).bytes() == bytes)
            }
            Kind::IfName => {
                let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
                std::str::from_utf8(&bytes[..end]).ok()?.parse().ok().map(Self::IfName)
            }
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IfName(name) => write!(f, "\"{name}\""),
            Self::V4(addr) => addr.fmt(f),
            Self::V6(addr) => addr.fmt(f),
            Self::Ether(mac) => mac.fmt(f),
            Self::NfProto(Family::V4) => f.write_str("ipv4"),
            Self::NfProto(Family::V6) => f.write_str("ipv6"),
            Self::Proto(proto) => proto.fmt(f),
            Self::Icmp(Family::V4) => f.write_str("icmp"),
            Self::Icmp(Family::V6) => f.write_str("ipv6-icmp"),
            Self::Port(port) => port.fmt(f),
            Self::Subnet(net) if net.prefix() == if net.is_ipv4() { 32 } else { 128 } => net.ip().fmt(f),
            Self::Subnet(net) => net.fmt(f),
        }
    }
}

/// Values that belong together: a key, or what a map says of one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Tuple(pub(crate) Vec<Value>);

impl Tuple {
    /// As the kernel compares it.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(40);
        for value in &self.0 {
            value.append(&mut bytes);
            if self.0.len() > 1 {
                bytes.resize(bytes.len().next_multiple_of(4), 0);
            }
        }
        bytes
    }

    /// Reads what the kernel shows; `None`: nothing that we would put there.
    pub(crate) fn read(kinds: &[Kind], mut bytes: &[u8]) -> Option<Self> {
        let mut values = Vec::with_capacity(kinds.len());
        for kind in kinds {
            values.push(Value::read(*kind, bytes.get(..kind.len())?)?);
            let step = if kinds.len() > 1 { kind.len().next_multiple_of(4) } else { kind.len() };
            bytes = bytes.get(step..)?;
        }
        bytes.is_empty().then_some(Self(values))
    }
}

impl fmt::Display for Tuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, value) in self.0.iter().enumerate() {
            let dot = if index == 0 { "" } else { " . " };
            write!(f, "{dot}{value}")?;
        }
        Ok(())
    }
}

/// What an element says beyond being there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Data {
    None,
    Verdict(Verdict),
    Tuple(Tuple),
}

/// An element without its key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Entry {
    pub(crate) data: Data,
    /// Whose it is.
    pub(crate) comment: String,
}

/// How long a rule's note lasts, and how many there are at most.
pub(crate) const NOTED: Duration = Duration::from_secs(86_400);
pub(crate) const NOTES: u32 = 65_536;

/// What a set holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Holds {
    /// Keys.
    Keys,
    /// Subnets.
    Subnets,
    /// Keys with a tuple each.
    Tuples(Kinds),
    /// Keys with a verdict each.
    Verdicts,
    /// Keys that last for a time, each for its own or for ever.
    Timed,
    /// Keys that rules put there ([`Expr::Note`](super::expr::Expr::Note)), for a day.
    Noted,
}

/// The declaration of a set or map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SetSpec {
    pub(crate) name: &'static str,
    pub(crate) key: Kinds,
    pub(crate) holds: Holds,
    /// Whether each element counts the packets that find it.
    pub(crate) counted: bool,
}

impl SetSpec {
    /// The declaration as `nft` prints it: `set` or `map`, and the lines of its body.
    pub(crate) fn text(&self) -> (&'static str, String) {
        let (word, body) = self.body();
        (word, if self.counted { body + "\t\tcounter\n" } else { body })
    }

    /// Of what a map's values are made, unless they are verdicts.
    pub(crate) const fn data(&self) -> Option<Kinds> {
        if let Holds::Tuples(data) = self.holds { Some(data) } else { None }
    }

    fn body(&self) -> (&'static str, String) {
        let key = type_text(self.key);
        match self.holds {
            Holds::Keys => ("set", format!("\t\ttype {key}\n")),
            Holds::Subnets => ("set", format!("\t\ttype {key}\n\t\tflags interval\n")),
            Holds::Tuples(data) => ("map", format!("\t\ttype {key} : {}\n", type_text(data))),
            Holds::Verdicts => ("map", format!("\t\ttype {key} : verdict\n")),
            Holds::Timed => ("set", format!("\t\ttype {key}\n\t\tflags timeout\n")),
            Holds::Noted => {
                let (size, days) = (NOTES, NOTED.as_secs() / 86_400);
                (
                    "set",
                    format!(
                        "\t\ttype {key}\n\t\tsize {size}\n\t\tflags dynamic,timeout\n\t\ttimeout {days}d\n"
                    ),
                )
            }
        }
    }
}

/// An element as `nft -s` prints it.
pub(crate) fn element_text(spec: &SetSpec, key: &Tuple, entry: &Entry) -> String {
    let counter = if spec.counted { " counter" } else { "" };
    let comment = match entry.comment.as_str() {
        "" => String::new(),
        text => format!(" comment \"{text}\""),
    };
    match &entry.data {
        Data::None => format!("{key}{counter}{comment}"),
        Data::Verdict(verdict) => format!("{key}{counter}{comment} : {verdict}"),
        Data::Tuple(data) => format!("{key}{counter}{comment} : {data}"),
    }
}

/// First address of a subnet, and the first one after it (`None`: it ends with the last address there is).
pub(crate) fn bounds(net: &IpNetwork) -> (Vec<u8>, Option<Vec<u8>>) {
    match net {
        IpNetwork::V4(net) => {
            let after = u32::from(net.broadcast()).checked_add(1);
            (net.network().octets().to_vec(), after.map(|after| after.to_be_bytes().to_vec()))
        }
        IpNetwork::V6(net) => {
            let after = u128::from(net.broadcast()).checked_add(1);
            (net.network().octets().to_vec(), after.map(|after| after.to_be_bytes().to_vec()))
        }
    }
}

/// The subnet between two bounds, if it is one.
pub(crate) fn subnet_between(kind: Kind, first: &[u8], after: Option<&[u8]>) -> Option<IpNetwork> {
    match kind {
        Kind::V4 => {
            let first = u32::from_be_bytes(first.try_into().ok()?);
            let after = match after {
                Some(after) => u64::from(u32::from_be_bytes(after.try_into().ok()?)),
                None => 1 << 32,
            };
            let size = after.checked_sub(u64::from(first)).filter(|size| size.is_power_of_two())?;
            let prefix = u8::try_from(32 - size.trailing_zeros()).ok()?;
            let net = Ipv4Network::new(first.into(), prefix).ok()?;
            (u32::from(net.network()) == first).then_some(net.into())
        }
        Kind::V6 => {
            let first = u128::from_be_bytes(first.try_into().ok()?);
            let last = match after {
                Some(after) => u128::from_be_bytes(after.try_into().ok()?).checked_sub(1)?,
                None => u128::MAX,
            };
            let prefix = u8::try_from((first ^ last).leading_zeros()).ok()?;
            let net = Ipv6Network::new(first.into(), prefix).ok()?;
            (u128::from(net.network()) == first && u128::from(net.broadcast()) == last).then_some(net.into())
        }
        Kind::Ether | Kind::NfProto | Kind::Proto | Kind::Port | Kind::IfName => None,
    }
}
