//! The place where the current snapshot is found.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::{Snapshot, SnapshotEditor};

/// The current [`Snapshot`] and the way to the next. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Directory(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    current: ArcSwap<Snapshot>,
    /// Changes come one after the other; readers never wait for them.
    writing: Mutex<()>,
}

impl Directory {
    /// An empty directory: it knows no asker.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The snapshot of this moment.
    #[must_use]
    pub fn load(&self) -> Arc<Snapshot> {
        self.0.current.load_full()
    }

    /// Makes the next snapshot: all that `change` does is seen at once, and what it leaves alone is shared with the
    /// snapshot before.
    pub fn update(&self, change: impl FnOnce(&mut SnapshotEditor)) {
        let _one_writer = self.0.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut editor = SnapshotEditor::new(Snapshot::clone(&self.0.current.load()));
        change(&mut editor);
        self.0.current.store(Arc::new(editor.finish()));
    }

    pub(crate) fn peek(&self) -> arc_swap::Guard<Arc<Snapshot>> {
        self.0.current.load()
    }
}
