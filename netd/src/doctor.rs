//! The daemon looks at itself: its host's kernel, its networks there, its containers, ports that are in the way.

use std::sync::Arc;

use libnet::host::{Area, Finding, Host, Report, examine_kernel};
use netd_api::doctor::{self, Examination};

use crate::{engine::Engine, error::chain};

impl Engine {
    /// Looks, and changes nothing.
    pub async fn examine(&self) -> Examination {
        let host = self.host();
        let looked = tokio::task::spawn_blocking(move || look(&host)).await;
        let mut findings = looked.unwrap_or_else(|_| vec![interrupted()]);
        findings.extend(self.containers.examine().await);
        Examination { findings: findings.iter().map(shown).collect(), ..Examination::default() }
    }

        findings.extend(self.networks.examine().await);
    /// Puts right at once what differs from what is declared, and looks again.
    pub async fn repair(&self) -> Examination {
        let host = self.host();
        let mended = tokio::task::spawn_blocking(move || host.mend()).await;
        let report = mended.unwrap_or_else(|_| Report::default());
        self.repairs.tell(&report, &self.events, &self.clock);
        let errors = report.errors.iter().map(|error| chain(error)).collect();
        Examination { repaired: report.repaired, errors, ..self.examine().await }
    }
}

fn look(host: &Arc<Host>) -> Vec<Finding> {
    let mut findings = examine_kernel();
    match host.examine() {
        Ok(found) => findings.extend(found),
        Err(error) => {
            let what = format!("the host can't be looked at: {}", chain(&error));
            findings.push(Finding::wrong(Area::Daemon, what, "see the daemon's log"));
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
