//! Applies steps to the kernel; those of parent links are in `hung`.

use std::net::{IpAddr, Ipv6Addr};

use ipnetwork::IpNetwork;
use netlink_packet_route::RouteNetlinkMessage;
use nix::errno::Errno;

use super::{
    Inner, NetworkFull, NetworkSpec, Sandbox, StepError, admission::Admitted, settings, state::Network,
};
use crate::{
    bridge::{
        Inside, Join, Parting, Step,
        names::{CONDEMNED, GROUP, Owner, bridge_mac},
    },
    firewall::{Change, FirewallEndpoint, Restriction},
    host::BridgeNetwork,
    link::{self, Which, address, bridge, neighbour, route, veth},
    observe,
    plan::Apply,
    ports::{PortRequest, Reservation},
    sys::rtnl::{NetlinkError, Request, RtSocket},
    types::{EndpointId, Icc, IfName, NetworkId, Setting},
};

pub(super) type Inverse = Result<Option<Step>, StepError>;
type Heard = Vec<RouteNetlinkMessage>;

/// What was there under a name.
pub(super) enum Was {
    Missing,
    /// The network's own bridge, with this index.
    Ours(u32),
}

/// Where steps take effect: a host, and for endpoints a sandbox.
pub(super) struct Effects<'a> {
    pub(super) host: &'a Inner,
    pub(super) socket: Admitted<'a>,
    sandbox: Option<&'a Sandbox>,
    /// Ports held by the plan.
    pub(super) ports: Option<Reservation>,
    /// Index of the end inside, once it exists.
    pub(super) index: u32,
}

impl<'a> Effects<'a> {
    /// Waits to be admitted.
    pub(super) fn on(host: &'a Inner) -> Result<Self, StepError> {
        Ok(Self { host, socket: host.sockets.admit()?, sandbox: None, ports: None, index: 0 })
    }

    /// The same, with a sandbox.
    pub(super) fn within(host: &'a Inner, sandbox: &'a Sandbox) -> Result<Self, StepError> {
        Ok(Self { sandbox: Some(sandbox), ..Self::on(host)? })
    }
}

impl Apply for Effects<'_> {
    type Step = Step;
    type Error = StepError;

    fn apply(&mut self, step: &Step) -> Inverse {
        match step {
            Step::CreateBridge(net) => self.create_bridge(net),
            Step::RaiseBridge(net) => self.raise_bridge(net),
            Step::BorrowBridge(net) => self.borrow_bridge(net),
            Step::ReturnBridge(net) => self.return_bridge(net),
            Step::Up(link) => self.send(vec![link::up(Which::Name(link))]),
            Step::Raise(link, alias) => self.send(vec![link::own(link, alias.clone())]),
            Step::AddAddress(link, address) => self.add_address(link, *address),
            Step::DeleteAddress(link, address) => self.delete_address(link, *address),
            Step::Condemn(link) => self.condemn(link),
            Step::Set(settings) => Ok(undo(Step::Set, settings::apply(&self.host.netns, settings)?)),
            Step::SetOnHost(settings) => {
                Ok(undo(Step::SetOnHost, settings::apply_on_host(&self.host.netns, settings)?))
            }
            Step::ForwardV6 => Ok(undo(Step::SetOnHost, settings::forward_v6(&self.host.netns)?)),
            Step::AdmitNetwork(net) => self.admit_network(net),
            Step::ExpelNetwork(id) => done(self.host.change_firewall(Change::RemoveNetwork(*id))),
            // Who plans it settles it when the plan is done, or has failed.
            Step::OpenLoopback(id) => self.host.open_loopback(*id).map(|()| None),
            Step::ReservePorts(requests) => self.reserve_ports(requests),
            Step::ReleasePorts => {
                self.ports = None;
                Ok(None)
            }
            Step::AdmitEndpoint(who) => self.admit_endpoint(who),
            Step::ExpelEndpoint(id) => self.expel_endpoint(*id),
            Step::Restrict(restriction) => self.restrict(restriction),
            Step::Lift(id) => done(self.host.egress.lift(*id)),
            Step::Join(join) => self.join(join),
            Step::Limit(limit) => self.limit(limit),
            Step::Detour(detour) => self.detour(detour),
            Step::SetInside(settings) => done(settings::apply(self.sandbox()?.netns(), settings).map(drop)),
            Step::Tune(settings) => done(settings::tune(self.sandbox()?.netns(), settings)),
            Step::Configure(inside) => self.configure(inside),
            Step::Part(parting) => self.part(parting),
            Step::FindParent(net) => self.find_parent(net),
            Step::LeaveParent(link) => self.leave_parent(link),
            Step::Hang(hang) => self.hang(hang),
            Step::Unhang(endpoint) => self.unhang(*endpoint),
            Step::SetAside(endpoint) => done(self.sandbox()?.set_aside(*endpoint)),
            Step::Leave(endpoint) => self.leave(*endpoint),
            #[cfg(test)]
            Step::Refuse => Err(StepError::Refused),
        }
    }
}

/// Bridges.
impl Effects<'_> {
    fn create_bridge(&mut self, net: &BridgeNetwork) -> Inverse {
        let request = || bridge::create(&net.link, GROUP, bridge_mac(&net.id));
        match self.create_or_adopt(&net.link, net.id, request)? {
            Was::Ours(index) => self.drop_other_addresses(net, index).map(|()| None),
            Was::Missing => Ok(Some(Step::Condemn(net.link.clone()))),
        }
    }

    fn raise_bridge(&mut self, net: &BridgeNetwork) -> Inverse {
        let alias = Owner::Network(net.id).alias(&net.name);
        self.send(vec![bridge::configure(&net.link, alias, bridge_mac(&net.id), net.mtu)])
    }

    /// Makes a bridge, or takes over the one that has its name if it is that network's.
    pub(super) fn create_or_adopt(
        &mut self,
        link: &IfName,
        network: NetworkId,
        request: impl Fn() -> Request,
    ) -> Result<Was, StepError> {
        match self.socket.send(vec![request()]) {
            Err(error) if error.is(Errno::EEXIST) => {}
            other => return Ok(other.map(|()| Was::Missing)?),
        }
        let was = self.clear_away(link, network)?;
        if let Was::Missing = was {
            self.socket.send(vec![request()])?;
        }
        Ok(was)
    }

    /// What is in the way of a bridge: the network's own is taken over, one of ours that nobody uses any more goes.
    fn clear_away(&mut self, link: &IfName, network: NetworkId) -> Result<Was, StepError> {
        let Some(found) = observe::one_link(&mut self.socket, Which::Name(link))? else {
            return Ok(Was::Missing);
        };
        match Owner::of_link(&found) {
            _ if found.group == CONDEMNED => {}
            // Whoever made it was killed before it was marked.
            None if found.group == GROUP => {
                self.condemn(link)?;
            }
            Some(Owner::Network(id)) if id == network => return Ok(Was::Ours(found.index)),
            Some(Owner::Network(id)) if self.host.state.network(id).is_err() => {
                self.condemn(link)?;
            }
            _ => return Err(StepError::Foreign(link.clone())),
        }
        self.host.janitor.sweep();
        Ok(Was::Missing)
    }

    /// An adopted bridge may have addresses from before its network was configured differently.
    fn drop_other_addresses(&mut self, net: &BridgeNetwork, index: u32) -> Result<(), StepError> {
        let link_local =
            |address: &IpNetwork| matches!(address, IpNetwork::V6(v6) if v6.ip().is_unicast_link_local());
        let other = |address: &IpNetwork| !link_local(address) && net.gateways().all(|own| own != *address);
        let found = observe::addresses(&mut self.socket)?;
        let on_bridge = found.iter().filter(|found| found.link == index).map(|found| found.address);
        let requests = on_bridge.filter(other).map(|address| address::delete(index, address)).collect();
        Ok(self.socket.send(requests)?)
    }

    /// The link stops carrying packets at once; what is left of it goes later. One that is gone already is fine.
    pub(super) fn condemn(&mut self, link: &IfName) -> Inverse {
        match self.socket.send(vec![link::condemn(link, CONDEMNED)]) {
            Err(error) if error.is(Errno::ENODEV) => Ok(None),
            other => done(other),
        }
    }

    fn add_address(&mut self, link: &IfName, address: IpNetwork) -> Inverse {
        let index = self.index_of(link)?;
        match self.socket.send(vec![address::add(index, address)]) {
            Ok(()) => Ok(Some(Step::DeleteAddress(link.clone(), address))),
            Err(error) if error.is(Errno::EEXIST) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn delete_address(&mut self, link: &IfName, address: IpNetwork) -> Inverse {
        let index = self.index_of(link)?;
        self.send(vec![address::delete(index, address)])
    }

    pub(super) fn index_of(&mut self, link: &IfName) -> Result<u32, StepError> {
        let found = observe::one_link(&mut self.socket, Which::Name(link))?;
        found.map(|link| link.index).ok_or_else(|| StepError::Io(Errno::ENODEV.into()))
    }
}

/// Ports and the firewall.
impl Effects<'_> {
    fn admit_network(&self, net: &BridgeNetwork) -> Inverse {
        self.host.change_firewall(Change::AddNetwork(net.into()))?;
        Ok(Some(Step::ExpelNetwork(net.id)))
    }

    fn reserve_ports(&mut self, requests: &[PortRequest]) -> Inverse {
        self.ports = Some(self.host.ports.reserve(requests)?);
        Ok(Some(Step::ReleasePorts))
    }

    /// The ports join that the plan holds by now, and the sandbox that it is for.
    fn admit_endpoint(&self, who: &FirewallEndpoint) -> Inverse {
        let ports = self.ports.as_ref().map(|held| held.ports().to_vec()).unwrap_or_default();
        let admitted = FirewallEndpoint { ports, ..who.clone() }.within(self.sandbox()?.name());
        self.host.change_firewall(Change::AddEndpoint(admitted))?;
        Ok(Some(Step::ExpelEndpoint(who.id)))
    }

    fn expel_endpoint(&self, id: EndpointId) -> Inverse {
        let closed = self.host.change_firewall(Change::RemoveEndpoint(id));
        // After a failure too: nothing comes from there any more.
        done(closed.and(self.host.egress.lift(id).map_err(StepError::from)))
    }

    fn restrict(&self, restriction: &Restriction) -> Inverse {
        self.host.firewall.must_guard()?;
        self.host.egress.restrict(restriction.clone())?;
        Ok(Some(Step::Lift(restriction.endpoint)))
    }
}

/// Endpoints.
impl Effects<'_> {
    fn join(&mut self, join: &Join) -> Inverse {
        let sandbox = self.sandbox()?;
        let network = self.host.state.network(join.network).map_err(|_| Errno::ENODEV)?;
        let bridge = network.bridge.ok_or(Errno::ENODEV)?;
        let known = |ip: &IpAddr| neighbour::learn(bridge, *ip, join.mac);
        let told = join.neighbours.iter().map(known).chain(proxies(
            &network,
            &join.neighbours,
            neighbour::answer_for,
        ));
        let told: Vec<_> = told.collect();
        let heard = match self.try_join(join, sandbox, bridge, told.clone()) {
            Err(error) if self.is_for_want_of_sweeping(&error, join)? => {
                self.host.janitor.sweep();
                self.try_join(join, sandbox, bridge, told)
            }
            other => other,
        };
        let heard = heard.map_err(|error| match error {
            error if error.is(Errno::EXFULL) => {
                let spec = &network.spec;
                NetworkFull { network: spec.name().to_owned(), link: spec.link().clone() }.into()
            }
            error => StepError::from(error),
        })?;
        self.host.silence(&join.host);
        self.index = match veth::inside_index(&heard) {
            Some(index) => index,
            None => sandbox.links().look_for(&join.inside)?.ok_or(Errno::ENODEV)?,
        };
        sandbox.links().enter(join.endpoint, self.index);
        Ok(Some(Step::Part(join.parting())))
    }

    /// The endpoint was here a moment ago, or others were that still have their ports of the bridge.
    fn is_for_want_of_sweeping(&mut self, error: &NetlinkError, join: &Join) -> Result<bool, StepError> {
        Ok(error.is(Errno::EXFULL) || error.is(Errno::EEXIST) && self.is_leaving(&join.host)?)
    }

    /// All that the host does for an endpoint, in one send; `told` is what its bridge is told of it.
    fn try_join(
        &mut self,
        join: &Join,
        sandbox: &Sandbox,
        bridge: u32,
        told: Vec<Request>,
    ) -> Result<Heard, NetlinkError> {
        let pair = veth::Pair {
            host: &join.host,
            host_mac: join.host_mac,
            bridge,
            group: GROUP,
            mtu: join.mtu,
            inside: &join.inside,
            inside_mac: join.mac,
            sandbox: sandbox.netns().raw(),
        };
        let mark = veth::mark(&join.host, join.alias.clone(), join.flags, join.mtu, &self.host.links_v6);
        let mut requests = vec![veth::create(&pair), mark];
        requests.extend(told);
        self.socket.send_and_hear(requests).inspect_err(|error| {
            // A later request failed: the pair exists, and is not to.
            if error.request() > Some(0) {
                // If this fails too, the link is found by its group or its alias at the next start.
                let _ = self.part(&join.parting());
            }
        })
    }

    /// The link stops carrying packets at once; what is left of it goes later. What is gone already is fine.
    fn part(&mut self, parting: &Parting) -> Inverse {
        let mut requests = vec![link::condemn(&parting.link, CONDEMNED)];
        if let Ok(network) = self.host.state.network(parting.network)
            && let Some(bridge) = network.bridge
        {
            requests.extend(parting.neighbours.iter().map(|address| neighbour::forget(bridge, *address)));
            requests.extend(proxies(&network, &parting.neighbours, neighbour::answer_no_more));
        }
        match self.socket.send(requests) {
            Err(error) if error.is(Errno::ENODEV) || error.is(Errno::ENOENT) => Ok(None),
            other => done(other),
        }
    }

    fn leave(&self, endpoint: EndpointId) -> Inverse {
        self.sandbox()?.links().forget(endpoint);
        Ok(None)
    }

    /// Whether a link that had this name a moment ago is on its way out, or has gone since.
    pub(super) fn is_leaving(&mut self, link: &IfName) -> Result<bool, StepError> {
        let found = observe::one_link(&mut self.socket, Which::Name(link))?;
        Ok(found.is_none_or(|link| link.group == CONDEMNED))
    }

    /// All that is done inside, in one send. Addresses come first: what is announced when the link goes up is them.
    fn configure(&mut self, inside: &Inside) -> Inverse {
        let index = self.index;
        let mut requests: Vec<Request> =
            inside.addresses.iter().map(|address| address::add(index, *address)).collect();
        requests.push(link::up(Which::Index(index)));
        let default = |hop| route::add_default(route::Default { hop, link: index });
        requests.extend(inside.hops().map(default));
        let mut links = self.sandbox()?.links();
        links.socket.send(requests)?;
        match &inside.host {
            Some(host) => await_carrier(&mut self.socket, Which::Name(host)),
            None => await_carrier(&mut links.socket, Which::Index(index)),
        }
    }
}

impl<'a> Effects<'a> {
    pub(super) fn send(&mut self, requests: Vec<Request>) -> Inverse {
        done(self.socket.send(requests))
    }

    /// Plans of endpoints are run with a sandbox.
    pub(super) fn sandbox(&self) -> Result<&'a Sandbox, StepError> {
        self.sandbox.ok_or_else(|| Errno::ENOENT.into())
    }
}

/// The requests that make a network's bridge answer for those of its neighbours that are kept apart from the others, or no
/// longer. For IPv4 it answers for everybody.
pub(super) fn proxies(
    network: &Network,
    neighbours: &[IpAddr],
    request: impl Fn(u32, Ipv6Addr) -> Request,
) -> Vec<Request> {
    let v6 = neighbours.iter().filter_map(|ip| if let IpAddr::V6(ip) = ip { Some(*ip) } else { None });
    match (&network.spec, network.bridge) {
        (NetworkSpec::Bridge(net), Some(bridge)) if net.icc == Icc::Denied => {
            v6.map(|ip| request(bridge, ip)).collect()
        }
        _ => Vec::new(),
    }
}

/// The kernel notices in the background that a link has its carrier; until then it sends nothing, and its bridge forwards
/// nothing to it, so that the first packet of a container could be lost. To be asked for the link makes the kernel notice
/// at once (since Linux 6.8).
fn await_carrier(socket: &mut RtSocket, link: Which<'_>) -> Inverse {
    done(socket.get(link::show(link)).map(drop))
}

/// Done, with nothing to undo.
pub(super) fn done<E: Into<StepError>>(result: Result<(), E>) -> Inverse {
    result.map(|()| None).map_err(Into::into)
}

fn undo(step: fn(Vec<Setting>) -> Step, former: Vec<Setting>) -> Option<Step> {
    (!former.is_empty()).then(|| step(former))
}
