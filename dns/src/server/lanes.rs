//! Which upstreams a question may go to, looked up once per change and not per question.

use std::sync::Arc;

use super::handle::Handler;
use crate::answer::ForwardTo;
use crate::shared::Lane;
use crate::upstream::{DialFrom, Upstreams};

/// The lanes of one sandbox while its upstreams stay the same.
#[derive(Debug)]
pub(super) struct OwnLanes {
    of: Arc<Upstreams>,
    every: Arc<Lane>,
    container_only: Arc<Lane>,
}

impl Handler {
    pub(super) fn lane(&self, to: ForwardTo) -> Arc<Lane> {
        let upstreams = self.upstreams.borrow().clone();
        let known = self.lanes.load_full().filter(|lanes| Arc::ptr_eq(&lanes.of, &upstreams));
        let lanes = known.unwrap_or_else(|| self.changed(upstreams));
        match to {
            ForwardTo::Every => lanes.every.clone(),
            ForwardTo::ContainerOnly => lanes.container_only.clone(),
        }
    }

    fn changed(&self, of: Arc<Upstreams>) -> Arc<OwnLanes> {
        let own = of.servers.iter().filter(|server| server.from == DialFrom::Container);
        let container_only = self.shared.lane(own.copied().collect(), &self.asker);
        let every = self.shared.lane(of.servers.clone(), &self.asker);
        let lanes = Arc::new(OwnLanes { of, every, container_only });
        self.lanes.store(Some(lanes.clone()));
        lanes
    }
}
