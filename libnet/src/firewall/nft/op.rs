//! The operations of a transaction, and the messages that they are.

use std::{fmt, time::Duration};

use super::{
    chain::{Chain, Table},
    expr::Expr,
    field::family_name,
    rule::Rule,
    set::{
        Data, Entry, Holds, NOTED, NOTES, SetSpec, Tuple, Value, bounds, element_text, type_len, type_number,
    },
};
use crate::sys::nfnl::{
    attr::{Attrs, Writer},
    batch::Messages,
};

/// `NFNL_SUBSYS_NFTABLES << 8`.
pub(crate) const SUBSYSTEM: u16 = 10 << 8;
/// `NFT_MSG_*`.
pub(crate) const NEW_TABLE: u16 = SUBSYSTEM;
pub(crate) const DEL_TABLE: u16 = SUBSYSTEM | 2;
pub(crate) const NEW_CHAIN: u16 = SUBSYSTEM | 3;
pub(crate) const DEL_CHAIN: u16 = SUBSYSTEM | 5;
pub(crate) const NEW_RULE: u16 = SUBSYSTEM | 6;
pub(crate) const DEL_RULE: u16 = SUBSYSTEM | 8;
pub(crate) const NEW_SET: u16 = SUBSYSTEM | 9;
const DEL_SET: u16 = SUBSYSTEM | 11;
pub(crate) const NEW_ELEMENT: u16 = SUBSYSTEM | 12;
const DEL_ELEMENT: u16 = SUBSYSTEM | 14;
/// `NLM_F_CREATE`, `NLM_F_EXCL`, `NLM_F_APPEND`.
const CREATE: u16 = 0x400;
const EXCLUSIVE: u16 = 0x200;
const APPEND: u16 = 0x800;
/// `NFTA_SET_EXPR`: what each element of a set does to packets that find it.
pub(crate) const SET_EXPR: u16 = 17;
/// `NFT_SET_INTERVAL`, `NFT_SET_MAP`, `NFT_SET_TIMEOUT`, `NFT_SET_EVAL`, `NFT_SET_ELEM_INTERVAL_END`.
pub(crate) const INTERVAL: u32 = 4;
pub(crate) const MAP: u32 = 8;
pub(crate) const TIMEOUT: u32 = 16;
pub(crate) const EVAL: u32 = 32;
pub(crate) const INTERVAL_END: u32 = 1;
/// What nft takes for the type number of verdicts (`NFT_DATA_VERDICT`).
pub(crate) const VERDICT_TYPE: u32 = 0xffff_ff00;
/// `NFTA_SET_USERDATA` of a set of interface names: `NFTNL_UDATA_SET_KEYBYTEORDER` = host order. Without it `nft list`
/// reads the names backwards and shows `""`.
const IFNAME_USERDATA: [u8; 6] = [0, 4, 1, 0, 0, 0];
/// The list of elements of one message is one attribute of at most 64 KiB.
const LIST_BYTES: usize = 48 * 1024;

/// One operation.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// With the comment that `nft list` shows.
    AddTable(Table, &'static str),
    DeleteTable(Table),
    /// The chain without its rules.
    AddChain(Table, Chain),
    DeleteChain(Table, String),
    AddRule(Table, &'static str, Rule),
    /// Deletes all rules of a chain.
    FlushChain(Table, String),
    AddSet(Table, SetSpec),
    DeleteSet(Table, String),
    /// Deletes all elements of a set.
    FlushSet(Table, SetSpec),
    AddElements(Table, SetSpec, Vec<(Tuple, Entry)>),
    DeleteElements(Table, SetSpec, Vec<(Tuple, Entry)>),
    /// Adds keys for so long each (`None`: for ever); one that is there keeps the time that it has.
    AddTimed(Table, SetSpec, Vec<(Tuple, Option<Duration>)>),
    /// Adds a rule to somebody else's chain: before the one with this handle, or at the end.
    Admit(ForeignChain, Option<u64>, Rule),
    /// Deletes a rule of ours from somebody else's chain, by its handle.
    Withdraw(ForeignChain, u64),
}

/// The name of somebody else's chain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ForeignChain {
    /// `NFPROTO_*`.
    pub(crate) family: u8,
    pub(crate) table: String,
    pub(crate) name: String,
}

impl fmt::Display for ForeignChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", family_name(self.family), self.table, self.name)
    }
}

impl fmt::Display for Op {
    /// As `nft` would be told it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let elements = |f: &mut fmt::Formatter<'_>, verb, table, spec: &SetSpec, all: &[(Tuple, Entry)]| {
            let list: Vec<String> = all.iter().map(|(key, entry)| element_text(spec, key, entry)).collect();
            write!(f, "{verb} element {table} {} {{ {} }}", spec.name, list.join(", "))
        };
        match self {
            Self::AddTable(table, _) => write!(f, "add table {table}"),
            Self::DeleteTable(table) => write!(f, "delete table {table}"),
            Self::AddChain(table, chain) => {
                write!(f, "add chain {table} {}", chain.name)?;
                chain.anchor.map_or(Ok(()), |anchor| write!(f, " {{ {} }}", anchor.text(table.family)))
            }
            Self::DeleteChain(table, name) => write!(f, "delete chain {table} {name}"),
            Self::AddRule(table, chain, rule) => write!(f, "add rule {table} {chain} {}", rule.text()),
            Self::FlushChain(table, name) => write!(f, "flush chain {table} {name}"),
            Self::AddSet(table, spec) => write!(f, "add {} {table} {}", spec.text().0, spec.name),
            Self::DeleteSet(table, name) => write!(f, "delete set {table} {name}"),
            Self::FlushSet(table, spec) => write!(f, "flush set {table} {}", spec.name),
            Self::AddElements(table, spec, all) => elements(f, "add", table, spec, all),
            Self::DeleteElements(table, spec, all) => elements(f, "delete", table, spec, all),
            Self::AddTimed(table, spec, all) => {
                let one = |(key, time): &(Tuple, Option<Duration>)| match time {
                    Some(time) => format!("{key} timeout {}s", time.as_secs()),
                    None => key.to_string(),
                };
                let list: Vec<String> = all.iter().map(one).collect();
                write!(f, "add element {table} {} {{ {} }}", spec.name, list.join(", "))
            }
            Self::Admit(chain, _, rule) => write!(f, "add rule {chain} {}", rule.text()),
            Self::Withdraw(chain, handle) => write!(f, "delete rule {chain} handle {handle}"),
        }
    }
}

/// The messages of some operations, and which message belongs to which operation.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(crate) messages: Messages,
    /// For each message the index of its operation; the transaction's beginning has none.
    owners: Vec<usize>,
}

impl Encoded {
    /// All operations as one transaction, without its end.
    pub(crate) fn new(ops: &[Op], generation: Option<u32>) -> Self {
        let mut encoded = Self { messages: Messages::transaction(generation), owners: Vec::new() };
        for (index, op) in ops.iter().enumerate() {
            op.encode(&mut encoded.messages, index);
            encoded.owners.resize(encoded.messages.count() - 1, index);
        }
        encoded
    }

    /// What message `message` of the transaction was about; `offset`: the attribute that the kernel objects to, by
    /// which one of many elements is found.
    pub(crate) fn subject(&self, ops: &[Op], message: usize, offset: Option<usize>) -> String {
        let Some(op) = message.checked_sub(1).and_then(|at| self.owners.get(at)).and_then(|at| ops.get(*at))
        else {
            return "commit a transaction".to_owned();
        };
        let (verb, table, spec, all) = match op {
            Op::AddElements(table, spec, all) => ("add", table, spec, all),
            Op::DeleteElements(table, spec, all) => ("delete", table, spec, all),
            other => return other.to_string(),
        };
        let key = offset.and_then(|offset| self.key_at(message, offset));
        let found = key.and_then(|bytes| all.iter().find(|(key, _)| key.bytes() == bytes));
        match found.or(all.first()) {
            Some((key, entry)) => {
                format!("{verb} element {table} {} {{ {} }}", spec.name, element_text(spec, key, entry))
            }
            None => format!("{verb} elements of {table} {}", spec.name),
        }
    }

    /// The key of the element whose attribute begins at `offset` of a message.
    fn key_at(&self, message: usize, offset: usize) -> Option<Vec<u8>> {
        let bytes = self.messages.message(message)?.get(offset..)?;
        let list = Attrs::parse(bytes).ok()?;
        let (_, elem) = list.iter().next()?;
        let elem = Attrs::parse(elem).ok()?;
        Some(elem.nested(1).ok()?.get(1)?.to_vec())
    }
}

impl Op {
    /// Family and name of the table.
    fn table(&self) -> (u8, &str) {
        match self {
            Self::Admit(chain, ..) | Self::Withdraw(chain, _) => (chain.family, &chain.table),
            Self::AddTable(table, _)
            | Self::DeleteTable(table)
            | Self::AddChain(table, _)
            | Self::DeleteChain(table, _)
            | Self::AddRule(table, ..)
            | Self::FlushChain(table, _)
            | Self::AddSet(table, _)
            | Self::DeleteSet(table, _)
            | Self::FlushSet(table, _)
            | Self::AddElements(table, ..)
            | Self::AddTimed(table, ..)
            | Self::DeleteElements(table, ..) => (table.family as u8, table.name),
        }
    }

    /// The chain of somebody else that it changes.
    pub(crate) const fn foreign_chain(&self) -> Option<&ForeignChain> {
        match self {
            Self::Admit(chain, ..) | Self::Withdraw(chain, _) => Some(chain),
            _ => None,
        }
    }

    /// How many elements it adds or deletes; of a set that is emptied nobody knows, and it counts as one.
    pub(crate) const fn elements(&self) -> usize {
        match self {
            Self::AddElements(_, _, all) | Self::DeleteElements(_, _, all) => all.len(),
            Self::FlushSet(..) => 1,
            _ => 0,
        }
    }

    fn encode(&self, messages: &mut Messages, id: usize) {
        let (family, table) = self.table();
        let mut add = |kind, flags, fill: &dyn Fn(&mut Writer<'_>)| {
            messages.add(kind, flags, family, |attrs| {
                attrs.text(1, table);
                fill(attrs);
            });
        };
        match self {
            Self::AddTable(_, comment) => add(NEW_TABLE, CREATE, &|attrs| attrs.bytes(6, &userdata(comment))),
            Self::DeleteTable(_) => add(DEL_TABLE, 0, &|_| {}),
            Self::AddChain(_, chain) => add(NEW_CHAIN, CREATE, &|attrs| write_chain(attrs, chain)),
            Self::DeleteChain(_, name) => add(DEL_CHAIN, 0, &|attrs| attrs.text(3, name)),
            Self::AddRule(_, chain, rule) => {
                add(NEW_RULE, CREATE | APPEND, &|attrs| write_rule(attrs, chain, rule));
            }
            Self::FlushChain(_, name) => add(DEL_RULE, 0, &|attrs| attrs.text(2, name)),
            Self::AddSet(_, spec) => add(NEW_SET, CREATE, &|attrs| write_set(attrs, spec, id)),
            Self::DeleteSet(_, name) => add(DEL_SET, 0, &|attrs| attrs.text(2, name)),
            Self::FlushSet(_, spec) => add(DEL_ELEMENT, 0, &|attrs| attrs.text(2, spec.name)),
            Self::AddElements(_, spec, all) => {
                write_elements(messages, (family, table), (NEW_ELEMENT, CREATE | EXCLUSIVE), spec, all);
            }
            Self::DeleteElements(_, spec, all) => {
                write_elements(messages, (family, table), (DEL_ELEMENT, 0), spec, all);
            }
            Self::AddTimed(_, spec, all) => add(NEW_ELEMENT, CREATE, &|attrs| {
                attrs.text(2, spec.name);
                attrs.nested(3, |list| all.iter().for_each(|(key, time)| write_timed(list, key, *time)));
            }),
            Self::Admit(chain, before, rule) => {
                let place = if before.is_some() { 0 } else { APPEND };
                add(NEW_RULE, CREATE | place, &|attrs| {
                    write_rule(attrs, &chain.name, rule);
                    if let Some(handle) = before {
                        attrs.bytes(6, &handle.to_be_bytes()); // NFTA_RULE_POSITION
                    }
                });
            }
            Self::Withdraw(chain, handle) => add(DEL_RULE, 0, &|attrs| {
                attrs.text(2, &chain.name);
                attrs.bytes(3, &handle.to_be_bytes()); // NFTA_RULE_HANDLE
            }),
        }
    }
}

/// A comment as nft keeps it in userdata: type 0 (`NFTNL_UDATA_*_COMMENT`), length, text with NUL.
fn userdata(comment: &str) -> Vec<u8> {
    // 128 bytes is nft's own limit (NFTNL_UDATA_COMMENT_MAXLEN).
    let text = comment.as_bytes();
    let text = &text[..text.len().min(127)];
    let mut bytes = vec![0, u8::try_from(text.len() + 1).unwrap_or(u8::MAX)];
    bytes.extend_from_slice(text);
    bytes.push(0);
    bytes
}

fn write_chain(attrs: &mut Writer<'_>, chain: &Chain) {
    attrs.text(3, chain.name);
    let Some(anchor) = chain.anchor else { return };
    attrs.nested(4, |hook| {
        hook.number(1, anchor.hook as u32);
        hook.number(2, anchor.priority.cast_unsigned());
    });
    attrs.number(5, 1); // NF_ACCEPT
    attrs.text(7, anchor.kind);
}

fn write_rule(attrs: &mut Writer<'_>, chain: &str, rule: &Rule) {
    attrs.text(2, chain);
    attrs.nested(4, |list| rule.exprs.iter().for_each(|expr| expr.write(list)));
    if let Some(comment) = &rule.comment {
        attrs.bytes(7, &userdata(comment));
    }
}

fn write_set(attrs: &mut Writer<'_>, spec: &SetSpec, id: usize) {
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    let flags = match spec.holds {
        Holds::Keys => 0,
        Holds::Subnets => INTERVAL,
        Holds::Tuples(_) | Holds::Verdicts => MAP,
        Holds::Timed => TIMEOUT,
        Holds::Noted => TIMEOUT | EVAL,
    };
    attrs.text(2, spec.name);
    attrs.number(3, flags);
    attrs.number(4, type_number(spec.key));
    attrs.number(5, number(type_len(spec.key)));
    match spec.holds {
        Holds::Tuples(data) => {
            attrs.number(6, type_number(data));
            attrs.number(7, number(type_len(data)));
        }
        Holds::Verdicts => {
            attrs.number(6, VERDICT_TYPE);
            attrs.number(7, 0);
        }
        Holds::Noted => {
            attrs.nested(9, |desc| desc.number(1, NOTES)); // NFTA_SET_DESC_SIZE
            attrs.bytes(11, &millis(NOTED));
        }
        Holds::Keys | Holds::Subnets | Holds::Timed => {}
    }
    attrs.number(10, number(id + 1)); // names the set within the transaction
    if matches!(spec.key, [super::set::Kind::IfName]) {
        attrs.bytes(13, &IFNAME_USERDATA);
    }
    if spec.counted {
        attrs.nested(SET_EXPR, |expr| Expr::Counter.write_in(expr));
    }
}

/// Times as the kernel takes them: milliseconds in 64 bits.
fn millis(time: Duration) -> [u8; 8] {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).to_be_bytes()
}

fn write_timed(list: &mut Writer<'_>, key: &Tuple, time: Option<Duration>) {
    list.nested(1, |elem| {
        elem.nested(1, |data| data.bytes(1, &key.bytes()));
        if let Some(time) = time {
            elem.bytes(4, &millis(time)); // NFTA_SET_ELEM_TIMEOUT
        }
    });
}

fn write_elements(
    messages: &mut Messages,
    (family, table): (u8, &str),
    (kind, flags): (u16, u16),
    spec: &SetSpec,
    all: &[(Tuple, Entry)],
) {
    let mut rest = all;
    while !rest.is_empty() {
        messages.add(kind, flags, family, |attrs| {
            attrs.text(1, table);
            attrs.text(2, spec.name);
            attrs.nested(3, |list| {
                let limit = list.len() + LIST_BYTES;
                while let Some(((key, entry), after)) = rest.split_first() {
                    if list.len() > limit {
                        break;
                    }
                    write_element(list, key, entry);
                    rest = after;
                }
            });
        });
    }
}

pub(crate) fn write_element(list: &mut Writer<'_>, key: &Tuple, entry: &Entry) {
    if let [Value::Subnet(net)] = key.0.as_slice() {
        let (first, after) = bounds(net);
        write_entry(list, &first, entry, 0);
        if let Some(after) = after {
            write_entry(list, &after, &Entry { data: Data::None, comment: String::new() }, INTERVAL_END);
        }
        return;
    }
    write_entry(list, &key.bytes(), entry, 0);
}

fn write_entry(list: &mut Writer<'_>, key: &[u8], entry: &Entry, flags: u32) {
    list.nested(1, |elem| {
        elem.nested(1, |data| data.bytes(1, key));
        match &entry.data {
            Data::None => {}
            Data::Verdict(verdict) => elem.nested(2, |data| verdict.write(data)),
            Data::Tuple(tuple) => elem.nested(2, |data| data.bytes(1, &tuple.bytes())),
        }
        if flags != 0 {
            elem.number(3, flags);
        }
        if !entry.comment.is_empty() {
            elem.bytes(6, &userdata(&entry.comment));
        }
    });
}
