//! What a table of ours looks like in the kernel, and the operations that make it anew or take it away.

use super::{
    FirewallError, NfSocket, Ruleset,
    nft::{
        chain::{Chain, Table},
        dump::{self, FoundChain, FoundSet},
        op::Op,
        set::SetSpec,
    },
    ruleset::{
        Delta, Elements, SetId,
        base::{self, USER},
    },
};
use crate::types::FwMark;

/// What a table of ours looks like.
pub(super) struct Observed {
    table: Table,
    chains: Vec<FoundChain>,
    sets: Vec<FoundSet>,
}

pub(super) fn observe(socket: &mut NfSocket, table: Table) -> Result<Observed, FirewallError> {
    let (chains, sets) = (dump::chains(socket, table)?, dump::sets(socket, table)?);
    Ok(Observed { table, chains, sets })
}

impl Observed {
    /// Whether these chains are there with just these rules, and these sets; elements may be any.
    pub(super) fn has(&self, chains: &[Chain], mut sets: impl Iterator<Item = SetSpec>) -> bool {
        let chain_is_there = |wanted: &Chain| {
            let anchor =
                wanted.anchor.map(|anchor| (anchor.kind.to_owned(), anchor.hook as u32, anchor.priority));
            let same_rules = |found: &FoundChain| {
                let (found, wanted) = (found.rules.iter(), wanted.rules.iter());
                found.map(|rule| &rule.exprs).eq(wanted.map(|rule| &rule.exprs))
            };
            let mut found = self.chains.iter().filter(|found| found.name == wanted.name);
            found.any(|found| found.anchor == anchor && (wanted.name == USER || same_rules(found)))
        };
        let set_is_there =
            |spec: SetSpec| self.sets.iter().any(|found| found.name == spec.name && found.is(&spec));
        chains.iter().all(chain_is_there) && sets.all(set_is_there)
    }
}

/// Whether chains, rules and sets are as we make them; elements may differ.
pub(super) fn is_ours(observed: &Observed, mark: Option<FwMark>) -> bool {
    observed.has(&base::chains(observed.table, mark), SetId::of(observed.table).map(SetId::spec))
}

/// Everything of ours out, all of it in again.
pub(super) fn rebuild(observed: &Observed, wanted: &Ruleset) -> Vec<Op> {
    let mut ops = without_ours(observed);
    ops.extend(base::ops(observed.table, observed.table.name, wanted.accept_mark));
    ops.extend(Delta::between(&Elements::new(), &wanted.elements_of(observed.table)).ops());
    ops
}

/// Everything of ours out; the table too, unless the user has something in it.
pub(super) fn removal(observed: &Observed) -> Vec<Op> {
    if observed.chains.is_empty() && observed.sets.is_empty() {
        return Vec::new();
    }
    let theirs = |chain: &FoundChain| !is_our_chain(observed.table, &chain.name);
    let used = |chain: &FoundChain| chain.name == USER && !chain.rules.is_empty();
    if observed.chains.iter().any(|chain| theirs(chain) || used(chain)) {
        return without_ours(observed);
    }
    vec![Op::DeleteTable(observed.table)]
}

/// Deletes our chains and sets, but not the user's chain.
fn without_ours(observed: &Observed) -> Vec<Op> {
    let ours = || {
        let names = observed.chains.iter().map(|chain| chain.name.clone());
        names.filter(|name| is_our_chain(observed.table, name) && name != USER)
    };
    // First the rules: chains and sets that rules refer to can't be deleted.
    let table = observed.table;
    let mut ops: Vec<Op> = ours().map(|name| Op::FlushChain(table, name)).collect();
    ops.extend(ours().map(|name| Op::DeleteChain(table, name)));
    let sets = observed.sets.iter().filter(|set| SetId::of(table).any(|id| id.spec().name == set.name));
    ops.extend(sets.map(|set| Op::DeleteSet(table, set.name.clone())));
    ops
}

fn is_our_chain(table: Table, name: &str) -> bool {
    base::chains(table, None).iter().any(|chain| chain.name == name)
}
