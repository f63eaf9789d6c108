//! All names at one moment. A snapshot never changes; the [`Directory`] swaps in the next one, so a question is
//! answered from one consistent state and takes no lock.

mod directory;
mod editor;
mod fixed;
mod names;
mod services;
mod view;
mod zone;

use std::sync::Arc;

pub use directory::Directory;
pub use editor::SnapshotEditor;
pub(crate) use fixed::Fixed;
pub use fixed::RecordError;
pub(crate) use services::{ServiceAt, Wanted};
pub(crate) use view::AskerView;
pub(crate) use zone::{Named, Zone};

use crate::cow_map::CowMap;
use crate::types::{AskerId, ZoneId};

/// All zones and views at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    zones: CowMap<ZoneId, Arc<Zone>>,
    views: CowMap<AskerId, Arc<AskerView>>,
}

impl Snapshot {
    pub(crate) fn view(&self, asker: &AskerId) -> Option<&AskerView> {
        self.views.get(asker).map(AsRef::as_ref)
    }

    pub(crate) fn zone(&self, id: &ZoneId) -> Option<&Zone> {
        self.zones.get(id).map(AsRef::as_ref)
    }
}

/// Names are compared as DNS does, without regard to the case of ASCII letters (RFC 4343): this is one in lower
/// case, the bytes of its labels with dots between.
pub(crate) type Key = Arc<[u8]>;

pub(crate) fn fold(name: &str) -> Key {
    name.trim_end_matches('.').to_ascii_lowercase().into_bytes().into()
}
