//! Networks come and go.

use std::sync::{MutexGuard, PoisonError};

use super::{
    Host, HostError, Inner, NetworkSpec, NoIpv6, StepError, effects::Effects, janitor, state::Network,
};
use crate::{
    bridge::{self, Step},
    link::Which,
    observe, parent,
    plan::{self, Failed},
    types::{IfName, NetworkId},
};

impl Host {
    /// Makes the bridge of a network, or takes over the one that it has already, and opens the firewall for it; or finds
    /// its parent, or makes it.
    ///
    /// # Errors
    /// Whatever step failed; those before it are undone.
    pub fn create_network(&self, net: impl Into<NetworkSpec>) -> Result<(), HostError> {
        let net = net.into();
        let _changing = self.inner.changing();
        self.inner.make_network(&net, &self.inner.creation(&net))?;
        tracing::info!(network.id = %net.id(), if.name = %net.link(), "network created");
        Ok(())
    }

    /// Removes the bridge of a network and closes the firewall, or leaves its parent. Goes on after errors.
    ///
    /// # Errors
    /// [`HostError::UnknownNetwork`], or everything that failed.
    pub fn remove_network(&self, id: NetworkId) -> Result<(), HostError> {
        let _changing = self.inner.changing();
        let _alone = self.inner.alone_on_parents();
        let network = self.inner.state.take_network(id).ok_or(HostError::UnknownNetwork(id))?;
        self.inner.loopback.forget(id);
        let mut effects = self.inner.effects()?;
        let failed = plan::tear_down(&removal(&network.spec), &mut effects);
        drop(effects);
        self.inner.janitor.sweep_within(janitor::SOON);
        tracing::info!(network.id = %id, if.name = %network.spec.link(), "network removed");
        HostError::of_teardown(failed)
    }
}

impl Host {
    /// The bridges of this host's networks, but those that are somebody else's.
    pub fn bridges(&self) -> Vec<IfName> {
        self.inner.state.own_bridges()
    }
}

fn removal(net: &NetworkSpec) -> Vec<Step> {
    match net {
        NetworkSpec::Bridge(net) => bridge::remove(net),
        NetworkSpec::Parent(net) => parent::remove(net),
    }
}

impl Inner {
    /// The steps that make a network.
    pub(super) fn creation(&self, net: &NetworkSpec) -> Vec<Step> {
        match net {
            NetworkSpec::Bridge(net) => bridge::create(net, self.forwarding),
            NetworkSpec::Parent(net) => parent::create(net),
        }
    }

    pub(super) fn make_network(&self, net: &NetworkSpec, steps: &[Step]) -> Result<(), HostError> {
        if net.bridge().is_some_and(|net| net.v6.is_some()) && !self.links_v6.are_there() {
            return Err(NoIpv6 { network: net.name().to_owned() }.into());
        }
        let _alone = matches!(net, NetworkSpec::Parent(_)).then(|| self.alone_on_parents());
        let mut effects = self.effects()?;
        let made = plan::set_up(steps, &mut effects);
        drop(effects);
        if let Err(failed) = made {
            self.janitor.sweep();
            return Err(report(failed));
        }
        let bridge = match net {
            NetworkSpec::Bridge(net) => {
                self.restore_loopback(net)
                    .map_err(|source| HostError::of_step("set route_localnet", source))?;
                Some(self.index_of(&net.link)?)
            }
            NetworkSpec::Parent(_) => None,
        };
        self.state.put_network(net.clone(), bridge);
        Ok(())
    }

    /// A network whose bridge was missing when the daemon started may have it by now.
    pub(super) fn whole_network(&self, id: NetworkId) -> Result<Network, HostError> {
        let network = self.state.network(id)?;
        let is_whole = match &network.spec {
            NetworkSpec::Parent(_) => true,
            // Its owner may have given it another name, which the firewall does not know.
            NetworkSpec::Bridge(net) if net.lent.is_some() => {
                network.bridge.is_some() && self.index_of(&net.link).ok() == network.bridge
            }
            NetworkSpec::Bridge(_) => network.bridge.is_some(),
        };
        if is_whole {
            return Ok(network);
        }
        self.make_network(&network.spec, &self.creation(&network.spec))?;
        self.state.network(id)
    }

    fn index_of(&self, link: &IfName) -> Result<u32, HostError> {
        let mut socket = self.sockets.admit().map_err(HostError::Open)?;
        let found = observe::one_link(&mut socket, Which::Name(link))?;
        Ok(found.ok_or_else(|| HostError::ForeignLink(link.clone()))?.index)
    }

    /// Networks may share a parent: that one comes while another goes must not make either of them lose it.
    fn alone_on_parents(&self) -> MutexGuard<'_, ()> {
        // Nothing is behind the lock that a panic could have left half done.
        self.parents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn effects(&self) -> Result<Effects<'_>, HostError> {
        Effects::on(self).map_err(|source| HostError::of_step("wait for a netlink socket", source))
    }
}

/// What stayed behind is logged here, where it is known; the caller gets the error that it came from.
pub(super) fn report(failed: Failed<Step, StepError>) -> HostError {
    for (step, error) in &failed.left {
        tracing::error!(step = %step, error = %error, "undo failed");
    }
    failed.into()
}
