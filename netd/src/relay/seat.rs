//! The room that one flow takes.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::{
    Inner,
    table::{Token, WhenFull},
};

/// Room for one flow, until this is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    inner: Arc<Inner>,
    token: Token,
    end: CancellationToken,
    room: Option<OwnedSemaphorePermit>,
}

impl Seat {
    /// Room for one flow more of a port, if there is any.
    pub(super) fn take(inner: &Arc<Inner>, token: Token, full: WhenFull) -> Option<Self> {
        let Ok(room) = Arc::clone(&inner.room).try_acquire_owned() else {
            if full == WhenFull::Rest {
                inner.table.rest(token);
                // Whoever left in the meantime did not know that somebody waits.
                if inner.room.available_permits() > 0 {
                    inner.table.wake();
                }
            }
            return None;
        };
        let end = inner.table.enter(token, inner.limits.per_port, full)?;
        Some(Self { inner: Arc::clone(inner), token, end, room: Some(room) })
    }

    /// Tells when the flow must end.
    pub(super) const fn end(&self) -> &CancellationToken {
        &self.end
    }

    pub(super) const fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    pub(super) const fn token(&self) -> Token {
        self.token
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // Before others are told that there is room.
        self.room = None;
        self.inner.table.leave(self.token);
    }
}
