//! Endpoints: what a container's end in a network is to be, which of them leads out, and what all this looks like from
//! outside.

use libnet::{
    host::{DefaultRoute, EndpointSpec},
    ports::{PortRequest, PublishedPort},
    types::{ContainerId, IfName, MacAddr, NetworkId},
};

use super::{Endpoint, Member, NewLease, State};
use crate::network::{
    EndpointAsk, EndpointView, NetworkError, egress, endpoint,
    gateway::{self, Candidate},
    record::{EndpointRecord, Lease, NetworkRecord, SandboxRecord, again, v4_in, v6_in},
};

/// An endpoint that is about to be attached.
#[derive(Clone, Debug)]
pub(in crate::network) struct Connecting {
    /// The sandbox to attach it to; none for `host`.
    pub(in crate::network) sandbox: Option<SandboxRecord>,
    pub(in crate::network) record: EndpointRecord,
    pub(in crate::network) lease: Option<(Lease, NewLease)>,
    /// The published ports that the container asked for before.
    pub(in crate::network) requests_before: Vec<PortRequest>,
}

/// The default route, and the published ports with it, go from one endpoint of a sandbox to another.
#[derive(Clone, Debug)]
pub(in crate::network) struct GatewayMove {
    pub(in crate::network) sandbox: String,
    pub(in crate::network) from: Option<EndpointRecord>,
    pub(in crate::network) to: Option<EndpointRecord>,
    /// What `to` publishes: what `from` had, to the port; else what the container asked for.
    pub(in crate::network) ports: Vec<PortRequest>,
}

impl State {
    /// Plans an endpoint and reserves its addresses. `mac` is what it gets if it asks for none and had none before.
    pub(in crate::network) fn begin_connect(
        &mut self,
        container: ContainerId,
        ask: &EndpointAsk,
        mac: MacAddr,
    ) -> Result<Connecting, NetworkError> {
        let network = self.network(ask.network)?.clone();
        endpoint::check(&network, ask)?;
        let member = self.containers.entry(container).or_default();
        if member.endpoints.contains_key(&ask.network) {
            return Err(NetworkError::AlreadyConnected { name: ask.name.clone(), network: network.name });
        }
        let mut connecting = Connecting {
            sandbox: member.sandbox.clone(),
            record: endpoint::record(container, ask),
            lease: None,
            requests_before: member.sandbox.iter().flat_map(|sandbox| sandbox.requests.clone()).collect(),
        };
        if network.driver.attaches() {
            self.plan_attach(&mut connecting, &network, ask, mac).inspect_err(|_| self.sweep(container))?;
        }
        let entry = Endpoint { record: connecting.record.clone(), attached: false };
        self.containers.entry(container).or_default().endpoints.insert(ask.network, entry);
        Ok(connecting)
    }

    fn plan_attach(
        &mut self,
        connecting: &mut Connecting,
        network: &NetworkRecord,
        ask: &EndpointAsk,
        mac: MacAddr,
    ) -> Result<(), NetworkError> {
        let container = connecting.record.container;
        let member = self.containers.entry(container).or_default();
        let sandbox = member.sandbox.as_mut().ok_or(NetworkError::NoSandbox(container))?;
        if !ask.ports.is_empty() {
            sandbox.requests.clone_from(&ask.ports);
        }
        connecting.sandbox = Some(sandbox.clone());
        let egress = egress::mode(sandbox, network)?;
        let ifname = free_ifname(member, network, ask)?;
        let (lease, new) = self.lease(container, ask, mac)?;
        let leads = self.gateway(container).is_none() && network.leads_out();
        connecting.record.is_gateway = leads;
        connecting.record.spec = Some(EndpointSpec {
            id: ask.endpoint,
            network: network.id,
            label: format!("{} {}", network.name, ask.name),
            ifname,
            mac: lease.mac,
            v4: network.v4.as_ref().zip(lease.v4).and_then(|(subnet, ip)| v4_in(subnet, ip)),
            v6: network.v6.as_ref().zip(lease.v6).and_then(|(subnet, ip)| v6_in(subnet, ip)),
            mtu: network.mtu(),
            default_route: if leads { endpoint::route(network) } else { DefaultRoute::None },
            egress,
            ports: connecting
                .sandbox
                .iter()
                .filter(|_| leads && network.publishes())
                .flat_map(|s| s.requests.clone())
                .collect(),
        });
        connecting.lease = Some((lease, new));
        Ok(())
    }

    /// Forgets an endpoint that could not be attached, and a lease that was made for it.
    pub(in crate::network) fn abandon_connect(&mut self, connecting: &Connecting) {
        let (container, network) = (connecting.record.container, connecting.record.network);
        if let Some(sandbox) = self.containers.get_mut(&container).and_then(|member| member.sandbox.as_mut())
        {
            sandbox.requests.clone_from(&connecting.requests_before);
        }
        if let Some((_, NewLease::Yes)) = connecting.lease {
            self.release_lease(container, network);
        }
        self.drop_endpoint(container, network);
    }

    /// The endpoint is attached, with these ports.
    pub(in crate::network) fn connected(
        &mut self,
        container: ContainerId,
        network: NetworkId,
        ports: Vec<PublishedPort>,
    ) {
        if let Some(endpoint) = self.endpoint_mut(container, network) {
            endpoint.attached = true;
            endpoint.record.publish(ports);
        }
    }

    /// Takes in an endpoint as it was written down.
    pub(in crate::network) fn restore_endpoint(&mut self, record: EndpointRecord) {
        let member = self.containers.entry(record.container).or_default();
        member.endpoints.insert(record.network, Endpoint { record, attached: true });
    }

    /// Forgets an endpoint; its lease stays.
    pub(in crate::network) fn drop_endpoint(&mut self, container: ContainerId, network: NetworkId) {
        if let Some(member) = self.containers.get_mut(&container) {
            member.endpoints.remove(&network);
        }
        self.sweep(container);
    }

    /// One endpoint of a container.
    pub(in crate::network) fn endpoint(
        &self,
        container: ContainerId,
        network: NetworkId,
    ) -> Option<&EndpointRecord> {
        self.containers.get(&container)?.endpoints.get(&network).map(|endpoint| &endpoint.record)
    }

    /// All endpoints of a container.
    pub(in crate::network) fn endpoints_of(&self, container: ContainerId) -> Vec<EndpointRecord> {
        let member = self.containers.get(&container);
        member.into_iter().flat_map(|member| member.endpoints.values()).map(|e| e.record.clone()).collect()
    }

    /// The attached endpoints in a network.
    pub(in crate::network) fn endpoints_in(
        &self,
        network: NetworkId,
    ) -> impl Iterator<Item = &EndpointRecord> {
        let attached = move |member: &'_ Member| member.endpoints.get(&network).is_some_and(|e| e.attached);
        let members = self.containers.values().filter(move |member| attached(member));
        members.filter_map(move |member| member.endpoints.get(&network)).map(|endpoint| &endpoint.record)
    }

    /// Gives a container another name; the records that change by it.
    pub(in crate::network) fn rename(&mut self, container: ContainerId, name: &str) -> Vec<EndpointRecord> {
        let Some(member) = self.containers.get_mut(&container) else { return Vec::new() };
        let renamed = |endpoint: &mut Endpoint| {
            name.clone_into(&mut endpoint.record.name);
            endpoint.record.clone()
        };
        member.endpoints.values_mut().map(renamed).collect()
    }

    /// What has to be done so that the right endpoint is the gateway; nothing if it is already.
    pub(in crate::network) fn gateway_move(&self, container: ContainerId) -> Option<GatewayMove> {
        let sandbox = self.sandbox(container)?;
        let from = self.gateway(container);
        let wanted = gateway::choose(&self.candidates(container));
        if from.map(|record| record.network) == wanted {
            return None;
        }
        let to = wanted.and_then(|network| self.endpoint(container, network)).cloned();
        let publishes = to.as_ref().is_some_and(|to| {
            self.networks.get(&to.network).is_some_and(|network| network.record.publishes())
        });
        let ports = match from {
            _ if !publishes => Vec::new(),
            from => again(from.map_or(&[], |from| &from.ports), &sandbox.requests),
        };
        Some(GatewayMove { sandbox: sandbox.name.clone(), from: from.cloned(), to, ports })
    }

    /// An endpoint no longer leads out; its record as it is then.
    pub(in crate::network) fn unset_gateway(&mut self, record: &EndpointRecord) -> Option<EndpointRecord> {
        let endpoint = &mut self.endpoint_mut(record.container, record.network)?.record;
        endpoint.is_gateway = false;
        if let Some(spec) = &mut endpoint.spec {
            spec.default_route = DefaultRoute::None;
        }
        endpoint.publish(Vec::new());
        Some(endpoint.clone())
    }

    /// An endpoint leads out now, with these ports; its record as it is then.
    pub(in crate::network) fn set_gateway(
        &mut self,
        record: &EndpointRecord,
        ports: Vec<PublishedPort>,
    ) -> Option<EndpointRecord> {
        let route = self.network(record.network).map(endpoint::route).unwrap_or_default();
        let endpoint = &mut self.endpoint_mut(record.container, record.network)?.record;
        endpoint.is_gateway = true;
        if let Some(spec) = &mut endpoint.spec {
            spec.default_route = route;
        }
        endpoint.publish(ports);
        Some(endpoint.clone())
    }

    /// The endpoint that leads a container out.
    pub(in crate::network) fn gateway(&self, container: ContainerId) -> Option<&EndpointRecord> {
        let member = self.containers.get(&container)?;
        member.endpoints.values().map(|endpoint| &endpoint.record).find(|record| record.is_gateway)
    }

    /// The attached endpoints of a container as its users see them, the gateway first.
    pub(in crate::network) fn views(&self, container: ContainerId) -> Vec<EndpointView> {
        let order = gateway::order(self.candidates(container));
        order.iter().filter_map(|candidate| self.view(container, candidate.network)).collect()
    }

    /// One endpoint as its users see it.
    pub(in crate::network) fn view(
        &self,
        container: ContainerId,
        network: NetworkId,
    ) -> Option<EndpointView> {
        let record = self.endpoint(container, network)?;
        let hostname = self.sandbox(container).map(|sandbox| sandbox.hostname.as_str()).unwrap_or_default();
        Some(endpoint::view(&self.networks.get(&network)?.record, record, hostname))
    }

    /// The attached endpoints of a container, as far as the choice of the gateway needs to know them.
    pub(in crate::network) fn candidates(&self, container: ContainerId) -> Vec<Candidate> {
        let Some(member) = self.containers.get(&container) else { return Vec::new() };
        let candidate = |endpoint: &Endpoint| {
            let network = &self.networks.get(&endpoint.record.network)?.record;
            Some(Candidate {
                network: network.id,
                name: network.name.clone(),
                priority: endpoint.record.gw_priority,
                leads_out: network.leads_out(),
            })
        };
        member.endpoints.values().filter(|endpoint| endpoint.attached).filter_map(candidate).collect()
    }

    fn endpoint_mut(&mut self, container: ContainerId, network: NetworkId) -> Option<&mut Endpoint> {
        self.containers.get_mut(&container)?.endpoints.get_mut(&network)
    }
}

/// The name that is asked for, else the first of `eth0`, `eth1`, … that the container doesn't have.
fn free_ifname(member: &Member, network: &NetworkRecord, ask: &EndpointAsk) -> Result<IfName, NetworkError> {
    let taken = |name: &IfName| {
        let mut specs = member.endpoints.values().filter_map(|endpoint| endpoint.record.spec.as_ref());
        specs.any(|spec| spec.ifname == *name)
    };
    if let Some(name) = endpoint::wanted_ifname(ask)? {
        let text = format!("interface name {name} is already in use by another endpoint of the container");
        return if taken(&name) { Err(NetworkError::Invalid(text)) } else { Ok(name) };
    }
    let prefix = network.ifname_prefix();
    let names = (0..=member.endpoints.len()).filter_map(|number| format!("{prefix}{number}").parse().ok());
    let free = names.into_iter().find(|name| !taken(name));
    free.ok_or_else(|| NetworkError::Invalid(format!("no interface name {prefix}N is left in the container")))
}
