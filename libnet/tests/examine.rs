//! A host that nobody watches: what was broken is found, said and mended.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test may")]

mod support;

use libnet::{
    host::{Area, EndpointSpec, Finding, Host, Severity},
    types::Egress,
};
use support::{endpoint, open_with_web};
use tests::Lab;

fn wrong(host: &Host) -> Vec<Finding> {
    let mut found = host.examine().unwrap();
    found.retain(|finding| finding.severity == Severity::Wrong);
    found
}

#[test]
fn each_injury_is_found_and_mended() {
    let lab = Lab::new();
    let machine = lab.host("a");
    machine.run(|| {
        let (host, net) = open_with_web("10.9.0.1/24", "");
        let sandbox = host.open_sandbox("pontoon-000000000001").unwrap();
        let denied = EndpointSpec { egress: Egress::Deny, ..endpoint(&net, 2, "eth0") };
        let link = host.attach(&sandbox, &denied).unwrap().host_link.unwrap();
        assert_eq!(wrong(&host), []);

        let injuries = [
            ("ip link set br-web down", Area::Links, "bridge br-web of network web"),
            ("ip link set LINK nomaster", Area::Links, "(web c2) is down or out of its bridge"),
            ("ip route del 10.9.0.0/24 dev br-web", Area::Links, "no route leads to 10.9.0.0/24 of network web"),
            ("ip address flush dev br-web", Area::Links, "without its address"),
            ("sysctl -qw net.ipv4.ip_forward=0", Area::Settings, "net/ipv4/ip_forward is not 1"),
            ("nft flush chain inet pontoon filter-forward", Area::Firewall, "not as it was left there: table inet pontoon"),
            ("nft flush set inet pontoon hairpin", Area::Firewall, "1 element of table inet pontoon"),
            ("nft delete table inet pontoon-egress", Area::Firewall, "table inet pontoon-egress"),
            ("nft flush chain inet pontoon-egress forward", Area::Firewall, "table inet pontoon-egress"),
            ("nft flush set inet pontoon-egress denied4", Area::Firewall, "table inet pontoon-egress"),
            (
                "iptables-nft -P FORWARD DROP",
                Area::OtherFirewalls,
                "ip filter FORWARD drops forwarded packets, and rules that let our networks through are missing",
            ),
        ];
        for (injury, area, words) in injuries {
            machine.sh(&injury.replace("LINK", link.as_str())).ok();
            let found = wrong(&host);
            assert!(
                found.iter().any(|finding| finding.area == area && finding.what.contains(words)),
                "{injury}: {found:?}"
            );
            assert!(found.iter().all(|finding| finding.advice.contains("pontoon doctor --fix")), "{found:?}");
            let report = host.mend();
            assert!(report.errors.is_empty(), "{injury}: {report:?}");
            assert_eq!(wrong(&host), [], "{injury}");
        }

        machine.sh(&format!("ip link delete {link}")).ok();
        let lost = wrong(&host);
        assert!(lost[0].what.contains(link.as_str()) && lost[0].advice.contains("pontoon restart"), "{lost:?}");
        // Ours by its mark, and nobody's.
        machine.sh(&format!("ip link add br-old type bridge && ip link set br-old alias 'pontoon network {} old'", "5".repeat(64))).ok();
        let ghosts = host.examine().unwrap();
        let ghost = ghosts.iter().find(|finding| finding.what.contains("br-old")).unwrap();
        assert_eq!(ghost.severity, Severity::Note);
    });
}

#[test]
fn a_route_that_takes_a_subnet_away_is_named() {
    let lab = Lab::new();
    let machine = lab.host("a");
    machine.run(|| {
        let (host, _net) = open_with_web("10.9.0.1/24", "");
        // Or a part of it: only its owner knows why.
        machine.sh("ip link add vpn type veth peer name far && ip link set far up && ip link set vpn up && ip route add 10.9.0.0/25 dev vpn").ok();
        let route = wrong(&host);
        assert_eq!(route[0].what, "route 10.9.0.0/25 leads by vpn, and is a part of network web (10.9.0.0/24)");
        machine.sh("ip route del 10.9.0.0/25 && ip route replace 10.9.0.0/24 dev vpn").ok();
        let report = host.mend();
        assert!(report.repaired.is_empty() && report.errors.is_empty(), "{report:?}");
        let route = wrong(&host);
        assert_eq!(route[0].what, "route 10.9.0.0/24 leads by vpn, and is a part of network web (10.9.0.0/24)");
        machine.sh("ip link del vpn").ok();
        let route = wrong(&host);
        assert_eq!(route[0].what, "no route leads to 10.9.0.0/24 of network web by its bridge br-web");
        assert_eq!(host.mend().repaired, ["route to 10.9.0.0/24"]);
        assert_eq!(wrong(&host), []);
    });
}
