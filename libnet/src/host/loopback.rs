//! Which bridges may carry packets with 127.0.0.0/8: those with a port that is reached by 127.0.0.1, as long as they have
//! one. Such a packet is routed with that source before it is rewritten, which the kernel otherwise refuses, and so it
//! does with the answer.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{BridgeNetwork, Declared, HostError, Inner, NetworkSpec, StepError, settings};
use crate::{
    bridge,
    firewall::FirewallEndpoint,
    types::{NetworkId, Setting},
};

/// The networks whose bridges have the setting.
#[derive(Debug, Default)]
pub(super) struct Loopback(Mutex<HashSet<NetworkId>>);

impl Loopback {
    /// Whoever panicked while holding the lock left a set that is still a set.
    fn lock(&self) -> MutexGuard<'_, HashSet<NetworkId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn has(&self, id: NetworkId) -> bool {
        self.lock().contains(&id)
    }

    pub(super) fn forget(&self, id: NetworkId) {
        self.lock().remove(&id);
    }
}

impl Inner {
    /// Before a port of a network is reached by 127.0.0.1.
    pub(super) fn open_loopback(&self, id: NetworkId) -> Result<(), StepError> {
        let mut open = self.loopback.lock();
        if !open.contains(&id)
            && let Some(net) = self.bridge_network(id)
        {
            self.set_loopback(&net, true)?;
            open.insert(id);
        }
        Ok(())
    }

    /// After ports of a network have gone, or come. One that fails is noticed by healing.
    pub(super) fn settle_loopback(&self, id: NetworkId) {
        let mut open = self.loopback.lock();
        let wanted = self.state.reaches_loopback(id);
        let Some(net) = self.bridge_network(id).filter(|_| open.contains(&id) != wanted) else { return };
        if let Err(error) = self.set_loopback(&net, wanted) {
            tracing::warn!(network.id = %id, %error, "route_localnet is not as it should be");
        }
        if wanted {
            open.insert(id)
        } else {
            open.remove(&id)
        };
    }

    /// Gives a bridge that was just made the setting, if it is to have it.
    pub(super) fn restore_loopback(&self, net: &BridgeNetwork) -> Result<(), StepError> {
        if self.loopback.has(net.id) { self.set_loopback(net, true) } else { Ok(()) }
    }

    /// Looks at all bridges, whatever an earlier daemon left.
    pub(super) fn restore_loopbacks(&self, declared: &Declared) -> Vec<HostError> {
        let endpoints = declared.sandboxes.iter().flat_map(|sandbox| &sandbox.endpoints);
        let all: Vec<_> = endpoints.map(|it| FirewallEndpoint::new(&it.spec, &it.ports)).collect();
        let reaches = |net: &BridgeNetwork| {
            let of_net = |who: &&FirewallEndpoint| who.network == net.id;
            all.iter().filter(of_net).any(|who| bridge::reaches_loopback(net, who))
        };
        let mut open = self.loopback.lock();
        let mut failed = Vec::new();
        for net in declared.networks.iter().filter_map(NetworkSpec::bridge) {
            // One without a bridge gets its setting with it.
            let there = self.state.bridge_of(net.id).is_some();
            let wanted = reaches(net) || self.state.reaches_loopback(net.id);
            if wanted {
                open.insert(net.id)
            } else {
                open.remove(&net.id)
            };
            let set = if there { self.set_loopback(net, wanted) } else { Ok(()) };
            failed.extend(set.err().map(|error| HostError::of_step("set route_localnet", error)));
        }
        failed
    }

    /// The setting as a bridge is to have it.
    pub(super) fn loopback_settings(&self, net: &BridgeNetwork) -> Vec<Setting> {
        bridge::loopback_settings(net, self.loopback.has(net.id))
    }

    fn set_loopback(&self, net: &BridgeNetwork, open: bool) -> Result<(), StepError> {
        let settings = bridge::loopback_settings(net, open);
        let apply = if net.lent.is_some() { settings::apply_on_host } else { settings::apply };
        Ok(apply(&self.netns, &settings).map(drop)?)
    }

    fn bridge_network(&self, id: NetworkId) -> Option<BridgeNetwork> {
        self.state.network(id).ok().and_then(|network| network.spec.bridge().cloned())
    }
}
