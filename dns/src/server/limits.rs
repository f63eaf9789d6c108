//! How much one sandbox may make us do.

use std::time::Duration;

/// Bounds for one server; the defaults suit a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Questions at upstreams at the same time; what is beyond gets REFUSED at once. All servers together have
    /// places of their own for these, see [`SharedLimits`](crate::SharedLimits).
    pub forwards: usize,
    /// TCP connections at the same time; what is beyond waits in the listener's queue.
    pub connections: usize,
    /// How long a TCP client may say nothing.
    pub idle: Duration,
    /// After this long without an answer the next upstream is asked beside the first.
    pub hedge: Duration,
    /// After this long an upstream is asked again, and "no such name" from a later one is believed.
    pub patience: Duration,
    /// After this long a client gets what the cache still has from before, while the upstreams are waited for.
    pub stale_after: Duration,
    /// After this long without any answer the client gets SERVFAIL.
    pub deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            forwards: 1_024,
            connections: 32,
            idle: Duration::from_secs(10),
            // A resolver that has the answer in its cache takes less, wherever it is.
            hedge: Duration::from_millis(300),
            // One with a cold cache answers within this nearly always; a dead one costs no more.
            patience: Duration::from_secs(1),
            // RFC 8767, section 5: the client response timer.
            stale_after: Duration::from_millis(1_800),
            // glibc and musl give up on a server after 5 s: our SERVFAIL must come first.
            deadline: Duration::from_millis(4_500),
        }
    }
}
