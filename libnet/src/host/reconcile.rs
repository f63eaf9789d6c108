//! Start-up and healing, which are the same: look, compare with what is declared, apply the difference.

use std::{collections::HashSet, fs, io};

use nix::errno::Errno;

use super::{
    Declared, EndpointSpec, Host, HostError, Inner, NetworkSpec, Report, Sandbox, StepError,
    effects::proxies,
    sandbox::Ends,
    state::{Endpoint, Network},
};
use crate::{
    bridge::{
        self, Difference, InUse,
        names::{CONDEMNED, Owner, host_link},
    },
    firewall::{Change, FirewallEndpoint, FirewallError},
    link::{self, Which, neighbour, veth},
    netns::NetNs,
    observe::{self, Snapshot},
    ports::Reservation,
    sys::rtnl::Request,
    types::NetworkId,
};

impl Host {
    /// Compares this host with what is declared, and applies the difference. What is ours and neither declared nor in
    /// use is removed. Goes on after errors: they are in the report.
    ///
    /// # Errors
    /// If the kernel can't be read; nothing was changed then.
    pub fn reconcile(&self, declared: &Declared) -> Result<Report, HostError> {
        let _alone = self.inner.comparing();
        self.inner.reconcile(declared, &self.inner.state.in_use())
    }

    /// Takes over an endpoint that an earlier daemon attached: its ports are held again, exactly as they were. One that
    /// somebody else has by now is logged, stays published, and is held again at a later look of the [watch](Host::watch).
    ///
    /// # Errors
    /// If it is gone or attached already.
    pub fn adopt_endpoint(&self, sandbox: &Sandbox, ep: &EndpointSpec) -> Result<(), HostError> {
        let inner = &self.inner;
        let _changing = inner.changing();
        if !inner.state.takes_part_in(ep.network) {
            return inner.adopt_hung(sandbox, ep);
        }
        inner.is_alive(ep)?;
        let ports = inner.hold_as_before(sandbox, ep)?;
        let endpoint = Endpoint::new(ep, sandbox.name(), ports);
        let who = endpoint.in_firewall();
        sandbox.adopt_interface(ep, Ends::Both)?;
        inner.state.claim(endpoint)?;
        if let Err(error) = inner.change_firewall(Change::AddEndpoint(who)) {
            inner.state.take_endpoint(ep.id);
            return Err(adopting(error));
        }
        // From here on it is known who has these addresses.
        inner.state.was_others(ep);
        tracing::info!(endpoint.id = %ep.id, network.id = %ep.network, "endpoint adopted");
        Ok(())
    }

    /// Removes everything of ours from this host.
    ///
    /// # Errors
    /// Everything that failed.
    pub fn clear(&self) -> Result<(), HostError> {
        let _alone = self.inner.comparing();
        self.inner.state.forget_all();
        let mut errors = self.inner.reconcile(&Declared::default(), &InUse::default())?.errors;
        errors.extend(self.inner.firewall.clear().err().map(HostError::from));
        errors.extend(self.inner.egress.clear().err().map(HostError::from));
        HostError::gather(errors)
    }
}

/// What the bridge of an endpoint's network has to know of it.
pub(super) fn neighbours(network: &Network, ep: &EndpointSpec) -> Vec<Request> {
    let addresses: Vec<_> = ep.addresses().map(|address| address.ip()).collect();
    let Some(bridge) = network.bridge else { return Vec::new() };
    let known = addresses.iter().map(|ip| neighbour::learn(bridge, *ip, ep.mac));
    known.chain(proxies(network, &addresses, neighbour::answer_for)).collect()
}

fn adopting(source: StepError) -> HostError {
    HostError::of_step("adopt an endpoint", source)
}

impl Inner {
    /// The ports of an endpoint that has its rules already: packets are led to it, whoever is on a port.
    fn hold_as_before(&self, sandbox: &Sandbox, ep: &EndpointSpec) -> Result<Vec<Reservation>, HostError> {
        if ep.ports.is_empty() {
            return Ok(Vec::new());
        }
        let (mut held, missing) = self.ports.reserve_as_before(&ep.ports)?;
        for error in missing {
            tracing::error!(sandbox.name = sandbox.name(), endpoint.id = %ep.id, %error, "port is not held");
        }
        self.relay(&mut held, &FirewallEndpoint::new(ep, &[]));
        Ok(vec![held])
    }

    fn adopt_hung(&self, sandbox: &Sandbox, ep: &EndpointSpec) -> Result<(), HostError> {
        sandbox.adopt_interface(ep, Ends::Inside)?;
        self.state.claim(Endpoint::new(ep, sandbox.name(), Vec::new()))?;
        tracing::info!(endpoint.id = %ep.id, network.id = %ep.network, "endpoint adopted");
        Ok(())
    }

    fn reconcile(&self, declared: &Declared, in_use: &InUse) -> Result<Report, HostError> {
        let seen = self.look()?;
        let difference = bridge::compare(declared, in_use, &seen, &self.sandbox_names()?);
        let unlimited = self.unlimited(declared, &seen)?;
        let mut report = Report { lost: difference.lost.clone(), ..Report::default() };
        self.remove_ghosts(&difference, &mut report);
        report.errors.extend(self.restore_egress(declared, in_use).err().map(HostError::from));
        // All in one: a network that is made before it is in there would be the first and the only one.
        report.errors.extend(self.restore_firewall(declared, in_use).into_iter().map(HostError::from));
        self.restore_networks(declared, &difference, &mut report);
        report.errors.extend(self.restore_loopbacks(declared));
        self.rejoin(&difference.loose, &mut report);
        self.limit_anew(&unlimited, &mut report);
        self.janitor.sweep();
        Ok(report)
    }

    pub(super) fn look(&self) -> Result<Snapshot, HostError> {
        let mut socket = self.sockets.admit().map_err(HostError::Open)?;
        Ok(Snapshot::read(&mut socket)?)
    }

    fn sandbox_names(&self) -> Result<Vec<String>, HostError> {
        let folder = match fs::read_dir(&self.netns_dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(HostError::Open)?,
        };
        folder
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<io::Result<_>>()
            .map_err(HostError::Open)
    }

    /// Links first: a sandbox takes its own with it.
    fn remove_ghosts(&self, difference: &Difference, report: &mut Report) {
        for name in &difference.ghosts {
            match self.send(vec![link::condemn(name, CONDEMNED)]) {
                Ok(()) => report.removed.push(format!("link {name}")),
                // Gone by itself, with a namespace that ended.
                Err(StepError::Netlink(error)) if error.is(Errno::ENODEV) => {
                    report.removed.push(format!("link {name}"));
                }
                Err(error) => report.errors.push(HostError::of_step(&format!("set link {name} down"), error)),
            }
        }
        for name in &difference.ghost_sandboxes {
            match NetNs::unbind(&self.netns_dir.join(name)) {
                Ok(()) => report.removed.push(format!("sandbox {name}")),
                Err(error) => report.errors.push(HostError::sandbox(name, "unmount it")(error)),
            }
        }
    }

    /// Making a network is idempotent: what is right stays, settings included.
    fn restore_networks(&self, declared: &Declared, difference: &Difference, report: &mut Report) {
        for net in &declared.networks {
            match self.make_network(net, &self.creation(net)) {
                Err(error) => {
                    // What is not ours to make may come back: until then, attaching says that it is missing.
                    if self.state.network(net.id()).is_err() {
                        self.state.put_network(net.clone(), None);
                        let closed = self.change_firewall(Change::RemoveNetwork(net.id()));
                        let failed =
                            closed.err().map(|error| HostError::of_step("close the firewall", error));
                        report.errors.extend(failed);
                    }
                    report.errors.push(error);
                }
                Ok(()) if difference.broken.contains(&net.id()) => {
                    report.repaired.push(format!("network {} ({})", net.name(), net.link()));
                }
                Ok(()) => {}
            }
        }
    }

    pub(super) fn rejoin(&self, loose: &[EndpointSpec], report: &mut Report) {
        for ep in loose {
            let name = host_link(&ep.id);
            match self.rejoin_one(ep) {
                Ok(()) => report.repaired.push(format!("link {name}")),
                Err(error) => report.errors.push(error),
            }
        }
    }

    fn rejoin_one(&self, ep: &EndpointSpec) -> Result<(), HostError> {
        let network = self.state.network(ep.network)?;
        // Only what should be in a bridge can be out of it.
        let (NetworkSpec::Bridge(spec), Some(bridge)) = (&network.spec, network.bridge) else {
            return Ok(());
        };
        let name = host_link(&ep.id);
        let alias = Owner::Endpoint(ep.id).alias(&ep.label);
        let flags = bridge::flags(spec, self.bridge_filtered);
        let mark = veth::mark(&name, alias, flags, ep.mtu, &self.links_v6);
        let mut requests = vec![link::join_bridge(&name, bridge), mark];
        // Another bridge of the same name knows none of its neighbours.
        requests.extend(neighbours(&network, ep));
        self.send(requests)
            .map_err(|source| HostError::of_step(&format!("put link {name} into its bridge"), source))
    }

    /// The firewall as it was declared so far, with the networks that are declared, and the endpoints that are not known
    /// here yet, without those that are neither known nor declared any more. What the kernel has of it stays as it is.
    fn restore_firewall(&self, declared: &Declared, in_use: &InUse) -> Vec<FirewallError> {
        let mut wanted = self.firewall.declared();
        let endpoints = declared.sandboxes.iter().flat_map(|sandbox| &sandbox.endpoints);
        let known =
            endpoints.map(|endpoint| endpoint.spec.id).chain(in_use.endpoints.iter().copied()).collect();
        self.janitor.forget_addresses(wanted.keep(&known));
        let networks = declared.networks.iter().filter_map(NetworkSpec::bridge);
        let networks = networks.map(|net| Change::AddNetwork(net.into()));
        let on_parents: HashSet<NetworkId> =
            declared.networks.iter().filter(|net| net.bridge().is_none()).map(NetworkSpec::id).collect();
        let endpoints = declared
            .sandboxes
            .iter()
            .flat_map(|sandbox| sandbox.endpoints.iter().map(|endpoint| (&*sandbox.name, endpoint)));
        let filtered = endpoints.filter(|(_, endpoint)| !on_parents.contains(&endpoint.spec.network));
        let unknown = filtered.filter(|(_, endpoint)| !in_use.endpoints.contains(&endpoint.spec.id));
        let endpoints = unknown.map(|(sandbox, new)| {
            Change::AddEndpoint(FirewallEndpoint::new(&new.spec, &new.ports).within(sandbox))
        });
        let openings =
            declared.openings.iter().map(|(network, all)| Change::SetOpenings(*network, all.clone()));
        // One whose network could not be restored keeps the others from nothing.
        let mut errors: Vec<FirewallError> = networks
            .chain(endpoints)
            .chain(openings)
            .filter_map(|change| wanted.change(change).err())
            .collect();
        errors.extend(self.firewall.replace(wanted).err());
        errors
    }

    /// Those that are declared, beside those that were restricted since.
    fn restore_egress(&self, declared: &Declared, in_use: &InUse) -> Result<(), FirewallError> {
        let bridge = |ep: &EndpointSpec| declared.networks.iter().find(|net| net.id() == ep.network);
        let endpoints = declared.sandboxes.iter().flat_map(|sandbox| &sandbox.endpoints);
        let specs = endpoints.map(|endpoint| &endpoint.spec);
        self.egress
            .restore(specs.filter_map(|spec| spec.restriction(bridge(spec)?.link())), &in_use.endpoints)
    }

    fn is_alive(&self, ep: &EndpointSpec) -> Result<(), HostError> {
        let mut socket = self.sockets.admit().map_err(HostError::Open)?;
        let found = observe::one_link(&mut socket, Which::Name(&host_link(&ep.id)))?;
        let owner = found.as_ref().and_then(Owner::of_link);
        if owner == Some(Owner::Endpoint(ep.id)) { Ok(()) } else { Err(HostError::UnknownEndpoint(ep.id)) }
    }

    pub(super) fn send(&self, requests: Vec<Request>) -> Result<(), StepError> {
        Ok(self.sockets.admit()?.send(requests)?)
    }
}
