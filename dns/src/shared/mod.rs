//! What all servers of one daemon share: the cache of what upstreams said, the questions that are under way to
//! them, and the places for such questions.
//!
//! A cache belongs to one list of upstreams, a *lane*: where two sandboxes ask different servers they may get
//! different answers. A server dialled from inside a sandbox is another one in each, even at the same address, so a
//! list with such a server is that sandbox's alone, and what the host's servers said is never seen where they may
//! not be asked. All lanes live in one bounded table, under the lane's number.

mod flight;
mod lane;
mod places;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use self::flight::Flights;
pub(crate) use self::flight::{Boarding, Reply};
pub(crate) use self::lane::Lane;
use self::lane::Lanes;
use self::places::Places;
pub(crate) use self::places::{Held, Place};
use crate::cache::{Cache, Hit, Kept, Key};
use crate::metrics::Counts;
use crate::types::AskerId;
use crate::upstream::Upstream;

/// Threads of the runtime meet in the cache; this many of them rarely want the same part of it.
const SHARDS: usize = 8;

/// What the servers of one daemon share. Clones are the same; servers with different ones know nothing of each
/// other.
#[derive(Clone, Debug)]
pub struct Shared(Arc<Inner>);

/// Bounds for all servers together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedLimits {
    /// Questions at upstreams at the same time, shared fairly.
    pub forwards: usize,
    /// Bytes that the cache may take.
    pub cache_bytes: usize,
}

/// How full the cache is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheSize {
    /// Replies in it, those included that have had their time.
    pub entries: usize,
    /// Memory that they take.
    pub bytes: usize,
}

#[derive(Debug)]
struct Inner {
    shards: [Mutex<Shard>; SHARDS],
    spread: RandomState,
    lanes: Mutex<Lanes>,
    places: Arc<Places>,
    ended: Mutex<Counts>,
}

#[derive(Debug)]
struct Shard {
    cache: Cache,
    flights: Flights,
}

impl Default for SharedLimits {
    fn default() -> Self {
        Self { forwards: 4_096, cache_bytes: 8 << 20 }
    }
}

impl Default for Shared {
    fn default() -> Self {
        Self::new(SharedLimits::default())
    }
}

impl Shared {
    /// An empty cache and all places free.
    #[must_use]
    pub fn new(limits: SharedLimits) -> Self {
        let shard = |_| Shard { cache: Cache::new(limits.cache_bytes / SHARDS), flights: HashMap::new() };
        Self(Arc::new(Inner {
            shards: std::array::from_fn(|i| Mutex::new(shard(i))),
            spread: RandomState::new(),
            lanes: Mutex::default(),
            places: Places::new(limits.forwards),
            ended: Mutex::default(),
        }))
    }

    /// How full the cache is now.
    #[must_use]
    pub fn cache_size(&self) -> CacheSize {
        self.0.shards.iter().map(|shard| lock(shard)).fold(CacheSize::default(), |sum, shard| CacheSize {
            entries: sum.entries + shard.cache.len(),
            bytes: sum.bytes + shard.cache.bytes(),
        })
    }

    /// What servers had done that are no more. Together with what those do that run, this never falls.
    #[must_use]
    pub fn ended_counts(&self) -> Counts {
        *lock(&self.0.ended)
    }

    pub(crate) fn ended(&self, counts: Counts) {
        *lock(&self.0.ended) += counts;
    }

    pub(crate) fn lane(&self, servers: Vec<Upstream>, asker: &AskerId) -> Arc<Lane> {
        lock(&self.0.lanes).get(servers, asker)
    }

    pub(crate) fn place(&self, held: &Held, limit: usize) -> Option<Place> {
        self.0.places.take(held, limit)
    }

    pub(crate) fn find(&self, key: &Key, now: Instant) -> Option<Hit> {
        self.shard(key).cache.find(key, now)
    }

    fn land(&self, key: &Key, reply: Option<&[u8]>, now: Instant) {
        // Read before the lock is taken: others wait for it.
        let kept = reply.map(Kept::new);
        let mut shard = self.shard(key);
        match kept {
            Some(Some(kept)) => shard.cache.keep(key, kept, now),
            Some(None) => {}
            None => shard.cache.failed(key, now),
        }
    }

    fn shard(&self, key: &Key) -> MutexGuard<'_, Shard> {
        let hash = usize::try_from(self.0.spread.hash_one(key) >> 32).unwrap_or(0);
        lock(&self.0.shards[hash % SHARDS])
    }
}

/// Whatever panics in between leaves a whole value behind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
