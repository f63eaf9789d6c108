//! How much one sandbox may make us do.

use std::time::Duration;

/// Bounds for one server; the defaults suit a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Questions at upstreams at the same time; what is beyond gets REFUSED at once. Each holds a socket.
    pub forwards: usize,
    /// TCP connections at the same time; what is beyond waits in the listener's queue.
    pub connections: usize,
    /// How long a TCP client may say nothing.
    pub idle: Duration,
    /// After this long without an answer the next upstream is asked as well.
    pub patience: Duration,
    /// After this long without any answer the client gets SERVFAIL.
    pub deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            forwards: 256,
            connections: 32,
            idle: Duration::from_secs(10),
            // A resolver with a cold cache answers within this nearly always; a dead one costs no more.
            patience: Duration::from_secs(1),
            // glibc and musl give up on a server after 5 s: our SERVFAIL must come first.
            deadline: Duration::from_millis(4_500),
        }
    }
}
