//! Published ports of a container that exists: they come and go while it runs, and are its own from then on.

use libnet::ports::PublishedPort;
use netd_api::models;

use super::Actor;
use crate::container::{
    ContainerError,
    bindings::{self, PortsAsk},
    create::NetworkMode,
    error::invalid,
    folded::Folded,
    policy::Ask,
};

impl Actor {
    pub(super) async fn change_ports(&mut self, ask: PortsAsk) -> Result<(), ContainerError> {
        self.admit(Ask::Update)?;
        match self.record.mode() {
            NetworkMode::Host => {
                return invalid("Published ports are discarded when using host network mode");
            }
            NetworkMode::Container(_) => {
                return invalid("conflicting options: port publishing and the container type network mode");
            }
            NetworkMode::None | NetworkMode::Private => {}
        }
        let before = self.record.host.clone();
        let mut after = before.ports().unwrap_or_default();
        if before.publish_all_ports == Some(true) {
            bindings::spell_out(&mut after, &self.wanted()?.ports.exposed);
        }
        let live = self.live_ports();
        let gone = bindings::change(&mut after, ask, &live, &self.record.name)?;
        if let Err(error) = self.bind(after, &live, &gone).await {
            self.rebind(before).await;
            return Err(error);
        }
        self.publish();
        self.tell("update", &[]);
        Ok(())
    }

    fn live_ports(&self) -> Vec<PublishedPort> {
        self.parts.networks.endpoints(self.record.id).into_iter().flat_map(|view| view.ports).collect()
    }

    /// Ports that were written down, and whose daemon was killed before it published them or took them back.
    pub(super) async fn publish_as_written(&self) -> Result<(), ContainerError> {
        let asked = self.parts.networks.port_requests(self.record.id);
        let wanted = self.wanted()?.ports.requests;
        if asked == wanted {
            return Ok(());
        }
        let live = self.live_ports();
        let [asked, wanted] = [asked, wanted].map(|mut requests| {
            bindings::keep(&mut requests, &live, &[]);
            requests
        });
        if asked == wanted {
            return Ok(());
        }
        Ok(self.parts.networks.set_ports(self.record.id, wanted).await?)
    }

    /// On disk first, then for all to see.
    async fn bind(
        &mut self,
        bindings: models::PortMap,
        live: &[PublishedPort],
        gone: &[PublishedPort],
    ) -> Result<(), ContainerError> {
        self.record.host.set_ports(Some(&bindings));
        if self.record.host.publish_all_ports == Some(true) {
            // They are all among the bindings, and one that was taken back is not to come again.
            self.record.host.rest_mut().publish_all_ports = Some(false);
        }
        let mut requests = self.wanted()?.ports.requests;
        if !gone.is_empty() {
            bindings::keep(&mut requests, live, gone);
        }
        self.parts.save(&self.record).await?;
        if self.record.state.phase.has_process() {
            self.parts.networks.set_ports(self.record.id, requests).await?;
        }
        Ok(())
    }

    async fn rebind(&mut self, before: Folded<models::HostConfig>) {
        self.record.host = before;
        if let Err(error) = self.parts.save(&self.record).await {
            tracing::error!(
                container.id = %self.record.id,
                error = crate::error::chain(&error),
                "ports of a failed request stay on disk"
            );
        }
    }
}
