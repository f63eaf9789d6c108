//! Containers come into networks and leave them. One container's requests come one after the other (its owner sees to
//! that); those of different containers run side by side.

use std::os::fd::OwnedFd;

use dns::{Forward, Host, Protocol, Service};
use ipnetwork::Ipv4Network;
use libnet::{
    host::DefaultRoute,
    netns::DnsSockets,
    ports::{PortRequest, PublishedPort},
    store::{Change, Store},
    types::{ContainerId, NetworkId, Proto},
};

use super::{
    EndpointAsk, EndpointView, NetworkError, SandboxAsk, SandboxView, endpoint,
    inner::{Inner, delete_endpoint, delete_lease, failed, put_endpoint},
    kernel::KernelError,
    record::{EndpointRecord, LEASES, SANDBOXES, SandboxRecord, exactly, sandbox_name},
    state::{Connecting, GatewayMove, NewLease},
};
use crate::{error::chain, names::Scope};

impl Inner {
    pub(super) fn open_sandbox(&self, ask: SandboxAsk) -> Result<SandboxView, NetworkError> {
        let record = SandboxRecord {
            container: ask.container,
            name: sandbox_name(ask.container),
            hostname: ask.hostname,
            dns: ask.dns.or(&self.config.defaults.dns),
            requests: Vec::new(),
        };
        self.live.commit(&[Change::put(SANDBOXES, record.container, &record)?])?;
        let opened = self.kernel.open_sandbox(&record.name);
        let opened = opened.map_err(failed("open sandbox", &record.name));
        let opened =
            opened.inspect_err(|_| self.undo(&*self.live, &[Change::delete(SANDBOXES, ask.container)]))?;
        let kept =
            opened.dns.try_clone().map_err(|source| NetworkError::Names { container: ask.container, source });
        let kept = kept.inspect_err(|_| self.forget_sandbox(&record))?;
        self.names.add(record.container, opened.path.clone(), record.dns.clone(), Some(kept));
        tracing::debug!(container.id = %record.container, sandbox.name = record.name, "sandbox opened");
        self.state().set_sandbox(record);
        let DnsSockets { udp, tcp } = opened.dns;
        Ok(SandboxView { path: opened.path, dns: vec![OwnedFd::from(udp), OwnedFd::from(tcp)] })
    }

    fn forget_sandbox(&self, record: &SandboxRecord) {
        if let Err(error) = self.kernel.close_sandbox(&record.name) {
            tracing::warn!(
                sandbox.name = record.name,
                error = chain(&error),
                "sandbox of a failed start stays"
            );
        }
        self.undo(&*self.live, &[Change::delete(SANDBOXES, record.container)]);
    }

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
        if let Some((lease, NewLease::Yes)) = &plan.lease {
            let change = Change::put(LEASES, lease.key(), lease)?;
            match lease.durability {
                super::Durability::Live => live.push(change),
                super::Durability::Durable => self.declared.commit(&[change])?,
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
        let change = self.state().gateway_move(container);
        change.map_or(Ok(()), |change| self.move_gateway(&change))?;
        self.publish_names(container, network)
    }

    fn undo_attach(&self, plan: &Connecting) {
        if let (Some(sandbox), Some(spec)) = (&plan.sandbox, &plan.record.spec)
            && let Err(error) = self.kernel.detach(&sandbox.name, spec.id)
        {
            tracing::warn!(endpoint.id = %spec.id, error = chain(&error), "endpoint of a failed connect stays");
        }
        self.undo_connect(plan);
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
        if let Some((lease, NewLease::Yes)) = &plan.lease {
            self.undo(self.store(lease.durability), &[delete_lease(lease)]);
        }
    }

    /// A record that should go and can't is found and removed at the next start.
    fn undo(&self, store: &dyn Store, changes: &[Change]) {
        if let Err(error) = store.commit(changes) {
            tracing::error!(error = chain(&error), "record of a failed request stays");
        }
    }

    fn move_gateway(&self, change: &GatewayMove) -> Result<(), NetworkError> {
        self.try_move_gateway(change).inspect_err(|_| {
            if let Err(error) = self.move_gateway_back(change) {
                tracing::error!(
                    sandbox.name = change.sandbox,
                    error = chain(&error),
                    "container is left without a gateway"
                );
            }
        })
    }

    fn try_move_gateway(&self, change: &GatewayMove) -> Result<(), NetworkError> {
        let mut changed = Vec::new();
        if let Some(from) = &change.from {
            let withdraw = || -> Result<(), KernelError> {
                self.kernel.unpublish(from.id)?;
                self.kernel.set_default_route(&change.sandbox, from.id, DefaultRoute::None)
            };
            withdraw().map_err(failed("move the gateway from endpoint", from.id))?;
            changed.extend(self.state().unset_gateway(from));
        }
        if let Some(to) = &change.to {
            changed.extend(self.lead_through(&change.sandbox, to, &change.ports)?);
        }
        self.write_down(&changed)
    }

    /// Default route and published ports lead to this endpoint from now on.
    fn lead_through(
        &self,
        sandbox: &str,
        to: &EndpointRecord,
        ports: &[PortRequest],
    ) -> Result<Option<EndpointRecord>, NetworkError> {
        let route = self.state().network(to.network).map(endpoint::route)?;
        let moved = self.kernel.set_default_route(sandbox, to.id, route);
        moved.map_err(failed("move the gateway to endpoint", to.id))?;
        let published = match ports {
            [] => Vec::new(),
            ports => self.kernel.publish(to.id, ports).map_err(|source| attach_failed(to, source))?,
        };
        Ok(self.state().set_gateway(to, published))
    }

    /// However far a move came, the old gateway is the gateway afterwards.
    fn move_gateway_back(&self, change: &GatewayMove) -> Result<(), NetworkError> {
        let mut changed = Vec::new();
        for record in change.to.iter().chain(&change.from) {
            self.kernel.unpublish(record.id).map_err(failed("unpublish the ports of endpoint", record.id))?;
            changed.extend(self.state().unset_gateway(record));
        }
        match (&change.from, &change.to) {
            (Some(from), _) => {
                changed.extend(self.lead_through(&change.sandbox, from, &exactly(&from.ports))?);
            }
            (None, Some(to)) => {
                let undone = self.kernel.set_default_route(&change.sandbox, to.id, DefaultRoute::None);
                undone.map_err(failed("move the gateway from endpoint", to.id))?;
            }
            (None, None) => {}
        }
        self.write_down(&changed)
    }

    fn write_down(&self, endpoints: &[EndpointRecord]) -> Result<(), NetworkError> {
        let changes = endpoints.iter().map(put_endpoint).collect::<Result<Vec<_>, _>>()?;
        Ok(self.live.commit(&changes)?)
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

    fn detach(&self, endpoint: &EndpointRecord) -> Result<(), NetworkError> {
        let container = endpoint.container;
        self.withdraw_names(endpoint);
        let sandbox = self.state().sandbox(container).map(|sandbox| sandbox.name.clone());
        if let (Some(sandbox), Some(_)) = (&sandbox, &endpoint.spec) {
            self.kernel.detach(sandbox, endpoint.id).map_err(failed("detach endpoint", endpoint.id))?;
        }
        self.told(container, endpoint.network, "disconnect");
        let change = {
            let mut state = self.state();
            state.drop_endpoint(container, endpoint.network);
            state.gateway_move(container).filter(|_| endpoint.is_gateway)
        };
        // The ports of a gateway that leaves go to the next one, to the same numbers.
        let moved = change.map_or(Ok(()), |mut change| {
            if !endpoint.ports.is_empty() {
                change.ports = exactly(&endpoint.ports);
            }
            self.move_gateway(&change)
        });
        self.live.commit(&[delete_endpoint(endpoint)])?;
        moved?;
        self.rescope(container)
    }

    pub(super) fn close_sandbox(&self, container: ContainerId) -> Result<(), NetworkError> {
        let (sandbox, endpoints) = {
            let state = self.state();
            (state.sandbox(container).cloned(), state.endpoints_of(container))
        };
        self.names.remove(container);
        for endpoint in &endpoints {
            self.withdraw_names(endpoint);
        }
        let closed = match &sandbox {
            Some(sandbox) => {
                self.kernel.close_sandbox(&sandbox.name).map_err(failed("close sandbox", &sandbox.name))
            }
            None => Ok(()),
        };
        for endpoint in &endpoints {
            self.told(container, endpoint.network, "disconnect");
        }
        self.state().close_sandbox(container);
        // What the kernel would not give up stays on record: the next start tries again.
        closed?;
        let mut changes: Vec<_> = endpoints.iter().map(delete_endpoint).collect();
        changes.extend(sandbox.map(|sandbox| Change::delete(SANDBOXES, sandbox.container)));
        Ok(self.live.commit(&changes)?)
    }

    pub(super) fn release(&self, container: ContainerId) -> Result<(), NetworkError> {
        let leases = self.state().leases_of(container);
        for durability in [super::Durability::Live, super::Durability::Durable] {
            let these = leases.iter().filter(|lease| lease.durability == durability);
            self.store(durability).commit(&these.map(delete_lease).collect::<Vec<_>>())?;
        }
        let mut state = self.state();
        for lease in &leases {
            state.release_lease(container, lease.network);
        }
        Ok(())
    }

    pub(super) fn rename(&self, container: ContainerId, name: &str) -> Result<(), NetworkError> {
        let records = self.state().rename(container, name);
        let changes = records.iter().map(put_endpoint).collect::<Result<Vec<_>, _>>()?;
        self.live.commit(&changes)?;
        records.iter().try_for_each(|record| self.publish_names(container, record.network))
    }

    /// Others find the container in this network, and it finds them.
    pub(super) fn publish_names(
        &self,
        container: ContainerId,
        network: NetworkId,
    ) -> Result<(), NetworkError> {
        let host = {
            let state = self.state();
            let named = state.network(network).is_ok_and(super::record::NetworkRecord::has_names);
            let view = state.view(container, network).filter(|_| named);
            view.map(|view| {
                (
                    view.endpoint,
                    Host {
                        names: view.dns_names,
                        v4: view.v4.map(Ipv4Network::ip),
                        v6: view.v6.map(|net| net.ip()),
                        services: view.ports.iter().map(service).collect(),
                    },
                )
            })
        };
        if let Some((endpoint, host)) = host {
            let zone = network.to_string().into();
            self.names.update(|editor| editor.set_host(&zone, endpoint.to_string(), host));
        }
        self.rescope(container)
    }

    fn withdraw_names(&self, record: &EndpointRecord) {
        let zone = record.network.to_string().into();
        self.names.update(|editor| editor.remove_host(&zone, &record.id.to_string().into()));
    }

    /// What the container sees follows from the networks that it is in.
    fn rescope(&self, container: ContainerId) -> Result<(), NetworkError> {
        let scope = self.scope(container);
        self.names.set_scope(container, scope).map_err(|source| NetworkError::Names { container, source })
    }

    fn scope(&self, container: ContainerId) -> Scope {
        let (views, records) = {
            let state = self.state();
            (state.views(container), state.endpoints_of(container))
        };
        let all: Vec<_> = views.iter().map(|view| view.network).collect();
        let forward = if self.all_internal(&all) { Forward::No } else { Forward::Yes };
        let named = |view: &EndpointView| !view.dns_names.is_empty();
        Scope {
            networks: views.iter().filter(|view| named(view)).map(|view| view.network).collect(),
            links: records.into_iter().flat_map(|record| record.links).collect(),
            forward,
        }
    }

    fn told(&self, container: ContainerId, network: NetworkId, action: &str) {
        let record = self.state().network(network).ok().cloned();
        if let Some(record) = record {
            self.tell(action, &record, Some(container));
        }
    }
}

/// What others find with `_http._tcp.NAME`.
fn service(port: &PublishedPort) -> Service {
    let protocol = match port.proto {
        Proto::Tcp => Protocol::Tcp,
        Proto::Udp => Protocol::Udp,
        Proto::Sctp => Protocol::Sctp,
    };
    Service { port: port.container.get(), protocol, name: None }
}

fn attach_failed(record: &EndpointRecord, source: KernelError) -> NetworkError {
    let ports = matches!(source, KernelError::Port(_));
    let endpoint = ports.then(|| (record.name.clone(), record.id.to_string()));
    NetworkError::Attach { endpoint, source }
}
