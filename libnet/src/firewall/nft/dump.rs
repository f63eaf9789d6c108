//! What the kernel shows of one table, read back into our values.

use super::{
    chain::{Hook, Table},
    expr::Expr,
    field::family_name,
    op::{EVAL, ForeignChain, INTERVAL, INTERVAL_END, MAP, SUBSYSTEM, TIMEOUT, VERDICT_TYPE, write_element},
    set::{Data, Entry, Holds, SetSpec, Tuple, Value, subnet_between, type_len, type_number},
    verdict::Verdict,
};
use crate::{
    firewall::ruleset::base::{SetId, TABLE},
    sys::nfnl::{
        DUMP, NfSocket, NfnlError,
        attr::{Attrs, Malformed, Writer},
        batch::Messages,
    },
};

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
    pub(crate) rules: Vec<Vec<Expr>>,
}

/// Somebody else's base chain on the way of forwarded packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ForwardChain {
    pub(crate) name: ForeignChain,
    /// Whether it drops what none of its rules accepts.
    pub(crate) drops: bool,
    pub(crate) rules: Vec<ForeignRule>,
}

/// A rule of such a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ForeignRule {
    pub(crate) handle: u64,
    pub(crate) exprs: Vec<Expr>,
    pub(crate) comment: String,
}

/// A set as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoundSet {
    pub(crate) name: String,
    flags: u32,
    key: (u32, u32),
    data: (u32, u32),
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
        self.flags == flags && self.key == pair(spec.key) && same_data
    }
}

/// An element as it is: one of ours, or bytes of somebody else's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FoundElement {
    Ours(Tuple, Entry),
    Foreign,
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
    for (name, exprs) in rules.into_iter().flatten() {
        if let Some(chain) = chains.iter_mut().find(|chain| chain.name == name) {
            chain.rules.push(exprs);
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

/// The elements of a set.
pub(crate) fn elements(
    socket: &mut NfSocket,
    table: Table,
    spec: &SetSpec,
) -> Result<Vec<FoundElement>, NfnlError> {
    let of_set = |attrs: &mut Writer<'_>| {
        attrs.text(1, table.name);
        attrs.text(2, spec.name);
    };
    let lists = socket.dump(|| request(GET_ELEMENT, table, of_set), |_, _, attrs| raw_elements(attrs))?;
    let raw: Vec<RawElement> = lists.into_iter().flatten().collect();
    Ok(match spec.holds {
        Holds::Subnets => subnets(spec, raw),
        _ => raw.into_iter().map(|raw| element(spec, raw)).collect(),
    })
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
        let of_chain = |attrs: &mut Writer<'_>| {
            attrs.text(1, &chain.name.table);
            attrs.text(2, &chain.name.name);
        };
        let request = || Messages::single(GET_RULE, DUMP, chain.name.family, of_chain);
        let rules = socket.dump(request, |_, family, attrs| foreign_rule(&chain.name, family, attrs))?;
        chain.rules = rules.into_iter().flatten().collect();
    }
    Ok(chains)
}

fn forward_chain(family: u8, attrs: &Attrs<'_>) -> Result<Option<ForwardChain>, Malformed> {
    let hook = attrs.nested(4)?;
    if hook.get(1).is_none() || hook.number(1)? != Hook::Forward as u32 || !FORWARDING.contains(&family) {
        return Ok(None);
    }
    let (table, name) = (attrs.text(1)?.to_owned(), attrs.text(3)?.to_owned());
    let drops = attrs.get(5).is_some() && attrs.number(5)? == 0; // NF_DROP
    Ok(Some(ForwardChain { name: ForeignChain { family, table, name }, drops, rules: Vec::new() }))
}

/// Kernels before 5.4 don't look at the chain that is asked for.
fn foreign_rule(
    chain: &ForeignChain,
    family: u8,
    attrs: &Attrs<'_>,
) -> Result<Option<ForeignRule>, Malformed> {
    if family != chain.family || attrs.text(1)? != chain.table || attrs.text(2)? != chain.name {
        return Ok(None);
    }
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
    Ok(Some(ForeignRule { handle: u64::from_be_bytes(handle), exprs, comment }))
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
    Ok(Some(FoundChain { name: attrs.text(3)?.to_owned(), anchor, rules: Vec::new() }))
}

fn rule(table: Table, family: u8, attrs: &Attrs<'_>) -> Result<Option<(String, Vec<Expr>)>, Malformed> {
    if family != table.family as u8 || attrs.text(1)? != table.name {
        return Ok(None);
    }
    Ok(Some((attrs.text(2)?.to_owned(), Expr::read_list(&attrs.nested(4)?)?)))
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
    }))
}

struct RawElement {
    key: Vec<u8>,
    flags: u32,
    verdict: Option<Verdict>,
    data: Option<Vec<u8>>,
    comment: String,
}

fn raw_elements(attrs: &Attrs<'_>) -> Result<Vec<RawElement>, Malformed> {
    attrs.nested(3)?.iter().map(|(_, elem)| raw_element(elem)).collect()
}

fn raw_element(elem: &[u8]) -> Result<RawElement, Malformed> {
    let elem = Attrs::parse(elem)?;
    let data = elem.nested(2)?;
    Ok(RawElement {
        key: elem.nested(1)?.get(1).unwrap_or_default().to_vec(),
        flags: elem.number_or_zero(3)?,
        // A verdict that we don't know makes the element somebody else's: its data won't be ours.
        verdict: Verdict::read(&data).unwrap_or(None),
        data: data.get(1).map(<[u8]>::to_vec),
        comment: comment(elem.get(6).unwrap_or_default()),
    })
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

fn element(spec: &SetSpec, raw: RawElement) -> FoundElement {
    let data = match (spec.holds, raw.verdict, raw.data) {
        (Holds::Keys | Holds::Timed | Holds::Noted, None, None) => Some(Data::None),
        (Holds::Verdicts, Some(verdict), None) => Some(Data::Verdict(verdict)),
        (Holds::Tuples(kinds), None, Some(data)) => Tuple::read(kinds, &data).map(Data::Tuple),
        _ => None,
    };
    match (Tuple::read(spec.key, &raw.key), data) {
        (Some(key), Some(data)) => FoundElement::Ours(key, Entry { data, comment: raw.comment }),
        _ => FoundElement::Foreign,
    }
}

/// Puts beginnings and ends of ranges together again.
fn subnets(spec: &SetSpec, mut raw: Vec<RawElement>) -> Vec<FoundElement> {
    let Some(kind) = spec.key.first().copied() else { return Vec::new() };
    let is_end = |elem: &RawElement| elem.flags & INTERVAL_END != 0;
    // Where one range ends and the next begins the end comes first.
    raw.sort_by(|a, b| a.key.cmp(&b.key).then(is_end(b).cmp(&is_end(a))));
    let mut found = Vec::new();
    let mut raw = raw.into_iter().peekable();
    while let Some(first) = raw.next() {
        if is_end(&first) {
            // nft closes the range below the first element with an end at the lowest address.
            if first.key.iter().any(|byte| *byte != 0) {
                found.push(FoundElement::Foreign);
            }
            continue;
        }
        let after = raw.next_if(is_end);
        let subnet = subnet_between(kind, &first.key, after.as_ref().map(|end| end.key.as_slice()));
        found.push(subnet.map_or(FoundElement::Foreign, |net| {
            let entry = Entry { data: Data::None, comment: first.comment };
            FoundElement::Ours(Tuple(vec![Value::Subnet(net)]), entry)
        }));
    }
    found
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
        elements_must_hold(&spec, attrs);
    }
}

fn elements_must_hold(spec: &SetSpec, attrs: &Attrs<'_>) {
    let read = |attrs: &Attrs<'_>| -> Result<Vec<FoundElement>, Malformed> {
        let raw = raw_elements(attrs)?;
        Ok(match spec.holds {
            Holds::Subnets => subnets(spec, raw),
            _ => raw.into_iter().map(|raw| element(spec, raw)).collect(),
        })
    };
    for found in read(attrs).unwrap_or_default() {
        let FoundElement::Ours(key, entry) = &found else { continue };
        let mut bytes = Vec::new();
        Writer::new(&mut bytes).nested(3, |list| write_element(list, key, entry));
        let again = Attrs::parse(&bytes).and_then(|attrs| read(&attrs));
        assert_eq!(again.as_deref(), Ok(&[found][..]));
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
