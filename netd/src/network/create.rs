//! Networks come and go. What is about to be made is on disk before the kernel is touched, and what was undone leaves the
//! disk last, so that a crash at any point leaves something that the next start understands.

use libnet::{host::NoIpv6, store::Change, types::NetworkId};
use netd_api::{Filters, models, time};

use super::{
    Durability, NetworkError,
    draft::{self, Draft, DriverOptions},
    inner::{Inner, delete_lease, failed},
    kernel::KernelError,
    record::{Lease, NETWORKS, NetworkRecord},
    template,
};
use crate::{
    error::chain,
    events::{Event, EventKind},
};

impl Inner {
    pub(super) fn create(&self, mut ask: models::NetworkCreateRequest) -> Result<NetworkId, NetworkError> {
        draft::check_name(&ask.name)?;
        self.state().check_name(&ask.name)?;
        if ask.config_only.unwrap_or_default() {
            return self.keep_template(ask);
        }
        if let Some(name) = template::source(&ask).map(str::to_owned) {
            template::check_nothing_else(&ask)?;
            let (record, template) = self.state().template(&name)?;
            template::apply(&record, &template, &mut ask);
        }
        let mut draft = Draft::read(ask, &self.config.defaults.options)?;
        self.look_at_bridge(&mut draft)?;
        Ok(self.make(draft)?.id)
    }

    /// Makes a configuration network.
    fn keep_template(&self, ask: models::NetworkCreateRequest) -> Result<NetworkId, NetworkError> {
        let created = time::rfc3339((self.clock)());
        let record = template::read(ask, &self.config.defaults.options, self.new_id(), created)?;
        self.state().reserve_template(&record)?;
        self.carry_out(&record).inspect_err(|_| self.state().forget(record.id))?;
        self.announce(&record);
        Ok(record.id)
    }

    /// A bridge that somebody else made has a say in what the network on it is like.
    pub(super) fn look_at_bridge(&self, draft: &mut Draft) -> Result<(), NetworkError> {
        let DriverOptions::Bridge(options) = &mut draft.driver else { return Ok(()) };
        let Some(link) = &options.link else { return Ok(()) };
        options.lent = self.kernel.lent_bridge(link).map_err(refused("look at bridge", link))?;
        if let Some(lent) = &options.lent {
            draft.subnets.settle_on(&lent.addresses);
        }
        Ok(())
    }

    /// Makes a network of a checked request.
    pub(super) fn make(&self, draft: Draft) -> Result<NetworkRecord, NetworkError> {
        self.make_as(self.new_id(), draft)
    }

    /// Makes a network with an id that no other has.
    pub(super) fn make_as(&self, id: NetworkId, draft: Draft) -> Result<NetworkRecord, NetworkError> {
        if draft.families.v6 && !self.kernel.has_ipv6() {
            return Err(NetworkError::Link(Box::new(NoIpv6 { network: draft.name })));
        }
        let _planning = self.planning();
        let around = self.surroundings()?;
        let created = time::rfc3339((self.clock)());
        let record = self.state().reserve(draft, id, created, &around)?;
        self.carry_out(&record).inspect_err(|_| self.state().forget(record.id))?;
        self.announce(&record);
        Ok(record)
    }

    /// A network is there: who asks finds it, by name too.
    pub(super) fn announce(&self, record: &NetworkRecord) {
        self.publish_zone(record);
        self.state().ready(record.id);
        tracing::info!(network.id = %record.id, network.name = record.name, "network created");
        self.tell("create", record, None);
    }

    fn carry_out(&self, record: &NetworkRecord) -> Result<(), NetworkError> {
        self.declared.commit(&[Change::put(NETWORKS, record.id, record)?])?;
        let Some(network) = record.on_host() else { return Ok(()) };
        let made = self.kernel.create_network(&network).map_err(refused("create network", &record.name));
        made.inspect_err(|_| {
            let undone = self.declared.commit(&[Change::delete(NETWORKS, record.id)]);
            if let Err(error) = undone {
                tracing::error!(network.id = %record.id, error = chain(&error), "record of a failed network stays");
            }
        })
    }

    pub(super) fn remove(&self, reference: &str) -> Result<(), NetworkError> {
        let id = self.state().resolve(reference)?.id;
        self.remove_one(id).map(|_| ())
    }

    fn remove_one(&self, id: NetworkId) -> Result<NetworkRecord, NetworkError> {
        let record = self.state().begin_removal(id)?;
        self.tear_down(&record).inspect_err(|_| self.state().abandon_removal(id))?;
        tracing::info!(network.id = %record.id, network.name = record.name, "network removed");
        if record.template().is_none() {
            self.tell("destroy", &record, None);
        }
        Ok(record)
    }

    /// Removes a network, and with it the leases of stopped containers: as with Docker, their next start will not find it.
    pub(super) fn tear_down(&self, record: &NetworkRecord) -> Result<(), NetworkError> {
        if record.on_host().is_some() {
            self.kernel.remove_network(record.id).map_err(failed("remove network", &record.name))?;
        }
        // Whoever changes the record meanwhile would write it down again.
        let _changing = self.changing_records();
        let leases = self.state().leases_in(record.id);
        self.strike_out(record, &leases).inspect_err(|_| {
            // It is still on record, so it is to be there.
            let again = record.on_host().map_or(Ok(()), |network| self.kernel.create_network(&network));
            if let Err(error) = again {
                tracing::error!(network.id = %record.id, error = chain(&error), "network is not whole until the next start");
            }
        })?;
        let mut state = self.state();
        for lease in &leases {
            state.release_lease(lease.container, lease.network);
        }
        state.forget(record.id);
        drop(state);
        self.names.update(|editor| editor.remove_zone(&record.id.to_string().into()));
        Ok(())
    }

    fn strike_out(&self, record: &NetworkRecord, leases: &[Lease]) -> Result<(), NetworkError> {
        let (live, durable): (Vec<_>, Vec<_>) =
            leases.iter().partition(|lease| lease.durability == Durability::Live);
        let mut changes: Vec<_> = durable.into_iter().map(delete_lease).collect();
        changes.push(Change::delete(NETWORKS, record.id));
        self.declared.commit(&changes)?;
        let live: Vec<_> = live.into_iter().map(delete_lease).collect();
        if let Err(error) = self.live.commit(&live) {
            // Leases in a network that is gone are void: the next start drops them.
            tracing::warn!(network.id = %record.id, error = chain(&error), "leases of a removed network stay on record");
        }
        Ok(())
    }

    pub(super) fn prune(&self, filters: &Filters) -> Result<Vec<String>, NetworkError> {
        let filters = filters.clone().only(&["label", "label!", "until"])?;
        let until = match filters.get("until") {
            [] => None,
            [one] => Some(time::parse_timestamp(one, (self.clock)())?),
            _ => return Err(NetworkError::Invalid("more than one until filter specified".to_owned())),
        };
        let wanted = |record: &&NetworkRecord| {
            let label = |name: &str| record.labels.get(name).map(String::as_str);
            let created = record.created.parse::<jiff::Timestamp>();
            let old = until.is_none_or(|until| created.is_ok_and(|created| created <= until));
            !record.default && record.template().is_none() && old && filters.keeps_labels(label)
        };
        let state = self.state();
        let idle: Vec<_> =
            state.networks().filter(wanted).map(|record| record.id).filter(|id| !state.in_use(*id)).collect();
        drop(state);
        let mut removed = Vec::new();
        for id in idle {
            match self.remove_one(id) {
                Ok(record) => removed.push(record.name),
                // A container came in meanwhile, or somebody else removed it.
                Err(NetworkError::InUse { .. } | NetworkError::NotFound(_)) => {}
                // One that can't be removed keeps no other from it.
                Err(error) => tracing::warn!(network.id = %id, error = chain(&error), "network not pruned"),
            }
        }
        let event = Event::new(EventKind::Network, "prune", "", (self.clock)()).with("reclaimed", "0");
        self.events.publish(event);
        Ok(removed)
    }
}

/// An error of the kernel about a link that the user named: Docker's text stands alone.
pub(super) fn refused(
    action: &'static str,
    object: impl std::fmt::Display,
) -> impl FnOnce(KernelError) -> NetworkError {
    move |error| match error {
        KernelError::Link(source) => NetworkError::Link(source),
        error => failed(action, object)(error),
    }
}
