//! An entry of the connection table in netlink's form (linux/netfilter/nfnetlink_conntrack.h).

use std::{fmt, net::IpAddr};

use crate::{
    firewall::Counted,
    sys::nfnl::attr::{Attrs, Malformed, Writer},
    types::{Family, Port, Proto},
};

/// `CTA_TUPLE_ORIG`, `CTA_TUPLE_REPLY`, `CTA_COUNTERS_ORIG`, `CTA_COUNTERS_REPLY`, `CTA_ID`, `CTA_ZONE`, `CTA_FILTER`.
const ORIGINAL: u16 = 1;
const REPLY: u16 = 2;
const COUNTED: u16 = 9;
const REPLIES_COUNTED: u16 = 10;
const ID: u16 = 12;
const ZONE: u16 = 18;
const FILTER: u16 = 25;
/// `CTA_TUPLE_IP`, `CTA_TUPLE_PROTO`.
const IP: u16 = 1;
const PROTO: u16 = 2;
/// `CTA_PROTO_NUM`, `CTA_PROTO_SRC_PORT`, `CTA_PROTO_DST_PORT`.
const NUMBER: u16 = 1;
const SOURCE_PORT: u16 = 2;
const DESTINATION_PORT: u16 = 3;
/// `CTA_FILTER_F_CTA_*` of net/netfilter/nf_internals.h.
const BY_SOURCE: u32 = 1;
const BY_DESTINATION: u32 = 1 << 1;
const BY_PROTO: u32 = 1 << 3;
const BY_DESTINATION_PORT: u32 = 1 << 5;

/// One thing that an entry has to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// Source of the first packet.
    From(IpAddr),
    /// Destination of the first packet, before it was rewritten.
    To(IpAddr),
    /// Destination port of the first packet, before it was rewritten.
    ToPort(Proto, Port),
    /// Source of the answers: where the packets really go.
    AnswersFrom(IpAddr),
}

/// A question to the kernel: entries of one family that have all of these fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) family: Family,
    pub(super) fields: Vec<Field>,
}

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) proto: Proto,
    pub(super) from: (IpAddr, u16),
    pub(super) to: (IpAddr, u16),
    pub(super) answers_from: (IpAddr, u16),
    /// What was sent there, and the answers; nothing where the kernel does not count.
    pub(super) counted: Option<(Counted, Counted)>,
    /// The attributes that name it to the kernel, as the kernel gave them.
    key: Vec<(u16, Vec<u8>)>,
}

impl Entry {
    /// Reads an entry; `None`: one without ports.
    pub(super) fn read(attrs: &Attrs<'_>) -> Option<Self> {
        let (proto, from, to) = read_tuple(attrs, ORIGINAL).ok()??;
        let (_, answers_from, _) = read_tuple(attrs, REPLY).ok()??;
        let key = [ORIGINAL, ID, ZONE].into_iter();
        let key = key.filter_map(|kind| Some((kind, attrs.get(kind)?.to_vec()))).collect();
        let counted = counted(attrs, COUNTED).zip(counted(attrs, REPLIES_COUNTED));
        Some(Self { proto, from, to, answers_from, counted, key })
    }

    /// Writes what names it.
    pub(super) fn write_key(&self, attrs: &mut Writer<'_>) {
        for (kind, value) in &self.key {
            if *kind == ORIGINAL { attrs.nested_bytes(*kind, value) } else { attrs.bytes(*kind, value) }
        }
    }
}

/// `CTA_COUNTERS_PACKETS`, `CTA_COUNTERS_BYTES`.
fn counted(attrs: &Attrs<'_>, kind: u16) -> Option<Counted> {
    let counters = attrs.nested(kind).ok()?;
    Some(Counted { packets: counters.long(1)?, bytes: counters.long(2)? })
}

/// Panics if something that must hold of any message does not: an entry can be named to the kernel by what the kernel
/// said of it. For the fuzz target.
pub(crate) fn must_hold(attrs: &Attrs<'_>) {
    let Some(entry) = Entry::read(attrs) else { return };
    let mut bytes = Vec::new();
    entry.write_key(&mut Writer::new(&mut bytes));
    let named = Attrs::parse(&bytes).and_then(|key| read_tuple(&key, ORIGINAL));
    assert_eq!(named, Ok(Some((entry.proto, entry.from, entry.to))), "{entry}");
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { proto, from, to, answers_from, .. } = self;
        write!(
            f,
            "{proto} {}:{} -> {}:{} ({}:{})",
            from.0, from.1, to.0, to.1, answers_from.0, answers_from.1
        )
    }
}

type Tuple = (Proto, (IpAddr, u16), (IpAddr, u16));

fn read_tuple(attrs: &Attrs<'_>, kind: u16) -> Result<Option<Tuple>, Malformed> {
    let tuple = attrs.nested(kind)?;
    let (ip, proto) = (tuple.nested(IP)?, tuple.nested(PROTO)?);
    let proto_number = proto.need(NUMBER)?.first().copied();
    let Some(known) = proto_number.and_then(proto_of) else { return Ok(None) };
    let port = |kind| Ok(u16::from_be_bytes(proto.need(kind)?.try_into().map_err(|_| Malformed)?));
    let source = address(ip.get(1), ip.get(3))?;
    let destination = address(ip.get(2), ip.get(4))?;
    Ok(Some((known, (source, port(SOURCE_PORT)?), (destination, port(DESTINATION_PORT)?))))
}

fn address(v4: Option<&[u8]>, v6: Option<&[u8]>) -> Result<IpAddr, Malformed> {
    match (v4, v6) {
        (Some(v4), _) => Ok(IpAddr::from(<[u8; 4]>::try_from(v4).map_err(|_| Malformed)?)),
        (None, Some(v6)) => Ok(IpAddr::from(<[u8; 16]>::try_from(v6).map_err(|_| Malformed)?)),
        (None, None) => Err(Malformed),
    }
}

/// Asks for the entries that have all of these fields.
pub(super) fn write_ask(attrs: &mut Writer<'_>, fields: &[Field]) {
    let (mut original, mut reply) = (0_u32, 0_u32);
    for field in fields {
        match field {
            Field::From(_) => original |= BY_SOURCE,
            Field::To(_) => original |= BY_DESTINATION,
            Field::ToPort(..) => original |= BY_PROTO | BY_DESTINATION_PORT,
            Field::AnswersFrom(_) => reply |= BY_SOURCE,
        }
    }
    for (kind, flags) in [(ORIGINAL, original), (REPLY, reply)] {
        if flags != 0 {
            attrs.nested(kind, |tuple| write_tuple(tuple, kind, fields));
        }
    }
    attrs.nested(FILTER, |filter| {
        filter.bytes(1, &original.to_ne_bytes());
        filter.bytes(2, &reply.to_ne_bytes());
    });
}

fn write_tuple(tuple: &mut Writer<'_>, kind: u16, fields: &[Field]) {
    let ips = fields.iter().filter_map(|field| match (field, kind) {
        (Field::From(ip), ORIGINAL) | (Field::AnswersFrom(ip), REPLY) => Some((*ip, 0)),
        (Field::To(ip), ORIGINAL) => Some((*ip, 1)),
        _ => None,
    });
    let ips: Vec<(IpAddr, u16)> = ips.collect();
    if !ips.is_empty() {
        tuple.nested(IP, |attrs| {
            for (ip, end) in ips {
                match ip {
                    IpAddr::V4(ip) => attrs.bytes(1 + end, &ip.octets()),
                    IpAddr::V6(ip) => attrs.bytes(3 + end, &ip.octets()),
                }
            }
        });
    }
    for field in fields {
        if let (Field::ToPort(proto, port), ORIGINAL) = (field, kind) {
            tuple.nested(PROTO, |attrs| {
                attrs.byte(NUMBER, number_of(*proto));
                attrs.bytes(DESTINATION_PORT, &port.get().to_be_bytes());
            });
        }
    }
}

fn proto_of(number: u8) -> Option<Proto> {
    [Proto::Tcp, Proto::Udp, Proto::Sctp].into_iter().find(|proto| number_of(*proto) == number)
}

/// `IPPROTO_*`.
const fn number_of(proto: Proto) -> u8 {
    match proto {
        Proto::Tcp => 6,
        Proto::Udp => 17,
        Proto::Sctp => 132,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_read_or_left(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(attrs) = Attrs::parse(&bytes) {
                let _ = Entry::read(&attrs);
            }
        }
    }
}
