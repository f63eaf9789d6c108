//! Healing: what this host made or adopted is looked at, and what somebody else changed of it is put right. What is
//! right stays untouched.

use std::net::SocketAddr;

use ipnetwork::IpNetwork;

use super::{
    BridgeNetwork, EndpointSpec, HostError, Inner, NetworkSpec, Report, StepError, reconcile::neighbours,
    settings,
};
use crate::{
    bridge::{self, Difference, Step},
    firewall::Suspects,
    ipam::masked,
    link::route,
    plan,
    ports::PublishedPort,
    types::{NetworkId, Setting},
};

/// What may not be as it was left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Suspicion {
    /// Links, addresses, settings.
    pub(super) links: bool,
    pub(super) firewall: Suspects,
}

impl Suspicion {
    pub(super) const ALL: Self =
        Self { links: true, firewall: Suspects { table: true, foreign: true, legacy: true, egress: true } };

    pub(super) fn is_any(self) -> bool {
        self != Self::default()
    }
}

/// What is wrong with links.
#[derive(Debug, Default)]
pub(super) struct Ailments {
    /// Networks whose bridge is gone or wrong.
    pub(super) broken: Vec<NetworkId>,
    /// Routes to subnets of networks that are right otherwise, each with the address that it came with.
    pub(super) unrouted: Vec<(NetworkId, IpNetwork)>,
    /// Settings that differ, and the network that wants them.
    pub(super) settings: Vec<(BridgeNetwork, Vec<Setting>)>,
    /// Host ends that are down or out of their bridge.
    pub(super) loose: Vec<EndpointSpec>,
    /// Endpoints that are not limited as they should be.
    pub(super) unlimited: Vec<EndpointSpec>,
    /// What can't be made again, in words.
    pub(super) lost: Vec<String>,
}

impl Ailments {
    fn is_empty(&self) -> bool {
        self.broken.is_empty()
            && self.unrouted.is_empty()
            && self.settings.is_empty()
            && self.loose.is_empty()
            && self.unlimited.is_empty()
            && self.lost.is_empty()
    }
}

impl Inner {
    /// Puts right what is suspected. Goes on after errors: they are in the report.
    pub(super) fn heal(&self, suspicion: Suspicion) -> Report {
        let mut report = Report::default();
        if suspicion.links
            && let Err(error) = self.heal_links(&mut report)
        {
            report.errors.push(error);
        }
        if suspicion.links {
            self.hold_anew(&mut report);
        }
        for part in suspicion.firewall.parts() {
            match self.firewall.heal(part) {
                Ok(healed) => report.repaired.extend(healed),
                Err(error) => report.errors.push(error.into()),
            }
        }
        match if suspicion.firewall.egress { self.egress.heal() } else { Ok(false) } {
            Ok(true) => report.repaired.push("egress of restricted containers".to_owned()),
            Ok(false) => {}
            Err(error) => report.errors.push(error.into()),
        }
        report
    }

    /// Holds ports that somebody else had when their endpoint was adopted, and that are free by now.
    fn hold_anew(&self, report: &mut Report) {
        if self.state.without_a_port().is_empty() {
            return;
        }
        let _alone = self.comparing();
        for id in self.state.without_a_port() {
            let taken = self.state.with_endpoint(id, |endpoint| {
                (endpoint.without_ports(), std::mem::take(&mut endpoint.ports))
            });
            let Ok((who, mut all)) = taken else { continue };
            for held in &mut all {
                match self.ports.hold_anew(held) {
                    Ok(ports) => report.repaired.extend(ports.iter().filter_map(port_in_words)),
                    Err(error) => report.errors.push(error.into()),
                }
                self.relay(held, &who);
            }
            // Nobody took it away: this host is compared alone.
            report.errors.extend(self.state.with_endpoint(id, |endpoint| endpoint.ports = all).err());
        }
    }

    fn heal_links(&self, report: &mut Report) -> Result<(), HostError> {
        // What is half made or half removed looks ill. That is seldom: who looks for it does not keep others waiting.
        if self.ailments()?.is_empty() {
            return Ok(());
        }
        let _alone = self.comparing();
        let Ailments { broken, unrouted, settings, loose, unlimited, lost } = self.ailments()?;
        for id in &broken {
            self.mend_network(*id, report);
        }
        self.route_anew(&unrouted, report);
        for (net, differing) in settings {
            self.mend_settings(&net, &differing, report);
        }
        self.rejoin(&loose, report);
        self.limit_anew(&unlimited, report);
        report.lost = lost;
        // A bridge that is down knows no neighbours, and one that was made anew never did.
        self.relearn(&broken)
    }

    pub(super) fn ailments(&self) -> Result<Ailments, HostError> {
        let declared = self.state.declared();
        // Namespaces can't be taken away while we hold them.
        let sandboxes: Vec<String> = declared.sandboxes.iter().map(|sandbox| sandbox.name.clone()).collect();
        let seen = self.look()?;
        let mut difference = bridge::compare(&declared, &self.state.in_use(), &seen, &sandboxes);
        let unlimited = self.unlimited(&declared, &seen)?;
        // A parent is the host's own: whoever took it away may bring it back, we can't.
        let bridges: Vec<BridgeNetwork> = declared.networks.into_iter().filter_map(of_bridge).collect();
        difference.broken.retain(|id| bridges.iter().any(|net| net.id == *id));
        // A bridge that is made anew gets its settings with it.
        let whole = bridges.into_iter().filter(|net| !difference.broken.contains(&net.id));
        let wanted = |net: &BridgeNetwork| {
            let usual = bridge::settings(net, self.forwarding);
            usual.into_iter().chain(self.loopback_settings(net)).collect()
        };
        let wanted: Vec<_> = whole.map(|net| (wanted(&net), net)).collect();
        let settings = settings::differing(&self.netns, wanted).map_err(HostError::Open)?;
        let Difference { broken, unrouted, loose, lost, .. } = difference;
        Ok(Ailments { broken, unrouted, settings, loose, unlimited, lost })
    }

    fn mend_network(&self, id: NetworkId, report: &mut Report) {
        let mended = self.state.network(id).and_then(|network| {
            self.make_network(&network.spec, &self.creation(&network.spec)).map(|()| network.spec)
        });
        match mended {
            Ok(net) => report.repaired.push(format!("network {} ({})", net.name(), net.link())),
            Err(error) => report.errors.push(error),
        }
    }

    fn route_anew(&self, unrouted: &[(NetworkId, IpNetwork)], report: &mut Report) {
        for (id, gateway) in unrouted {
            let Some(bridge) = self.state.bridge_of(*id) else { continue };
            let route = format!("route to {}", masked(gateway));
            match self.send(vec![route::add_connected(bridge, *gateway)]) {
                Ok(()) => report.repaired.push(route),
                Err(error) => report.errors.push(HostError::of_step(&format!("make {route}"), error)),
            }
        }
    }

    fn relearn(&self, networks: &[NetworkId]) -> Result<(), HostError> {
        let declared = self.state.declared();
        let endpoints = declared.sandboxes.iter().flat_map(|sandbox| &sandbox.endpoints);
        let within = endpoints.map(|endpoint| &endpoint.spec).filter(|ep| networks.contains(&ep.network));
        let requests = within.flat_map(|ep| {
            let network = self.state.network(ep.network);
            network.map(|network| neighbours(&network, ep)).unwrap_or_default()
        });
        self.send(requests.collect())
            .map_err(|source| HostError::of_step("tell a bridge its neighbours", source))
    }

    pub(super) fn mend_settings(&self, net: &BridgeNetwork, differing: &[Setting], report: &mut Report) {
        let failed = match self.effects() {
            Ok(mut effects) => {
                let mut steps = bridge::setting_steps(net, self.forwarding);
                steps.push(Step::Set(self.loopback_settings(net)));
                plan::tear_down(&steps, &mut effects)
            }
            Err(error) => return report.errors.push(error),
        };
        if failed.is_empty() {
            report.repaired.extend(differing.iter().map(|setting| format!("setting net/{}", setting.key)));
        }
        let error = |(step, source): (Step, StepError)| HostError::of_step(&step.to_string(), source);
        report.errors.extend(failed.into_iter().map(error));
    }
}

fn port_in_words(port: &PublishedPort) -> Option<String> {
    let addr = SocketAddr::new(port.host_ip, port.host_port?.get());
    Some(format!("port {addr}/{}", port.proto))
}

fn of_bridge(net: NetworkSpec) -> Option<BridgeNetwork> {
    match net {
        NetworkSpec::Bridge(net) => Some(net),
        NetworkSpec::Parent(_) => None,
    }
}
