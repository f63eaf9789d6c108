//! Table `filter` of the old iptables, taken apart and put together again (`struct ipt_entry`, `struct ip6t_entry` of
//! linux/netfilter_ipv4/ip_tables.h and linux/netfilter_ipv6/ip6_tables.h). What we don't know stays as it is, byte for
//! byte; only places that entries name change when entries come and go. Pure.

use std::collections::HashMap;

use super::entry::{Entry, Target};
use crate::{
    firewall::{
        nft::matches::Side,
        ruleset::foreign::{Amendment, Seen},
    },
    sys::{nfnl::attr::Malformed, xtables::Layout},
    types::{Family, IfName},
};

/// `NF_INET_FORWARD`.
const FORWARD: usize = 2;

/// A bridge that is let through, one way.
pub(super) type Admission = (IfName, Side);

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    family: Family,
    layout: Layout,
    entries: Vec<Entry>,
    /// Which entry begins where.
    places: HashMap<u32, usize>,
}

/// A table as it is to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Amended {
    pub(super) layout: Layout,
    pub(super) bytes: Vec<u8>,
    /// Which of the former entries each entry was.
    pub(super) origins: Vec<Option<usize>>,
}

impl Table {
    pub(super) fn parse(family: Family, layout: Layout, bytes: &[u8]) -> Result<Self, Malformed> {
        let (mut entries, mut places, mut at) = (Vec::new(), HashMap::new(), 0);
        while at < bytes.len() {
            let entry = Entry::parse(family, &bytes[at..])?;
            places.insert(u32::try_from(at).map_err(|_| Malformed)?, entries.len());
            at += entry.len();
            entries.push(entry);
        }
        let table = Self { family, layout, entries, places };
        table.forward().map(|_| table)
    }

    /// How many entries it has.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the chain of forwarded packets drops what none of its rules accepts.
    pub(super) fn drops(&self) -> bool {
        self.forward().is_ok_and(|(_, policy)| self.entries[policy].target() == Target::Drop)
    }

    /// The rules of that chain.
    pub(super) fn rules(&self, wanted: &[Admission]) -> Vec<Seen> {
        let wanted: Vec<Entry> = wanted.iter().map(|admission| self.entry(admission)).collect();
        let see = |index: usize| {
            let entry = &self.entries[index];
            if entry.is_marked() {
                Seen::Ours(wanted.iter().position(|wanted| wanted.is_same_rule(entry)))
            } else if self.is_final(index) {
                Seen::Final
            } else {
                Seen::Other
            }
        };
        let (first, policy) = self.forward().unwrap_or_default();
        (first..policy).map(see).collect()
    }

    /// Our rules in that chain, whichever they are.
    pub(super) fn ours(&self) -> impl Iterator<Item = &Entry> {
        let (first, policy) = self.forward().unwrap_or_default();
        self.entries[first..policy].iter().filter(|entry| entry.is_marked())
    }

    /// The table after amendments of that chain.
    pub(super) fn amended(
        &self,
        amendments: &[Amendment],
        wanted: &[Admission],
    ) -> Result<Amended, Malformed> {
        let (first, policy) = self.forward()?;
        let mut gone = vec![false; self.entries.len()];
        let mut come: HashMap<usize, Vec<Entry>> = HashMap::new();
        for amendment in amendments {
            match *amendment {
                Amendment::Withdraw(rule) => gone[first + rule] = true,
                Amendment::Admit { wanted: index, before } => {
                    let before = before.map_or(policy, |rule| first + rule);
                    come.entry(before).or_default().push(self.entry(&wanted[index]));
                }
            }
        }
        let mut new: Vec<(Option<usize>, Entry)> = Vec::new();
        // For each former entry where it is now, and where what stands before it begins.
        let (mut places, mut ways, mut at) = (Vec::new(), Vec::new(), 0);
        for (index, entry) in self.entries.iter().enumerate() {
            ways.push(at);
            for entry in come.remove(&index).unwrap_or_default() {
                at += entry.len();
                new.push((None, entry));
            }
            places.push(at);
            if !gone[index] {
                at += entry.len();
                new.push((Some(index), entry.clone()));
            }
        }
        self.assemble(new, &places, &ways)
    }

    /// Puts entries together; packets that were sent to an entry are sent to what stands before it now.
    fn assemble(
        &self,
        mut entries: Vec<(Option<usize>, Entry)>,
        places: &[usize],
        ways: &[usize],
    ) -> Result<Amended, Malformed> {
        let moved = |place: u32, to: &[usize]| -> Result<u32, Malformed> {
            let index = self.places.get(&place).ok_or(Malformed)?;
            u32::try_from(to[*index]).map_err(|_| Malformed)
        };
        for (_, entry) in entries.iter_mut().filter(|(origin, _)| origin.is_some()) {
            if let Target::Jump(place) = entry.target() {
                entry.jump_to(moved(place, ways)?);
            }
        }
        let mut layout = self.layout.clone();
        for hook in (0..layout.hook_entry.len()).filter(|hook| layout.valid_hooks & 1 << hook != 0) {
            layout.hook_entry[hook] = moved(layout.hook_entry[hook], ways)?;
            layout.underflow[hook] = moved(layout.underflow[hook], places)?;
        }
        layout.entries = u32::try_from(entries.len()).map_err(|_| Malformed)?;
        let bytes = entries.iter().flat_map(|(_, entry)| entry.bytes()).copied().collect();
        Ok(Amended { layout, bytes, origins: entries.iter().map(|(origin, _)| *origin).collect() })
    }

    /// The chain of forwarded packets: its first entry, and its policy.
    fn forward(&self) -> Result<(usize, usize), Malformed> {
        let place = |at: u32| self.places.get(&at).copied().ok_or(Malformed);
        if self.layout.valid_hooks & 1 << FORWARD == 0 {
            return Err(Malformed);
        }
        let chain = (place(self.layout.hook_entry[FORWARD])?, place(self.layout.underflow[FORWARD])?);
        if chain.0 <= chain.1 { Ok(chain) } else { Err(Malformed) }
    }

    /// Whether an entry lets nothing past it, by itself or by the first rule of the chain that it leads to.
    fn is_final(&self, index: usize) -> bool {
        let ends = |entry: &Entry| {
            entry.is_unconditional() && matches!(entry.target(), Target::Drop | Target::Reject)
        };
        let entry = &self.entries[index];
        match (entry.target(), entry.is_unconditional()) {
            // A rule without target goes on to the next, which speaks for itself.
            (Target::Jump(place), true) => {
                let leads = self.places.get(&place).filter(|to| **to != index + 1);
                leads.is_some_and(|to| ends(&self.entries[*to]))
            }
            _ => ends(entry),
        }
    }

    fn entry(&self, (link, side): &Admission) -> Entry {
        Entry::admission(self.family, link, *side)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// INPUT accepts; FORWARD drops, after a rule that leads to the chain `c`, which rejects; OUTPUT accepts.
    fn table(family: Family, rules: &[Entry]) -> Table {
        let accept = Entry::bare(family, Target::Accept);
        let mut entries = vec![accept.clone()];
        entries.extend(rules.iter().cloned());
        entries.extend([Entry::bare(family, Target::Drop), accept]);
        let mut places = Vec::new();
        let mut bytes = Vec::new();
        for entry in &entries {
            places.push(u32::try_from(bytes.len()).unwrap());
            bytes.extend_from_slice(entry.bytes());
        }
        let (policy, output) = (places[1 + rules.len()], places[2 + rules.len()]);
        let layout = Layout {
            valid_hooks: 0b1110,
            hook_entry: [0, 0, places[1], output, 0],
            underflow: [0, 0, policy, output, 0],
            entries: u32::try_from(entries.len()).unwrap(),
        };
        Table::parse(family, layout, &bytes).unwrap()
    }

    fn admissions() -> Vec<Admission> {
        ["br-a", "br-b"]
            .iter()
            .flat_map(|link| [Side::In, Side::Out].map(|side| (link.parse().unwrap(), side)))
            .collect()
    }

    fn again(family: Family, amended: Amended) -> Table {
        Table::parse(family, amended.layout, &amended.bytes).unwrap()
    }

    #[test]
    fn what_is_let_in_is_found_and_taken_out_again() {
        for family in [Family::V4, Family::V6] {
            let theirs = Entry::bare(family, Target::Accept);
            let before = table(family, std::slice::from_ref(&theirs));
            assert!(before.drops());
            let wanted = admissions();
            let admit: Vec<_> = (0..4).map(|wanted| Amendment::Admit { wanted, before: None }).collect();
            let amended = before.amended(&admit, &wanted).unwrap();
            assert_eq!(amended.origins, [Some(0), Some(1), None, None, None, None, Some(2), Some(3)]);
            let within = again(family, amended);
            let ours = (0..4).map(|index| Seen::Ours(Some(index)));
            assert_eq!(within.rules(&wanted), [Seen::Other].into_iter().chain(ours).collect::<Vec<_>>());
            assert!(within.drops());
            let withdraw: Vec<_> = (1..5).map(Amendment::Withdraw).collect();
            assert_eq!(again(family, within.amended(&withdraw, &[]).unwrap()), before);
        }
    }

    #[test]
    fn jumps_and_rules_without_target_lead_where_they_led() {
        let family = Family::V4;
        let mut goes_on = Entry::bare(family, Target::Jump(0));
        let rule = goes_on.len();
        // The second entry of the table: from there to what follows it.
        goes_on.jump_to(u32::try_from(rule * 2).unwrap());
        let before = table(family, &[goes_on]);
        let wanted = admissions();
        let amended = before.amended(&[Amendment::Admit { wanted: 0, before: None }], &wanted).unwrap();
        let after = again(family, amended);
        assert_eq!(after.entries[1].target(), before.entries[1].target(), "on to the new rule, not past it");
        assert_eq!(after.rules(&wanted), [Seen::Other, Seen::Ours(Some(0))]);
        // Before the first of all: the chain begins there.
        let amended = before.amended(&[Amendment::Admit { wanted: 0, before: Some(0) }], &wanted).unwrap();
        let after = again(family, amended);
        assert_eq!(after.rules(&wanted), [Seen::Ours(Some(0)), Seen::Other]);
        let Target::Jump(place) = after.entries[2].target() else { panic!("{after:?}") };
        assert_eq!(after.places[&place], 3);
    }

    #[test]
    fn final_rules() {
        for family in [Family::V4, Family::V6] {
            let (accept, reject) = (Entry::bare(family, Target::Accept), Entry::bare(family, Target::Reject));
            let bare = u32::try_from(accept.len()).unwrap();
            let to = |place: u32| Entry::bare(family, Target::Jump(place * bare));
            // The policy of INPUT, then: to what rejects, to what accepts, to the next, and what they lead to.
            let table = table(family, &[to(5), to(4), to(4), accept.clone(), reject]);
            let expected = [Seen::Final, Seen::Other, Seen::Other, Seen::Other, Seen::Final];
            assert_eq!(table.rules(&[]), expected);
        }
    }

    proptest! {
        #[test]
        fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..600), hooks in any::<[u32; 10]>()) {
            for family in [Family::V4, Family::V6] {
                let layout = Layout {
                    valid_hooks: 0b1110,
                    hook_entry: std::array::from_fn(|hook| hooks[hook] % 700),
                    underflow: std::array::from_fn(|hook| hooks[5 + hook] % 700),
                    entries: 3,
                };
                if let Ok(table) = Table::parse(family, layout, &bytes) {
                    let _ = (table.drops(), table.rules(&admissions()));
                    table.ours().for_each(|entry| drop((entry.link(Side::In), entry.counted())));
                    let _ = table.amended(&[Amendment::Admit { wanted: 0, before: None }], &admissions());
                }
            }
        }

        /// A table as it is, with any byte of it changed.
        #[test]
        fn damaged_tables(at in any::<prop::sample::Index>(), with: u8) {
            for family in [Family::V4, Family::V6] {
                let whole = table(family, &[Entry::bare(family, Target::Jump(0)), Entry::bare(family, Target::Reject)]);
                let mut bytes: Vec<u8> = whole.entries.iter().flat_map(Entry::bytes).copied().collect();
                let at = at.index(bytes.len());
                bytes[at] = with;
                if let Ok(table) = Table::parse(family, whole.layout, &bytes) {
                    let _ = (table.drops(), table.rules(&admissions()));
                    let _ = table.amended(&[Amendment::Admit { wanted: 0, before: None }], &admissions());
                }
            }
        }
    }
}
