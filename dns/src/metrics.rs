//! What a server has done: counters that it adds to as it goes, and their values at one moment.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: Counter,)*
        }

        /// The counters of one server as they were read.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Counts {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counters {
            pub(crate) fn read(&self) -> Counts {
                Counts { $($name: self.$name.0.load(Relaxed),)* }
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
