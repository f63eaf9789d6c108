//! What the networks are at this moment, in memory: a value that is changed under a lock for microseconds and knows
//! neither kernel nor disk. Each request first changes it (which refuses what can't be, and keeps others from the same
//! name, subnet or address), then works, then says how it went.

mod endpoints;
mod leases;
mod networks;

use std::collections::{BTreeMap, HashMap};

use libnet::{
    ipam::Ipam,
    types::{ContainerId, IfName, NetworkId},
};

use super::{
    gateway::Crossing,
    record::{EndpointRecord, Lease, NetworkRecord, SandboxRecord},
};
pub(super) use endpoints::{Connecting, RoleChange};
pub(super) use leases::LeaseChange;
pub(super) use networks::Surroundings;

/// All networks and who is in them.
#[derive(Debug)]
pub(super) struct State {
    ipam: Ipam,
    crossing: Crossing,
    networks: BTreeMap<NetworkId, Network>,
    /// Which network has a name, from when that is reserved until it is free again.
    named: HashMap<String, NetworkId>,
    /// Which network has a bridge of that name.
    on_link: HashMap<IfName, NetworkId>,
    containers: HashMap<ContainerId, Member>,
}

#[derive(Debug)]
struct Network {
    record: NetworkRecord,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Name and subnet are reserved; nobody sees it yet.
    Creating,
    Ready,
    /// Nobody gets in any more.
    Removing,
}

/// A container, as far as networks know it.
#[derive(Debug, Default)]
struct Member {
    sandbox: Option<SandboxRecord>,
    /// Whether this daemon made or adopted the sandbox; else it is what the live store says of an earlier one's.
    ours: bool,
    leases: BTreeMap<NetworkId, Lease>,
    endpoints: BTreeMap<NetworkId, Endpoint>,
}

#[derive(Debug)]
struct Endpoint {
    record: EndpointRecord,
    /// False while it is being attached: its names and addresses are taken, but nobody is told of it.
    attached: bool,
}

impl State {
    pub(super) fn new(ipam: Ipam, crossing: Crossing) -> Self {
        Self {
            ipam,
            crossing,
            networks: BTreeMap::new(),
            named: HashMap::new(),
            on_link: HashMap::new(),
            containers: HashMap::new(),
        }
    }

    /// The sandbox of a container.
    pub(super) fn sandbox(&self, container: ContainerId) -> Option<&SandboxRecord> {
        self.containers.get(&container)?.sandbox.as_ref()
    }

    /// Notes the sandbox that was just made for a container.
    pub(super) fn set_sandbox(&mut self, sandbox: SandboxRecord) {
        let container = sandbox.container;
        self.restore_sandbox(sandbox);
        self.adopted(container);
    }

    /// Takes in a sandbox as it was written down.
    pub(super) fn restore_sandbox(&mut self, sandbox: SandboxRecord) {
        let member = self.containers.entry(sandbox.container).or_default();
        member.sandbox = Some(sandbox);
    }

    /// A sandbox that was written down is in use.
    pub(super) fn adopted(&mut self, container: ContainerId) {
        if let Some(member) = self.containers.get_mut(&container) {
            member.ours = true;
        }
    }

    /// Whether nothing of a container is what the live store says of an earlier daemon's alone.
    pub(super) fn is_adopted(&self, container: ContainerId) -> bool {
        self.containers.get(&container).is_none_or(|member| member.ours)
    }

    /// Containers whose sandbox or endpoints were written down and not adopted.
    pub(super) fn not_adopted(&self) -> Vec<ContainerId> {
        let orphan =
            |member: &Member| !member.ours && (member.sandbox.is_some() || !member.endpoints.is_empty());
        self.containers.iter().filter(|(_, member)| orphan(member)).map(|(id, _)| *id).collect()
    }

    /// Forgets a container's sandbox and its endpoints; its leases stay.
    pub(super) fn close_sandbox(&mut self, container: ContainerId) {
        if let Some(member) = self.containers.get_mut(&container) {
            member.sandbox = None;
            member.ours = false;
            member.endpoints.clear();
        }
        self.sweep(container);
    }

    /// Whether the sandbox is somebody else's namespace.
    pub(super) fn is_borrowed(&self, container: ContainerId) -> bool {
        self.sandbox(container).is_some_and(|sandbox| sandbox.borrowed.is_some())
    }

    /// The namespace of somebody else's that goes by this name in a network.
    pub(super) fn borrowed_named(&self, name: &str) -> Option<ContainerId> {
        let mut borrowed = self.sandboxes().filter(|sandbox| sandbox.borrowed.is_some());
        let called = |id: ContainerId| self.endpoints_of(id).iter().any(|record| record.name == name);
        borrowed.find(|sandbox| called(sandbox.container)).map(|sandbox| sandbox.container)
    }

    /// What a container is called; its short id, where it is in no network.
    pub(super) fn name_of(&self, container: ContainerId) -> String {
        let member = self.containers.get(&container);
        let name = member.and_then(|member| member.endpoints.values().next());
        name.map_or_else(|| container.short(12), |endpoint| endpoint.record.name.clone())
    }

    /// The containers that have a sandbox.
    pub(super) fn sandboxes(&self) -> impl Iterator<Item = &SandboxRecord> {
        self.containers.values().filter_map(|member| member.sandbox.as_ref())
    }

    /// Everything but where the search for the next address begins, as sorted lines.
    #[cfg(test)]
    pub(super) fn lines(&self) -> Vec<String> {
        let usage = self.ipam.pools().map(|pool| format!("{pool:?} {:?}", self.ipam.usage(pool)));
        let networks = self.networks.values().map(|network| format!("{network:?}"));
        let containers = self.containers.iter().map(|container| format!("{container:?}"));
        let names = self.named.iter().map(|name| format!("{name:?}"));
        let links = self.on_link.iter().map(|link| format!("{link:?}"));
        let mut lines: Vec<_> = usage.chain(networks).chain(names).chain(links).chain(containers).collect();
        lines.sort();
        lines
    }

    /// A container that nothing is known of needs no entry.
    fn sweep(&mut self, container: ContainerId) {
        let empty = |member: &Member| {
            member.sandbox.is_none() && member.leases.is_empty() && member.endpoints.is_empty()
        };
        if self.containers.get(&container).is_some_and(empty) {
            self.containers.remove(&container);
        }
    }
}
