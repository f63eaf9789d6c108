//! Reads what the kernel has of ours, and puts it in order.

use super::{
    ListedChain, ListedElement, ListedElsewhere, ListedPassage, ListedRule, ListedSet, ListedTable, Listing,
    TableOwner, about,
    words::{self, SetWords},
};
use crate::firewall::{
    FirewallError, NfSocket, egress, legacy,
    nft::{
        chain::{Table, anchor_text},
        dump::{self, ForwardChain, FoundChain, FoundRule, FoundSet, RawElement},
        expr::Expr,
        field::family_name,
        op::{EVAL, INTERVAL, MAP, TIMEOUT, VERDICT_TYPE},
        set::{Kind, SetSpec, Tuple, Value, kinds_of, subnet_between, type_text},
    },
    ruleset::{TABLE, base::BRIDGED, foreign},
};

/// Our tables, in the order in which a packet meets them.
const OURS: [Table; 3] = [BRIDGED, egress::TABLE, TABLE];

/// Everything of ours in the namespace of `socket`.
pub(in crate::firewall) fn read(socket: &mut NfSocket) -> Result<Listing, FirewallError> {
    let there = dump::tables(socket)?;
    let mut listing = Listing::default();
    for table in OURS {
        if there.iter().any(|(family, name)| format!("{family} {name}") == table.to_string()) {
            listing.tables.push(own(socket, table)?);
        }
    }
    let foreign = dump::forward_chains(socket, &[TABLE, egress::TABLE])?;
    listing.tables.extend(foreign.iter().filter_map(others));
    Ok(listing)
}

/// Our rules in the old iptables, family by family.
pub(in crate::firewall) fn of_legacy(looks: Vec<legacy::Look>) -> Vec<ListedElsewhere> {
    let marked = looks.into_iter().filter(|look| !look.ours.is_empty());
    let listed = |look: legacy::Look| ListedElsewhere {
        program: look.program.to_owned(),
        about: about::IN_LEGACY.to_owned(),
        rules: look
            .ours
            .into_iter()
            .map(|rule| ListedPassage { link: rule.link, text: rule.text, counted: Some(rule.counted) })
            .collect(),
    };
    marked.map(listed).collect()
}

/// Sets that the rules of a table look into.
struct Sets<'s> {
    table: Table,
    found: Vec<(FoundSet, ListedSet)>,
    socket: &'s mut NfSocket,
}

fn own(socket: &mut NfSocket, table: Table) -> Result<ListedTable, FirewallError> {
    let chains = dump::chains(socket, table)?;
    let comment = dump::table_comment(socket, table)?;
    let mut sets = Sets { table, found: Vec::new(), socket };
    sets.read()?;
    let known = |name: &str| sets.words(name);
    let mut chains: Vec<ListedChain> = chains.iter().map(|found| chain(table, found, &known)).collect();
    chains.sort_by_key(|chain| about::place(table, &chain.name));
    Ok(ListedTable {
        family: table.family.name().to_owned(),
        name: table.name.to_owned(),
        owner: TableOwner::Pontoon,
        comment,
        about: about::table(table).to_owned(),
        sets: in_order(sets.found.into_iter().map(|(_, set)| set).collect(), &chains),
        chains,
    })
}

/// By the chain that looks into them first; sets without a name are in the rules that do.
fn in_order(sets: Vec<ListedSet>, chains: &[ListedChain]) -> Vec<ListedSet> {
    let order: Vec<&str> = chains.iter().flat_map(|chain| &chain.looks_into).map(String::as_str).collect();
    let place = |set: &ListedSet| order.iter().position(|name| *name == set.name).unwrap_or(usize::MAX);
    let mut sets: Vec<ListedSet> = sets.into_iter().filter(|set| !set.name.starts_with("__")).collect();
    sets.sort_by_key(place);
    sets
}

fn chain(table: Table, found: &FoundChain, sets: &dyn Fn(&str) -> Option<SetWords>) -> ListedChain {
    let hook = found.anchor.as_ref().map(|(kind, hook, priority)| {
        let policy = if found.drops { "drop" } else { "accept" };
        format!("{} policy {policy};", anchor_text(kind, table.family as u8, *hook, *priority))
    });
    ListedChain {
        name: found.name.clone(),
        about: about::chain(table, &found.name),
        hook,
        rules: found.rules.iter().map(|found| rule(found, sets)).collect(),
        looks_into: found.rules.iter().flat_map(|rule| &rule.exprs).filter_map(set_of).collect(),
    }
}

fn rule(found: &FoundRule, sets: &dyn Fn(&str) -> Option<SetWords>) -> ListedRule {
    ListedRule { handle: found.handle, text: words::rule(found, sets), counted: found.counted.clone() }
}

fn set_of(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Lookup { set, .. } | Expr::Note { set, .. } => Some(set.clone()),
        Expr::MapTo { map, .. } | Expr::VerdictMap { map, .. } => Some(map.clone()),
        _ => None,
    }
}

/// Our rules in a chain of somebody else's.
fn others(found: &ForwardChain) -> Option<ListedTable> {
    let ours = found.rules.iter().filter(|rule| foreign::is_ours(rule));
    let rules: Vec<ListedRule> = ours.map(|found| rule(found, &|_| None)).collect();
    if rules.is_empty() {
        return None;
    }
    let chain = ListedChain {
        name: found.name.name.clone(),
        about: about::IN_OTHERS,
        hook: None,
        rules,
        looks_into: Vec::new(),
    };
    Some(ListedTable {
        family: family_name(found.name.family).to_owned(),
        name: found.name.table.clone(),
        owner: TableOwner::Other,
        comment: String::new(),
        about: about::OF_OTHERS.to_owned(),
        sets: Vec::new(),
        chains: vec![chain],
    })
}

impl Sets<'_> {
    fn read(&mut self) -> Result<(), FirewallError> {
        for found in dump::sets(self.socket, self.table)? {
            let raw = dump::raw(self.socket, self.table, &found.name)?;
            let listed = listed(self.table, &found, raw);
            self.found.push((found, listed));
        }
        Ok(())
    }

    fn words(&self, name: &str) -> Option<SetWords> {
        let (found, listed) = self.found.iter().find(|(found, _)| found.name == name)?;
        let inline = name.starts_with("__").then(|| {
            let elements: Vec<String> = listed.elements.iter().map(ToString::to_string).collect();
            format!("{{ {} }}", elements.join(", "))
        });
        Some(SetWords { key: kinds_of(found.key.0)?, inline })
    }
}

fn listed(table: Table, found: &FoundSet, raw: Vec<RawElement>) -> ListedSet {
    let spec = about::spec(table, &found.name).filter(|spec| found.is(spec));
    let declared = match spec {
        Some(spec) => spec.text().1.lines().map(|line| line.trim_start().to_owned()).collect(),
        None => declaration(found),
    };
    let key = kinds_of(found.key.0).unwrap_or_default();
    let data = spec_data(spec.as_ref(), found);
    let elements = match found.flags & INTERVAL {
        0 => elements(&key, data.as_deref(), &raw),
        _ => ranges(&key, raw),
    };
    ListedSet {
        name: found.name.clone(),
        is_map: found.flags & MAP != 0,
        about: about::set(table, &found.name),
        declared,
        elements,
    }
}

/// Of what a map's values are made; nothing for verdicts.
fn spec_data(spec: Option<&SetSpec>, found: &FoundSet) -> Option<Vec<Kind>> {
    let known =
        || (found.flags & MAP != 0 && found.data.0 != VERDICT_TYPE).then(|| kinds_of(found.data.0))?;
    spec.and_then(SetSpec::data).map(<[Kind]>::to_vec).or_else(known)
}

/// Of a set that is not ours.
fn declaration(found: &FoundSet) -> Vec<String> {
    let text = |number| kinds_of(number).map_or_else(|| "unknown".to_owned(), |kinds| type_text(&kinds));
    let data = match found.flags & MAP != 0 {
        true if found.data.0 == VERDICT_TYPE => " : verdict".to_owned(),
        true => format!(" : {}", text(found.data.0)),
        false => String::new(),
    };
    let flags = [(2, "constant"), (EVAL, "dynamic"), (INTERVAL, "interval"), (TIMEOUT, "timeout")];
    let flags: Vec<&str> =
        flags.into_iter().filter(|(bit, _)| found.flags & bit != 0).map(|(_, name)| name).collect();
    let mut lines = vec![format!("type {}{data}", text(found.key.0))];
    lines.extend((!flags.is_empty()).then(|| format!("flags {}", flags.join(","))));
    lines.extend(found.counted.then(|| "counter".to_owned()));
    lines
}

/// In the order of their keys: the kernel hashes them.
fn elements(key: &[Kind], data: Option<&[Kind]>, raw: &[RawElement]) -> Vec<ListedElement> {
    let mut elements: Vec<_> = raw.iter().filter_map(|raw| element(key, data, raw)).collect();
    elements.sort_by(|a, b| a.values.cmp(&b.values));
    elements
}

fn element(key: &[Kind], data: Option<&[Kind]>, raw: &RawElement) -> Option<ListedElement> {
    let data = match (&raw.verdict, &raw.data, data) {
        (Some(verdict), ..) => Some(verdict.to_string()),
        (None, Some(bytes), Some(kinds)) => Some(Tuple::read(kinds, bytes)?.to_string()),
        _ => None,
    };
    Some(told(ListedElement::new(&Tuple::read(key, &raw.key)?, data), raw))
}

fn told(element: ListedElement, raw: &RawElement) -> ListedElement {
    ListedElement { comment: raw.comment.clone(), counted: raw.counted, time: raw.time, ..element }
}

/// Beginnings and ends put together again: a subnet, or what is from here to there.
fn ranges(key: &[Kind], mut raw: Vec<RawElement>) -> Vec<ListedElement> {
    let [kind] = key else { return Vec::new() };
    raw.sort_by(|a, b| a.key.cmp(&b.key).then(b.is_end().cmp(&a.is_end())));
    let mut elements = Vec::new();
    let mut raw = raw.into_iter().peekable();
    while let Some(first) = raw.next() {
        if first.is_end() {
            continue;
        }
        let after = raw.peek().filter(|next| next.is_end()).map(|end| end.key.clone());
        elements.extend(range(*kind, &first.key, after.as_deref()).map(|element| told(element, &first)));
    }
    elements
}

fn range(kind: Kind, first: &[u8], after: Option<&[u8]>) -> Option<ListedElement> {
    if let Some(subnet) = subnet_between(kind, first, after) {
        return Some(ListedElement::new(&Tuple(vec![Value::Subnet(subnet)]), None));
    }
    let from = Tuple::read(&[kind], first)?;
    let to = Tuple::read(&[kind], &before(after?))?;
    let mut element = ListedElement::new(&from, None);
    if from != to {
        element.key = format!("{from}-{to}");
    }
    Some(element)
}

/// The key before this one.
fn before(key: &[u8]) -> Vec<u8> {
    let mut key = key.to_vec();
    for byte in key.iter_mut().rev() {
        let (less, borrowed) = byte.overflowing_sub(1);
        *byte = less;
        if !borrowed {
            break;
        }
    }
    key
}
