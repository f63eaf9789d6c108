//! Fields of packets as expressions that load and compare them, and the numbers by which the kernel and packets call things.

use super::expr::{Base, Cmp, Ct, Expr, Member, Meta, Reg};
use crate::types::{Family, Proto};

/// `NFPROTO_IPV4`, `NFPROTO_IPV6`.
pub(crate) const IPV4: u8 = 2;
pub(crate) const IPV6: u8 = 10;
/// `IFNAMSIZ`.
pub(crate) const IFNAME_LEN: usize = 16;
/// Where what is compared is loaded to.
pub(super) const SCRATCH: Reg = Reg(0);

/// Which end of a packet's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Source,
    Destination,
}

/// `IPPROTO_*`.
pub(crate) const fn protocol(proto: Proto) -> u8 {
    match proto {
        Proto::Tcp => 6,
        Proto::Udp => 17,
        Proto::Sctp => 132,
    }
}

/// `IPPROTO_ICMP`, `IPPROTO_ICMPV6`.
pub(crate) const fn icmp(family: Family) -> u8 {
    match family {
        Family::V4 => 1,
        Family::V6 => 58,
    }
}

/// A name as the kernel keeps it: padded with NUL to `IFNAMSIZ`.
pub(crate) fn ifname(name: &str) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.resize(IFNAME_LEN, 0);
    bytes
}

/// `NFPROTO_*`.
pub(crate) const fn nfproto(family: Family) -> u8 {
    match family {
        Family::V4 => IPV4,
        Family::V6 => IPV6,
    }
}

pub(super) fn load(key: Meta) -> Expr {
    Expr::Meta { key, to: SCRATCH }
}

pub(super) fn compare(op: Cmp, with: Vec<u8>) -> Expr {
    Expr::Compare { reg: SCRATCH, op, with }
}

pub(super) fn lookup(set: &str, member: Member) -> Expr {
    Expr::Lookup { set: set.to_owned(), from: SCRATCH, member }
}

pub(super) fn has_bits(key: Ct, bits: u32) -> [Expr; 3] {
    [
        Expr::Ct { key, to: SCRATCH },
        Expr::Mask { reg: SCRATCH, mask: bits.to_ne_bytes().to_vec() },
        compare(Cmp::NotEqual, vec![0; 4]),
    ]
}

/// RFC 791: the addresses are the fourth and the fifth word.
pub(super) const fn v4_field(end: End) -> (&'static str, u32) {
    match end {
        End::Source => ("saddr", 12),
        End::Destination => ("daddr", 16),
    }
}

/// RFC 8200: the addresses follow the first two words.
pub(super) const fn v6_payload(end: End, to: Reg) -> Expr {
    let offset = match end {
        End::Source => 8,
        End::Destination => 24,
    };
    Expr::Payload { base: Base::Network, offset, len: 16, to }
}

/// Loads a destination address; returns also the register that follows it.
pub(super) fn destination(family: Family, to: Reg) -> (&'static str, Expr, u8) {
    match family {
        Family::V4 => (
            "ip",
            Expr::Payload { base: Base::Network, offset: v4_field(End::Destination).1, len: 4, to },
            to.0 + 1,
        ),
        Family::V6 => ("ip6", v6_payload(End::Destination, to), to.0 + 4),
    }
}

/// TCP, UDP and SCTP begin with the source port, then the destination's.
pub(super) fn port(end: End, to: Reg) -> Expr {
    let offset = if end == End::Source { 0 } else { 2 };
    Expr::Payload { base: Base::Transport, offset, len: 2, to }
}

/// `NFPROTO_*` of linux/netfilter.h, in `nft`'s words.
pub(crate) const fn family_name(family: u8) -> &'static str {
    match family {
        1 => "inet",
        2 => "ip",
        3 => "arp",
        5 => "netdev",
        7 => "bridge",
        10 => "ip6",
        _ => "unknown",
    }
}
