//! Places for questions under way: some for each sandbox, and fewer for all than every sandbox would like.
//!
//! A sandbox may have as many as are free (Choudhury and Hahne's dynamic threshold, made for switches). One alone
//! gets half of all; `n` that want more than there is come to have an equal part each, of `n + 1`, as their questions
//! end; and the part left over is there at once for one that comes later. Nobody needs to know who else there is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

#[derive(Debug)]
pub(crate) struct Places {
    total: usize,
    taken: AtomicUsize,
}

/// The places that one sandbox has taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held(Arc<AtomicUsize>);

/// One place; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    held: Held,
}

impl Places {
    pub(crate) fn new(total: usize) -> Arc<Self> {
        Arc::new(Self { total, taken: AtomicUsize::new(0) })
    }

    /// One more place for who holds `held`, at most `limit` of them.
    pub(crate) fn take(self: &Arc<Self>, held: &Held, limit: usize) -> Option<Place> {
        let one_more = |held: usize| (held < limit).then_some(held + 1);
        let had = held.0.fetch_update(Relaxed, Relaxed, one_more).ok()?;
        let one_more = |taken: usize| (had < self.total.saturating_sub(taken)).then_some(taken + 1);
        if self.taken.fetch_update(Relaxed, Relaxed, one_more).is_err() {
            held.0.fetch_sub(1, Relaxed);
            return None;
        }
        Some(Place { places: self.clone(), held: held.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken.fetch_sub(1, Relaxed);
        self.held.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_alone_gets_half_and_no_more_than_its_limit() {
        let places = Places::new(100);
        let held = Held::default();
        let taken: Vec<_> = std::iter::from_fn(|| places.take(&held, 1_000)).collect();
        assert_eq!(taken.len(), 50);
        drop(taken);
        let taken: Vec<_> = std::iter::from_fn(|| places.take(&held, 7)).collect();
        assert_eq!(taken.len(), 7);
    }

    proptest! {
        /// However unequal it was before, as questions end all come to have the same, and then there is a place
        /// for one that comes later.
        #[test]
        fn the_greedy_end_up_equal(askers in 1..9usize, ends in proptest::collection::vec(any::<usize>(), 2_000)) {
            const TOTAL: usize = 90;
            let places = Places::new(TOTAL);
            let mut all: Vec<(Held, Vec<Place>)> = (0..askers).map(|_| Default::default()).collect();
            for (held, taken) in &mut all {
                taken.extend(std::iter::from_fn(|| places.take(held, TOTAL)));
            }
            for end in ends {
                all[end % askers].1.pop();
                for (held, taken) in &mut all {
                    taken.extend(places.take(held, TOTAL));
                }
                prop_assert!(places.taken.load(Relaxed) <= TOTAL);
            }
            let equal = TOTAL / (askers + 1);
            for (_, taken) in &all {
                prop_assert!(taken.len().abs_diff(equal) <= 1, "{} of {equal}", taken.len());
            }
            prop_assert!(places.take(&Held::default(), 1).is_some());
        }
    }
}
