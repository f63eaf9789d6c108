//! The table of egress, as operations that declare it whole: what is there already stays, what differs is replaced, and
//! no packet sees a state in between.

use std::collections::BTreeSet;

use super::Restriction;
use crate::{
    firewall::nft::{
        chain::{Anchor, Chain, Hook, Table, TableFamily},
        op::Op,
        rule::Rule,
        set::{Data, Entry, Holds, Kind, SetSpec, Tuple, Value},
        verdict::Verdict,
    },
    types::{Egress, Family, Proto},
};

pub(in crate::firewall) const TABLE: Table = Table { family: TableFamily::Inet, name: "pontoon-egress" };
const COMMENT: &str = "made by Pontoon: what restricted containers may send";

const V4_FLOW: &[Kind] = &[Kind::V4, Kind::V4, Kind::Proto, Kind::Port];
const V6_FLOW: &[Kind] = &[Kind::V6, Kind::V6, Kind::Proto, Kind::Port];

const fn set(name: &'static str, key: &'static [Kind], holds: Holds) -> SetSpec {
    SetSpec { name, key, holds, counted: false }
}

/// What may be reached at a port; IPv4, then IPv6, here and below.
pub(super) const FLOWS: [SetSpec; 2] =
    [set("flows4", V4_FLOW, Holds::Timed), set("flows6", V6_FLOW, Holds::Timed)];
/// What may be reached at all ports.
pub(super) const HOSTS: [SetSpec; 2] =
    [set("hosts4", &[Kind::V4, Kind::V4], Holds::Timed), set("hosts6", &[Kind::V6, Kind::V6], Holds::Timed)];
/// What was dropped.
pub(super) const REFUSED: [SetSpec; 2] =
    [set("refused4", V4_FLOW, Holds::Noted), set("refused6", V6_FLOW, Holds::Noted)];
/// What was let through and noted.
pub(super) const SEEN: [SetSpec; 2] =
    [set("seen4", V4_FLOW, Holds::Noted), set("seen6", V6_FLOW, Holds::Noted)];

/// Who is denied, who is noted, and the bridges within which nobody is judged.
const DENIED: [SetSpec; 2] =
    [set("denied4", &[Kind::V4], Holds::Keys), set("denied6", &[Kind::V6], Holds::Keys)];
const LEARNT: [SetSpec; 2] =
    [set("learnt4", &[Kind::V4], Holds::Keys), set("learnt6", &[Kind::V6], Holds::Keys)];
const WITHIN: SetSpec = set("within", &[Kind::IfName, Kind::IfName], Holds::Keys);

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];
/// Chains that are jumped to.
const JUDGE: [&str; 2] = ["judge4", "judge6"];

/// Before the chain of our own table, and of others that keep to the usual priorities.
const PRIORITY: i32 = -10;

/// The group to which what is dropped is told: `PN`, so that it is nobody else's.
pub(in crate::firewall) const GROUP: u16 = u16::from_be_bytes(*b"PN");
/// Enough for the headers of both families, up to the port.
pub(in crate::firewall) const HEADERS: u32 = 64;

/// Whether what is dropped is told to who listens, besides being noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::firewall) enum Told {
    Yes,
    No,
}

/// The table, with these endpoints restricted.
pub(super) fn declare<'r>(restricted: impl Iterator<Item = &'r Restriction>, told: Told) -> Vec<Op> {
    table(&noted_and_timed(), &chains(told), &members(restricted))
}

/// No table, where these are.
pub(super) fn remove(there: &[(&'static str, String)]) -> Vec<Op> {
    let is_there =
        |table: &Table| there.iter().any(|(family, name)| format!("{family} {name}") == table.to_string());
    [TABLE].into_iter().filter(is_there).map(Op::DeleteTable).collect()
}

type Members = Vec<(SetSpec, BTreeSet<Tuple>)>;

/// What is in the sets that follow from who is restricted.
pub(super) fn members<'r>(restricted: impl Iterator<Item = &'r Restriction>) -> Members {
    let specs = DENIED.into_iter().chain(LEARNT).chain([WITHIN]);
    let mut all: Members = specs.map(|spec| (spec, BTreeSet::new())).collect();
    let mut add = |spec: SetSpec, key: Vec<Value>| {
        if let Some((_, keys)) = all.iter_mut().find(|(known, _)| known.name == spec.name) {
            keys.insert(Tuple(key));
        }
    };
    for one in restricted {
        let by_mode = if one.mode == Egress::Deny { DENIED } else { LEARNT };
        let addresses = [one.v4.map(Value::V4), one.v6.map(Value::V6)];
        for (index, address) in addresses.into_iter().enumerate() {
            let Some(address) = address else { continue };
            add(by_mode[index], vec![address]);
        }
        add(WITHIN, vec![Value::IfName(one.bridge.clone()), Value::IfName(one.bridge.clone())]);
    }
    all
}

/// The sets of the table.
pub(in crate::firewall) fn specs() -> Vec<SetSpec> {
    let members = members([].into_iter()).into_iter().map(|(spec, _)| spec);
    noted_and_timed().into_iter().chain(members).collect()
}

fn noted_and_timed() -> Vec<SetSpec> {
    [FLOWS, HOSTS, REFUSED, SEEN].into_iter().flatten().collect()
}

/// A table with its sets, its chains with their rules, and what is in the sets that we fill.
fn table(lasting: &[SetSpec], chains: &[Chain], members: &Members) -> Vec<Op> {
    let table = TABLE;
    let mut ops = vec![Op::AddTable(table, COMMENT)];
    let specs = lasting.iter().copied().chain(members.iter().map(|(spec, _)| *spec));
    ops.extend(specs.map(|spec| Op::AddSet(table, spec)));
    ops.extend(chains.iter().map(|chain| Op::AddChain(table, Chain { rules: Vec::new(), ..chain.clone() })));
    ops.extend(chains.iter().map(|chain| Op::FlushChain(table, chain.name.to_owned())));
    for chain in chains {
        ops.extend(chain.rules.iter().map(|rule| Op::AddRule(table, chain.name, rule.clone())));
    }
    for (spec, keys) in members {
        ops.push(Op::FlushSet(table, *spec));
        let nothing = || Entry { data: Data::None, comment: String::new() };
        let all: Vec<_> = keys.iter().map(|key| (key.clone(), nothing())).collect();
        ops.push(Op::AddElements(table, *spec, all));
    }
    ops
}

pub(in crate::firewall) fn chains(told: Told) -> Vec<Chain> {
    let filter = |name, hook, rules| Chain {
        name,
        anchor: Some(Anchor { kind: "filter", hook, priority: PRIORITY }),
        rules,
    };
    let judges = (0..2).map(|index| Chain { name: JUDGE[index], anchor: None, rules: judge(index, told) });
    let sent = |mut first: Vec<Rule>| {
        first.extend((0..2).map(|index| {
            let verdict = Verdict::Goto(JUDGE[index].to_owned());
            Rule::new().source_in(FAMILIES[index], DENIED[index].name).verdict(verdict)
        }));
        for index in 0..2 {
            first.extend(noted(
                || Rule::new().source_in(FAMILIES[index], LEARNT[index].name).begins(),
                SEEN,
                index,
            ));
        }
        first
    };
    let established = || Rule::new().established_or_related().verdict(Verdict::Accept);
    let within =
        Rule::new().links_in(WITHIN.name).verdict(Verdict::Accept).comment("neighbours of one bridge");
    let neighbours = Rule::new().icmp6().verdict(Verdict::Accept).comment("neighbours are found by it");
    judges
        .chain([
            filter("forward", Hook::Forward, sent(vec![established(), within])),
            filter("input", Hook::Input, sent(vec![established(), neighbours])),
        ])
        .collect()
}

/// What a denied container sends: what was allowed passes, the rest is dropped; each flow is noted and told once, as long
/// as there is room for notes.
fn judge(index: usize, told: Told) -> Vec<Rule> {
    let family = FAMILIES[index];
    let mut rules = vec![
        Rule::new().flow_in(family, FLOWS[index].name).verdict(Verdict::Accept),
        Rule::new().ends_in(family, HOSTS[index].name).verdict(Verdict::Accept),
        Rule::new().flow_in(family, REFUSED[index].name).verdict(Verdict::Drop),
    ];
    let tell = |rule: Rule| if told == Told::Yes { rule.log(GROUP, HEADERS) } else { rule };
    rules.extend(noted(Rule::new, REFUSED, index).map(tell));
    rules.push(Rule::new().counter().verdict(Verdict::Drop));
    rules
}

/// Only these have ports.
fn noted(begin: impl Fn() -> Rule, sets: [SetSpec; 2], index: usize) -> impl Iterator<Item = Rule> {
    let of = move |proto| begin().note_flow(FAMILIES[index], proto, sets[index].name);
    [Proto::Tcp, Proto::Udp].into_iter().map(of)
}
