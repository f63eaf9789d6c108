//! The start of the networks: what the stores say is taken in, the default networks are made, and the kernel is brought to
//! what is declared. What the live store knows of running containers stays as it is until their owner adopts them.

use std::{
    net::{TcpListener, UdpSocket},
    os::fd::OwnedFd,
    path::PathBuf,
    sync::atomic::Ordering,
};

use libnet::{
    host::{Declared, DeclaredEndpoint, DeclaredSandbox, LentError},
    netns::DnsSockets,
    store::{self, Change},
    types::ContainerId,
};
use netd_api::time;

use super::{
    Driver, Durability, Known, NetworkError, defaults,
    draft::{Draft, DriverOptions},
    inner::{Inner, delete_endpoint, delete_lease, failed},
    kernel::KernelError,
    options::BridgeOptions,
    record::{ENDPOINTS, EndpointRecord, LEASES, Lease, NETWORKS, NetworkRecord, SANDBOXES, SandboxRecord},
};
use crate::{config::DefaultBridge, error::chain, repairs};

/// Ids of default networks that are not there, or were not for a time, by name.
const DEFAULTS: &str = "defaults";

impl Inner {
    /// Takes in what earlier daemons left, and makes what is missing.
    pub(super) fn recover(&self) -> Result<(), NetworkError> {
        self.load_networks()?;
        self.load_leases(Durability::Durable)?;
        self.load_leases(Durability::Live)?;
        self.load_live()?;
        self.reconcile()?;
        self.make_defaults()?;
        self.adopt_namespaces();
        Ok(())
    }

    fn load_networks(&self) -> Result<(), NetworkError> {
        for (_, record) in store::list::<NetworkRecord>(&*self.declared, NETWORKS)? {
            self.publish_zone(&record);
            let (id, name) = (record.id, record.name.clone());
            if let Err(error) = self.state().restore(record) {
                tracing::error!(network.id = %id, network.name = name, error = chain(&error), "network not restored");
            }
        }
        Ok(())
    }

    fn load_leases(&self, durability: Durability) -> Result<(), NetworkError> {
        let leases = store::list::<Lease>(self.store(durability), LEASES)?;
        let void: Vec<_> = leases
            .into_iter()
            .filter(|(_, lease)| !self.state().restore_lease(lease.clone()))
            .map(|(_, lease)| delete_lease(&lease))
            .collect();
        Ok(self.store(durability).commit(&void)?)
    }

    fn load_live(&self) -> Result<(), NetworkError> {
        for (_, sandbox) in store::list::<SandboxRecord>(&*self.live, SANDBOXES)? {
            self.state().restore_sandbox(sandbox);
        }
        let endpoints = store::list::<EndpointRecord>(&*self.live, ENDPOINTS)?;
        for (_, endpoint) in &endpoints {
            self.state().restore_endpoint(endpoint.clone());
        }
        // Queries have been waiting in the sockets that shims kept: the first server that starts must know every name.
        for (_, endpoint) in &endpoints {
            self.introduce(endpoint.container, endpoint.network);
        }
        Ok(())
    }

    /// Makes `bridge`, `host` and `none` where they are missing. A `bridge` that is not what the configuration wants any
    /// more is made anew, with the leases in it given up. It keeps its id, by which stopped containers know it, even when
    /// there is none for a time.
    fn make_defaults(&self) -> Result<(), NetworkError> {
        for driver in [Driver::Host, Driver::Null] {
            let known = self.state().networks().any(|record| record.default && record.driver == driver);
            if !known {
                let created = time::rfc3339((self.clock)());
                let record = defaults::without_kernel(driver, self.new_id(), created);
                self.declared.commit(&[Change::put(NETWORKS, record.id, &record)?])?;
                self.state().restore(record)?;
            }
        }
        let old = self.state().networks().find(|record| record.name == "bridge").cloned();
        let wanted = self.config.defaults.bridge.as_ref();
        let wanted = wanted.map(|config| self.default_draft(config)).transpose()?;
        if let (Some(old), Some(draft)) = (&old, &wanted)
            && defaults::is_as_wanted(old, draft)
        {
            return Ok(());
        }
        if let Some(old) = &old {
            if self.state().in_use(old.id) {
                tracing::warn!(network.id = %old.id, "default bridge stays as it was: containers run in it");
                return Ok(());
            }
            tracing::info!(network.id = %old.id, "default bridge is removed: it is configured differently");
            self.declared.commit(&[Change::put(DEFAULTS, "bridge", &old.id)?])?;
            self.tear_down(old)?;
        }
        let had = store::get(&*self.declared, DEFAULTS, "bridge")?;
        let id = had.unwrap_or_else(|| self.new_id());
        let made = wanted.map_or(Ok(()), |draft| self.make_as(id, draft).map(|_| ()));
        made.map_err(|error| NetworkError::DefaultBridge(Box::new(error)))
    }

    /// The network `bridge` as the configuration wants it; on a bridge of the user's own if it names one, which must be
    /// there.
    fn default_draft(&self, config: &DefaultBridge) -> Result<Draft, NetworkError> {
        let failed = |error| NetworkError::DefaultBridge(Box::new(error));
        let mut draft = defaults::bridge(config)?;
        let Some(link) = config.existing.as_ref().filter(|link| link.as_str() != defaults::LINK) else {
            return Ok(draft);
        };
        self.look_at_bridge(&mut draft).map_err(failed)?;
        match &draft.driver {
            DriverOptions::Bridge(BridgeOptions { lent: Some(_), .. }) => Ok(draft),
            _ => Err(failed(NetworkError::Link(LentError::Missing(link.clone()).into()))),
        }
    }

    /// Brings the kernel to what is declared; what is ours and not declared goes.
    fn reconcile(&self) -> Result<(), NetworkError> {
        let report =
            self.kernel.reconcile(&self.on_host()).map_err(failed("reconcile", "the host's networks"))?;
        repairs::log(&report);
        Ok(())
    }

    fn on_host(&self) -> Declared {
        let state = self.state();
        let endpoint =
            |record: EndpointRecord| Some(DeclaredEndpoint { spec: record.spec?, ports: record.ports });
        let sandbox = |sandbox: &SandboxRecord| DeclaredSandbox {
            name: sandbox.name.clone(),
            endpoints: state.endpoints_of(sandbox.container).into_iter().filter_map(endpoint).collect(),
        };
        let networks = || state.networks().map(|record| record.id);
        Declared {
            networks: state.networks().filter_map(NetworkRecord::on_host).collect(),
            sandboxes: state.sandboxes().map(sandbox).collect(),
            openings: networks().filter_map(|id| Some((id, state.openings(id)?))).collect(),
        }
    }

    /// Takes over the sandbox of a running container. An endpoint that is no longer there is forgotten; one that can't be
    /// taken over is an error, but keeps neither the others nor the names from being served. What the container does not know of, since a daemon was killed before it was told, is undone.
    pub(super) fn adopt(
        &self,
        container: ContainerId,
        known: &Known,
        path: PathBuf,
        dns: Vec<OwnedFd>,
    ) -> Result<(), NetworkError> {
        let sandbox = self.state().sandbox(container).cloned();
        if let Some(sandbox) = &sandbox {
            self.kernel.adopt_sandbox(&sandbox.name).map_err(failed("adopt sandbox", &sandbox.name))?;
        }
        self.take_over(container, Some(known), sandbox, path, sockets(dns))
    }

    /// Endpoints, ports and names of a sandbox that is open go on.
    pub(super) fn take_over(
        &self,
        container: ContainerId,
        known: Option<&Known>,
        sandbox: Option<SandboxRecord>,
        path: PathBuf,
        dns: Option<DnsSockets>,
    ) -> Result<(), NetworkError> {
        let endpoints = self.state().endpoints_of(container);
        let mut adopted = Ok(());
        if let Some(sandbox) = sandbox {
            adopted = self.adopt_endpoints(&sandbox, &endpoints);
            if let Some(known) = known {
                self.take_back(&endpoints, known);
            }
            adopted = adopted.and(self.settle_roles(container, None));
            self.names.add(container, path, sandbox.dns, dns);
        }
        self.state().adopted(container);
        if let Some(known) = known.filter(|known| endpoints.iter().any(|record| record.name != known.name)) {
            self.rename(container, &known.name)?;
        }
        let endpoints = self.state().endpoints_of(container);
        endpoints.iter().try_for_each(|record| self.publish_names(container, record.network))?;
        adopted
    }

    /// All that can be adopted is; the first error of the rest.
    fn adopt_endpoints(
        &self,
        sandbox: &SandboxRecord,
        endpoints: &[EndpointRecord],
    ) -> Result<(), NetworkError> {
        let mut first = Ok(());
        for record in endpoints {
            let Some(spec) = record.on_host() else { continue };
            let adopted = match self.kernel.adopt_endpoint(&sandbox.name, &spec) {
                Err(KernelError::Gone(_)) => self.forget_endpoint(record),
                adopted => adopted.map_err(failed("adopt endpoint", spec.id)),
            };
            first = first.and(adopted);
        }
        first
    }

    /// Undoes what was begun, and is not in the container's own record, which is written last.
    fn take_back(&self, endpoints: &[EndpointRecord], known: &Known) {
        for record in endpoints.iter().filter(|record| !known.endpoints.contains(&record.id)) {
            if let Err(error) = self.disconnect(record.container, record.network, true) {
                tracing::warn!(endpoint.id = %record.id, error = chain(&error), "endpoint that was begun is not undone whole");
            }
            // Of one that was never whole, there may be more than can be undone by its plan.
            self.has_forgotten.store(true, Ordering::Relaxed);
        }
    }

    /// An endpoint without an interface: the one that a daemon was killed before making, or that somebody deleted. Its
    /// address stays with the container, as for any endpoint that ends.
    fn forget_endpoint(&self, record: &EndpointRecord) -> Result<(), NetworkError> {
        tracing::warn!(endpoint.id = %record.id, network.id = %record.network, "endpoint without interface is forgotten");
        self.withdraw_names(record);
        self.state().drop_endpoint(record.container, record.network);
        self.has_forgotten.store(true, Ordering::Relaxed);
        Ok(self.live.commit(&[delete_endpoint(record)])?)
    }

    /// Forgets what nobody adopted, and removes it from the kernel.
    pub(super) fn settle(&self) -> Result<(), NetworkError> {
        let orphans = self.state().not_adopted();
        if orphans.is_empty() && !self.has_forgotten.swap(false, Ordering::Relaxed) {
            // All that was declared when the host was compared with it is so still.
            return Ok(());
        }
        let mut changes = Vec::new();
        for container in orphans {
            let endpoints = self.state().endpoints_of(container);
            endpoints.iter().for_each(|endpoint| self.withdraw_names(endpoint));
            changes.extend(endpoints.iter().map(delete_endpoint));
            let mut state = self.state();
            changes.push(Change::delete(SANDBOXES, container));
            state.close_sandbox(container);
            drop(state);
            self.names.remove(container);
        }
        self.reconcile()?;
        Ok(self.live.commit(&changes)?)
    }
}

/// The DNS sockets that a shim kept: UDP, then TCP.
fn sockets(fds: Vec<OwnedFd>) -> Option<DnsSockets> {
    let mut fds = fds.into_iter();
    let (udp, tcp) = (fds.next()?, fds.next()?);
    Some(DnsSockets { udp: UdpSocket::from(udp), tcp: TcpListener::from(tcp) })
}
