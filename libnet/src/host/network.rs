//! Networks come and go.

use super::{BridgeNetwork, Host, HostError, Inner, StepError, effects::Effects, janitor};
use crate::{
    bridge::{self, Step},
    link::Which,
    observe,
    plan::{self, Failed},
    types::NetworkId,
};

impl Host {
    /// Makes the bridge of a network, or takes over the one that it has already, and opens the firewall for it.
    ///
    /// # Errors
    /// Whatever step failed; those before it are undone.
    pub fn create_network(&self, net: &BridgeNetwork) -> Result<(), HostError> {
        self.inner.make_network(net, &bridge::create(net))
    }

    /// Removes the bridge of a network and closes the firewall. Goes on after errors.
    ///
    /// # Errors
    /// [`HostError::UnknownNetwork`], or everything that failed.
    pub fn remove_network(&self, id: NetworkId) -> Result<(), HostError> {
        let network = self.inner.state.take_network(id).ok_or(HostError::UnknownNetwork(id))?;
        let mut effects = self.inner.effects()?;
        let failed = plan::tear_down(&bridge::remove(&network.spec), &mut effects);
        drop(effects);
        self.inner.janitor.sweep_within(janitor::SOON);
        tracing::info!(network.id = %id, if.name = %network.spec.link, "network removed");
        HostError::of_teardown(failed)
    }
}

impl Inner {
    pub(super) fn make_network(&self, net: &BridgeNetwork, steps: &[Step]) -> Result<(), HostError> {
        let mut effects = self.effects()?;
        let made = plan::set_up(steps, &mut effects);
        drop(effects);
        if let Err(failed) = made {
            self.janitor.sweep();
            return Err(report(failed));
        }
        let found =
            observe::one_link(&mut *self.sockets.admit().map_err(HostError::Open)?, Which::Name(&net.link))?;
        let bridge = found.ok_or_else(|| HostError::ForeignLink(net.link.clone()))?.index;
        self.state.put_network(net.clone(), bridge);
        tracing::info!(network.id = %net.id, if.name = %net.link, "network created");
        Ok(())
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
