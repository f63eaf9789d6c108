//! Words of rules about who talks to whom: flows (source, destination, protocol, port), and the ports of a bridge.

use super::{
    expr::{Base, Cmp, Ct, Expr, Member, Meta, Reg},
    field::{End, compare, has_bits, load, lookup, nfproto, port, protocol, v4_field, v6_payload},
    rule::Rule,
};
use crate::types::{Family, Proto};

/// `NF_CT_STATE_BIT(IP_CT_NEW)`.
const NEW: u32 = 8;
/// `IPPROTO_ICMPV6`.
const ICMP6: u8 = 58;

/// What a bridge carries; numbers of linux/if_ether.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ether {
    V4,
    V6,
    Arp,
}

impl Ether {
    const fn number(self) -> u16 {
        match self {
            Self::V4 => 0x0800,
            Self::V6 => 0x86dd,
            Self::Arp => 0x0806,
        }
    }
}

impl Rule {
    /// Packets of this family whose source, destination, protocol and port are in a set.
    pub(crate) fn flow_in(self, family: Family, set: &str) -> Self {
        let (text, mut exprs) = flow(family);
        exprs.push(lookup(set, Member::Yes));
        self.word(format!("{text} @{set}"), exprs)
    }

    /// Packets of this family whose source and destination are in a set.
    pub(crate) fn ends_in(self, family: Family, set: &str) -> Self {
        let (text, mut exprs, _) = ends(family);
        exprs.push(lookup(set, Member::Yes));
        self.word(format!("{text} @{set}"), exprs)
    }

    /// Hands the first `bytes` bytes of a packet to whoever listens to a group.
    pub(crate) fn log(self, group: u16, bytes: u32) -> Self {
        self.word(format!("log group {group} snaplen {bytes}"), [Expr::Log { group, bytes }])
    }

    /// Puts source, destination, protocol and port of a packet of this family and protocol into a set.
    pub(crate) fn note_flow(self, family: Family, proto: Proto, set: &str) -> Self {
        let (text, flow) = flow(family);
        let text = text.replace("th dport", &format!("{proto} dport"));
        let exprs = [load(Meta::L4Proto), compare(Cmp::Equal, vec![protocol(proto)])];
        let note = Expr::Note { set: set.to_owned(), from: Reg(0) };
        self.word(format!("add @{set} {{ {text} }}"), exprs.into_iter().chain(flow).chain([note]))
    }

    /// Packets of ICMP for IPv6, without which no neighbour is found.
    pub(crate) fn icmp6(self) -> Self {
        self.word("meta l4proto ipv6-icmp", carries_icmp6())
    }

    /// Packets that begin a connection.
    pub(crate) fn begins(self) -> Self {
        self.word("ct state new", has_bits(Ct::State, NEW))
    }

    /// Frames that came in by a port that is not in a set.
    pub(crate) fn iifname_not_in(self, set: &str) -> Self {
        self.word(format!("iifname != @{set}"), [load(Meta::IifName), lookup(set, Member::No)])
    }
}

/// Frames that carry this; what is said of them next says it to `nft`.
pub(super) fn carries(kind: Ether) -> [Expr; 2] {
    [load(Meta::Protocol), compare(Cmp::Equal, kind.number().to_be_bytes().to_vec())]
}

/// Packets of ICMP for IPv6; what is said of them next says it to `nft`.
pub(super) fn carries_icmp6() -> [Expr; 2] {
    [load(Meta::L4Proto), compare(Cmp::Equal, vec![ICMP6])]
}

fn flow(family: Family) -> (String, Vec<Expr>) {
    let (text, mut exprs, next) = ends(family);
    exprs.extend([Expr::Meta { key: Meta::L4Proto, to: Reg(next) }, port(End::Destination, Reg(next + 1))]);
    (format!("{text} . meta l4proto . th dport"), exprs)
}

/// Source and destination from the first register on, in a table of all families; and the register behind them.
fn ends(family: Family) -> (String, Vec<Expr>, u8) {
    let registers = match family {
        Family::V4 => 1,
        Family::V6 => 4,
    };
    let exprs = vec![
        load(Meta::NfProto),
        compare(Cmp::Equal, vec![nfproto(family)]),
        address(family, End::Source, Reg(0)),
        address(family, End::Destination, Reg(registers)),
    ];
    let name = name(family);
    (format!("{name} saddr . {name} daddr"), exprs, 2 * registers)
}

pub(super) const fn name(family: Family) -> &'static str {
    match family {
        Family::V4 => "ip",
        Family::V6 => "ip6",
    }
}

pub(super) fn address(family: Family, end: End, to: Reg) -> Expr {
    match family {
        Family::V4 => Expr::Payload { base: Base::Network, offset: v4_field(end).1, len: 4, to },
        Family::V6 => v6_payload(end, to),
    }
}
