//! Networks joined and left, other names, other limits: changes of a container that stays what it is.

use libnet::types::{EndpointId, NetworkId};
use netd_api::models;
use netd_runtime::Resources;

use super::{Actor, Left};
use crate::{
    container::{
        ContainerError,
        error::invalid,
        links, name,
        policy::{Ask, Phase},
        record::{Endpoint, EndpointSettings, Record},
        start::{Change, endpoint_ask, update},
    },
    error::chain,
    network::{Driver, NetworkError, NetworkSummary},
};

impl Actor {
    pub(super) async fn connect(
        &mut self,
        network: NetworkSummary,
        mut settings: EndpointSettings,
    ) -> Result<(), ContainerError> {
        self.admit(Ask::Networks)?;
        self.check_mode(&network)?;
        let known = self.record.endpoints.iter().any(|endpoint| endpoint.is_in(&network));
        let joined = self.record.state.phase.has_process();
        if known && self.is_in(network.id) {
            let (name, network) = (self.record.name.clone(), network.name);
            return Err(NetworkError::AlreadyConnected { name, network }.into());
        }
        if network.name == links::NETWORK {
            links::resolve(&self.registry, &mut settings)?;
        }
        let endpoint = Endpoint {
            network: joined.then_some(network.id),
            network_name: network.name.clone(),
            endpoint: EndpointId::from_bytes(self.parts.random()),
            settings,
        };
        let asked = endpoint_ask(&self.record, &self.wanted()?, &endpoint, network.id)?;
        self.parts.networks.check(&network, &asked)?;
        if known && !joined {
            // What was said first holds, as in Docker.
            return Ok(());
        }
        let view = match joined {
            true => Some(self.parts.networks.connect(self.record.id, asked).await?),
            false => None,
        };
        // One that it was in, of the same name, is gone: there is one network of a name.
        self.record.endpoints.retain(|known| known.network_name != network.name);
        self.record.endpoints.push(endpoint);
        self.networks_changed(view.as_ref().map(Change::Joined)).await
    }

    pub(super) async fn disconnect(&mut self, from: Left) -> Result<(), ContainerError> {
        self.admit(Ask::Networks)?;
        let joined = self.record.state.phase.has_process();
        let (named, gone) = match &from {
            Left::There(network) => (network.name.clone(), false),
            Left::Gone(name) => (name.clone(), true),
        };
        if matches!(&from, Left::There(network) if network.driver == Driver::Host) && joined {
            return invalid(
                "cannot disconnect container from host network - container was created in host network mode",
            );
        }
        let is_it = |endpoint: &Endpoint| match &from {
            Left::There(network) => endpoint.network_name == network.name,
            Left::Gone(name) => {
                endpoint.network_name == *name || endpoint.network.is_some_and(|id| id.to_string() == *name)
            }
        };
        let Some(known) = self.record.endpoints.iter().position(is_it) else {
            let (container, network) = (self.record.id, named);
            return Err(match joined && !gone {
                true => NetworkError::NotIn { container, network },
                false => NetworkError::NotConnected { container, network },
            }
            .into());
        };
        let endpoint = &self.record.endpoints[known];
        let views = self.parts.networks.endpoints(self.record.id);
        let view = views.into_iter().find(|view| view.endpoint == endpoint.endpoint);
        if let Ok(network) = self.parts.network_of(endpoint) {
            // A container that does not run may hold no lease there yet.
            let absent = !joined || view.is_none();
            self.parts.networks.disconnect(self.record.id, network.id, absent).await?;
        }
        self.record.endpoints.remove(known);
        self.networks_changed(view.as_ref().filter(|_| joined).map(Change::Left)).await
    }

    /// Not so for one that does not run, or whose interface was taken away.
    fn is_in(&self, network: NetworkId) -> bool {
        self.parts.networks.endpoints(self.record.id).iter().any(|view| view.network == network)
    }

    /// Looks at the networks that it is in now: the mode that it was made with may be history.
    fn check_mode(&self, network: &NetworkSummary) -> Result<(), ContainerError> {
        if self.record.network_disabled() {
            let text = format!("network sandbox for container {} not found", self.record.id);
            return Err(ContainerError::Missing(text));
        }
        let others = self.record.endpoints.iter().filter(|endpoint| !endpoint.is_in(network));
        let others = others.filter_map(|endpoint| self.parts.network_of(endpoint).ok());
        self.record.mode().admits(others.map(|other| other.driver), network.driver)
    }

    async fn networks_changed(&self, change: Option<Change<'_>>) -> Result<(), ContainerError> {
        if let Some(change) = change {
            update(&self.parts, &self.registry, (&self.record, &self.wanted()?), change).await?;
        }
        self.parts.save(&self.record).await?;
        self.publish();
        if let Some(Change::Joined(view)) = change
            && view.network_name == links::NETWORK
        {
            self.tell_linked();
        }
        Ok(())
    }

    pub(super) async fn rename(&mut self, new: String) -> Result<(), ContainerError> {
        self.admit(Ask::Rename)?;
        let new = name::check(&new)?.to_owned();
        if new == self.record.name {
            return invalid("Renaming a container with the same name as its current name");
        }
        name::take(&self.registry, &self.parts.networks, &new, self.record.id)?;
        let old = std::mem::replace(&mut self.record.name, new.clone());
        let renamed = self.renamed().await;
        if let Err(error) = renamed {
            self.registry.drop_name(&new, self.record.id);
            self.record.name = old.clone();
            if let Err(error) = self.parts.networks.rename(self.record.id, old).await {
                tracing::error!(container.id = %self.record.id, error = chain(&error), "networks know it by another name");
            }
            return Err(error);
        }
        self.registry.drop_name(&old, self.record.id);
        self.publish();
        self.tell("rename", &[("oldName", format!("/{old}"))]);
        Ok(())
    }

    async fn renamed(&self) -> Result<(), ContainerError> {
        self.parts.networks.rename(self.record.id, self.record.name.clone()).await?;
        self.parts.save(&self.record).await
    }

    pub(super) async fn update(
        &mut self,
        ask: models::ContainerUpdateBody,
    ) -> Result<Vec<String>, ContainerError> {
        self.admit(Ask::Update)?;
        let before = self.record.host.clone();
        overlay(&mut self.record, ask);
        let limits = match self.wanted() {
            Ok(wanted) => wanted.resources,
            Err(error) => {
                self.record.host = before;
                return Err(error);
            }
        };
        if let Err(error) = self.apply(&limits).await {
            self.record.host = before;
            return Err(error);
        }
        self.parts.save(&self.record).await?;
        self.publish();
        self.tell("update", &[]);
        Ok(Vec::new())
    }

    async fn apply(&self, limits: &Resources) -> Result<(), ContainerError> {
        match &self.shim {
            Some(shim) if self.record.state.phase != Phase::Restarting => Ok(shim.update(limits).await?),
            _ => Ok(()),
        }
    }
}

/// What the update says replaces what was said before; zero and nothing say nothing.
fn overlay(record: &mut Record, ask: models::ContainerUpdateBody) {
    fn take<T: PartialEq + Default>(old: &mut Option<T>, new: Option<T>) {
        if let Some(new) = new.filter(|new| *new != T::default()) {
            *old = Some(new);
        }
    }
    let host = record.host.rest_mut();
    if ask.nano_cpus.is_some_and(|cpus| cpus > 0) {
        (host.cpu_quota, host.cpu_period) = (None, None);
    }
    if ask.cpu_quota.is_some_and(|quota| quota != 0) || ask.cpu_period.is_some_and(|period| period != 0) {
        host.nano_cpus = None;
    }
    take(&mut host.nano_cpus, ask.nano_cpus);
    take(&mut host.cpu_shares, ask.cpu_shares);
    take(&mut host.cpu_quota, ask.cpu_quota);
    take(&mut host.cpu_period, ask.cpu_period);
    take(&mut host.cpuset_cpus, ask.cpuset_cpus);
    take(&mut host.cpuset_mems, ask.cpuset_mems);
    take(&mut host.memory, ask.memory);
    take(&mut host.memory_swap, ask.memory_swap);
    take(&mut host.memory_reservation, ask.memory_reservation);
    take(&mut host.pids_limit, ask.pids_limit);
    let policy = ask
        .restart_policy
        .filter(|policy| !matches!(policy.name, None | Some(models::RestartPolicyNameEnum::EMPTY)));
    if policy.is_some() {
        host.restart_policy = policy;
    }
}
