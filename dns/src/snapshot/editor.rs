//! Changes to a snapshot.

use std::sync::Arc;

use super::{AskerView, Snapshot, Zone};
use crate::types::{AskerId, Host, HostId, StaticRecord, View, ZoneId};

/// The next snapshot while it is being made; see [`Directory::update`](super::Directory::update).
#[derive(Debug)]
pub struct SnapshotEditor(Snapshot);

impl SnapshotEditor {
    pub(super) fn new(from: Snapshot) -> Self {
        Self(from)
    }

    pub(super) fn finish(self) -> Snapshot {
        self.0
    }

    /// Adds a zone, or gives it another name; its hosts stay.
    pub fn set_zone(&mut self, zone: impl Into<ZoneId>, network_name: &str) {
        let zone = zone.into();
        let next = match self.0.zones.get(&zone) {
            Some(known) => known.renamed(network_name),
            None => Zone::new(network_name),
        };
        self.0.zones.insert(zone, Arc::new(next));
    }

    /// Removes a zone with all its hosts.
    pub fn remove_zone(&mut self, zone: &ZoneId) {
        self.0.zones.remove(zone);
    }

    /// Adds a host to a zone or replaces it. A zone that does not exist is left so: its network has just gone.
    pub fn set_host(&mut self, zone: &ZoneId, id: impl Into<HostId>, host: Host) {
        self.change_zone(zone, |zone| zone.set_host(&id.into(), host));
    }

    /// Removes a host from a zone.
    pub fn remove_host(&mut self, zone: &ZoneId, id: &HostId) {
        self.change_zone(zone, |zone| zone.remove_host(id));
    }

    /// Gives a zone these records, in place of all that it had. Those that are not legal are left out, see
    /// [`StaticRecord::check`].
    pub fn set_records(&mut self, zone: &ZoneId, records: &[StaticRecord]) {
        self.change_zone(zone, |zone| zone.set_records(records));
    }

    /// Says what an asker sees; until then it gets SERVFAIL, which clients retry.
    pub fn set_view(&mut self, asker: impl Into<AskerId>, view: View) {
        self.0.views.insert(asker.into(), Arc::new(AskerView::new(view)));
    }

    /// Forgets an asker.
    pub fn remove_view(&mut self, asker: &AskerId) {
        self.0.views.remove(asker);
    }

    fn change_zone(&mut self, id: &ZoneId, change: impl FnOnce(&mut Zone)) {
        let Some(zone) = self.0.zones.get(id) else { return };
        let mut zone = Zone::clone(zone);
        change(&mut zone);
        self.0.zones.insert(id.clone(), Arc::new(zone));
    }
}
