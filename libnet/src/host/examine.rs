//! What a host is like, for whoever looks after it: findings, each with what to do next. Looking changes nothing.

mod inside;
mod kernel;
mod routes;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{BridgeNetwork, Host, HostError, Inner, NetworkSpec, Report, heal::Suspicion};
use crate::{
    bridge::{self, names::host_link},
    firewall::{self, Examined},
    ipam::masked,
    observe::Snapshot,
    types::{IfName, Setting},
};

pub use inside::examine_inside;
pub use kernel::{examine_alone, examine_kernel};

/// Something that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Finding {
    /// What it is about.
    pub area: Area,
    /// How it is.
    pub severity: Severity,
    /// What was found.
    pub what: String,
    /// What to do next; nothing if all is well.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub advice: String,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Area {
    /// What the kernel can do.
    Kernel,
    /// Bridges, links of containers, their addresses.
    Links,
    /// Kernel settings.
    Settings,
    /// Our own tables.
    Firewall,
    /// Tables of others.
    OtherFirewalls,
    /// Ports of the host.
    Ports,
    /// Processes of containers.
    Containers,
    /// The daemon itself.
    Daemon,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Worth knowing; nothing is broken by it.
    Note,
    /// Something does not work.
    Wrong,
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kernel => "kernel",
            Self::Links => "links",
            Self::Settings => "settings",
            Self::Firewall => "firewall",
            Self::OtherFirewalls => "other-firewalls",
            Self::Ports => "ports",
            Self::Containers => "containers",
            Self::Daemon => "daemon",
        })
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Wrong => "wrong",
        })
    }
}

impl Finding {
    /// Something that is as it should be.
    pub fn ok(area: Area, what: impl Into<String>) -> Self {
        Self { area, severity: Severity::Ok, what: what.into(), advice: String::new() }
    }

    /// Something that is worth knowing.
    pub fn note(area: Area, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { area, severity: Severity::Note, what: what.into(), advice: advice.into() }
    }

    /// Something that does not work.
    pub fn wrong(area: Area, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { area, severity: Severity::Wrong, what: what.into(), advice: advice.into() }
    }
}

const FIX: &str = "pontoon doctor --fix puts it right";

impl Host {
    /// Compares what this host made or adopted with the kernel.
    ///
    /// # Errors
    /// If the kernel can't be read.
    pub fn examine(&self) -> Result<Vec<Finding>, HostError> {
        let inner = &self.inner;
        // What is half made looks ill.
        let _alone = inner.comparing();
        let mut findings = inner.examine_links()?;
        findings.extend(of_firewall(&inner.firewall.examine()?));
        findings.extend(inner.examine_egress()?);
        Ok(findings)
    }

    /// Returns when what is being made or removed now is so.
    pub fn settle(&self) {
        drop(self.inner.comparing());
    }

    /// Puts right at once what differs. Goes on after errors: they are in the report.
    pub fn mend(&self) -> Report {
        self.inner.heal(Suspicion::ALL)
    }
}

impl Inner {
    fn examine_links(&self) -> Result<Vec<Finding>, HostError> {
        let ailments = self.ailments()?;
        let seen = self.look()?;
        let mut findings = Vec::new();
        for id in &ailments.broken {
            let Ok(network) = self.state.network(*id) else { continue };
            let (link, name) = (network.spec.link(), network.spec.name());
            let what = format!("bridge {link} of network {name} is gone, down or without its address");
            match network.spec.is_lent() && is_gone(&seen, link) {
                true => findings.push(missing(link, name)),
                false => findings.push(Finding::wrong(Area::Links, what, FIX)),
            }
        }
        for (id, gateway) in &ailments.unrouted {
            let Ok(NetworkSpec::Bridge(net)) = self.state.network(*id).map(|network| network.spec) else {
                continue;
            };
            let (subnet, name, link) = (masked(gateway), &net.name, &net.link);
            let what = format!("no route leads to {subnet} of network {name} by its bridge {link}");
            findings.push(Finding::wrong(Area::Links, what, FIX));
        }
        for ep in &ailments.loose {
            let what = format!("link {} ({}) is down or out of its bridge", host_link(&ep.id), ep.label);
            findings.push(Finding::wrong(Area::Links, what, FIX));
        }
        for ep in &ailments.unlimited {
            let what =
                format!("link {} ({}) is not limited as it was asked for", host_link(&ep.id), ep.label);
            findings.push(Finding::wrong(Area::Links, what, FIX));
        }
        let advice = "restart the container: pontoon restart NAME";
        findings.extend(ailments.lost.iter().map(|lost| Finding::wrong(Area::Links, lost, advice)));
        findings.extend(self.examine_others()?);
        if findings.iter().all(|finding| finding.severity != Severity::Wrong) {
            let in_use = self.state.in_use();
            let (networks, endpoints) = (in_use.networks.len(), in_use.endpoints.len());
            let what = format!("{networks} networks and {endpoints} endpoints are as declared");
            findings.push(Finding::ok(Area::Links, what));
        }
        findings.extend(of_settings(&ailments.settings));
        Ok(findings)
    }

    /// Parents that are gone, routes that lead past a bridge, and links that carry our mark and are nobody's.
    fn examine_others(&self) -> Result<Vec<Finding>, HostError> {
        let declared = self.state.declared();
        let seen = self.look()?;
        let difference = bridge::compare(&declared, &self.state.in_use(), &seen, &[]);
        let parents = declared.networks.iter().filter_map(|net| match net {
            NetworkSpec::Parent(net) if difference.broken.contains(&net.id) => Some(net),
            _ => None,
        });
        let gone = parents.map(|net| missing(net.parent.link(), &net.name));
        let ghosts = difference.ghosts.iter().map(|link| {
            let what = format!("link {link} is marked as ours, and no network or container has it");
            let advice =
                format!("a restart of netd removes it; or, if nothing uses it: ip link delete {link}");
            Finding::note(Area::Links, what, advice)
        });
        Ok(gone.chain(ghosts).chain(routes::examine_routes(&declared.networks, &seen)).collect())
    }

    fn examine_egress(&self) -> Result<Option<Finding>, HostError> {
        let differs = self.egress.differs()?;
        Ok(differs.then(|| {
            let what =
                "not as it was left there: table inet pontoon-egress, which restricts what containers reach";
            Finding::wrong(Area::Firewall, what, FIX)
        }))
    }
}

fn is_gone(seen: &Snapshot, link: &IfName) -> bool {
    seen.links.iter().all(|found| found.name != *link)
}

/// A link of the user's own that is not there by this name.
fn missing(link: &IfName, network: &str) -> Finding {
    let what = format!("link {link}, which network {network} is on, is gone or has another name");
    Finding::wrong(Area::Links, what, format!("bring {link} back, or remove the network"))
}

fn of_settings(differing: &[(BridgeNetwork, Vec<Setting>)]) -> Vec<Finding> {
    let differs = |net: &BridgeNetwork, setting: &Setting| {
        let what = format!("net/{} is not {}, as network {} needs it", setting.key, setting.value, net.name);
        Finding::wrong(Area::Settings, what, FIX)
    };
    let of_network = |(net, settings): &(BridgeNetwork, Vec<Setting>)| {
        settings.iter().map(|setting| differs(net, setting)).collect::<Vec<_>>()
    };
    let found: Vec<Finding> = differing.iter().flat_map(of_network).collect();
    match found.is_empty() {
        true => vec![Finding::ok(Area::Settings, "settings of all bridges are as they should be")],
        false => found,
    }
}

fn of_firewall(examined: &Examined) -> Vec<Finding> {
    let wrong =
        |what: &String| Finding::wrong(Area::Firewall, format!("not as it was left there: {what}"), FIX);
    let mut tables: Vec<Finding> = examined.tables.iter().map(wrong).collect();
    if tables.is_empty() {
        tables.push(Finding::ok(Area::Firewall, "the tables of networks are as declared"));
    }
    let others = examined.others.iter().map(|other| {
        let (name, ours) = (&other.name, other.ours);
        match other.lets_through {
            true => Finding::note(
                Area::OtherFirewalls,
                format!("{name} drops forwarded packets that it does not know; {ours} rules of ours let networks through"),
                "nothing to do: they go with their networks (pontoon firewall show lists them)",
            ),
            false => Finding::wrong(
                Area::OtherFirewalls,
                format!("{name} drops forwarded packets, and rules that let our networks through are missing"),
                FIX,
            ),
        }
    });
    tables.into_iter().chain(others).collect()
}

/// Other firewalls that drop forwarded packets, where no daemon says which of its networks they let through.
fn other_firewalls() -> Vec<Finding> {
    let others = match firewall::other_firewalls() {
        Ok(others) => others,
        Err(error) => {
            let advice = "run this as root, in the network namespace of the daemon";
            return vec![Finding::note(
                Area::OtherFirewalls,
                format!("tables can't be read: {error}"),
                advice,
            )];
        }
    };
    let note = |name: &String| {
        Finding::note(
            Area::OtherFirewalls,
            format!("{name} drops forwarded packets that it does not know"),
            "nothing to do: netd lets its own networks through there",
        )
    };
    others.iter().map(|other| note(&other.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_firewall_in_words() {
        let other = |lets_through| firewall::OtherFirewall {
            name: "ip filter FORWARD".to_owned(),
            ours: 2,
            lets_through,
        };
        let sick = Examined {
            tables: vec!["2 elements of table inet pontoon".to_owned()],
            others: vec![other(false)],
        };
        let found = of_firewall(&sick);
        assert!(
            found.iter().all(|finding| finding.severity == Severity::Wrong && finding.advice == FIX),
            "{found:?}"
        );
        assert_eq!(found[0].what, "not as it was left there: 2 elements of table inet pontoon");
        let well = of_firewall(&Examined { tables: Vec::new(), others: vec![other(true)] });
        assert_eq!(well[0], Finding::ok(Area::Firewall, "the tables of networks are as declared"));
        assert_eq!(well[1].severity, Severity::Note);
    }
}
