//! Addresses that were given back and are not to be used again soon.

use std::collections::{HashSet, VecDeque};

use serde::{Deserialize, Serialize};

/// How many addresses of one pool rest at most, so that a pool stays small however many come and go: all of a /20.
const AT_MOST: usize = 4_096;

/// Numbers in the order in which they were given back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "VecDeque<u128>", into = "VecDeque<u128>")]
pub(crate) struct Resting {
    order: VecDeque<u128>,
    all: HashSet<u128>,
}

impl Resting {
    /// One more. Where too many rest, the one that rested longest has rested enough: it is no longer among them.
    pub(crate) fn push(&mut self, number: u128) -> Option<u128> {
        if self.all.insert(number) {
            self.order.push_back(number);
        }
        let rested = self.order.front().copied().filter(|_| self.order.len() > AT_MOST)?;
        self.remove(rested);
        Some(rested)
    }

    /// The one that rested longest.
    pub(crate) fn longest(&self) -> Option<u128> {
        self.order.front().copied()
    }

    pub(crate) fn contains(&self, number: u128) -> bool {
        self.all.contains(&number)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u128 {
        self.order.len() as u128
    }

    /// No longer one of them; nothing if it wasn't.
    pub(crate) fn remove(&mut self, number: u128) {
        if !self.all.remove(&number) {
            return;
        }
        if self.order.front() == Some(&number) {
            self.order.pop_front();
        } else {
            self.order.retain(|resting| *resting != number);
        }
    }
}

impl From<VecDeque<u128>> for Resting {
    fn from(order: VecDeque<u128>) -> Self {
        let mut resting = Self::default();
        order.into_iter().for_each(|number| _ = resting.push(number));
        resting
    }
}

impl From<Resting> for VecDeque<u128> {
    fn from(resting: Resting) -> Self {
        resting.order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_rested_longest_is_first_and_the_number_is_bounded() {
        let mut resting = Resting::default();
        for number in 0..5_000 {
            resting.push(number * 2);
        }
        assert_eq!(resting.order.len(), AT_MOST);
        assert_eq!(resting.longest(), Some((5_000 - AT_MOST as u128) * 2));
        resting.remove(9_000);
        resting.remove(9_000);
        assert_eq!((resting.order.len(), resting.contains(9_000)), (AT_MOST - 1, false));
        let copy = Resting::from(VecDeque::from(resting.clone()));
        assert_eq!(copy, resting);
    }
}
