//! Words of rules that rewrite an end of a connection, or find those that were.

use super::{
    expr::{Cmp, Ct, Expr, Meta, Nat, Reg},
    field::{End, SCRATCH, compare, destination, has_bits, load, nfproto, port},
    rule::Rule,
};
use crate::types::Family;

/// `IPS_DST_NAT` of linux/netfilter/nf_conntrack_common.h.
const DST_NAT: u32 = 1 << 5;

/// What a DNAT map is keyed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DnatKey {
    /// Protocol and port.
    Any,
    /// Address, protocol and port.
    Address,
}

impl Rule {
    /// Packets whose destination was rewritten.
    pub(crate) fn rewritten(self) -> Self {
        self.word("ct status dnat", has_bits(Ct::Status, DST_NAT))
    }

    /// Rewrites the destination to what a map says of destination, protocol and port, or of protocol and port.
    pub(crate) fn dnat_by(self, family: Family, key: DnatKey, map: &str) -> Self {
        let (name, payload, after_address) = destination(family, Reg(0));
        let (word, mut exprs, next) = match key {
            DnatKey::Address => (format!("{name} daddr . "), vec![payload], after_address),
            DnatKey::Any => (String::new(), Vec::new(), 0),
        };
        exprs.extend([
            Expr::Meta { key: Meta::L4Proto, to: Reg(next) },
            port(End::Destination, Reg(next + 1)),
            Expr::MapTo { map: map.to_owned(), from: Reg(0), to: Reg(0) },
            Expr::Nat {
                kind: Nat::Destination,
                family: nfproto(family),
                addr: Reg(0),
                port: Some(Reg(after_address)),
            },
        ]);
        let guard = [load(Meta::NfProto), compare(Cmp::Equal, vec![nfproto(family)])];
        let nfproto = match (key, family) {
            (DnatKey::Address, _) => String::new(), // implied by the address
            (DnatKey::Any, Family::V4) => "meta nfproto ipv4 ".to_owned(),
            (DnatKey::Any, Family::V6) => "meta nfproto ipv6 ".to_owned(),
        };
        self.word(
            format!("{nfproto}dnat {name} to {word}meta l4proto . th dport map @{map}"),
            guard.into_iter().chain(exprs),
        )
    }

    /// Rewrites the source to what a map says of the link that the packet came in by.
    pub(crate) fn snat_by_link(self, family: Family, map: &str) -> Self {
        let name = match family {
            Family::V4 => "ip",
            Family::V6 => "ip6",
        };
        let exprs = [
            load(Meta::NfProto),
            compare(Cmp::Equal, vec![nfproto(family)]),
            load(Meta::IifName),
            Expr::MapTo { map: map.to_owned(), from: SCRATCH, to: SCRATCH },
            Expr::Nat { kind: Nat::Source, family: nfproto(family), addr: SCRATCH, port: None },
        ];
        let nfproto = if family == Family::V4 { "ipv4" } else { "ipv6" };
        self.word(format!("meta nfproto {nfproto} snat {name} to iifname map @{map}"), exprs)
    }

    /// Rewrites the source to the address of the link that the packet leaves by.
    pub(crate) fn masquerade(self) -> Self {
        self.word("masquerade", [Expr::Masquerade])
    }
}
