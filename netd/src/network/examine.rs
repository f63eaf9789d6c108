//! Looks after what is inside of namespaces. It belongs to whoever may change the network there, so that nobody watches it and
//! nothing of it is put right by itself.

use std::collections::HashSet;

use libnet::{
    host::{Area, Finding, Severity, examine_inside},
    types::ContainerId,
};

use super::{
    inner::Inner,
    record::{EndpointRecord, SandboxRecord},
};
use crate::error::chain;

/// A namespace, with what is declared for it.
struct Declared {
    sandbox: SandboxRecord,
    endpoints: Vec<EndpointRecord>,
}

impl Inner {
    pub(super) fn examine(&self) -> Vec<Finding> {
        let all = self.insides(|_| true);
        let ailing = |one: &&Declared| !self.examine_one(one).is_empty();
        let ill: HashSet<ContainerId> = all.iter().filter(ailing).map(|one| one.sandbox.container).collect();
        let mut findings = Vec::new();
        if !ill.is_empty() {
            // What is half made looks ill.
            self.kernel.settle();
            let again = self.insides(|id| ill.contains(&id));
            findings.extend(again.iter().flat_map(|one| self.examine_one(one)));
        }
        if findings.is_empty() {
            let what = format!("{} namespaces have inside what is declared", all.len());
            findings.push(Finding::ok(Area::Links, what));
        }
        findings
    }

    fn insides(&self, which: impl Fn(ContainerId) -> bool) -> Vec<Declared> {
        let state = self.state();
        let declared = |sandbox: &SandboxRecord| {
            let endpoints = state.endpoints_of(sandbox.container);
            Declared { sandbox: sandbox.clone(), endpoints }
        };
        let mut all: Vec<Declared> =
            state.sandboxes().filter(|sandbox| which(sandbox.container)).map(declared).collect();
        all.retain(|one| one.endpoints.iter().any(|record| record.spec.is_some()));
        all.sort_by(|a, b| a.name().cmp(b.name()));
        all
    }

    fn examine_one(&self, one: &Declared) -> Vec<Finding> {
        let ailments = match self.kernel.look(&one.sandbox.name) {
            Ok(seen) => examine_inside(one.endpoints.iter().filter_map(|record| record.spec.as_ref()), &seen),
            Err(error) => vec![(Severity::Wrong, format!("it can't be looked at: {}", chain(&error)))],
        };
        let finding = |(severity, what)| {
            let (what, advice) = (format!("in {}: {what}", one.name()), one.advice());
            match severity {
                Severity::Wrong => Finding::wrong(Area::Links, what, advice),
                _ => Finding::note(Area::Links, what, advice),
            }
        };
        ailments.into_iter().map(finding).collect()
    }
}

impl Declared {
    fn name(&self) -> &str {
        self.endpoints.first().map_or(self.sandbox.name.as_str(), |record| record.name.as_str())
    }

    fn advice(&self) -> String {
        let (name, meant) = (self.name(), "nothing to do if that is meant there; else:");
        match self.sandbox.borrowed {
            None => format!("{meant} pontoon restart {name}"),
            Some(_) => format!("{meant} pontoon netns detach {name} NETWORK, and attach it again"),
        }
    }
}
