//! The daemon looks at itself: its host's kernel, its networks there, its containers, ports that are in the way.

use std::sync::Arc;

use libnet::host::{Area, Finding, Host, Report, examine_kernel};
use netd_api::doctor::{self, Examination};

use crate::{
    engine::Engine,
    error::chain,
    firewalld::{Firewalld, Zone},
};

impl Engine {
    /// Looks, and changes nothing.
    pub async fn examine(&self) -> Examination {
        let (host, firewalld) = (self.host(), self.firewalld());
        let looked = tokio::task::spawn_blocking(move || look(&host, &firewalld)).await;
        let mut findings = looked.unwrap_or_else(|_| vec![interrupted()]);
        findings.extend(self.networks.examine().await);
        findings.extend(self.containers.examine().await);
        Examination { findings: findings.iter().map(shown).collect(), ..Examination::default() }
    }

    /// Puts right at once what differs from what is declared, and looks again.
    pub async fn repair(&self) -> Examination {
        let (host, firewalld) = (self.host(), self.firewalld());
        let mend = move || {
            firewalld.bridges_changed();
            host.mend()
        };
        let mended = tokio::task::spawn_blocking(mend).await;
        let report = mended.unwrap_or_else(|_| Report::default());
        self.repairs.tell(&report, &self.events, &self.clock);
        let errors = report.errors.iter().map(|error| chain(error)).collect();
        Examination { repaired: report.repaired, errors, ..self.examine().await }
    }
}

fn look(host: &Arc<Host>, firewalld: &Firewalld) -> Vec<Finding> {
    let mut findings = examine_kernel();
    match host.examine() {
        Ok(found) => findings.extend(found),
        Err(error) => {
            let what = format!("the host can't be looked at: {}", chain(&error));
            findings.push(Finding::wrong(Area::Daemon, what, "see the daemon's log"));
        }
    }
    match firewalld.zone() {
        Ok(zone) => findings.extend(zone.iter().flat_map(Zone::findings)),
        Err(error) => {
            let advice = "see its log: it may reject packets of networks";
            findings.push(Finding::wrong(Area::OtherFirewalls, error.to_string(), advice));
        }
    }
    findings
}

fn interrupted() -> Finding {
    Finding::wrong(Area::Daemon, "looking at the host was interrupted", "try again; see the daemon's log")
}

fn shown(finding: &Finding) -> doctor::Finding {
    doctor::Finding {
        area: finding.area.to_string(),
        severity: finding.severity.to_string(),
        what: finding.what.clone(),
        advice: finding.advice.clone(),
    }
}
