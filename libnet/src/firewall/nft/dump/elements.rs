//! The elements of sets as the kernel shows them.

use super::{Counted, GET_ELEMENT, comment, request};
use crate::{
    firewall::nft::{
        chain::Table,
        op::{INTERVAL_END, write_element},
        set::{Data, Entry, Holds, SetSpec, Tuple, Value, subnet_between},
        verdict::Verdict,
    },
    sys::nfnl::{
        NfSocket, NfnlError,
        attr::{Attrs, Malformed, Writer},
    },
};

/// An element as it is: one of ours, or bytes of somebody else's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FoundElement {
    Ours(Tuple, Entry),
    Foreign,
}

/// An element as the kernel shows it.
pub(crate) struct RawElement {
    pub(crate) key: Vec<u8>,
    flags: u32,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) data: Option<Vec<u8>>,
    pub(crate) comment: String,
    pub(crate) counted: Option<Counted>,
    /// How long it lasts, and how long it will still be there, in milliseconds.
    pub(crate) time: Option<(u64, u64)>,
}

impl RawElement {
    /// Whether it is no element, but the first key behind a range of them.
    pub(crate) const fn is_end(&self) -> bool {
        self.flags & INTERVAL_END != 0
    }
}

/// The elements of a set.
pub(crate) fn elements(
    socket: &mut NfSocket,
    table: Table,
    spec: &SetSpec,
) -> Result<Vec<FoundElement>, NfnlError> {
    Ok(read_elements(spec, raw(socket, table, spec.name)?))
}

/// What these are as elements of a set of ours.
pub(crate) fn read_elements(spec: &SetSpec, raw: Vec<RawElement>) -> Vec<FoundElement> {
    match spec.holds {
        Holds::Subnets => subnets(spec, raw),
        _ => raw.into_iter().map(|raw| element(spec, raw)).collect(),
    }
}

/// The elements of a set as bytes; of a set of ranges, their ends as well.
pub(crate) fn raw(socket: &mut NfSocket, table: Table, set: &str) -> Result<Vec<RawElement>, NfnlError> {
    let of_set = |attrs: &mut Writer<'_>| {
        attrs.text(1, table.name);
        attrs.text(2, set);
    };
    let lists = socket.dump(|| request(GET_ELEMENT, table, of_set), |_, _, attrs| raw_elements(attrs))?;
    Ok(lists.into_iter().flatten().collect())
}

pub(crate) fn raw_elements(attrs: &Attrs<'_>) -> Result<Vec<RawElement>, Malformed> {
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
        counted: elem.get(7).and_then(Counted::read),
        time: match (elem.long(4), elem.long(5)) {
            (None, None) => None,
            (lasts, left) => Some((lasts.unwrap_or_default(), left.unwrap_or_default())),
        },
    })
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
    // Where one range ends and the next begins the end comes first.
    raw.sort_by(|a, b| a.key.cmp(&b.key).then(b.is_end().cmp(&a.is_end())));
    let mut found = Vec::new();
    let mut raw = raw.into_iter().peekable();
    while let Some(first) = raw.next() {
        if first.is_end() {
            // nft closes the range below the first element with an end at the lowest address.
            if first.key.iter().any(|byte| *byte != 0) {
                found.push(FoundElement::Foreign);
            }
            continue;
        }
        let after = raw.next_if(RawElement::is_end);
        let subnet = subnet_between(kind, &first.key, after.as_ref().map(|end| end.key.as_slice()));
        found.push(subnet.map_or(FoundElement::Foreign, |net| {
            let entry = Entry { data: Data::None, comment: first.comment };
            FoundElement::Ours(Tuple(vec![Value::Subnet(net)]), entry)
        }));
    }
    found
}

/// Panics if what is read as an element of ours is not read back the same once it is written.
pub(super) fn must_hold(spec: &SetSpec, attrs: &Attrs<'_>) {
    let read = |attrs: &Attrs<'_>| -> Result<Vec<FoundElement>, Malformed> {
        Ok(read_elements(spec, raw_elements(attrs)?))
    };
    for found in read(attrs).unwrap_or_default() {
        let FoundElement::Ours(key, entry) = &found else { continue };
        let mut bytes = Vec::new();
        Writer::new(&mut bytes).nested(3, |list| write_element(list, key, entry));
        let again = Attrs::parse(&bytes).and_then(|attrs| read(&attrs));
        assert_eq!(again.as_deref(), Ok(&[found][..]));
    }
}
