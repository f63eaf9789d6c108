//! When to look. The first event is acted upon at once, a storm of them is taken together, and whoever keeps undoing what
//! was put right is met less and less often. Pure: the time comes in.

use std::time::{Duration, Instant};

/// From one look to the next.
const GAP: Duration = Duration::from_millis(20);
/// A look may take so much of the time, as one part of it: a storm of events costs a tenth of a core at most.
const SHARE: u32 = 9;
/// So many repairs in quick succession are somebody's clumsiness; more are a fight.
const PATIENCE: u32 = 10;
/// From one look to the next when a fight begins; doubled with each repair.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// A repair that comes so long after the last look was due is the first of its own: once a second is no burden.
const CALM: Duration = Duration::from_secs(1);

/// How fast to go on.
#[derive(Debug, Default)]
pub(super) struct Pace {
    next: Option<Instant>,
    /// Repairs in quick succession.
    repairs: u32,
}

/// What a look led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looked {
    /// All was as it should be.
    Right,
    /// Something was put right, or could not be.
    Wrong,
}

/// Whether somebody undoes what is put right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fight {
    No,
    /// Since this look.
    Begins,
    GoesOn,
}

impl Pace {
    /// How long to wait from `now` on until the next look is due.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        self.next.map_or(Duration::ZERO, |next| next.saturating_duration_since(now))
    }

    /// A look has ended at `now`.
    pub(super) fn looked(&mut self, now: Instant, took: Duration, looked: Looked) -> Fight {
        if self.next.is_some_and(|next| now.saturating_duration_since(next) > CALM) {
            self.repairs = 0;
        }
        self.repairs += u32::from(looked == Looked::Wrong);
        let gap = match self.repairs.checked_sub(PATIENCE) {
            None | Some(0) => GAP,
            Some(more) => FIRST_WAIT.saturating_mul(1 << (more - 1).min(16)).min(LONGEST_WAIT),
        };
        self.next = Some(now + gap.max(took * SHARE));
        match (self.repairs.checked_sub(PATIENCE), looked) {
            (Some(1), Looked::Wrong) => Fight::Begins,
            (Some(1..), _) => Fight::GoesOn,
            _ => Fight::No,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_millis(1);

    #[test]
    fn the_first_look_is_at_once_and_the_next_soon() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        assert_eq!(pace.wait(now), Duration::ZERO);
        assert_eq!(pace.looked(now, QUICK, Looked::Wrong), Fight::No);
        assert_eq!(pace.wait(now), GAP);
        assert_eq!(pace.wait(now + GAP), Duration::ZERO);
    }

    #[test]
    fn looks_that_take_long_are_rare() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        pace.looked(now, Duration::from_millis(30), Looked::Right);
        assert_eq!(pace.wait(now), Duration::from_millis(270));
    }

    #[test]
    fn a_fight_is_told_once_and_fought_ever_less() {
        let (mut pace, mut now) = (Pace::default(), Instant::now());
        let mut waits = Vec::new();
        let mut told = Vec::new();
        for _ in 0..25 {
            told.push(pace.looked(now, QUICK, Looked::Wrong));
            waits.push(pace.wait(now).as_millis());
            now += pace.wait(now);
        }
        assert_eq!(waits[..10], [20; 10]);
        assert_eq!(waits[10..14], [100, 200, 400, 800]);
        assert_eq!(*waits.last().unwrap(), 30_000);
        let begins: Vec<_> = told.iter().enumerate().filter(|(_, told)| **told == Fight::Begins).collect();
        assert_eq!(begins, [(10, &Fight::Begins)]);
        assert!(told[11..].iter().all(|told| *told == Fight::GoesOn));
        // Looks that find nothing wrong neither end the fight nor make it worse.
        assert_eq!(pace.looked(now, QUICK, Looked::Right), Fight::GoesOn);
        assert_eq!(pace.wait(now), LONGEST_WAIT);
        // Peace.
        now += LONGEST_WAIT + CALM + QUICK;
        assert_eq!(pace.looked(now, QUICK, Looked::Wrong), Fight::No);
        assert_eq!(pace.wait(now), GAP);
    }
}
