//! Endpoints come and go.

use std::net::SocketAddr;

use super::{
    AttachedEndpoint, EndpointSpec, Host, HostError, Inner, NetworkSpec, Sandbox, StepError,
    effects::Effects,
    janitor::{self, Announcement},
    network::report,
    sandbox::Origin,
    state::{Endpoint, Network},
};
use crate::{
    bridge::{self, Circumstances, Fate, Step, Telling, names::host_link},
    firewall::{Change, FirewallEndpoint},
    parent, plan,
    ports::{PortRequest, PublishedPort, Relaying, Reservation},
    types::EndpointId,
};

impl Host {
    /// Joins a sandbox to a network: the veth pair, its configuration inside, ports and firewall.
    ///
    /// # Errors
    /// Whatever step failed; nothing is left then.
    pub fn attach(&self, sandbox: &Sandbox, ep: &EndpointSpec) -> Result<AttachedEndpoint, HostError> {
        let _changing = self.inner.changing();
        let network = self.inner.whole_network(ep.network)?;
        self.inner.janitor.settle(ep.addresses().map(|address| address.ip()));
        let on = Circumstances {
            bridge_filtered: self.inner.bridge_filtered,
            // Who else is on a bridge of the user's own may know the address as somebody's who left before we came.
            address_moved: self.inner.state.was_others(ep) || network.spec.is_lent(),
            foreign_settings: sandbox.origin() == Origin::Borrowed,
        };
        let (steps, telling) = match &network.spec {
            NetworkSpec::Bridge(net) => (bridge::attach(net, ep, on), Telling::of(net.announce, on)),
            NetworkSpec::Parent(net) => (parent::attach(net, ep, on), parent::telling(net)),
        };
        let attached = self.inner.make_endpoint(sandbox, ep, &steps)?;
        let (sandbox, endpoint, mac) = (sandbox.downgrade(), ep.id, ep.mac);
        self.inner.janitor.announce(Announcement { sandbox, endpoint, mac, telling });
        Ok(attached)
    }

    /// Takes a sandbox out of a network. The interface stops at once, and goes a moment later. Goes on after errors.
    ///
    /// # Errors
    /// [`HostError::UnknownEndpoint`], or everything that failed.
    pub fn detach(&self, sandbox: &Sandbox, id: EndpointId) -> Result<(), HostError> {
        let _changing = self.inner.changing();
        let done = self.inner.end_endpoint(sandbox, id, Fate::Lives);
        self.inner.janitor.sweep_within(janitor::SOON);
        done
    }

    /// Ends a sandbox with all its endpoints. The kernel clears the namespace away by itself; a borrowed one goes on, as it
    /// was before. Goes on after errors.
    ///
    /// # Errors
    /// Everything that failed.
    // Whoever closes a sandbox has no more use for the handle.
    #[allow(clippy::needless_pass_by_value)]
    pub fn close_sandbox(&self, sandbox: Sandbox) -> Result<(), HostError> {
        let _changing = self.inner.changing();
        let endpoints = self.inner.state.endpoints_in(sandbox.name());
        let fate = match sandbox.origin() {
            Origin::Made => Fate::Ends,
            Origin::Borrowed => Fate::Lives,
        };
        let mut errors: Vec<HostError> =
            endpoints.iter().filter_map(|id| self.inner.end_endpoint(&sandbox, *id, fate).err()).collect();
        if sandbox.origin() == Origin::Borrowed {
            // It goes on: nothing else would take away what was on parent links.
            sandbox.sweep();
        }
        errors.extend(sandbox.end().err());
        self.inner.state.take_sandbox(sandbox.name());
        // A process that is left may keep the namespace; its links go all the same.
        self.inner.janitor.sweep_within(janitor::AFTER_NAMESPACE);
        tracing::info!(sandbox.name = sandbox.name(), "sandbox closed");
        HostError::gather(errors)
    }

    /// Publishes more ports of an endpoint.
    ///
    /// # Errors
    /// If the endpoint is not attached or is on a parent link, or a port can't be had; none of `ports` is published then.
    pub fn publish(&self, id: EndpointId, ports: &[PortRequest]) -> Result<Vec<PublishedPort>, HostError> {
        let _changing = self.inner.changing();
        let who = self.inner.state.with_endpoint(id, |endpoint| endpoint.in_firewall())?;
        let network = self.inner.state.network(who.network)?.spec;
        let published = self.inner.publish(&network, who, ports);
        self.inner.settle_loopback(network.id());
        self.inner.janitor.forget_before(published.as_deref().unwrap_or_default());
        published
    }

    /// Leads all published ports of an endpoint to another one, which has none, in one change of the firewall: at no moment
    /// are they closed. `None`: they would be others in its network, and nothing was done.
    ///
    /// # Errors
    /// If one of them is not attached, or the firewall refuses.
    pub fn move_ports(
        &self,
        from: EndpointId,
        to: EndpointId,
    ) -> Result<Option<Vec<PublishedPort>>, HostError> {
        let _changing = self.inner.changing();
        self.inner.move_ports(from, to)
    }

    /// Takes all published ports of an endpoint back.
    ///
    /// # Errors
    /// If the endpoint is not attached, or the firewall refuses.
    pub fn unpublish(&self, id: EndpointId) -> Result<(), HostError> {
        let _changing = self.inner.changing();
        let all = self.inner.state.with_endpoint(id, |endpoint| endpoint.published())?;
        self.inner.withdraw(id, &all)
    }

    /// Takes some published ports of an endpoint back; the others are not touched.
    ///
    /// # Errors
    /// If the endpoint is not attached, or the firewall refuses.
    pub fn withdraw(&self, id: EndpointId, ports: &[PublishedPort]) -> Result<(), HostError> {
        let _changing = self.inner.changing();
        self.inner.withdraw(id, ports)
    }
}

fn publishing(source: StepError) -> HostError {
    HostError::of_step("publish ports", source)
}

impl Inner {
    fn publish(
        &self,
        network: &NetworkSpec,
        mut who: FirewallEndpoint,
        ports: &[PortRequest],
    ) -> Result<Vec<PublishedPort>, HostError> {
        let ports = match network {
            NetworkSpec::Bridge(net) => bridge::requests(net, &who, ports),
            NetworkSpec::Parent(_) => ports.to_vec(),
        };
        let mut held = self.ports.reserve(&ports)?;
        if network.bridge().is_some_and(|net| bridge::ask_for_loopback(net, &who, &ports)) {
            self.open_loopback(network.id()).map_err(publishing)?;
        }
        let new = held.ports().to_vec();
        who.ports.extend(&new);
        self.change_firewall(Change::AddEndpoint(who.clone())).map_err(publishing)?;
        self.relay(&mut held, &who);
        self.state.with_endpoint(who.id, |endpoint| endpoint.ports.push(held))?;
        Ok(new)
    }

    fn withdraw(&self, id: EndpointId, ports: &[PublishedPort]) -> Result<(), HostError> {
        let mut who = self.state.with_endpoint(id, |endpoint| endpoint.in_firewall())?;
        if !self.state.takes_part_in(who.network) {
            return Ok(());
        }
        who.ports.retain(|port| !ports.contains(port));
        let addresses: Vec<_> = who.addresses().collect();
        self.change_firewall(Change::AddEndpoint(who.clone())).map_err(publishing)?;
        let mut held = self.state.with_endpoint(id, |endpoint| std::mem::take(&mut endpoint.ports))?;
        held.iter_mut().for_each(|held| self.ports.withdraw(held, ports));
        held.retain(|held| !held.ports().is_empty());
        held.iter_mut().for_each(|held| self.relay(held, &who));
        self.state.with_endpoint(id, |endpoint| endpoint.ports = held)?;
        self.settle_loopback(who.network);
        self.janitor.forget_ports(ports.iter().copied(), &addresses);
        Ok(())
    }

    fn move_ports(&self, from: EndpointId, to: EndpointId) -> Result<Option<Vec<PublishedPort>>, HostError> {
        let mut giver = self.state.with_endpoint(from, |endpoint| endpoint.in_firewall())?;
        let mut taker = self.state.with_endpoint(to, |endpoint| endpoint.in_firewall())?;
        let networks = [giver.network, taker.network].map(|id| self.state.network(id));
        let [
            Ok(Network { spec: NetworkSpec::Bridge(_), .. }),
            Ok(Network { spec: NetworkSpec::Bridge(net), .. }),
        ] = networks
        else {
            return Ok(None);
        };
        let asked: Vec<_> = giver.ports.iter().map(PublishedPort::exactly).collect();
        let direct = giver.ports.iter().any(|port| port.host_port.is_none());
        if direct || !taker.ports.is_empty() || bridge::requests(&net, &taker, &asked) != asked {
            return Ok(None);
        }
        if bridge::ask_for_loopback(&net, &taker, &asked) {
            self.open_loopback(net.id).map_err(publishing)?;
        }
        taker.ports = std::mem::take(&mut giver.ports);
        let (ports, addresses) = (taker.ports.clone(), giver.addresses());
        let change = Change::MovePorts { from: Box::new(giver.clone()), to: Box::new(taker.clone()) };
        let changed = self.change_firewall(change).map_err(publishing);
        if changed.is_ok() {
            let mut held = self.state.with_endpoint(from, |endpoint| std::mem::take(&mut endpoint.ports))?;
            self.relaying(&taker, |by, to| held.iter_mut().for_each(|held| held.relay_elsewhere(by, to)));
            self.state.with_endpoint(to, |endpoint| endpoint.ports = held)?;
        }
        self.settle_loopback(giver.network);
        self.settle_loopback(taker.network);
        changed?;
        let addresses: Vec<_> = addresses.collect();
        self.janitor.forget_ports(ports.iter().copied(), &addresses);
        Ok(Some(ports))
    }

    /// Has those ports served that need it.
    pub(super) fn relay(&self, held: &mut Reservation, who: &FirewallEndpoint) {
        self.relaying(who, |by, to| held.relay(by, to));
    }

    /// How flows to an endpoint are relayed, and where to; not at all where nobody relays, or the host takes no part.
    fn relaying(
        &self,
        who: &FirewallEndpoint,
        work: impl FnOnce(Relaying<'_>, &dyn Fn(&PublishedPort) -> Option<SocketAddr>),
    ) {
        let Some(relay) = &self.relay else { return };
        let Ok(Network { spec: NetworkSpec::Bridge(net), .. }) = self.state.network(who.network) else {
            return;
        };
        let by = Relaying { relay: &**relay, barred: self.state.barred() };
        work(by, &|port| bridge::relayed(&net, who, port));
    }

    pub(super) fn make_endpoint(
        &self,
        sandbox: &Sandbox,
        ep: &EndpointSpec,
        steps: &[Step],
    ) -> Result<AttachedEndpoint, HostError> {
        let host_link = self.state.takes_part_in(ep.network).then(|| host_link(&ep.id));
        let mut effects = self.effects_in(sandbox)?;
        self.state.claim(Endpoint::new(ep, sandbox.name(), Vec::new()))?;
        let made = plan::set_up(steps, &mut effects);
        let mut held = effects.ports.take();
        drop(effects);
        if let Err(failed) = made {
            self.state.take_endpoint(ep.id);
            self.settle_loopback(ep.network);
            self.janitor.sweep();
            sandbox.sweep();
            return Err(report(failed));
        }
        let ports = held.as_ref().map(|held| held.ports().to_vec()).unwrap_or_default();
        held.iter_mut().for_each(|held| self.relay(held, &FirewallEndpoint::new(ep, &[])));
        self.state.with_endpoint(ep.id, |endpoint| endpoint.ports.extend(held))?;
        if !ports.is_empty() {
            self.settle_loopback(ep.network);
        }
        self.janitor.forget_before(&ports);
        tracing::info!(endpoint.id = %ep.id, network.id = %ep.network, if.name = %ep.ifname, "endpoint attached");
        Ok(AttachedEndpoint { host_link, ports })
    }

    fn end_endpoint(&self, sandbox: &Sandbox, id: EndpointId, fate: Fate) -> Result<(), HostError> {
        let (who, rates) =
            self.state.with_endpoint(id, |endpoint| (endpoint.without_ports(), endpoint.spec.rates))?;
        let mut effects = self.effects_in(sandbox)?;
        let steps = match self.state.takes_part_in(who.network) {
            true => bridge::detach(&who, rates, fate),
            false => parent::detach(id),
        };
        let failed = plan::tear_down(&steps, &mut effects);
        drop(effects);
        self.janitor.forget_addresses(who.addresses());
        // With the record go the ports that it holds.
        if self.state.take_endpoint(id).is_some_and(|record| !record.ports.is_empty()) {
            self.settle_loopback(who.network);
        }
        tracing::info!(endpoint.id = %id, "endpoint detached");
        HostError::of_teardown(failed)
    }

    fn effects_in<'a>(&'a self, sandbox: &'a Sandbox) -> Result<Effects<'a>, HostError> {
        Effects::within(self, sandbox)
            .map_err(|source| HostError::of_step("wait for a netlink socket", source))
    }
}
