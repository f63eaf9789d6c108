//! First half of a start: the container's network namespace and its endpoints.

use std::{os::fd::OwnedFd, path::PathBuf};

use libnet::types::NetworkId;
use netd_runtime::Netns;

use super::Planned;
use crate::{
    container::{
        ContainerError,
        create::{NetworkMode, Wanted, link_parts},
        policy::Phase,
        record::{Endpoint, Record},
        registry::Registry,
    },
    network::{ENDPOINT_IFNAME, EndpointAsk, SandboxAsk},
};

/// The container has a network.
pub(super) struct Networked {
    pub(super) netns: Netns,
    /// DNS sockets of the namespace, for the shim.
    pub(super) dns: Vec<OwnedFd>,
    /// Where hosts, hostname and resolv.conf are.
    pub(super) files: PathBuf,
    /// Whether they are this container's own.
    pub(super) own_files: bool,
    made: Made,
}

/// What there is to undo.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Made {
    Sandbox,
    Nothing,
}

impl Networked {
    pub(super) async fn make(plan: &Planned<'_>) -> Result<Self, ContainerError> {
        let own = plan.parts.paths.data(plan.record.id);
        match &plan.wanted.mode {
            NetworkMode::Container(name) => shared(plan.registry, plan, name),
            NetworkMode::Host => {
                let this = Self {
                    netns: Netns::Host,
                    dns: Vec::new(),
                    files: own,
                    own_files: true,
                    made: Made::Sandbox,
                };
                this.connect(plan).await
            }
            NetworkMode::None | NetworkMode::Private => {
                let sandbox = plan
                    .parts
                    .networks
                    .open_sandbox(SandboxAsk {
                        container: plan.record.id,
                        hostname: plan.wanted.hostname.clone(),
                        dns: plan.wanted.dns.clone(),
                        egress: plan.wanted.egress.clone(),
                        traffic: plan.wanted.traffic,
                    })
                    .await?;
                let this = Self {
                    netns: Netns::Path(sandbox.path),
                    dns: sandbox.dns,
                    files: own,
                    own_files: true,
                    made: Made::Sandbox,
                };
                this.connect(plan).await
            }
        }
    }

    async fn connect(self, plan: &Planned<'_>) -> Result<Self, ContainerError> {
        // Interfaces without a name of their own take what those with one leave.
        let mut endpoints: Vec<_> = plan.record.endpoints.iter().collect();
        endpoints.sort_by_key(|endpoint| !endpoint.settings.driver_opts.contains_key(ENDPOINT_IFNAME));
        for endpoint in endpoints {
            if let Err(error) = join(plan, endpoint).await {
                self.undo(plan).await;
                return Err(ContainerError::Networking(Box::new(error)));
            }
        }
        Ok(self)
    }

    pub(super) async fn undo(self, plan: &Planned<'_>) {
        if self.made == Made::Nothing {
            return;
        }
        if let Err(error) = plan.parts.networks.close_sandbox(plan.record.id).await {
            tracing::warn!(container.id = %plan.record.id, %error, "sandbox not closed");
        }
    }
}

async fn join(plan: &Planned<'_>, endpoint: &Endpoint) -> Result<(), ContainerError> {
    let network = plan.parts.network_of(endpoint)?;
    let asked = ask(plan.record, &plan.wanted, endpoint, network.id)?;
    plan.parts.networks.connect(plan.record.id, asked).await?;
    Ok(())
}

/// What a container asks of one of its networks, which is known by this id now.
pub(in crate::container) fn ask(
    record: &Record,
    wanted: &Wanted,
    endpoint: &Endpoint,
    network: NetworkId,
) -> Result<EndpointAsk, ContainerError> {
    let settings = &endpoint.settings;
    let links = settings
        .links
        .iter()
        .map(|link| link_parts(link).map(|(name, alias)| (alias.to_owned(), name.to_owned())));
    let linked = settings.linked.iter().map(|link| Ok((link.alias.clone(), link.to.to_string())));
    Ok(EndpointAsk {
        network,
        endpoint: endpoint.endpoint,
        name: record.name.clone(),
        aliases: settings.aliases.clone(),
        links: links.chain(linked).collect::<Result<_, _>>()?,
        v4: settings.v4,
        v6: settings.v6,
        link_local: settings.link_local.clone(),
        mac: settings.mac,
        ports: wanted.ports.requests.clone(),
        exposed: wanted.ports.exposed.iter().copied().collect(),
        gw_priority: settings.gw_priority,
        driver_opts: settings.driver_opts.clone(),
        durability: record.durability(),
    })
}

/// `--network container:NAME`: the namespace and the files of another one.
fn shared(registry: &Registry, plan: &Planned<'_>, name: &str) -> Result<Networked, ContainerError> {
    let other = registry.find(name).map_err(|source| ContainerError::Other {
        what: "joining network namespace of container".to_owned(),
        source: Box::new(source),
    })?;
    let record = other.record();
    if record.id == plan.record.id {
        return Err(ContainerError::Invalid("cannot join own network namespace".to_owned()));
    }
    let shim = other.shim().filter(|_| record.state.phase.has_process());
    let Some(shim) = shim else {
        return Err(not_running(&record));
    };
    Ok(Networked {
        // The process' own view of it: right whatever network mode the other one has.
        netns: Netns::Path(format!("/proc/{}/ns/net", shim.pid()).into()),
        dns: Vec::new(),
        files: plan.parts.paths.data(owner(registry, &record)),
        own_files: false,
        made: Made::Nothing,
    })
}

fn not_running(record: &Record) -> ContainerError {
    if record.state.phase == Phase::Restarting {
        return ContainerError::Conflict(format!(
            "cannot join network namespace of a non running container: container {} is restarting, wait until the container is running",
            record.id
        ));
    }
    ContainerError::Conflict(format!(
        "cannot join network namespace of a non running container: container {} is {}",
        record.name,
        record.state.phase.as_str()
    ))
}

/// Who the files of a shared network belong to: the one that shares with nobody.
pub(in crate::container) fn owner(registry: &Registry, record: &Record) -> libnet::types::ContainerId {
    let mut owner = record.id;
    let mut mode = record.mode();
    // Bounded: containers that share in a circle can't have been started.
    for _ in 0..16 {
        let NetworkMode::Container(name) = &mode else { break };
        let Ok(next) = registry.find(name) else { break };
        owner = next.id;
        mode = next.record().mode();
    }
    owner
}
