//! What the kernel shows of one table, read back into our values.

mod elements;

use super::{
    chain::{Hook, Table},
    expr::Expr,
    field::family_name,
    op::{EVAL, ForeignChain, INTERVAL, MAP, SET_EXPR, SUBSYSTEM, TIMEOUT, VERDICT_TYPE},
    others::in_words,
    set::{Holds, SetSpec, type_len, type_number},
};
use crate::{
    firewall::ruleset::{
        base::{SetId, TABLE},
        foreign,
    },
    sys::nfnl::{
        DUMP, NfSocket, NfnlError,
        attr::{Attrs, Malformed, Writer},
        batch::Messages,
    },
};

pub(crate) use elements::{FoundElement, RawElement, elements, raw, raw_elements, read_elements};

const GET_TABLE: u16 = SUBSYSTEM | 1;
const GET_CHAIN: u16 = SUBSYSTEM | 4;
const GET_RULE: u16 = SUBSYSTEM | 7;
const GET_SET: u16 = SUBSYSTEM | 10;
const GET_ELEMENT: u16 = SUBSYSTEM | 13;
const GET_GENERATION: u16 = SUBSYSTEM | 16;

/// `NFPROTO_UNSPEC`: all families.
const UNSPECIFIED: u8 = 0;
/// `NFPROTO_INET`, `NFPROTO_IPV4`, `NFPROTO_IPV6`: the families whose hook 2 is the forwarding of packets.
pub(crate) const FORWARDING: [u8; 3] = [1, 2, 10];

/// A chain as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoundChain {
    pub(crate) name: String,
    /// Type, hook and priority of a base chain.
    pub(crate) anchor: Option<(String, u32, i32)>,
    /// Whether it drops what none of its rules accepts.
    pub(crate) drops: bool,
    pub(crate) rules: Vec<FoundRule>,
}

/// Somebody else's base chain on the way of forwarded packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ForwardChain {
    pub(crate) name: ForeignChain,
    /// Whether it drops what none of its rules accepts.
    pub(crate) drops: bool,
    pub(crate) rules: Vec<FoundRule>,
    /// For each rule, the first rule of the chain that it sends every packet to.
    pub(crate) leads_to: Vec<Option<Vec<Expr>>>,
}

/// A rule as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoundRule {
    pub(crate) handle: u64,
    pub(crate) exprs: Vec<Expr>,
    pub(crate) comment: String,
    /// What its counters counted, in their order.
    pub(crate) counted: Vec<Counted>,
    /// What it does that our own rules never do, in words, in their order.
    pub(crate) others: Vec<Option<String>>,
}

/// Packets that a counter counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// How many.
    pub packets: u64,
    /// Their length, headers of IP included.
    pub bytes: u64,
}

impl Counted {
    /// `NFTA_COUNTER_BYTES`, `NFTA_COUNTER_PACKETS`.
    fn read(expr: &[u8]) -> Option<Self> {
        let expr = Attrs::parse(expr).ok().filter(|expr| expr.text(1) == Ok("counter"))?;
        let data = expr.nested(2).ok()?;
        Some(Self { packets: data.long(2)?, bytes: data.long(1)? })
    }
}

/// A set as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoundSet {
    pub(crate) name: String,
    pub(crate) flags: u32,
    /// Type number and length of the keys, and of what a map says of them.
    pub(crate) key: (u32, u32),
    pub(crate) data: (u32, u32),
    pub(crate) counted: bool,
}

impl FoundSet {
    /// Whether it is declared as `spec` says.
    pub(crate) fn is(&self, spec: &SetSpec) -> bool {
        let pair = |kinds| (type_number(kinds), u32::try_from(type_len(kinds)).unwrap_or(u32::MAX));
        let (flags, same_data) = match spec.holds {
            Holds::Keys => (0, true),
            Holds::Subnets => (INTERVAL, true),
            Holds::Tuples(data) => (MAP, self.data == pair(data)),
            // The length of a verdict is the kernel's own business.
            Holds::Verdicts => (MAP, self.data.0 == VERDICT_TYPE),
            Holds::Timed => (TIMEOUT, true),
            Holds::Noted => (TIMEOUT | EVAL, true),
        };
        self.flags == flags && self.key == pair(spec.key) && same_data && self.counted == spec.counted
    }
}

/// The generation of the rules: another number after each change of anybody's.
pub(crate) fn generation(socket: &mut NfSocket) -> Result<u32, NfnlError> {
    let request = || Messages::single(GET_GENERATION, 0, 0, |_| {});
    let found = socket.dump(request, |_, _, attrs| attrs.number(1))?;
    found.first().copied().ok_or(NfnlError::Answer(Malformed))
}

/// All tables, anybody's: family and name.
pub(crate) fn tables(socket: &mut NfSocket) -> Result<Vec<(&'static str, String)>, NfnlError> {
    let all = || Messages::single(GET_TABLE, DUMP, UNSPECIFIED, |_| {});
    socket.dump(all, |_, family, attrs| Ok((family_name(family), attrs.text(1)?.to_owned())))
}

/// What is written on a table.
pub(crate) fn table_comment(socket: &mut NfSocket, table: Table) -> Result<String, NfnlError> {
    let all = || Messages::single(GET_TABLE, DUMP, table.family as u8, |_| {});
    let found = socket.dump(all, |_, family, attrs| {
        let is_it = family == table.family as u8 && attrs.text(1)? == table.name;
        Ok(is_it.then(|| comment(attrs.get(6).unwrap_or_default())))
    })?;
    Ok(found.into_iter().flatten().next().unwrap_or_default())
}

/// The chains of a table, with their rules; none if there is no such table.
pub(crate) fn chains(socket: &mut NfSocket, table: Table) -> Result<Vec<FoundChain>, NfnlError> {
    let found =
        socket.dump(|| request(GET_CHAIN, table, |_| {}), |_, family, attrs| chain(table, family, attrs))?;
    let mut chains: Vec<FoundChain> = found.into_iter().flatten().collect();
    if chains.is_empty() {
        return Ok(chains);
    }
    let of_table = |attrs: &mut Writer<'_>| attrs.text(1, table.name);
    let rules =
        socket.dump(|| request(GET_RULE, table, of_table), |_, family, attrs| rule(table, family, attrs))?;
    for (name, rule) in rules.into_iter().flatten() {
        if let Some(chain) = chains.iter_mut().find(|chain| chain.name == name) {
            chain.rules.push(rule);
        }
    }
    Ok(chains)
}

/// The sets of a table; none if there is no such table.
pub(crate) fn sets(socket: &mut NfSocket, table: Table) -> Result<Vec<FoundSet>, NfnlError> {
    let of_table = |attrs: &mut Writer<'_>| attrs.text(1, table.name);
    let found = socket.dump(|| request(GET_SET, table, of_table), |_, _, attrs| set(table, attrs));
    match found {
        Ok(found) => Ok(found.into_iter().flatten().collect()),
        Err(NfnlError::Refused(refusal)) if refusal.errno.kind() == std::io::ErrorKind::NotFound => {
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}

/// Whether a message declares a set as `spec` says.
pub(crate) fn is_declared(table: Table, attrs: &Attrs<'_>, spec: &SetSpec) -> bool {
    set(table, attrs).is_ok_and(|found| found.is_some_and(|found| found.is(spec)))
}

/// The base chains of IPv4 and IPv6 that forwarded packets pass, except those of `own`.
pub(crate) fn forward_chains(socket: &mut NfSocket, own: &[Table]) -> Result<Vec<ForwardChain>, NfnlError> {
    let all = || Messages::single(GET_CHAIN, DUMP, UNSPECIFIED, |_| {});
    let found = socket.dump(all, |_, family, attrs| forward_chain(family, attrs))?;
    let foreign = |chain: &ForwardChain| {
        own.iter().all(|own| (chain.name.family, chain.name.table.as_str()) != (own.family as u8, own.name))
    };
    let mut chains: Vec<ForwardChain> = found.into_iter().flatten().filter(foreign).collect();
    for chain in &mut chains {
        chain.rules = foreign_rules(socket, &chain.name)?;
        for rule in &chain.rules {
            let leads_to = foreign::leads_to(&rule.exprs).map(str::to_owned);
            chain.leads_to.push(match leads_to {
                Some(name) => first_rule(socket, &ForeignChain { name, ..chain.name.clone() })?,
                None => None,
            });
        }
    }
    Ok(chains)
}

fn first_rule(socket: &mut NfSocket, chain: &ForeignChain) -> Result<Option<Vec<Expr>>, NfnlError> {
    Ok(foreign_rules(socket, chain)?.into_iter().next().map(|first| first.exprs))
}

fn foreign_rules(socket: &mut NfSocket, chain: &ForeignChain) -> Result<Vec<FoundRule>, NfnlError> {
    let of_chain = |attrs: &mut Writer<'_>| {
        attrs.text(1, &chain.table);
        attrs.text(2, &chain.name);
    };
    let request = || Messages::single(GET_RULE, DUMP, chain.family, of_chain);
    let rules = socket.dump(request, |_, family, attrs| foreign_rule(chain, family, attrs))?;
    Ok(rules.into_iter().flatten().collect())
}

fn forward_chain(family: u8, attrs: &Attrs<'_>) -> Result<Option<ForwardChain>, Malformed> {
    let hook = attrs.nested(4)?;
    if hook.get(1).is_none() || hook.number(1)? != Hook::Forward as u32 || !FORWARDING.contains(&family) {
        return Ok(None);
    }
    let (table, name) = (attrs.text(1)?.to_owned(), attrs.text(3)?.to_owned());
    let drops = drops(attrs)?;
    let name = ForeignChain { family, table, name };
    Ok(Some(ForwardChain { name, drops, rules: Vec::new(), leads_to: Vec::new() }))
}

/// `NFTA_CHAIN_POLICY` is `NF_DROP`.
fn drops(attrs: &Attrs<'_>) -> Result<bool, Malformed> {
    Ok(attrs.get(5).is_some() && attrs.number(5)? == 0)
}

/// Kernels before 5.4 don't look at the chain that is asked for.
fn foreign_rule(chain: &ForeignChain, family: u8, attrs: &Attrs<'_>) -> Result<Option<FoundRule>, Malformed> {
    if family != chain.family || attrs.text(1)? != chain.table || attrs.text(2)? != chain.name {
        return Ok(None);
    }
    found_rule(attrs).map(Some)
}

/// An expression that is not one of ours, in words if they are known.
fn other(expr: &[u8]) -> Option<Option<String>> {
    let expr = Attrs::parse(expr).ok()?;
    let (name, data) = (expr.text(1).ok()?, expr.nested(2).ok()?);
    Expr::is_foreign(name, &data).then(|| in_words(name, &data))
}

fn found_rule(attrs: &Attrs<'_>) -> Result<FoundRule, Malformed> {
    let handle = attrs.need(3)?.try_into().map_err(|_| Malformed)?;
    let mut comment = comment(attrs.get(7).unwrap_or_default());
    // iptables-restore writes comments back in a form of its own.
    let mut exprs = Expr::read_list(&attrs.nested(4)?)?;
    exprs.retain(|expr| match expr {
        Expr::IptablesComment(text) => {
            comment.clone_from(text);
            false
        }
        _ => true,
    });
    let list = attrs.nested(4)?;
    let counted = list.iter().filter_map(|(_, expr)| Counted::read(expr)).collect();
    let others = list.iter().filter_map(|(_, expr)| other(expr)).collect();
    Ok(FoundRule { handle: u64::from_be_bytes(handle), exprs, comment, counted, others })
}

fn request(kind: u16, table: Table, fill: impl FnOnce(&mut Writer<'_>)) -> Messages {
    Messages::single(kind, DUMP, table.family as u8, fill)
}

fn chain(table: Table, family: u8, attrs: &Attrs<'_>) -> Result<Option<FoundChain>, Malformed> {
    if family != table.family as u8 || attrs.text(1)? != table.name {
        return Ok(None);
    }
    let hook = attrs.nested(4)?;
    let anchor = match hook.get(1) {
        Some(_) => Some((attrs.text(7)?.to_owned(), hook.number(1)?, hook.number(2)?.cast_signed())),
        None => None,
    };
    let (name, drops) = (attrs.text(3)?.to_owned(), drops(attrs)?);
    Ok(Some(FoundChain { name, anchor, drops, rules: Vec::new() }))
}

fn rule(table: Table, family: u8, attrs: &Attrs<'_>) -> Result<Option<(String, FoundRule)>, Malformed> {
    if family != table.family as u8 || attrs.text(1)? != table.name {
        return Ok(None);
    }
    Ok(Some((attrs.text(2)?.to_owned(), found_rule(attrs)?)))
}

fn set(table: Table, attrs: &Attrs<'_>) -> Result<Option<FoundSet>, Malformed> {
    if attrs.text(1)? != table.name {
        return Ok(None);
    }
    Ok(Some(FoundSet {
        name: attrs.text(2)?.to_owned(),
        flags: attrs.number_or_zero(3)?,
        key: (attrs.number_or_zero(4)?, attrs.number_or_zero(5)?),
        data: (attrs.number_or_zero(6)?, attrs.number_or_zero(7)?),
        counted: attrs.nested(SET_EXPR)?.text(1) == Ok("counter"),
    }))
}

/// Reads nft's userdata: type, length, value.
fn comment(userdata: &[u8]) -> String {
    match userdata {
        [0, length, rest @ ..] => {
            let text = rest.get(..usize::from(*length)).unwrap_or_default();
            String::from_utf8_lossy(text).trim_end_matches('\0').to_owned()
        }
        _ => String::new(),
    }
}

/// Panics if something that must hold of any message does not: what is read as an expression or an element of ours is
/// read back the same once it is written. For the fuzz target.
pub(crate) fn must_hold(family: u8, attrs: &Attrs<'_>) {
    let table = TABLE;
    let _ = (chain(table, family, attrs).is_ok(), set(table, attrs).is_ok());
    let _ = (rule(table, family, attrs).is_ok(), forward_chain(family, attrs).is_ok());
    for expr in attrs.nested(4).and_then(|list| Expr::read_list(&list)).unwrap_or_default() {
        if !matches!(expr, Expr::Foreign(_) | Expr::IptablesComment(_)) {
            let mut bytes = Vec::new();
            expr.write(&mut Writer::new(&mut bytes));
            let again = Attrs::parse(&bytes).and_then(|list| Expr::read_list(&list));
            assert_eq!(again.as_deref(), Ok(&[expr][..]));
        }
    }
    for spec in SetId::ALL.map(SetId::spec) {
        elements::must_hold(&spec, attrs);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn expressions_of_any_bytes_are_read_or_foreign(
            name in prop::sample::select(vec!["meta", "ct", "payload", "fib", "bitwise", "cmp", "lookup", "immediate", "nat", "masq"]),
            values in prop::collection::vec((1..8u16, prop::collection::vec(any::<u8>(), 0..20)), 0..8),
        ) {
            let mut bytes = Vec::new();
            Writer::new(&mut bytes).nested(1, |elem| {
                elem.text(1, name);
                elem.nested(2, |data| values.iter().for_each(|(kind, value)| data.bytes(*kind, value)));
            });
            prop_assert_eq!(Expr::read_list(&Attrs::parse(&bytes).unwrap()).unwrap().len(), 1);
        }
    }
}
