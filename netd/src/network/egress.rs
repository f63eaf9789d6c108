//! Egress by name: who is restricted to what, and what a container tried and would have needed.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use libnet::{
    firewall::{Attempt, Fate},
    store::{self, Change},
    types::{ContainerId, Egress},
};
use netd_api::dns::{EgressAttempt, EgressReport};

use super::{
    Driver, EndpointView, NetworkError,
    inner::Inner,
    kernel::Kernel,
    record::{NetworkRecord, SandboxRecord},
};
use crate::{
    events::{Event, EventKind},
    names::{Allow, EGRESS, EgressGate, EgressPolicy, Others, Watch},
};

/// Where the report of a container's last run is kept until it is started again or removed.
const REPORTS: &str = "egress";

/// What the options of a network say.
pub(super) fn of_network(options: &BTreeMap<String, String>) -> Result<Option<EgressPolicy>, NetworkError> {
    EgressPolicy::read(|key| options.get(key)).map_err(NetworkError::Invalid)
}

/// Whether a new network's options make sense for its driver.
pub(super) fn check_options(driver: Driver, options: &BTreeMap<String, String>) -> Result<(), NetworkError> {
    match of_network(options)? {
        Some(_) if driver != Driver::Bridge => Err(unguarded(driver)),
        _ => Ok(()),
    }
}

/// What an endpoint in this network may send: what its container says goes before what the network says.
pub(super) fn mode(sandbox: &SandboxRecord, network: &NetworkRecord) -> Result<Egress, NetworkError> {
    let of_network = || of_network(&network.options).ok().flatten();
    match sandbox.egress.clone().or_else(of_network) {
        Some(_) if network.driver != Driver::Bridge => Err(unguarded(network.driver)),
        policy => Ok(policy.map(|policy| policy.mode).unwrap_or_default()),
    }
}

/// On a parent link packets don't pass the host's firewall.
fn unguarded(driver: Driver) -> NetworkError {
    NetworkError::Invalid(format!(
        "{EGRESS} is for networks of driver bridge: the host can't judge what leaves through {driver}"
    ))
}

/// Opens the firewall through this kernel. Name servers end a moment after their daemon, and keep nothing of it.
pub(super) fn allow(kernel: &Arc<dyn Kernel>) -> Allow {
    let kernel = Arc::downgrade(kernel);
    Arc::new(move |allowances| {
        let kernel = kernel.upgrade().ok_or("the daemon ends")?;
        kernel.allow(allowances).map_err(|error| crate::error::chain(&error))
    })
}

impl Inner {
    /// What a container is restricted to, in the networks that it is in now.
    pub(super) fn watch(&self, container: ContainerId) -> Option<Watch> {
        let state = self.state();
        let own = state.sandbox(container)?.egress.clone();
        let views = state.views(container);
        let of_view = |view: &EndpointView| {
            let options = state.network(view.network).ok()?.options.clone();
            own.clone().or_else(|| of_network(&options).ok().flatten())
        };
        let restricted: Vec<_> = views.iter().filter_map(|view| Some((view, of_view(view)?))).collect();
        let policies: Vec<_> =
            restricted.iter().map(|(_, policy)| policy.clone()).chain(own.clone()).collect();
        let leads_out =
            |view: &&EndpointView| state.network(view.network).is_ok_and(NetworkRecord::leads_out);
        let free = own.is_none()
            && views.iter().filter(leads_out).any(|view| !restricted.iter().any(|(known, _)| *known == view));
        Some(Watch {
            policy: merged(policies)?,
            sources: restricted.iter().flat_map(|(view, _)| view.addresses()).collect(),
            others: if free { Others::Asked } else { Others::Denied },
        })
    }

    /// What a running container is restricted to and tried; else what its last run did.
    pub(super) fn egress_report(&self, container: ContainerId) -> Result<Option<EgressReport>, NetworkError> {
        match self.names.gate(container) {
            Some(gate) => self.report_now(&gate),
            None => Ok(store::get(&*self.live, REPORTS, &container.to_string())?),
        }
    }

    fn report_now(&self, gate: &EgressGate) -> Result<Option<EgressReport>, NetworkError> {
        let Some(watch) = gate.watch() else { return Ok(None) };
        let attempts = self.kernel.attempts(&watch.sources);
        let failed = super::inner::failed("read", "what a container tried to reach");
        Ok(Some(report(&watch, &attempts.map_err(failed)?, gate)))
    }

    /// A connection of a restricted container was refused: told in the log, to who watches the container's names, and as an
    /// event of the container.
    pub(super) fn refused(&self, from: IpAddr, attempt: Attempt) {
        let Some(record) = self.state().owner_of(from) else { return };
        let container = record.container;
        let name = self.names.gate(container).map(|gate| gate.refused(attempt)).unwrap_or_default();
        let (address, port) = (attempt.to.to_string(), format!("{}/{}", attempt.port, attempt.proto));
        tracing::info!(container.id = %container, container.name = record.name, name, address, port, "connection refused");
        let event = Event::new(EventKind::Container, "refuse", container.to_string(), (self.clock)())
            .with("name", record.name)
            .with("address", address)
            .with("port", port)
            .with("destination", name);
        self.events.publish(event);
    }

    /// The change that keeps what a run did, which is over; also told in the log. Before its sandbox closes.
    pub(super) fn keep_report(&self, container: ContainerId) -> Option<Change> {
        let gate = self.names.gate(container)?;
        match self.report_now(&gate) {
            Ok(report) => {
                let report = report?;
                let needed = report.needed.join(",");
                tracing::info!(container.id = %container, mode = report.mode, needed, "egress of a run");
                Change::put(REPORTS, container, &report).ok()
            }
            Err(error) => {
                let error = crate::error::chain(&error);
                tracing::warn!(container.id = %container, error, "what a container tried to reach is lost");
                None
            }
        }
    }

    /// The change that forgets it.
    pub(super) fn forget_report(container: ContainerId) -> Change {
        Change::delete(REPORTS, container)
    }
}

/// Several policies as one: the strictest mode, and all that any of them allows.
fn merged(policies: Vec<EgressPolicy>) -> Option<EgressPolicy> {
    let deny = policies.iter().any(|policy| policy.mode == Egress::Deny);
    let mode = if deny { Egress::Deny } else { policies.first()?.mode };
    let mut allow = Vec::new();
    for allowed in policies.into_iter().flat_map(|policy| policy.allow) {
        if !allow.contains(&allowed) {
            allow.push(allowed);
        }
    }
    Some(EgressPolicy { mode, allow })
}

fn report(watch: &Watch, attempts: &[Attempt], gate: &EgressGate) -> EgressReport {
    let named: Vec<_> = attempts.iter().map(|attempt| (gate.name_of(attempt.to), attempt)).collect();
    let needed: BTreeSet<String> = named
        .iter()
        .map(|(name, attempt)| {
            let bare = match attempt.to {
                IpAddr::V6(v6) => format!("[{v6}]"),
                IpAddr::V4(v4) => v4.to_string(),
            };
            format!("{}:{}/{}", name.clone().unwrap_or(bare), attempt.port, attempt.proto)
        })
        .collect();
    EgressReport {
        mode: if watch.policy.mode == Egress::Deny { "deny" } else { "learn" }.to_owned(),
        allow: watch.policy.allow.iter().map(ToString::to_string).collect(),
        attempts: named
            .into_iter()
            .map(|(name, attempt)| EgressAttempt {
                name: name.unwrap_or_default(),
                address: attempt.to.to_string(),
                port: attempt.port.get(),
                protocol: attempt.proto.to_string(),
                dropped: attempt.fate == Fate::Dropped,
            })
            .collect(),
        denied_names: gate.denied_names().into_iter().collect(),
        needed: needed.into_iter().collect(),
    }
}
