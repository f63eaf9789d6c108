//! Host ports that were given back a moment ago.
//!
//! A process that is being started by another thread has a copy of every descriptor until it executes its program, those
//! of port sockets too: for that long, a port that was just closed is still in use. Whoever asks for it then is not to
//! be refused for it.

use std::{
    collections::HashMap,
    thread,
    time::{Duration, Instant},
};

use super::{HostPort, PortRequest};
use crate::types::{Port, Proto};

/// Longer than the time between fork and exec on a busy machine.
const MOMENT: Duration = Duration::from_millis(200);
const PAUSE: Duration = Duration::from_millis(2);

/// When which port was given back.
#[derive(Debug, Default)]
pub(super) struct Freed(HashMap<(Proto, Port), Instant>);

impl Freed {
    /// This port is given back now.
    pub(super) fn note(&mut self, proto: Proto, port: Port) {
        let now = Instant::now();
        // Swept now and then, so that many ports that go together cost no more each.
        if self.0.len() == self.0.capacity() {
            self.0.retain(|_, since| now.duration_since(*since) < MOMENT);
        }
        self.0.insert((proto, port), now);
    }

    /// Whether one of these requests is for a port that was given back a moment ago. Where there are others to choose
    /// from, nobody has to wait.
    pub(super) fn has_any_of(&self, requests: &[PortRequest]) -> bool {
        requests.iter().any(|request| match request.host {
            HostPort::Exactly(port) => self.has(request.proto, port),
            HostPort::Ephemeral | HostPort::OneOf(_) | HostPort::Direct => false,
        })
    }

    /// Whether a port was given back a moment ago.
    pub(super) fn has(&self, proto: Proto, port: Port) -> bool {
        self.0.get(&(proto, port)).is_some_and(|since| since.elapsed() < MOMENT)
    }
}

/// Tries again for as long as what failed may be due to such a copy.
pub(super) fn patiently<T, E>(
    mut attempt: impl FnMut() -> Result<T, E>,
    may_be_a_copy: impl Fn(&E) -> bool,
) -> Result<T, E> {
    loop {
        match attempt() {
            Err(error) if may_be_a_copy(&error) => thread::sleep(PAUSE),
            other => return other,
        }
    }
}
