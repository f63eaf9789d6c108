//! Links of the default bridge while both containers are there: addresses that change, and links that are removed.

use super::{Actor, Request};
use crate::container::{
    ContainerError,
    create::link_parts,
    links,
    start::{drop_names, endpoint_ask, readdress},
};

impl Actor {
    /// Containers that are linked to this one hear that it may have other addresses.
    pub(super) fn tell_linked(&self) {
        for owner in links::owners(&self.registry, &self.record) {
            owner.tell(Request::LinkedAnew);
        }
    }

    /// A container that this one is linked to may have other addresses.
    pub(super) async fn linked_anew(&self) {
        if !self.record.state.phase.has_process() {
            return;
        }
        if let Err(error) = readdress(&self.parts, &self.registry, &self.record).await {
            tracing::warn!(
                container.id = %self.record.id,
                error = crate::error::chain(&error),
                "hosts file has old addresses of linked containers"
            );
        }
    }

    /// Removes the link of this alias; false: there is none.
    pub(super) async fn unlink(&mut self, alias: &str) -> Result<bool, ContainerError> {
        let bridge =
            self.record.endpoints.iter().position(|endpoint| endpoint.network_name == links::NETWORK);
        let Some(bridge) = bridge else { return Ok(false) };
        let all = &mut self.record.endpoints[bridge].settings.linked;
        let Some(position) = all.iter().position(|link| link.alias == alias) else { return Ok(false) };
        let link = all.remove(position);
        if let Some(asked) = &mut self.record.host.rest_mut().links {
            asked.retain(|link| link_parts(link).is_ok_and(|(_, known)| known != alias));
        }
        self.parts.save(&self.record).await?;
        self.publish();
        if self.record.state.phase.has_process() {
            let endpoint = &self.record.endpoints[bridge];
            let network = self.parts.network_of(endpoint)?.id;
            let asked = endpoint_ask(&self.record, &self.wanted()?, endpoint, network)?;
            self.parts.networks.set_links(self.record.id, network, asked.links).await?;
            drop_names(&self.parts, &self.record, links::names(&self.registry, &link)).await?;
        }
        Ok(true)
    }
}
