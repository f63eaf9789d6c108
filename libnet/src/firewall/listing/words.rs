//! A rule as the kernel has it, in the words of `nft`: all rules of ours, and the most usual ones of a user's chain. Pure.
//!
//! The kernel's language is one of registers: values are loaded, then compared or looked up. What is loaded is kept as a
//! term; whatever uses it puts it into words. A test that only makes sure of a family or protocol (`nft` adds those by
//! itself) is kept back, and said only if nothing after it implies it, as `nft` does.

use std::{collections::BTreeMap, net::IpAddr};

use super::terms::{Loaded, Term, address, bits_of, ct, meta, name, native, number, protocol, value};
use crate::firewall::nft::{
    dump::{Counted, FoundRule},
    expr::{Base, Cmp, Expr, Member, Meta, Nat, Reg},
    field::{IPV4, IPV6},
    set::Kind,
};

/// `ETH_P_ARP`, `IPPROTO_ICMP`, `IPPROTO_ICMPV6`.
const ARP: [u8; 2] = [0x08, 0x06];
const ICMP: u8 = 1;
const ICMP6: u8 = 58;

/// What the words of a rule need to know of a set: of what its keys are made and, of one without a name, its elements.
#[derive(Clone, Debug)]
pub(super) struct SetWords {
    pub(super) key: Vec<Kind>,
    pub(super) inline: Option<String>,
}

/// A rule in words; `None`: it does something that is not known here.
pub(super) fn rule(rule: &FoundRule, sets: &dyn Fn(&str) -> Option<SetWords>) -> Option<String> {
    let mut speaker = Speaker {
        sets,
        registers: BTreeMap::new(),
        kept: Vec::new(),
        carries: None,
        range: None,
        words: Vec::new(),
    };
    let (mut counted, mut others) = (rule.counted.iter(), rule.others.iter());
    for expr in &rule.exprs {
        match expr {
            Expr::Counter => speaker.say(counter(counted.next())),
            Expr::Foreign(_) => speaker.say(others.next()?.clone()?),
            other => speaker.hear(other)?,
        }
    }
    speaker.say_kept();
    if !rule.comment.is_empty() {
        speaker.say(format!("comment \"{}\"", rule.comment));
    }
    Some(speaker.words.join(" "))
}

pub(super) fn counter(counted: Option<&Counted>) -> String {
    match counted {
        Some(Counted { packets, bytes }) => format!("counter packets {packets} bytes {bytes}"),
        None => "counter".to_owned(),
    }
}

struct Speaker<'s> {
    sets: &'s dyn Fn(&str) -> Option<SetWords>,
    registers: BTreeMap<u8, Loaded>,
    /// Tests that `nft` adds by itself, such as that for IPv4: of what, for which value, and their words.
    kept: Vec<(Meta, Vec<u8>, String)>,
    /// What a frame carries, once that was looked at (`ETH_P_*`).
    carries: Option<Vec<u8>>,
    /// The beginning of a range whose end comes next.
    range: Option<String>,
    words: Vec<String>,
}

impl Speaker<'_> {
    fn hear(&mut self, expr: &Expr) -> Option<()> {
        match expr {
            Expr::Meta { key, to } => self.load(*to, Term::Meta(*key)),
            Expr::Ct { key, to } => self.load(*to, Term::Ct(*key)),
            Expr::FibDestinationType { to } => self.load(*to, Term::Route),
            Expr::Load { to, value } => self.load(*to, Term::Data(value.clone())),
            Expr::Payload { base, offset, len, to } => {
                let term = self.payload(*base, *offset, *len)?;
                self.load(*to, term);
            }
            Expr::SetTransport { offset, len, from, .. } => {
                let field = self.transport(*offset, *len);
                let Term::Data(bytes) = &self.registers.get(&from.0)?.term else { return None };
                let (field, value) = (name(&field)?, number(bytes)?);
                self.say(format!("{field} set {value}"));
            }
            Expr::Mask { reg, mask } => self.registers.get_mut(&reg.0)?.mask = Some(mask.clone()),
            Expr::Compare { reg, op, with } => return self.compare(*reg, *op, with),
            Expr::Lookup { set, from, member } => {
                let not = if *member == Member::No { "!= " } else { "" };
                let (key, set) = self.key_and_set(set, *from)?;
                self.say(format!("{key} {not}{set}"));
            }
            Expr::VerdictMap { map, from } => {
                let (key, map) = self.key_and_set(map, *from)?;
                self.say(format!("{key} vmap {map}"));
            }
            Expr::MapTo { map, from, to } => {
                let (key, map) = self.key_and_set(map, *from)?;
                self.load(*to, Term::Mapped(format!("{key} map {map}")));
            }
            Expr::Note { set, from } => {
                let (key, set) = self.key_and_set(set, *from)?;
                self.say(format!("add {set} {{ {key} }}"));
            }
            Expr::Log { group, bytes } => self.say(format!("log group {group} snaplen {bytes}")),
            Expr::Nat { kind, family, addr, port } => return self.nat(*kind, *family, *addr, *port),
            Expr::Verdict(verdict) => self.say(verdict.to_string()),
            Expr::Masquerade => self.say("masquerade".to_owned()),
            Expr::Counter | Expr::IptablesComment(_) | Expr::Foreign(_) => return None,
        }
        Some(())
    }

    fn say(&mut self, words: String) {
        self.say_kept();
        self.words.push(words);
    }

    fn say_kept(&mut self) {
        self.words.extend(self.kept.drain(..).map(|(.., words)| words));
    }

    fn load(&mut self, to: Reg, term: Term) {
        self.registers.insert(to.0, Loaded { term, mask: None });
    }

    /// Whoever looks into a header implies which one it is.
    fn implied(&mut self, tests: &[(Meta, &[u8])]) {
        self.kept.retain(|(of, value, _)| !tests.contains(&(*of, value)));
    }

    fn payload(&mut self, base: Base, offset: u32, len: u32) -> Option<Term> {
        match (base, offset, len) {
            (Base::Link, ..) => Some(Term::Ether(if offset == 0 { "ether daddr" } else { "ether saddr" }))
                .filter(|_| len == 6 && matches!(offset, 0 | 6)),
            (Base::Transport, ..) => Some(self.transport(offset, len)),
            (Base::Network, 8 | 14, _) if self.carries.as_deref() == Some(&ARP[..]) => {
                self.implied(&[(Meta::Protocol, &ARP)]);
                Some(if offset == 8 { Term::Ether("arp saddr ether") } else { Term::Address("arp saddr ip") })
            }
            (Base::Network, 12 | 16, 1..=4) => {
                self.implied(&[(Meta::NfProto, &[IPV4]), (Meta::Protocol, &[0x08, 0x00])]);
                Some(Term::Address(if offset == 12 { "ip saddr" } else { "ip daddr" }))
            }
            (Base::Network, 8 | 24, 1..=16) => {
                self.implied(&[(Meta::NfProto, &[IPV6]), (Meta::Protocol, &[0x86, 0xdd])]);
                Some(Term::Address(if offset == 8 { "ip6 saddr" } else { "ip6 daddr" }))
            }
            _ => None,
        }
    }

    /// Ports, types of ICMP, or bytes that have no name.
    fn transport(&mut self, offset: u32, len: u32) -> Term {
        let of_protocol = |(of, ..): &mut (Meta, Vec<u8>, String)| *of == Meta::L4Proto;
        let is_icmp = |(of, value, _): &(Meta, Vec<u8>, String)| {
            *of == Meta::L4Proto && (value == &[ICMP] || value == &[ICMP6])
        };
        match (offset, len) {
            (0 | 2, 2) => {
                let kept = self.kept.extract_if(.., of_protocol).last();
                let of = kept.and_then(|(_, value, _)| Some(protocol(*value.first()?)));
                let of = of.unwrap_or_else(|| "th".to_owned());
                Term::Port(format!("{of} {}", if offset == 2 { "dport" } else { "sport" }))
            }
            (0, 1) if self.kept.iter().any(is_icmp) => {
                let kept = self.kept.extract_if(.., of_protocol).last();
                let is_v6 = kept.is_some_and(|(_, value, _)| value == [ICMP6]);
                Term::IcmpType(if is_v6 { "icmpv6 type" } else { "icmp type" })
            }
            _ => Term::Bytes(format!("@th,{},{}", offset * 8, len * 8)),
        }
    }

    fn compare(&mut self, reg: Reg, op: Cmp, with: &[u8]) -> Option<()> {
        let loaded = self.registers.get(&reg.0)?.clone();
        if let (Term::Meta(of @ (Meta::NfProto | Meta::L4Proto | Meta::Protocol)), Cmp::Equal) =
            (&loaded.term, op)
        {
            let words = format!("meta {} {}", meta(*of), value(&loaded, with)?);
            if *of == Meta::Protocol {
                self.carries = Some(with.to_vec());
            }
            self.kept.push((*of, with.to_vec(), words));
            return Some(());
        }
        if let (Term::Ct(key), Some(mask), Cmp::NotEqual) = (&loaded.term, &loaded.mask, op) {
            let bits = u32::from_ne_bytes(mask.as_slice().try_into().ok()?);
            self.say(format!("{} {}", ct(*key), bits_of(*key, bits)?));
            return Some(());
        }
        if let (Term::Meta(Meta::Mark), Some(mask)) = (&loaded.term, &loaded.mask) {
            let op = if op == Cmp::Equal { "==" } else { "!=" };
            self.say(format!("meta mark & {:#010x} {op} {:#010x}", native(mask)?, native(with)?));
            return Some(());
        }
        let (name, value) = (name(&loaded.term)?, value(&loaded, with)?);
        match (op, self.range.take()) {
            (Cmp::Equal, None) => self.say(format!("{name} {value}")),
            (Cmp::NotEqual, None) => self.say(format!("{name} != {value}")),
            (Cmp::AtLeast, None) => self.range = Some(value),
            (Cmp::AtMost, Some(from)) => self.say(format!("{name} {from}-{value}")),
            _ => return None,
        }
        Some(())
    }

    /// What is looked up, and where.
    fn key_and_set(&self, set: &str, from: Reg) -> Option<(String, String)> {
        let known = (self.sets)(set)?;
        let mut at = from.0;
        let mut parts = Vec::new();
        for kind in &known.key {
            parts.push(name(&self.registers.get(&at)?.term)?);
            at += u8::try_from(kind.len().div_ceil(4)).ok()?;
        }
        let named = || (!set.starts_with("__")).then(|| format!("@{set}"));
        Some((parts.join(" . "), known.inline.or_else(named)?))
    }

    fn nat(&mut self, kind: Nat, of: u8, addr: Reg, port: Option<Reg>) -> Option<()> {
        let word = if kind == Nat::Source { "snat" } else { "dnat" };
        let to = match &self.registers.get(&addr.0)?.term {
            Term::Mapped(text) => text.clone(),
            Term::Data(bytes) => {
                let ip = address(bytes)?;
                let port = port.and_then(|port| match &self.registers.get(&port.0)?.term {
                    Term::Data(bytes) => number(bytes),
                    _ => None,
                });
                match (ip, port) {
                    (ip, None) => ip.to_string(),
                    (IpAddr::V4(ip), Some(port)) => format!("{ip}:{port}"),
                    (IpAddr::V6(ip), Some(port)) => format!("[{ip}]:{port}"),
                }
            }
            _ => return None,
        };
        let of = if of == IPV4 { "ip" } else { "ip6" };
        self.say(format!("{word} {of} to {to}"));
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::{
        egress,
        listing::about,
        nft::{
            chain::{Chain, Table},
            rule::Rule,
        },
        ruleset::{TABLES, base},
    };

    fn chains() -> Vec<(Table, Chain)> {
        let marks = [None, Some("0x1".parse().unwrap()), Some("0x1/0xff".parse().unwrap())];
        let all = |table| marks.into_iter().flat_map(move |mark| base::chains(table, mark));
        let own = TABLES.into_iter().flat_map(|table| all(table).map(move |chain| (table, chain)));
        own.chain(egress::chains(egress::Told::Yes).into_iter().map(|chain| (egress::TABLE, chain))).collect()
    }

    #[test]
    fn rules_of_ours_are_read_as_they_were_written() {
        for (table, chain) in chains() {
            for written in &chain.rules {
                let sets = |name: &str| {
                    let spec = about::spec(table, name)?;
                    Some(SetWords { key: spec.key.to_vec(), inline: None })
                };
                assert_eq!(
                    rule(&found(written), &sets).as_deref(),
                    Some(written.text().as_str()),
                    "{written:?}"
                );
            }
        }
    }

    fn found(rule: &Rule) -> FoundRule {
        let comment = rule.comment.clone().unwrap_or_default();
        FoundRule { handle: 1, exprs: rule.exprs.clone(), comment, counted: Vec::new(), others: Vec::new() }
    }
}
