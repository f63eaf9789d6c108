//! Questions under way: who asks the same meanwhile waits for the same reply.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared as SharedFuture, WeakShared};
use tokio::time::Instant;

use super::Shared;
use crate::cache::Key;

/// What the upstreams said, if any did.
pub(crate) type Reply = Option<Arc<[u8]>>;

/// A question under way. Whoever waits for it drives it, and when the last is gone it ends.
pub(crate) type Flight = SharedFuture<BoxFuture<'static, Reply>>;

/// Whether a question is alone so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Boarding {
    First,
    Joined,
}

/// With a number each, so that one that ends late does not take out the next.
pub(super) type Flights = HashMap<Key, (u64, WeakShared<BoxFuture<'static, Reply>>)>;

/// Dropped when the flight has ended, however that was.
struct Landing {
    shared: Shared,
    key: Key,
    number: u64,
}

impl Shared {
    /// The flight with this question; `asking` is a new one, if there is none. What comes of it goes into the cache
    /// before anyone hears of it.
    pub(crate) fn fly<F>(&self, key: &Key, asking: impl FnOnce() -> F) -> (Flight, Boarding)
    where
        F: Future<Output = Option<Vec<u8>>> + Send + 'static,
    {
        let flights = &mut self.shard(key).flights;
        if let Some(flight) = flights.get(key).and_then(|(_, flight)| flight.upgrade()) {
            return (flight, Boarding::Joined);
        }
        let landing = Landing { shared: self.clone(), key: key.clone(), number: rand::random() };
        let number = landing.number;
        let asking = asking();
        let flight = async move {
            let reply = asking.await;
            landing.shared.land(&landing.key, reply.as_deref(), Instant::now().into_std());
            reply.map(Arc::from)
        };
        let flight = flight.boxed().shared();
        if let Some(weak) = flight.downgrade() {
            flights.insert(key.clone(), (number, weak));
        }
        (flight, Boarding::First)
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut shard = self.shared.shard(&self.key);
        if shard.flights.get(&self.key).is_some_and(|(number, _)| *number == self.number) {
            shard.flights.remove(&self.key);
        }
    }
}
