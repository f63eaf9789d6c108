//! Containers come into networks and leave them. One container's requests come one after the other (its owner sees to
//! that); those of different containers run side by side.

use libnet::{
    ports::PublishedPort,
    store::{Change, Store},
    types::{ContainerId, NetworkId},
};

use super::{
    Durability, EndpointAsk, EndpointView, NetworkError,
    inner::{Inner, delete_endpoint, delete_lease, failed, put_endpoint},
    kernel::KernelError,
    record::{EndpointRecord, LEASES, Lease, SANDBOXES, SandboxRecord},
    state::{Connecting, LeaseChange},
};
use crate::error::chain;

impl Inner {
    pub(super) fn connect(
        &self,
        container: ContainerId,
        ask: &EndpointAsk,
    ) -> Result<EndpointView, NetworkError> {
        let mac = self.new_mac();
        let plan = self.state().begin_connect(container, ask, mac)?;
        let ports = self.attach(&plan).inspect_err(|_| self.undo_connect(&plan))?;
        self.state().connected(container, ask.network, ports);
        self.after_connect(&plan).inspect_err(|_| self.undo_attach(&plan))?;
        self.told(container, ask.network, "connect");
        let view = self.state().view(container, ask.network);
        view.ok_or_else(|| NetworkError::NotFound(ask.network.to_string()))
    }

    /// Intent to disk, then the kernel.
    fn attach(&self, plan: &Connecting) -> Result<Vec<PublishedPort>, NetworkError> {
        let mut live = vec![put_endpoint(&plan.record)?];
        if let Some(sandbox) =
            plan.sandbox.as_ref().filter(|sandbox| sandbox.requests != plan.requests_before)
        {
            live.push(Change::put(SANDBOXES, sandbox.container, sandbox)?);
        }
        if let Some(lease) = plan.lease.as_ref().filter(|lease| lease.is_change()) {
            for (durability, change) in replace_lease(lease.before.as_ref(), Some(&lease.now))? {
                match durability {
                    Durability::Live => live.push(change),
                    Durability::Durable => self.declared.commit(&[change])?,
                }
            }
        }
        self.live.commit(&live)?;
        let (Some(sandbox), Some(spec)) = (&plan.sandbox, &plan.record.spec) else { return Ok(Vec::new()) };
        self.kernel.attach(&sandbox.name, spec).map_err(|source| attach_failed(&plan.record, source))
    }

    /// What follows from an attached endpoint: its ports are written down, the gateway moves to it if it is to, its names
    /// are known.
    fn after_connect(&self, plan: &Connecting) -> Result<(), NetworkError> {
        let (container, network) = (plan.record.container, plan.record.network);
        let record = self.state().endpoint(container, network).cloned();
        if let Some(record) = record.filter(|record| !record.ports.is_empty()) {
            self.live.commit(&[put_endpoint(&record)?])?;
        }
        self.catch_up(&plan.record)?;
        self.settle_roles(container, None)?;
        self.publish_names(container, network)?;
        self.relink(network)
    }

    fn undo_attach(&self, plan: &Connecting) {
        let (container, network) = (plan.record.container, plan.record.network);
        let record = self.state().endpoint(container, network).cloned();
        let record = record.as_ref().unwrap_or(&plan.record);
        // It may be the gateway already, with the ports of another.
        self.hand_over_from(record);
        if let (Some(sandbox), Some(spec)) = (&plan.sandbox, &plan.record.spec)
            && let Err(error) = self.kernel.detach(&sandbox.name, spec.id)
        {
            tracing::warn!(endpoint.id = %spec.id, error = chain(&error), "endpoint of a failed connect stays");
        }
        self.undo_connect(plan);
        if let Err(error) = self.settle_roles(container, Some((network, &record.ports))) {
            tracing::error!(container.id = %container, error = chain(&error), "roles of a failed connect stay");
        }
    }

    fn undo_connect(&self, plan: &Connecting) {
        self.withdraw_names(&plan.record);
        self.state().abandon_connect(plan);
        let mut changes = vec![delete_endpoint(&plan.record)];
        let sandbox = plan.sandbox.clone().filter(|sandbox| sandbox.requests != plan.requests_before);
        let sandbox =
            sandbox.map(|sandbox| SandboxRecord { requests: plan.requests_before.clone(), ..sandbox });
        changes.extend(sandbox.and_then(|sandbox| Change::put(SANDBOXES, sandbox.container, &sandbox).ok()));
        self.undo(&*self.live, &changes);
        if let Some(lease) = plan.lease.as_ref().filter(|lease| lease.is_change()) {
            self.undo_lease(lease);
        }
    }

    fn undo_lease(&self, lease: &LeaseChange) {
        match replace_lease(Some(&lease.now), lease.before.as_ref()) {
            Ok(changes) => {
                changes
                    .into_iter()
                    .for_each(|(durability, change)| self.undo(self.store(durability), &[change]));
            }
            Err(error) => tracing::error!(error = chain(&error), "lease of a failed request stays"),
        }
    }

    /// A record that should go and can't is found and removed at the next start.
    pub(super) fn undo(&self, store: &dyn Store, changes: &[Change]) {
        if let Err(error) = store.commit(changes) {
            tracing::error!(error = chain(&error), "record of a failed request stays");
        }
    }

    pub(super) fn disconnect(
        &self,
        container: ContainerId,
        network: NetworkId,
        force: bool,
    ) -> Result<(), NetworkError> {
        let (endpoint, lease, name) = {
            let state = self.state();
            let name = state.network(network)?.name.clone();
            (state.endpoint(container, network).cloned(), state.lease_of(container, network).cloned(), name)
        };
        if endpoint.is_none() && lease.is_none() && !force {
            return Err(NetworkError::NotConnected { container, network: name });
        }
        if let Some(endpoint) = &endpoint {
            self.detach(endpoint)?;
        }
        if let Some(lease) = lease {
            self.store(lease.durability).commit(&[delete_lease(&lease)])?;
            self.state().release_lease(container, network);
        }
        Ok(())
    }

    /// Ends the endpoint of that name, or of the container of that id.
    pub(super) fn forget_by_name(&self, network: NetworkId, name: &str) -> Result<(), NetworkError> {
        let found = {
            let state = self.state();
            let mut all = state.endpoints_in(network);
            all.find(|record| record.name == name || record.container.to_string() == name)
                .map(|it| it.container)
        };
        let container = found.ok_or_else(|| NetworkError::NoEndpoint(name.to_owned()))?;
        self.disconnect(container, network, true)
    }

    fn detach(&self, endpoint: &EndpointRecord) -> Result<(), NetworkError> {
        let container = endpoint.container;
        self.withdraw_names(endpoint);
        self.hand_over_from(endpoint);
        let sandbox = self.state().sandbox(container).map(|sandbox| sandbox.name.clone());
        if let (Some(sandbox), Some(_)) = (&sandbox, &endpoint.spec) {
            let detached = self.kernel.detach(sandbox, endpoint.id);
            detached.map_err(failed("detach endpoint", endpoint.id)).inspect_err(|_| {
                if let Err(error) = self.settle_roles(container, None) {
                    tracing::error!(container.id = %container, error = chain(&error), "roles of an endpoint that stays are others'");
                }
            })?;
        }
        self.told(container, endpoint.network, "disconnect");
        self.state().drop_endpoint(container, endpoint.network);
        let unlinked = self.relink(endpoint.network);
        let moved = self.settle_roles(container, Some((endpoint.network, &endpoint.ports)));
        self.live.commit(&[delete_endpoint(endpoint)])?;
        unlinked.and(moved)?;
        self.rescope(container)
    }

    /// Ports that lead to another endpoint before this one goes are at no moment closed. What can't be handed over is taken
    /// over once it is gone.
    fn hand_over_from(&self, endpoint: &EndpointRecord) {
        let change = self.state().leave_change(endpoint.container, endpoint.network);
        if let Some(Err(error)) = change.map(|change| self.change_roles(&change)) {
            tracing::warn!(endpoint.id = %endpoint.id, error = chain(&error), "its ports and routes are free for a moment");
        }
    }

    pub(super) fn told(&self, container: ContainerId, network: NetworkId, action: &str) {
        let record = self.state().network(network).ok().cloned();
        if let Some(record) = record {
            self.tell(action, &record, Some(container));
        }
    }
}

/// One lease of a container in a network takes the place of another; they may be in different stores.
fn replace_lease(
    old: Option<&Lease>,
    new: Option<&Lease>,
) -> Result<Vec<(Durability, Change)>, NetworkError> {
    let put = |lease: &Lease| Ok((lease.durability, Change::put(LEASES, lease.key(), lease)?));
    let mut changes = new.map(put).into_iter().collect::<Result<Vec<_>, NetworkError>>()?;
    let elsewhere = |old: &&Lease| new.is_none_or(|new| new.durability != old.durability);
    changes.extend(old.filter(elsewhere).map(|old| (old.durability, delete_lease(old))));
    Ok(changes)
}

pub(super) fn attach_failed(record: &EndpointRecord, source: KernelError) -> NetworkError {
    let ports = matches!(source, KernelError::Port(_));
    let endpoint = ports.then(|| (record.name.clone(), record.id.to_string()));
    NetworkError::Attach { endpoint, source }
}
