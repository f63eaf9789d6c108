//! Words of rules about where a frame comes from (the port of the bridge, the Ethernet address and the address that it
//! says it is from), and by which link a packet for the host does.

use super::{
    expr::{Base, Cmp, Expr, Member, Meta, Reg},
    field::{End, compare, destination, load, lookup, nfproto, port},
    flow::{Ether, address, carries, carries_icmp6, name},
    rule::Rule,
};
use crate::types::Family;

/// Registers behind the name of a link, and behind an Ethernet address that follows it.
const AFTER_LINK: Reg = Reg(4);
const AFTER_MAC: Reg = Reg(6);
/// RFC 826: sender hardware and protocol address, where both are those of Ethernet and IPv4.
const ARP_SENDER_MAC: u32 = 8;
const ARP_SENDER_IP: u32 = 14;
/// RFC 4861: neighbour advertisement, and where in it the address is that it is about.
const ADVERTISEMENT: u8 = 136;
const TARGET: u32 = 8;

impl Rule {
    /// Packets of one family whose destination is in a set.
    pub(crate) fn destination_in(self, family: Family, set: &str) -> Self {
        let exprs = [
            load(Meta::NfProto),
            compare(Cmp::Equal, vec![nfproto(family)]),
            address(family, End::Destination, Reg(0)),
            lookup(set, Member::Yes),
        ];
        self.word(format!("{} daddr @{set}", name(family)), exprs)
    }

    /// Packets whose way in and destination are not together in a set; of one family that a word before has named.
    pub(crate) fn not_near(self, family: Family, set: &str) -> Self {
        let exprs =
            [load(Meta::IifName), address(family, End::Destination, AFTER_LINK), lookup(set, Member::No)];
        self.word(format!("iifname . {} daddr != @{set}", name(family)), exprs)
    }

    /// Packets of one family whose way in and destination are together in a set.
    pub(crate) fn near(self, family: Family, set: &str) -> Self {
        let exprs = [
            load(Meta::NfProto),
            compare(Cmp::Equal, vec![nfproto(family)]),
            load(Meta::IifName),
            address(family, End::Destination, AFTER_LINK),
            lookup(set, Member::Yes),
        ];
        self.word(format!("iifname . {} daddr @{set}", name(family)), exprs)
    }

    /// Packets whose way in, protocol and port are in a set.
    pub(crate) fn port_of_link_in(self, set: &str) -> Self {
        let exprs = [
            load(Meta::IifName),
            Expr::Meta { key: Meta::L4Proto, to: AFTER_LINK },
            port(End::Destination, Reg(AFTER_LINK.0 + 1)),
            lookup(set, Member::Yes),
        ];
        self.word(format!("iifname . meta l4proto . th dport @{set}"), exprs)
    }

    /// Packets whose family, protocol and port are in a set.
    pub(crate) fn port_of_family_in(self, set: &str) -> Self {
        let exprs = [
            load(Meta::NfProto),
            Expr::Meta { key: Meta::L4Proto, to: Reg(1) },
            port(End::Destination, Reg(2)),
            lookup(set, Member::Yes),
        ];
        self.word(format!("meta nfproto . meta l4proto . th dport @{set}"), exprs)
    }

    /// Packets of one family whose destination, protocol and port are in a set.
    pub(crate) fn port_of_address_in(self, family: Family, set: &str) -> Self {
        let (name, address, next) = destination(family, Reg(0));
        let exprs = [
            load(Meta::NfProto),
            compare(Cmp::Equal, vec![nfproto(family)]),
            address,
            Expr::Meta { key: Meta::L4Proto, to: Reg(next) },
            port(End::Destination, Reg(next + 1)),
            lookup(set, Member::Yes),
        ];
        self.word(format!("{name} daddr . meta l4proto . th dport @{set}"), exprs)
    }

    /// Frames of IP whose port, Ethernet address and source address are together in a set.
    pub(crate) fn source_of(self, family: Family, set: &str) -> Self {
        let kind = if family == Family::V4 { Ether::V4 } else { Ether::V6 };
        let exprs = from(sender(), address(family, End::Source, AFTER_MAC), set, Member::Yes);
        let text = format!("iifname . ether saddr . {} saddr @{set}", name(family));
        self.word(text, carries(kind).into_iter().chain(exprs))
    }

    /// ARP whose port, Ethernet address and sender address are together in a set.
    pub(crate) fn arp_source_of(self, set: &str) -> Self {
        let exprs = from(sender(), arp_ip(), set, Member::Yes);
        let text = format!("iifname . ether saddr . arp saddr ip @{set}");
        self.word(text, carries(Ether::Arp).into_iter().chain(exprs))
    }

    /// The same for the Ethernet address that ARP itself says it is from.
    pub(crate) fn arp_sender_of(self, set: &str) -> Self {
        let sender = Expr::Payload { base: Base::Network, offset: ARP_SENDER_MAC, len: 6, to: AFTER_LINK };
        let exprs = from(sender, arp_ip(), set, Member::Yes);
        self.word(format!("iifname . arp saddr ether . arp saddr ip @{set}"), exprs)
    }

    /// Neighbour advertisements (RFC 4861) about an address that is not in a set together with port and Ethernet address.
    pub(crate) fn advertises_other_than(self, set: &str) -> Self {
        let kind = Expr::Payload { base: Base::Transport, offset: 0, len: 1, to: Reg(0) };
        let target = Expr::Payload { base: Base::Transport, offset: TARGET, len: 16, to: AFTER_MAC };
        let advertisement = [kind, compare(Cmp::Equal, vec![ADVERTISEMENT])];
        self.word("icmpv6 type nd-neighbor-advert", carries_icmp6().into_iter().chain(advertisement)).word(
            format!("iifname . ether saddr . @th,64,128 != @{set}"),
            from(sender(), target, set, Member::No),
        )
    }
}

/// The Ethernet address that a frame says it is from.
const fn sender() -> Expr {
    Expr::Payload { base: Base::Link, offset: 6, len: 6, to: AFTER_LINK }
}

const fn arp_ip() -> Expr {
    Expr::Payload { base: Base::Network, offset: ARP_SENDER_IP, len: 4, to: AFTER_MAC }
}

fn from(mac: Expr, ip: Expr, set: &str, member: Member) -> [Expr; 4] {
    [load(Meta::IifName), mac, ip, lookup(set, member)]
}
