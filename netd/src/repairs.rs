//! What was changed behind our back and put right: logged, told as an event, counted.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use libnet::host::{Host, HostError, Report, Watch};

use crate::{
    engine::Clock,
    error::chain,
    events::{Event, EventKind, Events},
};

/// How often something was put right; clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Repairs(Arc<AtomicU64>);

impl Repairs {
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Watches the host. Each repair is an event `repair` of the daemon, with the object that was repaired; `first` hears of
    /// all that is reported before.
    pub(crate) fn watch(
        &self,
        host: &Arc<Host>,
        events: Events,
        clock: Clock,
        mut first: impl FnMut(&Report) + Send + 'static,
    ) -> Result<Watch, HostError> {
        let count = self.clone();
        host.watch(move |report| {
            first(&report);
            count.tell(&report, &events, &clock);
        })
    }

    /// Counts and tells what was put right.
    pub(crate) fn tell(&self, report: &Report, events: &Events, clock: &Clock) {
        for object in &report.repaired {
            self.0.fetch_add(1, Ordering::Relaxed);
            let event = Event::new(EventKind::Daemon, "repair", "netd", clock()).with("object", object);
            events.publish(event);
        }
        log(report);
    }
}

/// Says what a comparison of the host with what is declared has found and done.
pub(crate) fn log(report: &Report) {
    for object in &report.repaired {
        tracing::info!(object, "repaired");
    }
    for object in &report.removed {
        tracing::info!(object, "removed");
    }
    for object in &report.lost {
        tracing::warn!(object, "lost");
    }
    for error in &report.errors {
        tracing::error!(error = chain(error), "not reconciled");
    }
}
