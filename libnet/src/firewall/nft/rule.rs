//! A rule, built word by word: each word adds what `nft` prints for it and the expressions that it stands for, so that
//! text and rule can't differ.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::expr::{Base, Cmp, Ct, Expr, Member, Meta, Nat, Reg, Verdict};
use crate::types::{Family, FwMark, Port, Proto};

/// `NFPROTO_IPV4`, `NFPROTO_IPV6`.
pub(crate) const IPV4: u8 = 2;
pub(crate) const IPV6: u8 = 10;
/// `IFNAMSIZ`.
pub(crate) const IFNAME_LEN: usize = 16;
/// `RTN_LOCAL` of linux/rtnetlink.h.
const LOCAL: u32 = 2;
/// `NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED)`.
const ESTABLISHED_OR_RELATED: u32 = 2 | 4;
/// `IPS_DST_NAT` of linux/netfilter/nf_conntrack_common.h.
const DST_NAT: u32 = 1 << 5;
const SCRATCH: Reg = Reg(0);

/// Which end of a packet's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Source,
    Destination,
}

/// Which of a packet's links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    In,
    Out,
}

/// A rule and how `nft` prints it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Rule {
    pub(crate) exprs: Vec<Expr>,
    text: String,
    pub(crate) comment: Option<String>,
}

impl Rule {
    /// A rule that does nothing yet.
    pub(crate) fn new() -> Self {
        Self { exprs: Vec::new(), text: String::new(), comment: None }
    }

    /// As `nft` prints it.
    pub(crate) fn text(&self) -> String {
        match &self.comment {
            Some(comment) => format!("{} comment \"{comment}\"", self.text),
            None => self.text.clone(),
        }
    }

    pub(super) fn word(mut self, text: impl AsRef<str>, exprs: impl IntoIterator<Item = Expr>) -> Self {
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(text.as_ref());
        self.exprs.extend(exprs);
        self
    }

    /// Says why the rule is there.
    pub(crate) fn comment(mut self, text: impl Into<String>) -> Self {
        self.comment = Some(text.into());
        self
    }

    /// Packets that came in by a link of another name.
    pub(crate) fn iifname_not(self, name: &str) -> Self {
        let exprs = [load(Meta::IifName), compare(Cmp::NotEqual, ifname(name))];
        self.word(format!("iifname != \"{name}\""), exprs)
    }

    /// Packets that came in by no link: the host's own, and those that br_netfilter shows while they are bridged.
    pub(crate) fn no_iif(self) -> Self {
        self.word("iif 0", [load(Meta::Iif), compare(Cmp::Equal, 0_u32.to_ne_bytes().to_vec())])
    }

    /// Packets that came in, or go out, by this link.
    pub(crate) fn link_is(self, side: Side, name: &str) -> Self {
        let (word, key) = match side {
            Side::In => ("iifname", Meta::IifName),
            Side::Out => ("oifname", Meta::OifName),
        };
        self.word(format!("{word} \"{name}\""), [load(key), compare(Cmp::Equal, ifname(name))])
    }

    /// Counts the packets that get here.
    pub(crate) fn counter(self) -> Self {
        self.word("counter", [Expr::Counter])
    }

    /// Packets that came in by a link of a set.
    pub(crate) fn iifname_in(self, set: &str) -> Self {
        self.word(format!("iifname @{set}"), [load(Meta::IifName), lookup(set, Member::Yes)])
    }

    /// Packets that go out by a link of a set, or by none of it.
    pub(crate) fn oifname(self, member: Member, set: &str) -> Self {
        let not = if member == Member::No { "!= " } else { "" };
        self.word(format!("oifname {not}@{set}"), [load(Meta::OifName), lookup(set, member)])
    }

    /// Packets whose way in and way out are a pair of a set.
    pub(crate) fn links_in(self, set: &str) -> Self {
        let [iif, oif] = link_pair();
        self.word(format!("iifname . oifname @{set}"), [iif, oif, lookup(set, Member::Yes)])
    }

    /// What a map says of the pair of way in and way out.
    pub(crate) fn links_verdict(self, map: &str) -> Self {
        let [iif, oif] = link_pair();
        let verdict = Expr::VerdictMap { map: map.to_owned(), from: SCRATCH };
        self.word(format!("iifname . oifname vmap @{map}"), [iif, oif, verdict])
    }

    /// Packets to an address of this host.
    pub(crate) fn for_this_host(self) -> Self {
        let exprs =
            [Expr::FibDestinationType { to: SCRATCH }, compare(Cmp::Equal, LOCAL.to_ne_bytes().to_vec())];
        self.word("fib daddr type local", exprs)
    }

    /// Packets with an end in 127.0.0.0/8.
    pub(crate) fn loopback4(self, end: End) -> Self {
        let (word, offset) = v4_field(end);
        let exprs = [
            load(Meta::NfProto),
            compare(Cmp::Equal, vec![IPV4]),
            Expr::Payload { base: Base::Network, offset, len: 1, to: SCRATCH },
            compare(Cmp::Equal, vec![127]),
        ];
        self.word(format!("ip {word} 127.0.0.0/8"), exprs)
    }

    /// Packets to ::1.
    pub(crate) fn for_loopback6(self) -> Self {
        let exprs = [
            load(Meta::NfProto),
            compare(Cmp::Equal, vec![IPV6]),
            v6_payload(End::Destination, SCRATCH),
            compare(Cmp::Equal, Ipv6Addr::LOCALHOST.octets().to_vec()),
        ];
        self.word("ip6 daddr ::1", exprs)
    }

    /// Packets from fe80::/10.
    pub(crate) fn of_link_local6(self) -> Self {
        let (mut mask, mut net) = (vec![0; 16], vec![0; 16]);
        mask[..2].copy_from_slice(&[0xff, 0xc0]);
        net[..2].copy_from_slice(&[0xfe, 0x80]);
        let exprs = [
            load(Meta::NfProto),
            compare(Cmp::Equal, vec![IPV6]),
            v6_payload(End::Source, SCRATCH),
            Expr::Mask { reg: SCRATCH, mask },
            compare(Cmp::Equal, net),
        ];
        self.word("ip6 saddr fe80::/10", exprs)
    }

    /// Packets of one family whose source is in a set.
    pub(crate) fn source_in(self, family: Family, set: &str) -> Self {
        let (name, exprs) = match family {
            Family::V4 => {
                let offset = v4_field(End::Source).1;
                ("ip", Expr::Payload { base: Base::Network, offset, len: 4, to: SCRATCH })
            }
            Family::V6 => ("ip6", v6_payload(End::Source, SCRATCH)),
        };
        let family = [load(Meta::NfProto), compare(Cmp::Equal, vec![nfproto(family)])];
        self.word(format!("{name} saddr @{set}"), family.into_iter().chain([exprs, lookup(set, Member::Yes)]))
    }

    /// Packets whose way out, destination, protocol and port are in a set.
    pub(crate) fn target_in(self, family: Family, set: &str) -> Self {
        let (name, payload, next) = destination(family, Reg(4));
        let exprs = [
            load(Meta::NfProto),
            compare(Cmp::Equal, vec![nfproto(family)]),
            load(Meta::OifName),
            payload,
            Expr::Meta { key: Meta::L4Proto, to: Reg(next) },
            port(End::Destination, Reg(next + 1)),
            lookup(set, Member::Yes),
        ];
        self.word(format!("oifname . {name} daddr . meta l4proto . th dport @{set}"), exprs)
    }

    /// Packets whose way out and family are in a set.
    pub(crate) fn family_in(self, set: &str) -> Self {
        let family = Expr::Meta { key: Meta::NfProto, to: Reg(4) };
        self.word(
            format!("oifname . meta nfproto @{set}"),
            [load(Meta::OifName), family, lookup(set, Member::Yes)],
        )
    }

    /// Packets whose way out and protocol are in a set.
    pub(crate) fn protocol_in(self, set: &str) -> Self {
        let protocol = Expr::Meta { key: Meta::L4Proto, to: Reg(4) };
        self.word(
            format!("oifname . meta l4proto @{set}"),
            [load(Meta::OifName), protocol, lookup(set, Member::Yes)],
        )
    }

    /// Packets with a mark.
    pub(crate) fn marked(self, mark: FwMark) -> Self {
        let equal = compare(Cmp::Equal, mark.mark().to_ne_bytes().to_vec());
        match mark.mask() {
            u32::MAX => self.word(format!("meta mark {:#010x}", mark.mark()), [load(Meta::Mark), equal]),
            mask => {
                let mask_bits = Expr::Mask { reg: SCRATCH, mask: mask.to_ne_bytes().to_vec() };
                self.word(
                    format!("meta mark & {mask:#010x} == {:#010x}", mark.mark()),
                    [load(Meta::Mark), mask_bits, equal],
                )
            }
        }
    }

    /// Packets of a connection whose first packet was let through, and errors about one.
    pub(crate) fn established_or_related(self) -> Self {
        self.word("ct state established,related", has_bits(Ct::State, ESTABLISHED_OR_RELATED))
    }

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

    /// IPv4 packets (in a table of family `ip`) of one protocol with this address and port at one end.
    pub(crate) fn ip_end(self, end: End, addr: Ipv4Addr, proto: Proto, number: Port) -> Self {
        let (word, offset) = v4_field(end);
        let side = if end == End::Source { "sport" } else { "dport" };
        let exprs = [
            Expr::Payload { base: Base::Network, offset, len: 4, to: SCRATCH },
            compare(Cmp::Equal, addr.octets().to_vec()),
            load(Meta::L4Proto),
            compare(Cmp::Equal, vec![protocol(proto)]),
            port(end, SCRATCH),
            compare(Cmp::Equal, number.get().to_be_bytes().to_vec()),
        ];
        self.word(format!("ip {word} {addr} {proto} {side} {number}"), exprs)
    }

    /// Rewrites one end of a connection (in a table of family `ip`).
    pub(crate) fn nat_to(self, end: End, addr: Ipv4Addr, number: Port) -> Self {
        let (word, kind) = match end {
            End::Source => ("snat", Nat::Source),
            End::Destination => ("dnat", Nat::Destination),
        };
        let exprs = [
            Expr::Load { to: Reg(0), value: addr.octets().to_vec() },
            Expr::Load { to: Reg(1), value: number.get().to_be_bytes().to_vec() },
            Expr::Nat { kind, family: IPV4, addr: Reg(0), port: Some(Reg(1)) },
        ];
        self.word(format!("{word} to {addr}:{number}"), exprs)
    }

    /// Rewrites the source to the address of the link that the packet leaves by.
    pub(crate) fn masquerade(self) -> Self {
        self.word("masquerade", [Expr::Masquerade])
    }

    /// Ends with a verdict.
    pub(crate) fn verdict(self, verdict: Verdict) -> Self {
        self.word(verdict.to_string(), [Expr::Verdict(verdict)])
    }
}

/// What a DNAT map is keyed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DnatKey {
    /// Protocol and port.
    Any,
    /// Address, protocol and port.
    Address,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Accept => f.write_str("accept"),
            Self::Drop => f.write_str("drop"),
            Self::Return => f.write_str("return"),
            Self::Jump(chain) => write!(f, "jump {chain}"),
            Self::Goto(chain) => write!(f, "goto {chain}"),
        }
    }
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

fn link_pair() -> [Expr; 2] {
    [load(Meta::IifName), Expr::Meta { key: Meta::OifName, to: Reg(4) }]
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
fn destination(family: Family, to: Reg) -> (&'static str, Expr, u8) {
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
