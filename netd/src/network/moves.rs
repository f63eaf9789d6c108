//! Default routes and published ports of a container move between its endpoints, as [`gateway`](super::gateway) says.

use std::collections::HashSet;

use libnet::{
    ports::PublishedPort,
    types::{ContainerId, Family, NetworkId},
};

use super::{
    NetworkError,
    connect::attach_failed,
    gateway::Role,
    inner::{Inner, failed, put_endpoint},
    record::EndpointRecord,
    state::RoleChange,
};
use crate::error::chain;

/// What two gateways share is published by one of them, then by the other.
const ROUNDS: usize = 3;

impl Inner {
    /// Gives each endpoint of a container its role, or leaves all as they were. `leaving` are the ports of an endpoint that
    /// has just left: whoever takes them over keeps their numbers.
    pub(super) fn settle_roles(
        &self,
        container: ContainerId,
        leaving: Option<(NetworkId, &[PublishedPort])>,
    ) -> Result<(), NetworkError> {
        let before = self.state().endpoints_of(container);
        let settled = self.try_settle_roles(container, leaving).inspect_err(|_| {
            if let Err(error) = self.restore_roles(container, &before) {
                tracing::error!(container.id = %container, error = chain(&error), "container has no gateway, or not the right one");
            }
        });
        // Published ports are part of what others find.
        let now = self.state().endpoints_of(container);
        for record in now.iter().filter(|record| !before.contains(record)) {
            self.publish_names(container, record.network)?;
        }
        settled
    }

    fn try_settle_roles(
        &self,
        container: ContainerId,
        leaving: Option<(NetworkId, &[PublishedPort])>,
    ) -> Result<(), NetworkError> {
        for _ in 0..ROUNDS {
            let Some(change) = self.state().role_change(container, leaving) else { break };
            self.change_roles(&change)?;
        }
        Ok(())
    }

    /// However far a change came, these endpoints have the roles that they had.
    fn restore_roles(&self, container: ContainerId, before: &[EndpointRecord]) -> Result<(), NetworkError> {
        let change = self.state().change_to(container, |now| {
            let then = before.iter().find(|record| record.id == now.id)?;
            Some(Role { route: then.route(), ports: then.ports.iter().map(PublishedPort::exactly).collect() })
        });
        change.map_or(Ok(()), |change| self.change_roles(&change))
    }

    /// Ports go from one to the other, or are let go before others take them; a route is taken over before who had it lets
    /// it go.
    pub(super) fn change_roles(&self, change: &RoleChange) -> Result<(), NetworkError> {
        self.hand_over(change)?;
        for (record, role) in &change.roles {
            self.withdraw_others(record, role)?;
        }
        let gains = |(record, role): &(EndpointRecord, Role)| {
            let gained = |family| role.route.leads(family) && !record.route().leads(family);
            gained(Family::V4) || gained(Family::V6)
        };
        let (gaining, others): (Vec<_>, Vec<_>) = change.roles.iter().partition(|it| gains(it));
        for (record, role) in gaining.into_iter().chain(others) {
            self.change_route(&change.sandbox, record, role)?;
        }
        for (record, role) in &change.roles {
            self.publish_missing(record, role)?;
        }
        self.write_down(change)
    }

    /// What one endpoint has and another is to have, port by port, is at no moment closed.
    fn hand_over(&self, change: &RoleChange) -> Result<(), NetworkError> {
        let mut roles = change.roles.iter();
        let gives =
            |(record, role): &&(EndpointRecord, Role)| !record.ports.is_empty() && role.ports.is_empty();
        let Some((giver, _)) = roles.clone().find(gives) else { return Ok(()) };
        let given: HashSet<_> = giver.ports.iter().map(PublishedPort::exactly).collect();
        let takes = |(record, role): &&(EndpointRecord, Role)| {
            record.ports.is_empty() && given == role.ports.iter().copied().collect()
        };
        let Some((taker, _)) = roles.find(takes) else { return Ok(()) };
        let moved = self.kernel.move_ports(giver.id, taker.id);
        if let Some(ports) = moved.map_err(|source| attach_failed(taker, source))? {
            let mut state = self.state();
            state.set_ports(giver, Vec::new());
            state.set_ports(taker, ports);
        }
        Ok(())
    }

    /// The ports that an endpoint has by now.
    fn ports_of(&self, record: &EndpointRecord) -> Vec<PublishedPort> {
        let state = self.state();
        state.endpoint(record.container, record.network).map(|now| now.ports.clone()).unwrap_or_default()
    }

    /// What the role does not have goes; the rest is not touched.
    fn withdraw_others(&self, record: &EndpointRecord, role: &Role) -> Result<(), NetworkError> {
        let wanted: HashSet<_> = role.ports.iter().collect();
        let (kept, gone): (Vec<_>, Vec<_>) =
            self.ports_of(record).into_iter().partition(|port| wanted.contains(&port.exactly()));
        if !gone.is_empty() {
            let withdrawn = self.kernel.withdraw(record.id, &gone);
            withdrawn.map_err(failed("unpublish ports of endpoint", record.id))?;
            self.state().set_ports(record, kept);
        }
        Ok(())
    }

    fn change_route(&self, sandbox: &str, record: &EndpointRecord, role: &Role) -> Result<(), NetworkError> {
        let now = self.state().endpoint(record.container, record.network).map(EndpointRecord::route);
        let now = now.unwrap_or_default();
        if now == role.route {
            return Ok(());
        }
        let moved = self.kernel.set_default_route(sandbox, record.id, now, role.route);
        moved.map_err(failed("set the default route of endpoint", record.id))?;
        self.state().set_route(record, role.route);
        Ok(())
    }

    fn publish_missing(&self, record: &EndpointRecord, role: &Role) -> Result<(), NetworkError> {
        let mut ports = self.ports_of(record);
        let has: HashSet<_> = ports.iter().map(PublishedPort::exactly).collect();
        let missing: Vec<_> = role.ports.iter().filter(|port| !has.contains(port)).copied().collect();
        if !missing.is_empty() {
            let published = self.kernel.publish(record.id, &missing);
            ports.extend(published.map_err(|source| attach_failed(record, source))?);
            self.state().set_ports(record, ports);
        }
        Ok(())
    }

    fn write_down(&self, change: &RoleChange) -> Result<(), NetworkError> {
        let state = self.state();
        let records = change.roles.iter().filter_map(|(it, _)| state.endpoint(it.container, it.network));
        let changes = records.map(put_endpoint).collect::<Result<Vec<_>, _>>()?;
        drop(state);
        Ok(self.live.commit(&changes)?)
    }
}
