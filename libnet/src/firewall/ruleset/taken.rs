//! Which elements there are, and not what is in them: what is declared says that. It is all that a change has to know of
//! the rest of a ruleset, and a tenth of the memory: ten thousand ports are twenty thousand elements.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
};

use super::{Delta, Ruleset, SetId, affected, taken};
use crate::firewall::{Change, DeclaredFirewall, FirewallError, nft::set::Tuple};

/// The elements of a ruleset, each as a number that stands for its set and key.
///
/// That two of `n` elements have the same number has a chance of `n * n / 2^65` (the birthday problem): for a hundred
/// thousand, one in three thousand million. The later one is then refused as taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::firewall) struct Taken(HashSet<u64>);

impl Taken {
    /// The elements of a ruleset.
    pub(in crate::firewall) fn of(ruleset: &Ruleset) -> Self {
        Self(ruleset.elements.keys().map(number).collect())
    }

    /// How many there are.
    pub(in crate::firewall) fn len(&self) -> usize {
        self.0.len()
    }

    /// What a change of `declared`, whose elements these are, changes: at the cost of the objects that it concerns.
    pub(in crate::firewall) fn delta(
        &self,
        declared: &DeclaredFirewall,
        change: &Change,
    ) -> Result<Delta, FirewallError> {
        let (before, after) = affected(declared, change)?;
        let delta = Delta::between(&before, &after);
        let is_taken =
            |key: &&(SetId, Tuple)| self.0.contains(&number(key)) && !delta.gone.contains_key(*key);
        match delta.come.keys().find(is_taken) {
            Some(key) => Err(taken(key)),
            None => Ok(delta),
        }
    }

    /// Becomes what the delta leads to.
    pub(in crate::firewall) fn apply(&mut self, delta: &Delta) {
        for key in delta.gone.keys() {
            self.0.remove(&number(key));
        }
        self.0.extend(delta.come.keys().map(number));
    }
}

fn number(key: &(SetId, Tuple)) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}
