//! The default route of a container, and its published ports with it, move from one of its endpoints to another.

use libnet::{host::DefaultRoute, ports::PortRequest};

use super::{
    NetworkError,
    connect::attach_failed,
    endpoint,
    inner::{Inner, failed, put_endpoint},
    kernel::KernelError,
    record::{EndpointRecord, exactly},
    state::GatewayMove,
};
use crate::error::chain;

impl Inner {
    /// Moves all of it, or nothing.
    pub(super) fn move_gateway(&self, change: &GatewayMove) -> Result<(), NetworkError> {
        let moved = self.try_move_gateway(change).inspect_err(|_| {
            if let Err(error) = self.move_gateway_back(change) {
                tracing::error!(
                    sandbox.name = change.sandbox,
                    error = chain(&error),
                    "container is left without a gateway"
                );
            }
        });
        // Published ports are part of what others find.
        for record in change.from.iter().chain(&change.to) {
            self.publish_names(record.container, record.network)?;
        }
        moved
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
}
