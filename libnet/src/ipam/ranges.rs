//! A set of numbers as disjoint ranges: what is taken in a pool. Sparse, so that a /8 or a v6 /64 costs what is used of
//! it, and the next free number after any other is one look-up away however full the pool is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Disjoint ranges that don't touch each other, first number -> last number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(u128, u128)>", into = "Vec<(u128, u128)>")]
pub(crate) struct RangeSet(BTreeMap<u128, u128>);

impl RangeSet {
    pub(crate) fn contains(&self, number: u128) -> bool {
        self.range_of(number).is_some()
    }

    /// The range that `number` lies in.
    pub(crate) fn range_of(&self, number: u128) -> Option<(u128, u128)> {
        let (first, last) = self.0.range(..=number).next_back()?;
        (number <= *last).then_some((*first, *last))
    }

    /// Whether any number from `first` to `last` is in the set; if so, the last of the ranges that hold one.
    pub(crate) fn overlap(&self, first: u128, last: u128) -> Option<(u128, u128)> {
        let (start, end) = self.0.range(..=last).next_back()?;
        (*end >= first).then_some((*start, *end))
    }

    /// Adds `first` to `last`, and joins what then overlaps or touches.
    pub(crate) fn insert(&mut self, mut first: u128, mut last: u128) {
        while let Some((start, end)) = self.overlap(first.saturating_sub(1), last.saturating_add(1)) {
            first = first.min(start);
            last = last.max(end);
            self.0.remove(&start);
        }
        self.0.insert(first, last);
    }

    /// Takes `number` out; false if it wasn't in.
    pub(crate) fn remove(&mut self, number: u128) -> bool {
        let Some((first, last)) = self.range_of(number) else { return false };
        self.0.remove(&first);
        if first < number {
            self.0.insert(first, number - 1);
        }
        if number < last {
            self.0.insert(number + 1, last);
        }
        true
    }

    /// The smallest number from `first` to `last` that is not in the set.
    pub(crate) fn first_free(&self, first: u128, last: u128) -> Option<u128> {
        if first > last {
            return None;
        }
        match self.range_of(first) {
            None => Some(first),
            Some((_, end)) if end < last => Some(end + 1),
            Some(_) => None,
        }
    }

    /// How many numbers from `first` to `last` are in the set; capped at the largest that fits.
    pub(crate) fn count(&self, first: u128, last: u128) -> u128 {
        let inside = |(start, end): (&u128, &u128)| {
            let (start, end) = (*start.max(&first), *end.min(&last));
            if start > end { 0 } else { (end - start).saturating_add(1) }
        };
        self.0.range(..=last).map(inside).fold(0, u128::saturating_add)
    }
}

impl From<Vec<(u128, u128)>> for RangeSet {
    fn from(ranges: Vec<(u128, u128)>) -> Self {
        let mut set = Self::default();
        for (first, last) in ranges.into_iter().filter(|(first, last)| first <= last) {
            set.insert(first, last);
        }
        set
    }
}

impl From<RangeSet> for Vec<(u128, u128)> {
    fn from(set: RangeSet) -> Self {
        set.0.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u128, u128),
        Remove(u128),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..64_u128, 0..6_u128).prop_map(|(first, more)| Step::Insert(first, first + more)),
            (0..72_u128).prop_map(Step::Remove),
        ]
    }

    proptest! {
        #[test]
        fn behaves_as_a_plain_set(steps in prop::collection::vec(step(), 0..60)) {
            let (mut ranges, mut plain) = (RangeSet::default(), BTreeSet::new());
            for step in steps {
                match step {
                    Step::Insert(first, last) => {
                        ranges.insert(first, last);
                        plain.extend(first..=last);
                    }
                    Step::Remove(number) => prop_assert_eq!(ranges.remove(number), plain.remove(&number)),
                }
            }
            for number in 0..80 {
                prop_assert_eq!(ranges.contains(number), plain.contains(&number));
                prop_assert_eq!(ranges.first_free(number, 79), (number..80).find(|n| !plain.contains(n)));
                prop_assert_eq!(ranges.count(number, 79), plain.range(number..80).count() as u128);
            }
            let list: Vec<_> = ranges.clone().into();
            prop_assert!(list.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "ranges touch: {:?}", list);
            prop_assert_eq!(RangeSet::from(list), ranges);
        }
    }

    #[test]
    fn the_ends_of_the_numbers_don_t_overflow() {
        let mut set = RangeSet::default();
        set.insert(u128::MAX, u128::MAX);
        set.insert(0, 0);
        assert_eq!(set.first_free(u128::MAX, u128::MAX), None);
        assert_eq!(set.first_free(0, 5), Some(1));
        set.insert(0, u128::MAX);
        assert_eq!(set.count(0, u128::MAX), u128::MAX);
    }
}
