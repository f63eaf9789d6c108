//! What one sandbox asks and what becomes of it, for whoever wants to watch. While nobody does, a question costs one
//! look at a pointer more.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use hickory_proto::rr::RecordType;
use tokio::sync::broadcast;

/// One question, told when it is done with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// When it came.
    pub at: Instant,
    /// How long it took; nothing for what is answered at once.
    pub took: Duration,
    /// The name that was asked for, as it was written. Empty if there was no question.
    pub name: String,
    /// The type that was asked for.
    pub kind: RecordType,
    /// What became of it.
    pub outcome: Outcome,
}

/// What becomes of a question; each has its counter in [`Counts`](crate::Counts).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered here, with records.
    Answered,
    /// Answered here: the name is ours, the type has no record.
    Empty,
    /// Answered from the cache.
    Cached,
    /// Answered by an upstream.
    Forwarded,
    /// Answered with what had had its time, since no upstream answered.
    Stale,
    /// Nobody knew (SERVFAIL).
    Failed,
    /// Turned away.
    Refused,
    /// The gate let no question for this name through.
    Denied,
}

#[derive(Debug, Default)]
pub(crate) struct QueryLog {
    followers: ArcSwapOption<broadcast::Sender<Asked>>,
    /// Followers come and go one at a time; questions never wait for this but when the last has gone.
    changing: Mutex<()>,
}

impl QueryLog {
    pub(crate) fn follow(&self, capacity: usize) -> broadcast::Receiver<Asked> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(followers) = &*self.followers.load() {
            return followers.subscribe();
        }
        let (sender, receiver) = broadcast::channel(capacity.max(1));
        self.followers.store(Some(Arc::new(sender)));
        receiver
    }

    pub(crate) fn tell(&self, asked: impl FnOnce() -> Asked) {
        let followers = self.followers.load();
        if followers.as_ref().is_some_and(|followers| followers.send(asked()).is_err()) {
            self.stop();
        }
    }

    fn stop(&self) {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let followers = self.followers.load();
        if followers.as_ref().is_some_and(|followers| followers.receiver_count() == 0) {
            self.followers.store(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use broadcast::error::TryRecvError;

    use super::*;

    #[test]
    fn followers_come_and_go_and_a_slow_one_loses_the_oldest() {
        let start = Instant::now();
        let asked = |i: usize| Asked {
            at: start,
            took: Duration::ZERO,
            name: format!("n{i}."),
            kind: RecordType::A,
            outcome: Outcome::Answered,
        };
        let log = QueryLog::default();
        log.tell(|| unreachable!("nobody listens"));
        let (mut first, mut second) = (log.follow(4), log.follow(4));
        (0..6).for_each(|i| log.tell(|| asked(i)));
        assert_eq!(first.try_recv(), Err(TryRecvError::Lagged(2)));
        assert_eq!(first.try_recv(), Ok(asked(2)));
        drop(first);
        log.tell(|| asked(6));
        assert_eq!(second.try_recv(), Err(TryRecvError::Lagged(3)));
        drop(second);
        log.tell(|| asked(7));
        log.tell(|| unreachable!("nobody listens any more"));
        assert_eq!(
            log.follow(4).try_recv(),
            Err(TryRecvError::Empty),
            "a new one starts with what comes now"
        );
    }
}
