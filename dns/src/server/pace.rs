//! Which messages wait in their socket for their answer: all but those of a flood, since it costs a twelfth of what a
//! question costs to take it out of the socket in a step of its own.

use std::time::{Duration, Instant};

use crate::sys::Leave;

/// Ten thousand questions a second are no flood.
const EACH: Duration = Duration::from_micros(100);

/// Nor is what had waited while there was no daemon: more than a socket has room for.
const AT_ONCE: u32 = 8_192;

/// What one socket's messages come to.
pub(super) struct Pace {
    /// What the socket's kernel can.
    best: Leave,
    /// Until when what has waited would take at that rate; in the past while there are fewer.
    taken_until: Option<Instant>,
}

impl Pace {
    pub(super) const fn new(best: Leave) -> Self {
        Self { best, taken_until: None }
    }

    /// How the next batch is to be read.
    pub(super) fn leave(&self, now: Instant) -> Leave {
        if self.taken_until.is_some_and(|until| until > now) { Leave::Read } else { self.best }
    }

    /// So many were read in that way.
    pub(super) fn took(&mut self, leave: Leave, messages: usize, now: Instant) {
        if leave == Leave::Answered {
            let all_free = now.checked_sub(EACH * AT_ONCE);
            let from = self.taken_until.max(all_free).unwrap_or(now);
            self.taken_until = from.checked_add(EACH * u32::try_from(messages).unwrap_or(u32::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BATCH: usize = 32;

    /// How many of so many batches, one each `pause`, wait for their answer.
    fn waiting(pace: &mut Pace, start: Instant, batches: u32, pause: Duration) -> u32 {
        let waits = |i: u32| {
            let now = start + pause * i;
            let leave = pace.leave(now);
            pace.took(leave, BATCH, now);
            u32::from(leave == Leave::Answered)
        };
        (0..batches).map(waits).sum()
    }

    #[test]
    fn all_wait_but_those_of_a_flood() {
        let start = Instant::now() + Duration::from_secs(3_600);
        let mut pace = Pace::new(Leave::Answered);
        assert_eq!(waiting(&mut pace, start, 256, Duration::ZERO), 256, "what had waited");
        let mut pace = Pace::new(Leave::Answered);
        let calm = EACH * BATCH as u32;
        assert_eq!(waiting(&mut pace, start, 100_000, calm), 100_000, "ten thousand a second");
        let later = start + calm * 100_000;
        let flood = waiting(&mut pace, later, 100_000, calm / 10);
        assert!((10_200..10_300).contains(&flood), "{flood}: a tenth, and what may come at once");
        let after = later + calm * 10_000 + EACH * AT_ONCE;
        assert_eq!(waiting(&mut pace, after, 256, Duration::ZERO), 256, "it is over");
    }

    #[test]
    fn nothing_waits_where_the_kernel_can_not() {
        assert_eq!(waiting(&mut Pace::new(Leave::Read), Instant::now(), 10, Duration::ZERO), 0);
    }
}
