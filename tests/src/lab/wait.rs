//! Waiting for a condition instead of sleeping: with a deadline, and with the last value in the message.

use std::{
    fmt::Debug,
    thread,
    time::{Duration, Instant},
};

/// Longer than anything here takes on a busy machine; a test that fails waits that long once.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Seconds that `ping` and `nc` wait where an answer must come: a machine that stalls is not silent.
pub const ANSWER: u8 = 5;
/// The same where none may come: what does come takes milliseconds.
pub const SILENCE: u8 = 1;

/// Looks until `look` gives `Ok`, and returns what it holds.
///
/// # Panics
/// After the deadline, with the last `Err`.
#[track_caller]
pub fn eventually<T, E: Debug>(what: &str, look: impl FnMut() -> Result<T, E>) -> T {
    until(PATIENCE, what, look)
}

/// Like [`eventually`], with a patience of its own.
///
/// # Panics
/// After the deadline, with the last `Err`.
#[track_caller]
pub fn until<T, E: Debug>(patience: Duration, what: &str, mut look: impl FnMut() -> Result<T, E>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        match look() {
            Ok(value) => return value,
            Err(last) if Instant::now() > deadline => {
                panic!("{what}: not within {patience:?}; last seen: {last:?}")
            }
            Err(_) => thread::sleep(PAUSE),
        }
    }
}
