//! Words of rules about which packets are meant: by their links, their addresses, their mark, their connection.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{
    expr::{Base, Cmp, Ct, Expr, Member, Meta, Reg},
    field::{
        End, IPV4, IPV6, SCRATCH, compare, destination, has_bits, ifname, load, lookup, nfproto, port,
        protocol, v4_field, v6_payload,
    },
    rule::Rule,
};
use crate::types::{Family, FwMark, Port, Proto};

/// `RTN_LOCAL` of linux/rtnetlink.h.
const LOCAL: u32 = 2;
/// `NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED)`.
const ESTABLISHED_OR_RELATED: u32 = 2 | 4;

/// Which of a packet's links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    In,
    Out,
}

/// A protocol whose checksum is a sum (RFC 1071), which the kernel keeps right when a field is written. That of SCTP is
/// none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Summed {
    Tcp,
    Udp,
}

impl From<Summed> for Proto {
    fn from(summed: Summed) -> Self {
        match summed {
            Summed::Tcp => Self::Tcp,
            Summed::Udp => Self::Udp,
        }
    }
}

impl Rule {
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

    /// Writes another port into a packet of this protocol; nobody remembers it.
    pub(crate) fn set_port(self, end: End, proto: Summed, number: Port) -> Self {
        let (side, offset) = if end == End::Source { ("sport", 0) } else { ("dport", 2) };
        // RFC 768, RFC 9293: where the checksum is.
        let checksum = match proto {
            Summed::Udp => 6,
            Summed::Tcp => 16,
        };
        let exprs = [
            Expr::Load { to: SCRATCH, value: number.get().to_be_bytes().to_vec() },
            Expr::SetTransport { offset, len: 2, from: SCRATCH, checksum },
        ];
        self.word(format!("{} {side} set {number}", Proto::from(proto)), exprs)
    }
}

fn link_pair() -> [Expr; 2] {
    [load(Meta::IifName), Expr::Meta { key: Meta::OifName, to: Reg(4) }]
}
