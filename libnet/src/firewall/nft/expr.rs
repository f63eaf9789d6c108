//! The expressions that rules are made of, as the kernel knows them (linux/netfilter/nf_tables.h), and both ways
//! between them and netlink.

use super::verdict::Verdict;
use crate::sys::nfnl::attr::{Attrs, Malformed, Writer};

/// `NFTA_LIST_ELEM`, `NFTA_EXPR_NAME`, `NFTA_EXPR_DATA`.
const LIST_ELEM: u16 = 1;
const NAME: u16 = 1;
const DATA: u16 = 2;
/// `NFTA_DATA_VALUE`.
const VALUE: u16 = 1;
/// `NFT_REG32_00`: the first of sixteen registers of four bytes.
const REG32: u32 = 8;
/// `NFT_REG_1` to `NFT_REG_4`: the same, four at a time; how the kernel names the first of each four.
const REG128: std::ops::RangeInclusive<u32> = 1..=4;

/// One of sixteen registers of four bytes; a longer value takes several that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reg(pub(crate) u8);

impl Reg {
    fn number(self) -> u32 {
        REG32 + u32::from(self.0)
    }

    fn read(attrs: &Attrs<'_>, kind: u16) -> Result<Self, Malformed> {
        let number = attrs.number(kind)?;
        let slot = if REG128.contains(&number) { (number - 1) * 4 } else { number.wrapping_sub(REG32) };
        u8::try_from(slot).ok().filter(|slot| *slot < 16).map(Self).ok_or(Malformed)
    }
}

/// `NFT_META_*`: what is known of a packet beside its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub(crate) enum Meta {
    Protocol = 1,
    Mark = 3,
    Iif = 4,
    IifName = 6,
    OifName = 7,
    NfProto = 15,
    L4Proto = 16,
}

/// `NFT_CT_*`: what is known of a packet's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub(crate) enum Ct {
    State = 0,
    Status = 2,
}

/// `NFT_PAYLOAD_*_HEADER`: where in a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub(crate) enum Base {
    Link = 0,
    Network = 1,
    Transport = 2,
}

/// `NFT_CMP_EQ`, `NFT_CMP_NEQ`, `NFT_CMP_LTE`, `NFT_CMP_GTE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub(crate) enum Cmp {
    Equal = 0,
    NotEqual = 1,
    AtMost = 3,
    AtLeast = 5,
}

/// `NFT_NAT_SNAT`, `NFT_NAT_DNAT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub(crate) enum Nat {
    Source = 0,
    Destination = 1,
}

/// Whether what is looked up has to be in a set or must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Member {
    Yes,
    No,
}

/// One step of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Expr {
    Meta {
        key: Meta,
        to: Reg,
    },
    Ct {
        key: Ct,
        to: Reg,
    },
    Payload {
        base: Base,
        offset: u32,
        len: u32,
        to: Reg,
    },
    /// Writes into the packet's transport header, whose checksum is at `checksum`.
    SetTransport {
        offset: u32,
        len: u32,
        from: Reg,
        checksum: u32,
    },
    /// The type (`RTN_*`) of the route that leads to the packet's destination.
    FibDestinationType {
        to: Reg,
    },
    Mask {
        reg: Reg,
        mask: Vec<u8>,
    },
    Compare {
        reg: Reg,
        op: Cmp,
        with: Vec<u8>,
    },
    Lookup {
        set: String,
        from: Reg,
        member: Member,
    },
    MapTo {
        map: String,
        from: Reg,
        to: Reg,
    },
    VerdictMap {
        map: String,
        from: Reg,
    },
    Load {
        to: Reg,
        value: Vec<u8>,
    },
    /// Puts a key into a set, for as long as elements of that set last.
    Note {
        set: String,
        from: Reg,
    },
    /// Hands the beginning of a packet to whoever listens to the group.
    Log {
        group: u16,
        bytes: u32,
    },
    Verdict(Verdict),
    Nat {
        kind: Nat,
        family: u8,
        addr: Reg,
        /// `None`: the port stays.
        port: Option<Reg>,
    },
    Masquerade,
    Counter,
    /// A comment as iptables keeps it (`NFTA_MATCH_INFO` of its match); never written.
    IptablesComment(String),
    /// Something of somebody else's, by name; never written.
    Foreign(String),
}

impl Expr {
    /// Writes it into a rule's list.
    pub(crate) fn write(&self, list: &mut Writer<'_>) {
        list.nested(LIST_ELEM, |elem| self.write_in(elem));
    }

    /// Writes it where it stands alone.
    pub(crate) fn write_in(&self, attrs: &mut Writer<'_>) {
        attrs.text(NAME, self.name());
        attrs.nested(DATA, |data| self.write_data(data));
    }

    /// Reads a rule's list.
    pub(crate) fn read_list(list: &Attrs<'_>) -> Result<Vec<Self>, Malformed> {
        let read = |elem: &[u8]| {
            let elem = Attrs::parse(elem)?;
            let name = elem.text(NAME)?;
            let data = elem.nested(DATA)?;
            // An attribute that ours never have makes it somebody else's.
            Ok(Self::read(name, &data).unwrap_or_else(|Malformed| Self::foreign(name, &data)))
        };
        list.iter().map(|(_, elem)| read(elem)).collect()
    }

    /// Whether an expression of this name is [`Expr::Foreign`].
    pub(crate) fn is_foreign(name: &str, data: &Attrs<'_>) -> bool {
        Self::read(name, data).is_err() && matches!(Self::foreign(name, data), Self::Foreign(_))
    }

    /// iptables' own matches and targets go by a name of their own (`NFTA_MATCH_NAME`, `NFTA_TARGET_NAME`).
    fn foreign(name: &str, data: &Attrs<'_>) -> Self {
        match (name, data.text(1)) {
            ("match", Ok("comment")) => Self::IptablesComment(data.text(3).unwrap_or_default().to_owned()),
            ("match" | "target", Ok(of_iptables)) => Self::Foreign(format!("{name} {of_iptables}")),
            _ => Self::Foreign(name.to_owned()),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Meta { .. } => "meta",
            Self::Ct { .. } => "ct",
            Self::Payload { .. } | Self::SetTransport { .. } => "payload",
            Self::FibDestinationType { .. } => "fib",
            Self::Mask { .. } => "bitwise",
            Self::Compare { .. } => "cmp",
            Self::Lookup { .. } | Self::MapTo { .. } | Self::VerdictMap { .. } => "lookup",
            Self::Load { .. } | Self::Verdict(_) => "immediate",
            Self::Note { .. } => "dynset",
            Self::Log { .. } => "log",
            Self::Nat { .. } => "nat",
            Self::Masquerade => "masq",
            Self::Counter => "counter",
            Self::IptablesComment(_) => "match",
            Self::Foreign(name) => name,
        }
    }

    fn write_data(&self, attrs: &mut Writer<'_>) {
        match self {
            Self::Meta { key, to } => write_numbers(attrs, &[to.number(), *key as u32]),
            Self::Ct { key, to } => write_numbers(attrs, &[to.number(), *key as u32]),
            Self::Payload { base, offset, len, to } => {
                write_numbers(attrs, &[to.number(), *base as u32, *offset, *len]);
            }
            Self::SetTransport { offset, len, from, checksum } => {
                let base = Base::Transport as u32;
                let [inet, no_flags] = [1, 0]; // NFT_PAYLOAD_CSUM_INET
                let values = [base, *offset, *len, from.number(), inet, *checksum, no_flags];
                (2..).zip(values).for_each(|(kind, value)| attrs.number(kind, value));
            }
            // NFT_FIB_RESULT_ADDRTYPE, NFTA_FIB_F_DADDR
            Self::FibDestinationType { to } => write_numbers(attrs, &[to.number(), 3, 2]),
            Self::Mask { reg, mask } => {
                write_numbers(attrs, &[reg.number(), reg.number(), length(mask)]);
                attrs.nested(4, |attrs| attrs.bytes(VALUE, mask));
                attrs.nested(5, |attrs| attrs.bytes(VALUE, &vec![0; mask.len()]));
            }
            Self::Compare { reg, op, with } => {
                write_numbers(attrs, &[reg.number(), *op as u32]);
                attrs.nested(3, |attrs| attrs.bytes(VALUE, with));
            }
            Self::Lookup { set, from, member } => {
                attrs.text(1, set);
                attrs.number(2, from.number());
                if *member == Member::No {
                    attrs.number(5, 1); // NFT_LOOKUP_F_INV
                }
            }
            Self::MapTo { map, from, to } => write_lookup(attrs, map, *from, to.number()),
            Self::VerdictMap { map, from } => write_lookup(attrs, map, *from, 0), // NFT_REG_VERDICT
            Self::Load { to, value } => {
                attrs.number(1, to.number());
                attrs.nested(2, |attrs| attrs.bytes(VALUE, value));
            }
            Self::Log { group, bytes } => {
                attrs.bytes(1, &group.to_be_bytes()); // NFTA_LOG_GROUP
                attrs.number(3, *bytes); // NFTA_LOG_SNAPLEN
            }
            Self::Note { set, from } => {
                attrs.text(1, set);
                attrs.number(3, 0); // NFT_DYNSET_OP_ADD
                attrs.number(4, from.number());
            }
            Self::Verdict(verdict) => {
                attrs.number(1, 0); // NFT_REG_VERDICT
                attrs.nested(2, |attrs| verdict.write(attrs));
            }
            Self::Nat { kind, family, addr, port } => {
                write_numbers(attrs, &[*kind as u32, u32::from(*family), addr.number()]);
                if let Some(port) = port {
                    attrs.number(5, port.number());
                }
            }
            Self::Masquerade | Self::Counter | Self::IptablesComment(_) | Self::Foreign(_) => {}
        }
    }

    fn read(name: &str, attrs: &Attrs<'_>) -> Result<Self, Malformed> {
        let value = |kind| attrs.nested(kind).and_then(|data| Ok(data.need(VALUE)?.to_vec()));
        match name {
            "meta" => Ok(Self::Meta { to: Reg::read(attrs, 1)?, key: meta(attrs.number(2)?)? }),
            "ct" if attrs.get(3).is_none() => {
                let key = match attrs.number(2)? {
                    0 => Ct::State,
                    2 => Ct::Status,
                    _ => return Err(Malformed),
                };
                Ok(Self::Ct { key, to: Reg::read(attrs, 1)? })
            }
            "payload" if attrs.get(5).is_some() => read_set_payload(attrs),
            "payload" => read_payload(attrs),
            "fib" if (attrs.number(2)?, attrs.number(3)?) == (3, 2) => {
                Ok(Self::FibDestinationType { to: Reg::read(attrs, 1)? })
            }
            "bitwise" if attrs.number(1)? == attrs.number(2)? && attrs.number_or_zero(6)? == 0 => {
                let (mask, flipped) = (value(4)?, value(5)?);
                let same = mask.len() == flipped.len() && length(&mask) == attrs.number(3)?;
                if !same || flipped.iter().any(|byte| *byte != 0) {
                    return Err(Malformed);
                }
                Ok(Self::Mask { reg: Reg::read(attrs, 1)?, mask })
            }
            "cmp" => {
                let op = match attrs.number(2)? {
                    0 => Cmp::Equal,
                    1 => Cmp::NotEqual,
                    3 => Cmp::AtMost,
                    5 => Cmp::AtLeast,
                    _ => return Err(Malformed),
                };
                Ok(Self::Compare { reg: Reg::read(attrs, 1)?, op, with: value(3)? })
            }
            "lookup" => read_lookup(attrs),
            "immediate" => match Verdict::read(&attrs.nested(2)?)? {
                Some(verdict) => Ok(Self::Verdict(verdict)),
                None => Ok(Self::Load { to: Reg::read(attrs, 1)?, value: value(2)? }),
            },
            "dynset" if attrs.number_or_zero(3)? == 0 => {
                Ok(Self::Note { set: attrs.text(1)?.to_owned(), from: Reg::read(attrs, 4)? })
            }
            "log" => {
                let group = attrs.need(1)?.try_into().map_err(|_| Malformed)?;
                Ok(Self::Log { group: u16::from_be_bytes(group), bytes: attrs.number_or_zero(3)? })
            }
            "nat" => read_nat(attrs),
            "masq" if attrs.get(2).is_none() => Ok(Self::Masquerade),
            "counter" => Ok(Self::Counter),
            _ => Err(Malformed),
        }
    }
}

/// Attributes 1, 2, 3 …: most expressions number theirs so.
fn write_numbers(attrs: &mut Writer<'_>, values: &[u32]) {
    for (kind, value) in (1..).zip(values) {
        attrs.number(kind, *value);
    }
}

fn write_lookup(attrs: &mut Writer<'_>, map: &str, from: Reg, to: u32) {
    attrs.text(1, map);
    attrs.number(2, from.number());
    attrs.number(3, to);
}

fn read_lookup(attrs: &Attrs<'_>) -> Result<Expr, Malformed> {
    let (name, from) = (attrs.text(1)?.to_owned(), Reg::read(attrs, 2)?);
    let inverted = attrs.number_or_zero(5)? & 1 == 1;
    match attrs.get(3) {
        Some([0, 0, 0, 0]) => Ok(Expr::VerdictMap { map: name, from }),
        Some(_) => Ok(Expr::MapTo { map: name, from, to: Reg::read(attrs, 3)? }),
        None => Ok(Expr::Lookup { set: name, from, member: if inverted { Member::No } else { Member::Yes } }),
    }
}

fn read_payload(attrs: &Attrs<'_>) -> Result<Expr, Malformed> {
    let base = match attrs.number(2)? {
        0 => Base::Link,
        1 => Base::Network,
        2 => Base::Transport,
        _ => return Err(Malformed),
    };
    let (offset, len) = (attrs.number(3)?, attrs.number(4)?);
    Ok(Expr::Payload { base, offset, len, to: Reg::read(attrs, 1)? })
}

/// Into the transport header, with a checksum as the Internet's are, and without flags.
fn read_set_payload(attrs: &Attrs<'_>) -> Result<Expr, Malformed> {
    if (attrs.number(2)?, attrs.number(6)?, attrs.number_or_zero(8)?) != (2, 1, 0) {
        return Err(Malformed);
    }
    let (offset, len, checksum) = (attrs.number(3)?, attrs.number(4)?, attrs.number(7)?);
    Ok(Expr::SetTransport { offset, len, from: Reg::read(attrs, 5)?, checksum })
}

fn read_nat(attrs: &Attrs<'_>) -> Result<Expr, Malformed> {
    let kind = match attrs.number(1)? {
        0 => Nat::Source,
        1 => Nat::Destination,
        _ => return Err(Malformed),
    };
    let family = u8::try_from(attrs.number(2)?).map_err(|_| Malformed)?;
    let port = attrs.get(5).map(|_| Reg::read(attrs, 5)).transpose()?;
    Ok(Expr::Nat { kind, family, addr: Reg::read(attrs, 3)?, port })
}

fn meta(key: u32) -> Result<Meta, Malformed> {
    match key {
        1 => Ok(Meta::Protocol),
        3 => Ok(Meta::Mark),
        4 => Ok(Meta::Iif),
        6 => Ok(Meta::IifName),
        7 => Ok(Meta::OifName),
        15 => Ok(Meta::NfProto),
        16 => Ok(Meta::L4Proto),
        _ => Err(Malformed),
    }
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
