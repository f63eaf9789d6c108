//! Host ports that were given back a moment ago.
//!
//! A process that is being started by another thread has a copy of every descriptor until it executes its program, those
//! of port sockets too: for that long, a port that was just closed is still in use. Whoever asks for it then is not to
//! be refused for it.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use nix::errno::Errno;

use crate::{
    ports::{HostPort, PortError, PortRequest, PortTable, PublishedPort, Reservation},
    types::{Port, Proto},
};

/// Longer than the time between fork and exec on a busy machine.
const MOMENT: Duration = Duration::from_millis(200);
const PAUSE: Duration = Duration::from_millis(2);

#[derive(Debug, Default)]
pub(super) struct Freed(Mutex<HashMap<(Proto, Port), Instant>>);

impl Freed {
    /// These ports are given back now.
    pub(super) fn note<'a>(&self, ports: impl IntoIterator<Item = &'a PublishedPort>) {
        let now = Instant::now();
        // Whoever panicked while holding the lock left a table that is still a table; so below.
        let mut freed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        freed.retain(|_, since| now.duration_since(*since) < MOMENT);
        freed.extend(ports.into_iter().filter_map(|port| Some(((port.proto, port.host_port?), now))));
    }

    /// Reserves ports; one that was given back a moment ago is waited for.
    pub(super) fn reserve(
        &self,
        table: &PortTable,
        requests: &[PortRequest],
    ) -> Result<Reservation, PortError> {
        loop {
            match table.reserve(requests) {
                Err(PortError::Bind { reason, .. })
                    if reason.raw_os_error() == Some(Errno::EADDRINUSE as i32) && self.any_of(requests) =>
                {
                    thread::sleep(PAUSE);
                }
                other => return other,
            }
        }
    }

    fn any_of(&self, requests: &[PortRequest]) -> bool {
        let freed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |request: &PortRequest| match request.host {
            HostPort::Exactly(port) => {
                freed.get(&(request.proto, port)).is_some_and(|since| since.elapsed() < MOMENT)
            }
            // There are others to choose from.
            HostPort::Ephemeral | HostPort::OneOf(_) | HostPort::Direct => false,
        };
        requests.iter().any(is_fresh)
    }
}
