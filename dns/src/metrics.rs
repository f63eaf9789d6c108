//! What a server has done: counters that it adds to as it goes, and their values at one moment.

use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: Counter,)*
            pub(crate) upstream_latency: Buckets,
        }

        /// The counters of one server as they were read.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Counts {
            $($(#[$doc])* pub $name: u64,)*
            /// How long upstreams took for what they answered.
            pub upstream_latency: Latency,
        }

        impl Counters {
            pub(crate) fn read(&self) -> Counts {
                Counts {
                    $($name: self.$name.0.load(Relaxed),)*
                    upstream_latency: self.upstream_latency.read(),
                }
            }
        }

        impl AddAssign for Counts {
            fn add_assign(&mut self, other: Self) {
                $(self.$name += other.$name;)*
                self.upstream_latency += other.upstream_latency;
            }
        }
    };
}

counters! {
    /// Messages that came over UDP.
    udp_queries,
    /// Messages that came over TCP.
    tcp_queries,
    /// Answered here, with records.
    answered,
    /// Answered here: the name is ours, the type has no record.
    empty,
    /// Answered by an upstream.
    forwarded,
    /// Of the forwarded, those for which the same question was under way already.
    joined,
    /// Answered from the cache.
    cached,
    /// Answered from the cache with what had had its time, since no upstream answered.
    stale,
    /// No upstream gave an answer (SERVFAIL).
    failed,
    /// Turned away (REFUSED, NOTIMP, FORMERR, BADVERS).
    refused,
    /// Denied by a gate: the name is not among those that may be asked for (NXDOMAIN).
    denied,
    /// Of the refused, those for which too many forwards were under way.
    overloaded,
    /// Not worth a reply: no header, or itself a reply.
    ignored,
    /// Cut to the client's size, with TC set.
    truncated,
    /// Replies that the socket did not take.
    unsent,
    /// Times that an upstream did not answer well in time and the next was asked.
    upstream_failures,
}

/// A histogram as Prometheus has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// How many took at most as long as [`Latency::BOUNDS`] says, but longer than the bound before; the last, which
    /// has no bound, are all that took longer.
    pub buckets: [u64; BUCKETS],
    /// All of them together.
    pub sum: Duration,
}

const BUCKETS: usize = Latency::BOUNDS.len() + 1;

impl Latency {
    /// From a cache in the same building to a resolver that gives up.
    pub const BOUNDS: [Duration; 12] = {
        const fn ms(ms: u64) -> Duration {
            Duration::from_millis(ms)
        }
        [
            ms(1),
            ms(2),
            ms(5),
            ms(10),
            ms(20),
            ms(50),
            ms(100),
            ms(200),
            ms(500),
            ms(1_000),
            ms(2_000),
            ms(5_000),
        ]
    };

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

impl AddAssign for Latency {
    fn add_assign(&mut self, other: Self) {
        for (bucket, more) in self.buckets.iter_mut().zip(other.buckets) {
            *bucket += more;
        }
        self.sum += other.sum;
    }
}

#[derive(Debug, Default)]
pub(crate) struct Buckets {
    buckets: [Counter; BUCKETS],
    micros: AtomicU64,
}

impl Buckets {
    pub(crate) fn took(&self, time: Duration) {
        let bucket = Latency::BOUNDS.partition_point(|bound| *bound < time);
        self.buckets[bucket].one();
        self.micros.fetch_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    fn read(&self) -> Latency {
        let buckets = self.buckets.each_ref().map(|bucket| bucket.0.load(Relaxed));
        Latency { buckets, sum: Duration::from_micros(self.micros.load(Relaxed)) }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: usize) {
        self.0.fetch_add(n as u64, Relaxed);
    }

    pub(crate) fn one(&self) {
        self.add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_fall_into_their_buckets_and_add_up() {
        let counters = Counters::default();
        for ms in [0, 1, 2, 3, 300, 5_000, 5_001, 60_000] {
            counters.upstream_latency.took(Duration::from_millis(ms));
        }
        counters.cached.add(3);
        let mut counts = counters.read();
        let latency = counts.upstream_latency;
        assert_eq!(latency.buckets, [2, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2]);
        assert_eq!((latency.count(), latency.sum), (8, Duration::from_millis(70_307)));
        counts += counters.read();
        assert_eq!((counts.cached, counts.upstream_latency.count()), (6, 16));
        assert_eq!(counts.upstream_latency.sum, 2 * latency.sum);
    }
}
