//! Published ports of a container that exists: they come and go while it runs, and are its own from then on.

use netd_api::models;

use super::Actor;
use crate::container::{
    ContainerError,
    bindings::{self, PortsAsk},
    create::NetworkMode,
    error::invalid,
    policy::Ask,
};

impl Actor {
    pub(super) async fn change_ports(&mut self, ask: PortsAsk) -> Result<(), ContainerError> {
        self.admit(Ask::Update)?;
        match NetworkMode::read(self.record.network_mode()) {
            NetworkMode::Host => {
                return invalid("Published ports are discarded when using host network mode");
            }
            NetworkMode::Container(_) => {
                return invalid("conflicting options: port publishing and the container type network mode");
            }
            NetworkMode::None | NetworkMode::Private => {}
        }
        let before = self.record.host.port_bindings.clone();
        let mut after = before.clone().unwrap_or_default();
        bindings::change(&mut after, ask, &self.record.name)?;
        if let Err(error) = self.bind(after).await {
            self.rebind(before).await;
            return Err(error);
        }
        self.publish();
        self.tell("update", &[]);
        Ok(())
    }

    /// On disk first, then for all to see.
    async fn bind(&mut self, bindings: models::PortMap) -> Result<(), ContainerError> {
        self.record.host.port_bindings = Some(bindings);
        let requests = self.wanted()?.ports.requests;
        self.parts.save(&self.record).await?;
        if self.record.state.phase.has_process() {
            self.parts.networks.set_ports(self.record.id, requests).await?;
        }
        Ok(())
    }

    async fn rebind(&mut self, bindings: Option<models::PortMap>) {
        self.record.host.port_bindings = bindings;
        if let Err(error) = self.parts.save(&self.record).await {
            tracing::error!(
                container.id = %self.record.id,
                error = crate::error::chain(&error),
                "ports of a failed request stay on disk"
            );
        }
    }
}
