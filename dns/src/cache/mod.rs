//! Replies of upstreams, kept for as long as they say (RFC 1035, RFC 2308) and, when nobody answers any more, for a
//! while longer (RFC 8767). A value without a clock: the time comes in with every call, and may come in from
//! several threads, so it is never taken for granted that it has moved on.
//!
//! What a key is made of is for [`Question::key`](crate::forward::Question::key) to say; who may share an entry is
//! for [`Shared`](crate::Shared).

mod kept;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) use self::kept::{Age, Kept};

/// What a question is found by.
pub(crate) type Key = Arc<[u8]>;

/// How long a reply may still be served after its time (RFC 8767, section 5: one to three days).
const STALE: Duration = Duration::from_secs(86_400);

/// After a failure the upstreams are left alone for this long where there is something stale to say. RFC 8767 has
/// 30 s; a laptop that is back in its network should not stay in the past for that long.
const RECHECK: Duration = Duration::from_secs(10);

/// What an entry takes beside its bytes: two places in tables, the counts of its parts. Measured, rounded up.
const OVERHEAD: usize = 256;

/// A bounded number of bytes; what was not asked for again since it came goes first.
#[derive(Debug)]
pub(crate) struct Cache {
    entries: HashMap<Key, Entry>,
    /// Every key once. The next to go is in front, unless it was used: then it goes round once more.
    order: VecDeque<Key>,
    bytes: usize,
    limit: usize,
}

#[derive(Debug)]
struct Entry {
    kept: Arc<Kept>,
    since: Instant,
    used: bool,
    /// The upstreams were asked again in vain; not before this.
    retry_at: Option<Instant>,
}

/// Something to say.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    pub(crate) kept: Arc<Kept>,
    pub(crate) age: Age,
    /// Whether the upstreams should be asked first.
    pub(crate) ask_first: AskFirst,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AskFirst {
    Yes,
    No,
}

impl Cache {
    /// An empty cache that never takes more than `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { entries: HashMap::new(), order: VecDeque::new(), bytes: 0, limit }
    }

    pub(crate) fn find(&mut self, key: &[u8], now: Instant) -> Option<Hit> {
        let entry = self.entries.get_mut(key)?;
        let age = now.saturating_duration_since(entry.since);
        let lifetime = entry.kept.lifetime();
        if age >= lifetime + STALE {
            return None;
        }
        entry.used = true;
        let kept = entry.kept.clone();
        if age < lifetime {
            return Some(Hit { kept, age: Age::Fresh(age), ask_first: AskFirst::No });
        }
        let wait = entry.retry_at.is_some_and(|at| now < at);
        let ask_first = if wait { AskFirst::No } else { AskFirst::Yes };
        Some(Hit { kept, age: Age::Stale, ask_first })
    }

    /// Keeps a reply in place of what was known.
    pub(crate) fn keep(&mut self, key: &Key, kept: Kept, now: Instant) {
        let size = size(key, &kept);
        if size > self.limit {
            return;
        }
        let entry = Entry { kept: Arc::new(kept), since: now, used: false, retry_at: None };
        match self.entries.insert(key.clone(), entry) {
            Some(before) => self.bytes -= self::size(key, &before.kept),
            None => self.order.push_back(key.clone()),
        }
        self.bytes += size;
        while self.bytes > self.limit {
            self.evict_one();
        }
    }

    /// The upstreams gave no answer.
    pub(crate) fn failed(&mut self, key: &[u8], now: Instant) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.retry_at = Some(now + RECHECK);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    fn evict_one(&mut self) {
        while let Some(key) = self.order.pop_front() {
            match self.entries.get_mut(&key) {
                Some(entry) if entry.used => {
                    entry.used = false;
                    self.order.push_back(key);
                }
                Some(entry) => {
                    self.bytes -= size(&key, &entry.kept);
                    self.entries.remove(&key);
                    return;
                }
                None => {}
            }
        }
    }
}

fn size(key: &[u8], kept: &Kept) -> usize {
    key.len() + kept.size() + OVERHEAD
}

#[cfg(test)]
pub(crate) mod tests;
