//! Which ports are somebody's, by name: before a socket is tried for, and where there is none.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::freed::Freed;
use crate::types::{Family, Port, PortRange, Proto};

/// The ports of a host that are held.
#[derive(Debug, Default)]
pub(super) struct Held {
    addresses: BTreeMap<(Proto, Port), Vec<IpAddr>>,
    /// Where the last search in a range ended: a port just given back is taken as late as possible.
    pub(super) last: HashMap<(Proto, PortRange), Port>,
    pub(super) freed: Freed,
}

impl Held {
    /// Claims a port of an address. The unspecified address stands for all of its family.
    pub(super) fn claim(&mut self, proto: Proto, port: Port, ip: IpAddr) -> bool {
        let free = self.is_free(proto, port, ip);
        if free {
            self.addresses.entry((proto, port)).or_default().push(ip);
        }
        free
    }

    pub(super) fn is_free(&self, proto: Proto, port: Port, ip: IpAddr) -> bool {
        let conflicts = |other: &IpAddr| {
            Family::of(*other) == Family::of(ip)
                && (*other == ip || other.is_unspecified() || ip.is_unspecified())
        };
        self.addresses.get(&(proto, port)).is_none_or(|all| !all.iter().any(conflicts))
    }

    pub(super) fn release(&mut self, proto: Proto, port: Port, ip: IpAddr) {
        if let Some(all) = self.addresses.get_mut(&(proto, port)) {
            all.retain(|other| *other != ip);
            if all.is_empty() {
                self.addresses.remove(&(proto, port));
            }
        }
    }
}

/// Looks at what is held, or changes it.
pub(super) fn lock(held: &Mutex<Held>) -> MutexGuard<'_, Held> {
    // Each change is one insertion or removal: there is no half of it.
    held.lock().unwrap_or_else(PoisonError::into_inner)
}
