//! Endpoints: what a container's end in a network is to be, which of them leads out, and what all this looks like from
//! outside.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
};

use libnet::{
    host::{DefaultRoute, EndpointSpec},
    ports::{PortRequest, PublishedPort},
    types::{ContainerId, Egress, Family, IfName, MacAddr, NetworkId, Rates, Spoof},
};

use super::{Endpoint, LeaseChange, Member, State};
use crate::network::{
    EndpointAsk, EndpointView, NetworkError, Traffic,
    driver_opts::DriverOpts,
    egress, endpoint,
    gateway::{self, Candidate, Held, Role},
    record::{EndpointRecord, Lease, NetworkRecord, SandboxRecord, v4_in, v6_in},
};

/// An endpoint that is about to be attached.
#[derive(Clone, Debug)]
pub(in crate::network) struct Connecting {
    /// The sandbox to attach it to; none for `host`.
    pub(in crate::network) sandbox: Option<SandboxRecord>,
    pub(in crate::network) record: EndpointRecord,
    pub(in crate::network) lease: Option<LeaseChange>,
    /// The published ports that the container asked for before.
    pub(in crate::network) requests_before: Vec<PortRequest>,
}

/// Endpoints of a container whose role is another from now on.
#[derive(Clone, Debug)]
pub(in crate::network) struct RoleChange {
    pub(in crate::network) sandbox: String,
    /// Each as it is, and what it is to do.
    pub(in crate::network) roles: Vec<(EndpointRecord, Role)>,
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
        let options = endpoint::check(&network, ask)?;
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
            self.plan_attach(&mut connecting, &network, &options, ask, mac).inspect_err(|_| {
                self.ask_as_before(container, &connecting.requests_before);
                self.sweep(container);
            })?;
        }
        let entry = Endpoint { record: connecting.record.clone(), attached: false };
        self.containers.entry(container).or_default().endpoints.insert(ask.network, entry);
        Ok(connecting)
    }

    fn plan_attach(
        &mut self,
        connecting: &mut Connecting,
        network: &NetworkRecord,
        options: &DriverOpts,
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
        let traffic = options.traffic.or(sandbox.traffic).check(network.driver)?;
        let traffic = traffic.or(Traffic::of_network(&network.options));
        let ifname = free_ifname(member, network, options)?;
        let lease = self.lease(container, ask, &ifname, mac)?;
        let spec = EndpointSpec {
            egress,
            spoof: traffic.spoof.unwrap_or_default(),
            rates: traffic.rates,
            ..spec(network, ask, options, &lease.now, ifname)
        };
        let role = self.first_role(container, endpoint::candidate(network, ask.gw_priority, Some(&spec)));
        connecting.record.spec = Some(EndpointSpec { default_route: role.route, ports: role.ports, ..spec });
        connecting.lease = Some(lease);
        Ok(())
    }

    /// What a new endpoint does from the start: it leads where nobody does. Ports that others have stay with them until
    /// the roles are settled.
    fn first_role(&self, container: ContainerId, candidate: Candidate) -> Role {
        let others: Vec<_> = self.endpoints_of(container).iter().map(EndpointRecord::route).collect();
        let led = |family| others.iter().any(|route| route.leads(family));
        let alone = others.iter().all(|route| *route == DefaultRoute::None);
        let requests = self.sandbox(container).map(|sandbox| sandbox.requests.clone()).unwrap_or_default();
        let free = [Family::V4, Family::V6].into_iter().filter(|family| !led(*family));
        let route = free.fold(DefaultRoute::None, |route, family| route.with(family, candidate.route));
        let alone = alone
            .then(|| gateway::roles(&[candidate], &requests, &[], self.crossing))
            .into_iter()
            .flatten()
            .next();
        alone.map_or(Role { route, ports: Vec::new() }, |(_, role)| role)
    }

    /// Forgets an endpoint that could not be attached, and a lease that was made for it.
    pub(in crate::network) fn abandon_connect(&mut self, connecting: &Connecting) {
        let (container, network) = (connecting.record.container, connecting.record.network);
        self.ask_as_before(container, &connecting.requests_before);
        if let Some(lease) = connecting.lease.as_ref().filter(|lease| lease.is_change()) {
            self.release_lease(container, network);
            lease.before.clone().map(|before| self.restore_lease(before));
        }
        self.drop_endpoint(container, network);
    }

    fn ask_as_before(&mut self, container: ContainerId, requests: &[PortRequest]) {
        if let Some(sandbox) = self.containers.get_mut(&container).and_then(|member| member.sandbox.as_mut())
        {
            requests.clone_into(&mut sandbox.requests);
        }
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

    /// The restricted endpoint that has this address.
    pub(in crate::network) fn owner_of(&self, ip: IpAddr) -> Option<EndpointRecord> {
        let endpoints = self.containers.values().flat_map(|member| member.endpoints.values());
        let has = |spec: &EndpointSpec| {
            spec.egress != Egress::Open && spec.addresses().any(|address| address.ip() == ip)
        };
        let mut records = endpoints.map(|endpoint| &endpoint.record);
        records.find(|record| record.spec.as_ref().is_some_and(has)).cloned()
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

    /// Makes these the links of an endpoint; its record, if there is one.
    pub(in crate::network) fn set_links(
        &mut self,
        container: ContainerId,
        network: NetworkId,
        links: Vec<(String, String)>,
    ) -> Option<EndpointRecord> {
        let endpoint = self.endpoint_mut(container, network)?;
        endpoint.record.links = links;
        Some(endpoint.record.clone())
    }

    /// What has to be done so that each endpoint has its role; nothing if it is so already. `leaving` are the ports of an
    /// endpoint that has left that network.
    pub(in crate::network) fn role_change(
        &self,
        container: ContainerId,
        leaving: Option<(NetworkId, &[PublishedPort])>,
    ) -> Option<RoleChange> {
        let mut published = self.held(container);
        let (network, ports) = leaving.unzip();
        let kept: HashSet<_> = published.iter().map(|held| held.port).collect();
        let left = ports.into_iter().flatten().filter(|port| !kept.contains(port));
        let left: Vec<_> = left.filter_map(|port| Some(Held { network: network?, port: *port })).collect();
        published.extend(left);
        let mut roles = self.roles(container, self.candidates(container), &published)?;
        self.change_to(container, |record| roles.remove(&record.network))
    }

    /// What an endpoint that is about to leave can hand over to others; nothing if none of them takes anything.
    pub(in crate::network) fn leave_change(
        &self,
        container: ContainerId,
        leaving: NetworkId,
    ) -> Option<RoleChange> {
        let mut others = self.candidates(container);
        others.retain(|candidate| candidate.network != leaving);
        let mut roles = self.roles(container, others, &self.held(container))?;
        roles.insert(leaving, Role::default());
        let change = self.change_to(container, |record| roles.remove(&record.network))?;
        change.roles.iter().any(|(record, _)| record.network != leaving).then_some(change)
    }

    fn roles(
        &self,
        container: ContainerId,
        candidates: Vec<Candidate>,
        published: &[Held],
    ) -> Option<HashMap<NetworkId, Role>> {
        let requests = &self.sandbox(container)?.requests;
        let roles = gateway::roles(&gateway::order(candidates), requests, published, self.crossing);
        Some(roles.into_iter().collect())
    }

    /// The ports that a container has, wherever they are.
    fn held(&self, container: ContainerId) -> Vec<Held> {
        let held = |network| move |port: &PublishedPort| Held { network, port: *port };
        let records = self.endpoints_of(container);
        records.iter().flat_map(|record| record.ports.iter().map(held(record.network))).collect()
    }

    /// The change that gives endpoints these roles; nothing if they have them.
    pub(in crate::network) fn change_to(
        &self,
        container: ContainerId,
        mut role: impl FnMut(&EndpointRecord) -> Option<Role>,
    ) -> Option<RoleChange> {
        let sandbox = self.sandbox(container)?.name.clone();
        let differs = |record: &EndpointRecord, role: &Role| {
            let has: HashSet<_> = record.ports.iter().map(PublishedPort::exactly).collect();
            let same = record.ports.len() == role.ports.len() && has == role.ports.iter().copied().collect();
            record.route() != role.route || !same
        };
        let with_spec = self.endpoints_of(container).into_iter().filter(|record| record.spec.is_some());
        let changes = with_spec.filter_map(|record| {
            let role = role(&record).filter(|role| differs(&record, role))?;
            Some((record, role))
        });
        let roles: Vec<_> = changes.collect();
        (!roles.is_empty()).then_some(RoleChange { sandbox, roles })
    }

    /// These ports lead to an endpoint now.
    pub(in crate::network) fn set_ports(&mut self, record: &EndpointRecord, ports: Vec<PublishedPort>) {
        if let Some(endpoint) = self.endpoint_mut(record.container, record.network) {
            endpoint.record.publish(ports);
        }
    }

    /// These default routes lead through an endpoint now, and through no other of the container.
    pub(in crate::network) fn set_route(&mut self, record: &EndpointRecord, route: DefaultRoute) {
        let Some(member) = self.containers.get_mut(&record.container) else { return };
        for (network, endpoint) in &mut member.endpoints {
            let Some(spec) = &mut endpoint.record.spec else { continue };
            if *network == record.network {
                spec.default_route = route;
                continue;
            }
            let taken = [Family::V4, Family::V6].into_iter().filter(|family| route.leads(*family));
            spec.default_route =
                taken.fold(spec.default_route, |left, family| left.with(family, DefaultRoute::None));
        }
    }

    /// Whether a default route of the container leads through one of its endpoints.
    pub(in crate::network) fn leads(&self, container: ContainerId) -> bool {
        self.endpoints_of(container).iter().any(|record| record.route() != DefaultRoute::None)
    }

    /// The attached endpoints of a container as its users see them, in the order in which names are searched.
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
            let (network, record) = (self.networks.get(&endpoint.record.network)?, &endpoint.record);
            Some(endpoint::candidate(&network.record, record.gw_priority, record.spec.as_ref()))
        };
        member.endpoints.values().filter(|endpoint| endpoint.attached).filter_map(candidate).collect()
    }

    fn endpoint_mut(&mut self, container: ContainerId, network: NetworkId) -> Option<&mut Endpoint> {
        self.containers.get_mut(&container)?.endpoints.get_mut(&network)
    }
}

/// What the kernel is to have of an endpoint that does nothing for others yet.
fn spec(
    network: &NetworkRecord,
    ask: &EndpointAsk,
    options: &DriverOpts,
    lease: &Lease,
    ifname: IfName,
) -> EndpointSpec {
    let v6 = lease.v6.filter(|_| !options.without_v6());
    EndpointSpec {
        id: ask.endpoint,
        network: network.id,
        label: format!("{} {}", network.name, ask.name),
        settings: options.settings(&ifname),
        ifname,
        mac: lease.mac,
        v4: lease.v4.and_then(|ip| v4_in(network.subnet_of(ip)?, ip)),
        v6: v6.and_then(|ip| v6_in(network.subnet_of(ip)?, ip)),
        link_local: ask.link_local.iter().filter_map(|ip| endpoint::link_local(*ip)).collect(),
        mtu: network.mtu(),
        default_route: DefaultRoute::None,
        egress: Egress::Open,
        spoof: Spoof::Deny,
        rates: Rates::default(),
        ports: Vec::new(),
    }
}

/// The name that is asked for; else the one that the endpoint had; else the first of `eth0`, `eth1`, … that no other
/// endpoint has, nor had when the container ran last.
fn free_ifname(
    member: &Member,
    network: &NetworkRecord,
    options: &DriverOpts,
) -> Result<IfName, NetworkError> {
    let taken = |name: &IfName| {
        let mut specs = member.endpoints.values().filter_map(|endpoint| endpoint.record.spec.as_ref());
        specs.any(|spec| spec.ifname == *name)
    };
    if let Some(name) = options.ifname.clone() {
        let text = format!("interface name {name} is already in use by another endpoint of the container");
        return if taken(&name) { Err(NetworkError::Invalid(text)) } else { Ok(name) };
    }
    let had = member.leases.get(&network.id).and_then(|lease| lease.ifname.clone());
    if let Some(name) = had.filter(|name| !taken(name)) {
        return Ok(name);
    }
    let kept = |name: &IfName| {
        let mut others = member.leases.values().filter(|lease| lease.network != network.id);
        others.any(|lease| lease.ifname.as_ref() == Some(name))
    };
    let prefix = network.ifname_prefix();
    let numbers = 0..=member.endpoints.len() + member.leases.len();
    let mut names = numbers.filter_map(|number| format!("{prefix}{number}").parse().ok());
    let free = names.find(|name| !taken(name) && !kept(name));
    free.ok_or_else(|| NetworkError::Invalid(format!("no interface name {prefix}N is left in the container")))
}
