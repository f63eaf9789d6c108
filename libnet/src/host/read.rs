//! What a host has already, for those who choose addresses and sizes.

use std::{
    collections::HashMap,
    io,
    sync::{Mutex, PoisonError},
};

use ipnetwork::IpNetwork;

use super::{Host, HostError, Inner, settings, state::Bridge};
use crate::{
    bridge::names::CONDEMNED,
    observe::{self, Covered, Own},
    sys::{
        events::{Events, Heard},
        rtnl,
    },
    types::Mtu,
};

/// What the host's links cover, as far as it is known: read once, and kept up from then on.
pub(super) struct Surroundings(Mutex<Kept>);

struct Kept {
    events: Events,
    known: Option<Covered>,
}

impl Surroundings {
    /// Listens to the calling thread's namespace.
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self(Mutex::new(Kept { events: Events::of_routes()?, known: None })))
    }
}

impl Kept {
    /// What is known still, after all that has changed; nothing if some of that was not heard or not understood.
    fn keep_up(&mut self) -> io::Result<Option<Covered>> {
        let mut known = self.known.take();
        let heard = self.events.drain(|datagram| {
            let told = rtnl::told(datagram);
            known = known.take().zip(told).map(|(mut covered, told)| {
                for event in &told {
                    if event.replaces {
                        covered.make_way(&event.message);
                    }
                    covered.hear(&event.message);
                }
                covered
            });
        })?;
        Ok(known.filter(|_| heard == Heard::All))
    }
}

impl std::fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings").finish_non_exhaustive()
    }
}

impl Host {
    /// Every subnet that addresses of this host and routes of any of its tables cover, default routes and this host's own
    /// networks left out: a new network must overlap none of them, or the host loses its way there.
    ///
    /// # Errors
    /// If the kernel can't be read.
    pub fn routes_and_links(&self) -> Result<Vec<IpNetwork>, HostError> {
        let all_but = |covered: &mut Covered, own: &HashMap<u32, Bridge>| {
            let of = |link, group| match own.get(&link) {
                _ if group == CONDEMNED => Own::Whole,
                bridge => Own::Subnets(bridge.map(|bridge| &bridge.subnets)),
            };
            covered.subnets(of).into_iter().collect()
        };
        self.inner.around(|covered| self.inner.state.with_bridges(|own| all_but(covered, own)))
    }

    /// Whether packets that come in by one link of this host can leave by another, in IPv4.
    ///
    /// # Errors
    /// If the kernel can't be read.
    pub fn forwards_v4(&self) -> Result<bool, HostError> {
        let key = "ipv4/ip_forward".to_owned();
        let read = settings::read(&self.inner.netns, std::slice::from_ref(&key)).map_err(HostError::Open)?;
        Ok(read.get(&key).is_some_and(|value| value == "1"))
    }

    /// Whether this host's kernel has IPv6. Without it no network can have any.
    pub fn has_ipv6(&self) -> bool {
        self.inner.links_v6.are_there()
    }

    /// The MTU of the link that packets leave by which are for nobody near: that of a default route, IPv4's first.
    ///
    /// # Errors
    /// If the kernel can't be read.
    pub fn egress_mtu(&self) -> Result<Option<Mtu>, HostError> {
        self.inner.around(|covered| covered.egress_mtu())
    }
}

impl Inner {
    /// Looks at what there is now.
    fn around<T>(&self, look: impl FnOnce(&mut Covered) -> T) -> Result<T, HostError> {
        // Whoever panicked on the way left nothing known, or something that is still right.
        let mut kept = self.surroundings.0.lock().unwrap_or_else(PoisonError::into_inner);
        let covered = match kept.keep_up().map_err(HostError::Open)? {
            Some(covered) => covered,
            None => observe::covered(&mut *self.sockets.admit().map_err(HostError::Open)?)?,
        };
        Ok(look(kept.known.insert(covered)))
    }
}
