//! Sandboxes: a container's namespace, from its first network to its end.

use std::{os::fd::OwnedFd, sync::atomic::Ordering};

use libnet::{netns::DnsSockets, store::Change, types::ContainerId};

use super::{
    Durability, NetworkError, SandboxAsk, SandboxView,
    inner::{Inner, delete_endpoint, delete_lease, failed},
    record::{SANDBOXES, SandboxRecord, sandbox_name},
};
use crate::error::chain;

impl Inner {
    pub(super) fn open_sandbox(&self, ask: SandboxAsk) -> Result<SandboxView, NetworkError> {
        let record = SandboxRecord {
            container: ask.container,
            name: sandbox_name(ask.container),
            hostname: ask.hostname,
            dns: ask.dns.or(&self.config.defaults.dns),
            egress: ask.egress,
            traffic: ask.traffic,
            requests: Vec::new(),
            borrowed: None,
        };
        if self.state().sandbox(ask.container).is_some() {
            // An earlier end failed half-way.
            self.close_sandbox(ask.container)?;
        }
        self.enter_sandbox(record)
    }

    /// Makes the namespace of a record, or borrows it; and keeps the record.
    pub(super) fn enter_sandbox(&self, record: SandboxRecord) -> Result<SandboxView, NetworkError> {
        let container = record.container;
        let last_run = Self::forget_report(container);
        self.live.commit(&[last_run, Change::put(SANDBOXES, container, &record)?])?;
        let opened = match &record.borrowed {
            None => self.kernel.open_sandbox(&record.name),
            Some(borrowed) => self.kernel.borrow_sandbox(&record.name, borrowed),
        };
        let opened = opened.map_err(failed("open sandbox", &record.name));
        let opened =
            opened.inspect_err(|_| self.undo(&*self.live, &[Change::delete(SANDBOXES, container)]))?;
        let kept = opened.dns.try_clone().map_err(|source| NetworkError::Names { container, source });
        let kept = kept.inspect_err(|_| self.forget_sandbox(&record))?;
        self.names.add(record.container, opened.path.clone(), record.dns.clone(), Some(kept));
        tracing::debug!(container.id = %record.container, sandbox.name = record.name, "sandbox opened");
        self.state().set_sandbox(record);
        let DnsSockets { udp, tcp } = opened.dns;
        Ok(SandboxView { path: opened.path, dns: vec![OwnedFd::from(udp), OwnedFd::from(tcp)] })
    }

    fn forget_sandbox(&self, record: &SandboxRecord) {
        if let Err(error) = self.kernel.close_sandbox(&record.name) {
            tracing::warn!(
                sandbox.name = record.name,
                error = chain(&error),
                "sandbox of a failed start stays"
            );
        }
        self.undo(&*self.live, &[Change::delete(SANDBOXES, record.container)]);
    }

    pub(super) fn close_sandbox(&self, container: ContainerId) -> Result<(), NetworkError> {
        let (sandbox, endpoints) = {
            let state = self.state();
            if !state.is_adopted(container) {
                // The kernel's side does not know its endpoints: it looks for what is left of them when all are adopted.
                self.has_forgotten.store(true, Ordering::Relaxed);
            }
            (state.sandbox(container).cloned(), state.endpoints_of(container))
        };
        let report = self.keep_report(container);
        self.names.remove(container);
        for endpoint in &endpoints {
            self.withdraw_names(endpoint);
        }
        // What the kernel would not give up stays known, in memory and on disk: the next attempt, or the next start,
        // ends it.
        if let Some(sandbox) = &sandbox {
            self.kernel.close_sandbox(&sandbox.name).map_err(failed("close sandbox", &sandbox.name))?;
        }
        for endpoint in &endpoints {
            self.told(container, endpoint.network, "disconnect");
        }
        self.state().close_sandbox(container);
        for endpoint in &endpoints {
            self.relink(endpoint.network)?;
        }
        let mut changes: Vec<_> = endpoints.iter().map(delete_endpoint).collect();
        changes.extend(sandbox.map(|sandbox| Change::delete(SANDBOXES, sandbox.container)));
        changes.extend(report);
        Ok(self.live.commit(&changes)?)
    }

    pub(super) fn release(&self, container: ContainerId) -> Result<(), NetworkError> {
        let leases = self.state().leases_of(container);
        for durability in [Durability::Live, Durability::Durable] {
            let these = leases.iter().filter(|lease| lease.durability == durability);
            self.store(durability).commit(&these.map(delete_lease).collect::<Vec<_>>())?;
        }
        self.live.commit(&[Self::forget_report(container)])?;
        let mut state = self.state();
        for lease in &leases {
            state.release_lease(container, lease.network);
        }
        Ok(())
    }
}
