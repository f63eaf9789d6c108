//! A container of an earlier daemon, as recovery handles it: a narrow door, so that nobody else reaches past the task.

use std::{path::PathBuf, sync::Arc};

use netd_runtime::{Adopted, ShimState};

use super::{ContainerError, Containers, actor::Request, parts::Parts, record::Record, registry::Container};

/// A container that an earlier daemon had.
pub(crate) struct Recovered(Arc<Container>);

/// Its record, read from a store.
pub(crate) struct Known(pub(super) Record);

impl Known {
    pub(crate) fn id(&self) -> String {
        self.0.id.to_string()
    }

    /// Whether it ran when its record was written.
    pub(crate) fn ran(&self) -> bool {
        self.0.state.phase.has_process()
    }
}

impl Containers {
    /// Makes it known again.
    pub(crate) fn restored(&self, known: Known) -> Result<Recovered, ContainerError> {
        self.restore(known.0).map(Recovered)
    }
}

impl Recovered {
    pub(crate) fn id(&self) -> String {
        self.0.id.to_string()
    }

    pub(crate) fn shim_dir(&self, parts: &Parts) -> PathBuf {
        parts.paths.shim(self.0.id)
    }

    /// Its task takes over what was found of it.
    pub(crate) async fn adopt(&self, found: Adopted) -> Result<(), ContainerError> {
        let found = match found {
            Adopted::Running(shim, state) => Found::Shim(shim, state),
            Adopted::Exited(exit) => Found::Exit(exit),
            Adopted::Gone => Found::Nothing,
        };
        self.0.ask(|reply| Request::Adopt(Box::new(found), reply)).await
    }

    /// All are taken over: its restart policy applies. Nobody waits for that.
    pub(crate) fn settle(&self) {
        self.0.tell(Request::Settle);
    }
}

/// What was found of a container.
#[derive(Debug)]
pub(super) enum Found {
    /// Its shim.
    Shim(netd_runtime::Shim, ShimState),
    /// How it ended.
    Exit(netd_runtime::Exit),
    /// Nothing.
    Nothing,
}
