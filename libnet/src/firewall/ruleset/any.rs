//! A ruleset of any bytes: for the fuzz target, and for the property test against the kernel. Bytes are read in pieces of
//! one length, an element each, so that whoever leaves pieces out gets a smaller ruleset.

use std::collections::BTreeMap;

use ipnetwork::{IpNetwork, Ipv4Network, Ipv6Network};

use super::{
    Delta, Elements, Ruleset, SetId,
    base::{self, BRIDGED, TABLES, USER},
};
use crate::{
    firewall::Guarding,
    firewall::nft::{
        dump::{self, FoundElement, RawElement},
        expr::Expr,
        op::{Encoded, NEW_ELEMENT, NEW_RULE, NEW_SET, Op},
        set::{Data, Entry, Holds, Kind, SetSpec, Tuple, Value},
        verdict::Verdict,
    },
    sys::nfnl::{attr::Attrs, batch::FAMILY_HEADER, messages},
    types::{Family, IfName, MacAddr, Port, Proto},
};

/// Bytes that an element is made of.
pub(crate) const PIECE: usize = 80;
/// What nft keeps of a comment.
const COMMENT: usize = 127;

/// The ruleset that these bytes stand for. An element whose place is taken, or a subnet that overlaps one, is left out.
pub(crate) fn ruleset(bytes: &[u8]) -> Ruleset {
    let (head, pieces) = bytes.split_at(bytes.len().min(1));
    let accept_mark = match head.first().map(|byte| byte % 3) {
        Some(1) => "0x1".parse().ok(),
        Some(2) => "0x10/0xf0".parse().ok(),
        _ => None,
    };
    let is_guarded = head.first().is_some_and(|byte| byte / 3 % 2 == 0);
    let guarding = if is_guarded { Guarding::On } else { Guarding::Off };
    let mut elements = Elements::new();
    for piece in pieces.chunks(PIECE) {
        let (set, key, entry) = element(&mut Bytes(piece));
        let has_table = set.table() != BRIDGED || is_guarded;
        if has_table && is_free(&elements, set, &key) {
            elements.insert((set, key), entry);
        }
    }
    Ruleset { elements, accept_mark, guarding }
}

fn is_free(elements: &Elements, set: SetId, key: &Tuple) -> bool {
    let overlaps = |other: &Tuple| match (key.0.first(), other.0.first()) {
        (Some(Value::Subnet(a)), Some(Value::Subnet(b))) => {
            a.contains(b.network()) || b.contains(a.network())
        }
        _ => key == other,
    };
    !elements.keys().any(|(of, other)| *of == set && overlaps(other))
}

fn element(bytes: &mut Bytes<'_>) -> (SetId, Tuple, Entry) {
    let set = SetId::ALL[usize::from(bytes.byte()) % SetId::ALL.len()];
    let spec = set.spec();
    let key = match spec.holds {
        Holds::Subnets => vec![Value::Subnet(subnet(spec.key[0], bytes))],
        _ => spec.key.iter().map(|kind| value(*kind, bytes)).collect(),
    };
    let data = match spec.holds {
        Holds::Keys | Holds::Subnets | Holds::Timed | Holds::Noted => Data::None,
        Holds::Verdicts => Data::Verdict(verdict(bytes)),
        Holds::Tuples(kinds) => Data::Tuple(Tuple(kinds.iter().map(|kind| value(*kind, bytes)).collect())),
    };
    let length = usize::from(bytes.byte()) % (COMMENT + 1);
    let comment = (0..length).map(|_| char::from(b' ' + bytes.byte() % 95)).collect();
    (set, Tuple(key), Entry { data, comment })
}

fn verdict(bytes: &mut Bytes<'_>) -> Verdict {
    match bytes.byte() % 5 {
        0 => Verdict::Accept,
        1 => Verdict::Drop,
        2 => Verdict::Return,
        3 => Verdict::Jump(USER.to_owned()),
        _ => Verdict::Goto(USER.to_owned()),
    }
}

fn subnet(kind: Kind, bytes: &mut Bytes<'_>) -> IpNetwork {
    let prefix = bytes.byte();
    match kind {
        Kind::V6 => {
            let net = Ipv6Network::new(bytes.take::<16>().into(), prefix % 129);
            net.and_then(|net| Ipv6Network::new(net.network(), net.prefix())).map(IpNetwork::V6)
        }
        _ => {
            let net = Ipv4Network::new(bytes.take::<4>().into(), prefix % 33);
            net.and_then(|net| Ipv4Network::new(net.network(), net.prefix())).map(IpNetwork::V4)
        }
    }
    .unwrap_or_else(|_| unreachable!("the prefix is no longer than an address"))
}

fn value(kind: Kind, bytes: &mut Bytes<'_>) -> Value {
    match kind {
        Kind::V4 => Value::V4(bytes.take::<4>().into()),
        Kind::V6 => Value::V6(bytes.take::<16>().into()),
        Kind::NfProto => Value::NfProto(family(bytes)),
        Kind::Proto => match bytes.byte() % 4 {
            0 => Value::Proto(Proto::Tcp),
            1 => Value::Proto(Proto::Udp),
            2 => Value::Proto(Proto::Sctp),
            _ => Value::Icmp(family(bytes)),
        },
        Kind::Ether => Value::Ether(MacAddr::local(bytes.take())),
        Kind::Port => Value::Port(port(bytes)),
        Kind::IfName => Value::IfName(link(bytes)),
    }
}

fn family(bytes: &mut Bytes<'_>) -> Family {
    if bytes.byte().is_multiple_of(2) { Family::V4 } else { Family::V6 }
}

fn port(bytes: &mut Bytes<'_>) -> Port {
    let number = u16::from_be_bytes(bytes.take()).max(1);
    Port::new(number).unwrap_or_else(|| unreachable!("one at least"))
}

fn link(bytes: &mut Bytes<'_>) -> IfName {
    let length = usize::from(bytes.byte()) % 15 + 1;
    let name: String = (0..length).map(|_| char::from(b'!' + bytes.byte() % 94)).collect();
    name.parse().unwrap_or_else(|_| {
        let digits = name.len() * 7;
        format!("l{digits}").parse().unwrap_or_else(|_| unreachable!("a letter and digits"))
    })
}

/// Bytes that are taken one after the other; noughts when there are no more.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> u8 {
        let [byte] = self.take();
        byte
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (taken, rest) = self.0.split_at(self.0.len().min(N));
        self.0 = rest;
        let mut bytes = [0; N];
        bytes[..taken.len()].copy_from_slice(taken);
        bytes
    }
}

/// Panics if what is written of a ruleset is not read back the same: sets, rules and elements, without a kernel.
pub(crate) fn written_must_hold(bytes: &[u8]) {
    let wanted = ruleset(bytes);
    let tables = TABLES.into_iter().flat_map(|table| base::ops(table, table.name, wanted.accept_mark));
    let ops: Vec<Op> = tables.chain(Delta::between(&Elements::new(), &wanted.elements).ops()).collect();
    let written = read(&ops);
    assert_eq!(written.sets, SetId::ALL.len(), "every set is declared as it is");
    let chains = TABLES.into_iter().flat_map(|table| base::chains(table, wanted.accept_mark));
    let rules: Vec<Vec<Expr>> = chains.flat_map(|chain| chain.rules).map(|rule| rule.exprs).collect();
    assert_eq!(written.rules, rules);
    assert_eq!(written.elements, wanted.elements);
}

#[derive(Default)]
struct Written {
    sets: usize,
    rules: Vec<Vec<Expr>>,
    elements: Elements,
}

fn read(ops: &[Op]) -> Written {
    let encoded = Encoded::new(ops, None);
    let mut written = Written::default();
    let mut raw: BTreeMap<String, Vec<RawElement>> = BTreeMap::new();
    for (kind, payload) in messages(encoded.messages.bytes()) {
        let attrs = Attrs::parse(&payload[FAMILY_HEADER..]).unwrap_or_default();
        match kind {
            NEW_SET => written.sets += usize::from(dump::is_declared(TABLES[0], &attrs, &spec(&attrs))),
            NEW_RULE => {
                let list = attrs.nested(4).and_then(|list| Expr::read_list(&list));
                written.rules.push(list.unwrap_or_default());
            }
            NEW_ELEMENT => {
                let more = dump::raw_elements(&attrs).unwrap_or_default();
                raw.entry(spec(&attrs).name.to_owned()).or_default().extend(more);
            }
            _ => {}
        }
    }
    for set in SetId::ALL {
        let found = raw.remove(set.spec().name).unwrap_or_default();
        for element in dump::read_elements(&set.spec(), found) {
            match element {
                FoundElement::Ours(key, entry) => written.elements.insert((set, key), entry),
                FoundElement::Foreign => panic!("{}: an element is not known again", set.spec().name),
            };
        }
    }
    written
}

fn spec(attrs: &Attrs<'_>) -> SetSpec {
    let name = attrs.text(2).unwrap_or_default();
    let known = SetId::ALL.into_iter().map(SetId::spec).find(|spec| spec.name == name);
    known.unwrap_or_else(|| panic!("{name:?} is no set of ours"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(bytes in prop::collection::vec(any::<u8>(), 0..6_000)) {
            written_must_hold(&bytes);
        }
    }

    #[test]
    fn every_kind_of_set_is_made() {
        let mut bytes = vec![0];
        for set in 0..SetId::ALL.len() {
            bytes.extend((0..PIECE).map(|at| if at == 0 { set as u8 } else { (set * 31 + at * 7) as u8 }));
        }
        let ruleset = ruleset(&bytes);
        assert_eq!(ruleset.elements.len(), SetId::ALL.len(), "{ruleset}");
    }
}
