//! What a rule looks at, and the values that it compares that with, in the words of `nft`. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::firewall::nft::{
    expr::{Ct, Meta},
    field::{IPV4, IPV6},
};

/// What a register holds.
#[derive(Clone, Debug)]
pub(super) enum Term {
    Meta(Meta),
    Ct(Ct),
    /// An address, or the first bytes of one: `ip saddr`.
    Address(&'static str),
    /// `tcp dport`.
    Port(String),
    /// An Ethernet address: `ether saddr`.
    Ether(&'static str),
    /// `icmpv6 type`.
    IcmpType(&'static str),
    /// Bytes that have no name: `@th,64,128`.
    Bytes(String),
    Route,
    /// What a map says of something.
    Mapped(String),
    Data(Vec<u8>),
}

#[derive(Clone, Debug)]
pub(super) struct Loaded {
    pub(super) term: Term,
    pub(super) mask: Option<Vec<u8>>,
}

pub(super) const fn meta(key: Meta) -> &'static str {
    match key {
        Meta::Protocol => "protocol",
        Meta::Mark => "mark",
        Meta::Iif => "iif",
        Meta::IifName => "iifname",
        Meta::OifName => "oifname",
        Meta::NfProto => "nfproto",
        Meta::L4Proto => "l4proto",
    }
}

pub(super) const fn ct(key: Ct) -> &'static str {
    match key {
        Ct::State => "ct state",
        Ct::Status => "ct status",
    }
}

/// nft leaves `meta` out before links.
pub(super) fn name(term: &Term) -> Option<String> {
    match term {
        Term::Meta(key @ (Meta::Iif | Meta::IifName | Meta::OifName)) => Some(meta(*key).to_owned()),
        Term::Meta(key) => Some(format!("meta {}", meta(*key))),
        Term::Address(name) | Term::Ether(name) | Term::IcmpType(name) => Some((*name).to_owned()),
        Term::Port(name) | Term::Bytes(name) => Some(name.clone()),
        Term::Route => Some("fib daddr type".to_owned()),
        Term::Ct(_) | Term::Mapped(_) | Term::Data(_) => None,
    }
}

/// What a term is compared with.
pub(super) fn value(Loaded { term, mask }: &Loaded, with: &[u8]) -> Option<String> {
    match (term, mask) {
        (Term::Meta(Meta::IifName | Meta::OifName), None) => link(with),
        (Term::Meta(Meta::Iif), None) => with.iter().all(|byte| *byte == 0).then(|| "0".to_owned()),
        (Term::Meta(Meta::Mark), None) => Some(format!("{:#010x}", native(with)?)),
        (Term::Meta(Meta::Protocol), None) => {
            let names = [(0x0800, "ip"), (0x86dd, "ip6"), (0x0806, "arp")];
            let number = number(with)?;
            names.iter().find(|(known, _)| *known == number).map(|(_, name)| (*name).to_owned())
        }
        (Term::Meta(Meta::NfProto), None) => Some(family(*with.first()?).to_owned()),
        (Term::Meta(Meta::L4Proto), None) => Some(protocol(*with.first()?)),
        (Term::Address(name), mask) => prefix(name.starts_with("ip6"), mask.as_deref(), with),
        (Term::Ether(_), None) => Some(mac(with)),
        (Term::IcmpType(of), None) => icmp_type(of, *with.first()?),
        (Term::Port(_), None) => number(with).map(|number| number.to_string()),
        (Term::Route, None) => route(native(with)?).map(str::to_owned),
        _ => None,
    }
}

/// A name that ends in nothing is the beginning of one.
fn link(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().position(|byte| *byte == 0);
    let name = std::str::from_utf8(&bytes[..end.unwrap_or(bytes.len())]).ok()?;
    Some(if end.is_some() { format!("\"{name}\"") } else { format!("\"{name}*\"") })
}

/// An address; some bits of one, or its first bytes, are a prefix.
fn prefix(is_v6: bool, mask: Option<&[u8]>, with: &[u8]) -> Option<String> {
    let whole = if is_v6 { 16 } else { 4 };
    let bits = match mask {
        Some(mask) => {
            let ones = mask.iter().map(|byte| byte.count_ones()).sum::<u32>();
            let leading = mask.iter().take_while(|byte| **byte == 0xff).count();
            let rest = mask.get(leading).map_or(0, |byte| byte.leading_ones());
            (ones == u32::try_from(leading).ok()? * 8 + rest).then_some(ones)?
        }
        None => u32::try_from(with.len()).ok()? * 8,
    };
    let mut bytes = with.to_vec();
    bytes.resize(whole, 0);
    let ip = address(&bytes)?;
    Some(if bits as usize == whole * 8 { ip.to_string() } else { format!("{ip}/{bits}") })
}

fn mac(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

/// Those that firewalls care for.
fn icmp_type(of: &str, number: u8) -> Option<String> {
    let names: &[(u8, &str)] = match of {
        "icmp type" => &[(0, "echo-reply"), (3, "destination-unreachable"), (8, "echo-request")],
        _ => &[
            (1, "destination-unreachable"),
            (128, "echo-request"),
            (129, "echo-reply"),
            (133, "nd-router-solicit"),
            (134, "nd-router-advert"),
            (135, "nd-neighbor-solicit"),
            (136, "nd-neighbor-advert"),
        ],
    };
    names.iter().find(|(known, _)| *known == number).map(|(_, name)| (*name).to_owned())
}

pub(super) fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|bytes| IpAddr::V4(Ipv4Addr::from(bytes)));
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(|bytes| IpAddr::V6(Ipv6Addr::from(bytes)))).ok()
}

pub(super) fn number(bytes: &[u8]) -> Option<u16> {
    bytes.try_into().ok().map(u16::from_be_bytes)
}

pub(super) fn native(bytes: &[u8]) -> Option<u32> {
    bytes.try_into().ok().map(u32::from_ne_bytes)
}

const fn family(number: u8) -> &'static str {
    match number {
        IPV4 => "ipv4",
        IPV6 => "ipv6",
        _ => "unknown",
    }
}

/// `IPPROTO_*`.
pub(super) fn protocol(number: u8) -> String {
    let names = [(1, "icmp"), (6, "tcp"), (17, "udp"), (58, "ipv6-icmp"), (132, "sctp")];
    let known = names.iter().find(|(known, _)| *known == number);
    known.map_or_else(|| number.to_string(), |(_, name)| (*name).to_owned())
}

/// `RTN_*`.
const fn route(kind: u32) -> Option<&'static str> {
    match kind {
        1 => Some("unicast"),
        2 => Some("local"),
        3 => Some("broadcast"),
        5 => Some("multicast"),
        _ => None,
    }
}

/// In nft's order.
pub(super) fn bits_of(key: Ct, bits: u32) -> Option<String> {
    let known: &[(u32, &str)] = match key {
        Ct::State => &[(1, "invalid"), (8, "new"), (2, "established"), (4, "related"), (64, "untracked")],
        Ct::Status => &[
            (1, "expected"),
            (2, "seen-reply"),
            (4, "assured"),
            (8, "confirmed"),
            (16, "snat"),
            (32, "dnat"),
            (512, "dying"),
        ],
    };
    let said: u32 = known.iter().map(|(bit, _)| bit & bits).sum();
    let names = known.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| *name);
    (said == bits).then(|| names.collect::<Vec<_>>().join(","))
}
