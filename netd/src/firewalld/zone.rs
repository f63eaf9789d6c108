//! What firewalld has of ours, for whoever looks: pure.

use libnet::{
    firewall::{ListedElsewhere, ListedPassage},
    host::{Area, Finding},
    types::IfName,
};

use super::bus::ZONE;

/// What firewalld has of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zone {
    /// Whether it does what zone and policy say; what it keeps is read by it when it is reloaded.
    pub(super) is_used: bool,
    /// The links in the zone.
    pub(super) links: Vec<String>,
    /// Bridges of ours that are not in it, each with the zone that it is in, if any.
    pub(super) elsewhere: Vec<(IfName, Option<String>)>,
}

const ABOUT: &str = "Of firewalld, which rejects what comes from a link that it does not know: bridges of our networks are in a zone \
    of ours, which accepts, and so does the policy pontoon-into, which leads into it. Table inet pontoon judges.";

impl Zone {
    /// As `firewall-cmd` would make it; nothing if no bridge is let through.
    pub(crate) fn listed(&self) -> Option<ListedElsewhere> {
        let passage = |link: &String| ListedPassage {
            link: link.clone(),
            text: format!("--zone={ZONE} --add-interface={link}"),
            counted: None,
        };
        (!self.links.is_empty()).then(|| ListedElsewhere {
            program: "firewall-cmd".to_owned(),
            about: ABOUT.to_owned(),
            rules: self.links.iter().map(passage).collect(),
        })
    }

    /// What is to be said of it.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        if !self.is_used {
            let what = format!("firewalld does not use zone {ZONE} yet, and rejects packets of networks");
            let advice = "firewall-cmd --reload (what was changed without --permanent is lost)";
            return vec![Finding::wrong(Area::OtherFirewalls, what, advice)];
        }
        let through = self.links.len();
        let mut findings = vec![Finding::note(
            Area::OtherFirewalls,
            format!(
                "firewalld rejects what it does not know; its zone {ZONE} lets {through} bridges through"
            ),
            "nothing to do: they go with their networks (pontoon firewall show lists them)",
        )];
        findings.extend(self.elsewhere.iter().map(|(link, zone)| match zone {
            Some(zone) => Finding::note(
                Area::OtherFirewalls,
                format!("bridge {link} is in zone {zone} of firewalld, which decides what passes"),
                format!("nothing to do if that is meant; else: firewall-cmd --zone={ZONE} --change-interface={link}"),
            ),
            None => Finding::wrong(
                Area::OtherFirewalls,
                format!("bridge {link} is in no zone of firewalld, which rejects its packets"),
                "pontoon doctor --fix puts it right",
            ),
        }));
        findings
    }
}

#[cfg(test)]
mod tests {
    use libnet::host::Severity;

    use super::*;

    #[test]
    fn a_zone_in_words() {
        let all = Zone {
            is_used: true,
            links: vec!["br-web".to_owned()],
            elsewhere: vec![
                ("br-a".parse().unwrap(), Some("work".to_owned())),
                ("br-b".parse().unwrap(), None),
            ],
        };
        let findings = all.findings();
        let said: Vec<_> = findings.iter().map(|finding| (finding.severity, finding.what.as_str())).collect();
        assert_eq!(
            said,
            [
                (
                    Severity::Note,
                    "firewalld rejects what it does not know; its zone pontoon lets 1 bridges through"
                ),
                (Severity::Note, "bridge br-a is in zone work of firewalld, which decides what passes"),
                (Severity::Wrong, "bridge br-b is in no zone of firewalld, which rejects its packets"),
            ]
        );
        assert_eq!(all.listed().unwrap().rules[0].text, "--zone=pontoon --add-interface=br-web");
        let new = Zone::default();
        assert_eq!(new.findings()[0].severity, Severity::Wrong);
        assert!(new.findings()[0].advice.contains("--reload") && new.listed().is_none());
    }
}
