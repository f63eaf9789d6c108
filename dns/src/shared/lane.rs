//! Who asks the same upstreams and may so have the same answers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Weak};

use crate::types::AskerId;
use crate::upstream::{DialFrom, Upstream};

/// One list of upstreams, in order. Its number is never given again, so what was kept for a list that nobody has
/// any more is not found again either.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) number: u64,
    pub(crate) servers: Box<[Upstream]>,
    /// How often in a row each was silent for as long as one waits.
    silences: Box<[AtomicU32]>,
}

/// One whose silence is no accident any more. The next is then asked beside it without a wait.
const SILENCES: u32 = 3;

/// One question in so many waits for it still: a later server may be nearer and always speak first, while the word of
/// the earlier one should count.
const CHANCE: u32 = 16;

impl Lane {
    fn new(number: u64, servers: &[Upstream]) -> Self {
        let silences = servers.iter().map(|_| AtomicU32::new(0)).collect();
        Self { number, servers: servers.into(), silences }
    }

    /// Whether it need not be waited for before the next is asked.
    pub(crate) fn is_silent(&self, place: usize) -> bool {
        self.silences.get(place).is_some_and(|silences| {
            let silences = silences.load(Relaxed);
            silences >= SILENCES && silences % CHANCE != 0
        })
    }

    pub(crate) fn stayed_silent(&self, place: usize) {
        if let Some(silences) = self.silences.get(place) {
            silences.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn spoke(&self, place: usize) {
        if let Some(silences) = self.silences.get(place) {
            silences.store(0, Relaxed);
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Lanes {
    /// With the asker where the list is its own.
    known: HashMap<(Vec<Upstream>, Option<AskerId>), Weak<Lane>>,
    /// The one that containers shared last, for the next: often one starts after the other has ended.
    last: Option<Arc<Lane>>,
    given: u64,
}

impl Lanes {
    pub(super) fn get(&mut self, servers: Vec<Upstream>, asker: &AskerId) -> Arc<Lane> {
        let own = servers.iter().any(|server| server.from == DialFrom::Container);
        let key = (servers, own.then(|| asker.clone()));
        let known = self.known.get(&key).and_then(Weak::upgrade);
        let lane = known.unwrap_or_else(|| self.add(key));
        // One without servers has nothing to remember.
        if !own && !lane.servers.is_empty() {
            self.last = Some(lane.clone());
        }
        lane
    }

    fn add(&mut self, key: (Vec<Upstream>, Option<AskerId>)) -> Arc<Lane> {
        self.known.retain(|_, lane| lane.strong_count() > 0);
        self.given += 1;
        let lane = Arc::new(Lane::new(self.given, &key.0));
        self.known.insert(key, Arc::downgrade(&lane));
        lane
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_shared_only_where_its_servers_are_the_same() {
        let at = |last: u8, from| Upstream { addr: ([10, 0, 0, last], 53).into(), from };
        let (a, b) = (AskerId::from("a"), AskerId::from("b"));
        let host = || vec![at(1, DialFrom::Host), at(2, DialFrom::Host)];
        let mixed = || vec![at(1, DialFrom::Host), at(2, DialFrom::Container)];
        let mut lanes = Lanes::default();
        let first = lanes.get(host(), &a);
        assert_eq!(lanes.get(host(), &b).number, first.number);
        let mut reversed = host();
        reversed.reverse();
        let others = [lanes.get(reversed.clone(), &a), lanes.get(mixed(), &a), lanes.get(mixed(), &b)];
        let mut numbers: Vec<_> = others.iter().map(|lane| lane.number).chain([first.number]).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 4);
        assert_eq!(lanes.get(mixed(), &a).number, others[1].number);
        drop((first, others));
        lanes.get(vec![], &a);
        assert!(numbers.contains(&lanes.get(reversed, &b).number), "the last waits for the next container");
        assert!(!numbers.contains(&lanes.get(host(), &a).number), "a number is never given again");
        assert_eq!(lanes.known.len(), 2, "nothing is left of those that nobody has");
    }
}
