//! Ready namespaces, made ahead of time by a thread of their own.
//!
//! They have no name until they are taken: nothing is mounted, so that a process that is killed leaves none behind.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::Ready;

/// Hands out ready namespaces, and makes new ones in the background.
#[derive(Debug)]
pub(crate) struct Pool {
    shared: Arc<Shared>,
    maker: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    ready: VecDeque<Ready>,
    wanted: usize,
    /// The last one could not be made: not tried again until somebody asks.
    failed: bool,
    closed: bool,
    last_taken: Option<Instant>,
}

/// What the maker does next.
enum Next {
    Make,
    WaitForTaker,
    WaitFor(Duration),
    End,
}

/// So long is nobody disturbed who has just taken one: making a namespace holds the same kernel mutex (RTNL) for half a
/// millisecond as the attach that follows.
const QUIET: Duration = Duration::from_millis(20);

impl State {
    fn next(&self) -> Next {
        let rest = self.last_taken.map(|taken| QUIET.saturating_sub(taken.elapsed()));
        match rest {
            _ if self.closed => Next::End,
            _ if self.failed || self.ready.len() >= self.wanted => Next::WaitForTaker,
            Some(rest) if !rest.is_zero() && !self.ready.is_empty() => Next::WaitFor(rest),
            _ => Next::Make,
        }
    }
}

impl Pool {
    /// Keeps up to `size` namespaces ready. The maker inherits the calling thread's namespaces: its mounts are what new
    /// sandboxes see as `/proc/sys`.
    pub(crate) fn start(size: usize) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        shared.lock().wanted = size;
        let maker = thread::Builder::new().name("netns-pool".to_owned()).stack_size(512 * 1024).spawn({
            let shared = Arc::clone(&shared);
            move || shared.keep_filled()
        })?;
        Ok(Self { shared, maker: Some(maker) })
    }

    /// A ready namespace; if there is none, one is made while the caller waits.
    pub(crate) fn take(&self) -> io::Result<Ready> {
        let taken = {
            let mut state = self.shared.lock();
            state.failed = false;
            state.last_taken = Some(Instant::now());
            state.ready.pop_front()
        };
        self.shared.changed.notify_all();
        taken.map_or_else(Ready::make, Ok)
    }

    /// How many are ready.
    pub(crate) fn ready(&self) -> usize {
        self.shared.lock().ready.len()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        // A maker that panicked has nothing more to make.
        let _ = self.maker.take().map(JoinHandle::join);
    }
}

impl Shared {
    /// Whoever panicked while holding the lock left a queue that is still a queue.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep_filled(&self) {
        while self.wait_for_room() {
            match Ready::make() {
                Ok(ready) => self.lock().ready.push_back(ready),
                Err(error) => {
                    // Whoever takes next makes its own and gets the error with its request.
                    tracing::warn!(error = %error, "no ready namespace");
                    self.lock().failed = true;
                }
            }
        }
    }

    /// Waits until it is time to make a namespace; false: the pool is closed.
    fn wait_for_room(&self) -> bool {
        let mut state = self.lock();
        loop {
            state = match state.next() {
                Next::Make => return true,
                Next::End => return false,
                Next::WaitForTaker => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Next::WaitFor(rest) => {
                    self.changed.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}
