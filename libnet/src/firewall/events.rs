//! What an event of nf_tables says about the rules that we answer for. Pure.

use super::{
    Suspects, egress,
    nft::{
        dump::FORWARDING,
        op::{DEL_CHAIN, DEL_RULE, DEL_TABLE, NEW_CHAIN, NEW_RULE, NEW_TABLE, SUBSYSTEM},
    },
    ruleset::{TABLES, base::USER},
};
use crate::sys::nfnl::{attr::Attrs, batch::FAMILY_HEADER};

/// `NFT_MSG_NEWGEN`: the end of a transaction.
const NEW_GENERATION: u16 = SUBSYSTEM | 15;

/// What may be wrong after an event of this message type; `payload` is what follows its header.
pub(crate) fn suspects(kind: u16, payload: &[u8]) -> Suspects {
    if kind == NEW_GENERATION || payload.len() < FAMILY_HEADER {
        return Suspects::default();
    }
    let family = payload[0];
    let attrs = Attrs::parse(&payload[FAMILY_HEADER..]).unwrap_or_default();
    // The name of the table is the first attribute of all objects.
    let table = attrs.text(1).unwrap_or_default();
    if TABLES.iter().any(|own| (own.name, own.family as u8) == (table, family)) {
        return Suspects { table: !is_users(kind, &attrs), ..Suspects::default() };
    }
    if table == egress::TABLE.name {
        return Suspects { egress: true, ..Suspects::default() };
    }
    let decides = [NEW_TABLE, DEL_TABLE, NEW_CHAIN, DEL_CHAIN, NEW_RULE, DEL_RULE].contains(&kind);
    Suspects { foreign: decides && FORWARDING.contains(&family), ..Suspects::default() }
}

/// Rules in the user's own chain.
fn is_users(kind: u16, attrs: &Attrs<'_>) -> bool {
    [NEW_RULE, DEL_RULE].contains(&kind) && attrs.text(2) == Ok(USER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::nfnl::attr::Writer;

    fn event(kind: u16, family: u8, names: &[&str]) -> Suspects {
        let mut payload = vec![family, 0, 0, 0];
        let mut attrs = Writer::new(&mut payload);
        (1..).zip(names).for_each(|(number, name)| attrs.text(number, name));
        suspects(kind, &payload)
    }

    #[test]
    fn what_each_event_makes_suspect() {
        const INET: u8 = 1;
        const IP: u8 = 2;
        const ARP: u8 = 3;
        const BRIDGE: u8 = 7;
        let nothing = Suspects::default();
        let ours = Suspects { table: true, ..nothing };
        let foreign = Suspects { foreign: true, ..nothing };
        let egress = Suspects { egress: true, ..nothing };
        let new_element = SUBSYSTEM | 12;
        let table = [
            (event(DEL_TABLE, INET, &["pontoon"]), ours),
            (event(DEL_TABLE, BRIDGE, &["pontoon"]), ours),
            (event(DEL_RULE, INET, &["pontoon", "filter-forward"]), ours),
            (event(new_element, INET, &["pontoon", "pairs"]), ours),
            (event(NEW_RULE, INET, &["pontoon", USER]), nothing),
            (event(DEL_TABLE, INET, &["pontoon-egress"]), egress),
            (event(NEW_RULE, BRIDGE, &["theirs", "chain"]), nothing),
            (event(DEL_CHAIN, INET, &["pontoon", "x", USER]), ours),
            (event(DEL_TABLE, IP, &["pontoon"]), foreign),
            (event(NEW_CHAIN, IP, &["filter", "x", "FORWARD"]), foreign),
            (event(DEL_RULE, IP, &["filter", "FORWARD"]), foreign),
            (event(new_element, INET, &["theirs", "set"]), nothing),
            (event(NEW_RULE, ARP, &["filter", "INPUT"]), nothing),
            (event(NEW_GENERATION, 0, &["1"]), nothing),
            (suspects(DEL_TABLE, &[1]), nothing),
        ];
        for (index, (found, expected)) in table.into_iter().enumerate() {
            assert_eq!(found, expected, "event {index}");
        }
    }
}
