//! Somebody else changes what is ours while it runs, with the real programs: it is put right, and nothing else is touched.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test may")]

mod support;

use std::{
    sync::{
        Arc,
        mpsc::{self, Receiver},
    },
    time::Duration,
};

use libnet::{
    host::{BridgeNetwork, EndpointSpec, Host, Report, Sandbox, Watch},
    ports::{HostPort, PortRequest},
    types::{Egress, Port, Proto},
};
use support::{endpoint, here, network, open};
use tests::{Host as Machine, Lab, Lan, eventually, until};

const NAMES: [&str; 2] = ["pontoon-000000000001", "pontoon-000000000002"];

/// A host with a network of two containers, the first with a published port, and a LAN host beside it.
struct Scene {
    machine: Machine,
    lan: Lan,
    host: Arc<Host>,
    net: BridgeNetwork,
    sandboxes: Vec<Sandbox>,
    link: String,
    reports: Receiver<Report>,
    _watch: Watch,
}

impl Scene {
    fn new() -> Self {
        let lab = Lab::new();
        let machine = lab.host("a");
        let lan = machine.lan("client");
        let (told, reports) = mpsc::channel();
        let net = network("web", "10.9.0.1/24", "fd09::1/64");
        let (host, sandboxes, link, watch) = machine.run(|| {
            let host = Arc::new(open());
            host.create_network(&net).unwrap();
            let sandboxes = NAMES.map(|name| host.open_sandbox(name).unwrap()).to_vec();
            let port = |number| Port::new(number).unwrap();
            let publish = PortRequest {
                host_ip: None,
                host: HostPort::Exactly(port(8_080)),
                container: port(80),
                proto: Proto::Tcp,
            };
            let first = EndpointSpec { ports: vec![publish], ..endpoint(&net, 2, "eth0") };
            let link = host.attach(&sandboxes[0], &first).unwrap().host_link.unwrap().to_string();
            host.attach(&sandboxes[1], &endpoint(&net, 3, "eth0")).unwrap();
            let watch = host.watch(move |report| told.send(report).unwrap()).unwrap();
            (host, sandboxes, link, watch)
        });
        Self { machine, lan, host, net, sandboxes, link, reports, _watch: watch }
    }

    /// What must be there again. Counters count, and a counter of ours in another's chain begins anew.
    fn state(&self) -> String {
        let rest = "cat /sys/class/net/br-web/address; nft list tables | sort | while read -r table; do nft list $table; done | sed 's/packets [0-9]* bytes [0-9]*//'; sysctl net.ipv4.ip_forward \
            net.ipv6.conf.all.forwarding net.ipv4.conf.br-web.forwarding net.ipv4.conf.br-web.route_localnet \
            net.ipv6.conf.br-web.disable_ipv6; bridge -d link | sed 's/^[0-9]*: //;s/@if[0-9]*//'; \
            ip neighbour show dev br-web | grep extern_learn | cut -d' ' -f1-3 | sort; ip route; ip -6 route show dev br-web | sort";
        self.machine.run(here) + &self.machine.sh(rest).ok()
    }

    fn serve(&self) -> tests::Process {
        let server =
            ["ip", "netns", "exec", NAMES[0], "socat", "TCP-LISTEN:80,fork,reuseaddr", "SYSTEM:echo here"];
        self.machine.spawn(server)
    }

    fn assert_reached(&self) {
        let there = format!("TCP:{}:8080,connect-timeout=2", self.lan.gateway());
        eventually("the LAN reaches the published port", || {
            let output = self.lan.exec(["socat", "-t3", "-", &there]);
            if output.stdout == "here" { Ok(()) } else { Err(output) }
        });
        for to in ["10.9.0.2", "fd09::2"] {
            self.machine.exec(["ip", "netns", "exec", NAMES[1], "ping", "-c1", "-W5", to]).ok();
        }
    }

    fn next_report(&self, why: &str) -> Report {
        let report = self.reports.recv_timeout(Duration::from_secs(20));
        let report = report.unwrap_or_else(|_| panic!("{why}: nothing was told"));
        assert!(report.errors.is_empty() && report.lost.is_empty(), "{why}: {report:?}");
        report
    }
}

/// Each is done to a host, and what is told of its repair.
fn assert_healed(injuries: &[(&str, &str)]) {
    let scene = Scene::new();
    let _server = scene.serve();
    scene.assert_reached();
    let before = scene.state();
    for (injury, healed) in injuries {
        scene.machine.sh(&injury.replace("LINK", &scene.link)).ok();
        // It may take a look or two, until all consequences are there.
        let mut told = Vec::new();
        while !told.iter().any(|text: &String| text.starts_with(healed)) {
            told.extend(scene.next_report(injury).repaired);
        }
        eventually(&format!("all is as before {injury}"), || match scene.state() {
            now if now == before => Ok(()),
            now => Err(now),
        });
        scene.assert_reached();
        while scene.reports.try_recv().is_ok() {}
    }
}

#[test]
fn whatever_is_done_to_the_table_is_put_right() {
    assert_healed(&[
        ("nft flush ruleset", "table inet pontoon"),
        ("nft delete table inet pontoon", "table inet pontoon"),
        ("nft flush chain inet pontoon filter-forward", "table inet pontoon"),
        ("nft add rule inet pontoon nat-postrouting counter drop", "table inet pontoon"),
        ("nft flush set inet pontoon published4", "1 element of table inet pontoon"),
        ("nft delete element inet pontoon dnat4-any '{ tcp . 8080 }'", "1 element of table inet pontoon"),
        ("nft delete table bridge pontoon", "table bridge pontoon"),
        ("nft add rule bridge pontoon senders accept", "table bridge pontoon"),
        ("nft flush set bridge pontoon guarded", "2 elements of table bridge pontoon"),
        ("nft add element inet pontoon bridges '{ lan0 }'", "1 element of table inet pontoon"),
    ]);
}

#[test]
fn whatever_is_done_to_links_is_put_right() {
    assert_healed(&[
        ("ip link delete br-web", "network web (br-web)"),
        ("ip link set br-web down", "network web (br-web)"),
        ("ip link set br-web mtu 1400", "network web (br-web)"),
        ("ip link set br-web address 02:00:00:00:00:77", "network web (br-web)"),
        ("ip link set LINK down", "link veth"),
        ("ip link set LINK nomaster", "link veth"),
        ("ip address delete 10.9.0.1/24 dev br-web", "network web (br-web)"),
        ("ip address delete fd09::1/64 dev br-web", "network web (br-web)"),
        ("ip route delete 10.9.0.0/24", "route to 10.9.0.0/24"),
        ("ip -6 route delete fd09::/64", "route to fd09::/64"),
    ]);
}

#[test]
fn whatever_is_done_to_settings_is_put_right() {
    assert_healed(&[
        ("sysctl -qw net.ipv4.ip_forward=0", "setting net/ipv4/ip_forward"),
        ("sysctl -qw net.ipv4.conf.br-web.forwarding=0", "setting net/ipv4/conf/br-web/forwarding"),
        ("sysctl -qw net.ipv6.conf.all.forwarding=0", "setting net/ipv6/conf/all/forwarding"),
        ("sysctl -qw net.ipv6.conf.br-web.disable_ipv6=1", "network web (br-web)"),
        // The kernel tells nobody of these; they are seen when something else is looked at, and every half minute.
        (
            "sysctl -qw net.ipv4.conf.br-web.route_localnet=0 net.ipv4.ip_forward=0",
            "setting net/ipv4/conf/br-web/route_localnet",
        ),
        (
            "sysctl -qw net.ipv6.conf.br-web.accept_ra=1 net.ipv4.conf.br-web.forwarding=0",
            "setting net/ipv6/conf/br-web/accept_ra",
        ),
    ]);
}

#[test]
fn our_own_changes_and_those_of_others_to_others_are_nobody_s_business() {
    let scene = Scene::new();
    let ours = |scene: &Scene| scene.machine.sh("nft -a list table inet pontoon").ok();
    let before = ours(&scene);
    scene.machine.sh("nft 'table inet theirs { set s { type ipv4_addr; }; chain c { type filter hook forward priority 5; }; }'").ok();
    scene
        .machine
        .sh("nft add element inet theirs s '{ 192.0.2.1 }'; nft add rule inet theirs c counter")
        .ok();
    scene
        .machine
        .sh("ip link add br-other type bridge; ip link set br-other up; ip link delete br-other")
        .ok();
    scene.machine.run(|| {
        for round in 0..10 {
            let sandbox = scene.host.open_sandbox("pontoon-000000000003").unwrap();
            let ep = endpoint(&scene.net, 10 + round, "eth0");
            scene.host.attach(&sandbox, &ep).unwrap();
            if round % 2 == 0 {
                scene.host.detach(&sandbox, ep.id).unwrap();
            }
            scene.host.close_sandbox(sandbox).unwrap();
            let other = network("other", "10.10.0.1/24", "");
            scene.host.create_network(&other).unwrap();
            scene.host.remove_network(other.id).unwrap();
        }
    });
    assert_eq!(ours(&scene), before, "not even a handle is another");
    scene.machine.sh("nft add rule inet pontoon pontoon-user counter").ok();
    scene.machine.sh("nft flush set inet pontoon hairpin").ok();
    assert_eq!(scene.next_report("flush set").repaired, ["1 element of table inet pontoon"]);
    assert!(ours(&scene).contains("counter packets"), "rules of the user stay");
}

#[test]
fn rules_of_the_user_stay_as_long_as_the_user_lets_them() {
    let scene = Scene::new();
    let rules = || scene.machine.sh("nft list chain inet pontoon pontoon-user").ok();
    scene.machine.sh("nft add rule inet pontoon pontoon-user ip saddr 192.0.2.7 drop").ok();
    scene.machine.sh("nft flush chain inet pontoon nat-published").ok();
    assert_eq!(scene.next_report("flush chain").repaired, ["table inet pontoon"]);
    assert!(rules().contains("192.0.2.7"));
    // As `systemctl restart nftables` does with a file that has rules for our chain.
    let file = "flush ruleset; table inet pontoon { chain pontoon-user { ip saddr 192.0.2.8 drop; }; }";
    scene.machine.sh(&format!("nft '{file}'")).ok();
    assert_eq!(
        scene.next_report("restart nftables").repaired,
        ["table inet pontoon", "table bridge pontoon"]
    );
    assert!(rules().contains("192.0.2.8") && !rules().contains("192.0.2.7"), "{}", rules());
    // Whoever flushes their own rules wants them gone.
    scene.machine.sh("nft flush ruleset").ok();
    assert_eq!(scene.next_report("flush ruleset").repaired, ["table inet pontoon", "table bridge pontoon"]);
    assert!(!rules().contains("192.0.2"), "{}", rules());
}

#[test]
fn chains_of_others_that_begin_to_drop_let_us_through() {
    let scene = Scene::new();
    let _server = scene.serve();
    scene.assert_reached();
    let iptables = |line: &str| scene.machine.sh(&format!("iptables-nft {line}")).ok();
    let ours = || iptables("-S FORWARD").matches("--comment pontoon").count();
    let healed = |why: &str, chain: &str| {
        assert_eq!(scene.next_report(why).repaired, [format!("rules of ours in {chain}")]);
    };
    assert_eq!(ours(), 0);
    iptables("-P FORWARD DROP");
    healed("policy", "ip filter FORWARD");
    assert_eq!(ours(), 2);
    scene.assert_reached();
    iptables("-F");
    healed("flush", "ip filter FORWARD");
    assert_eq!(ours(), 2);
    scene.assert_reached();
    iptables("-P FORWARD ACCEPT");
    healed("policy", "ip filter FORWARD");
    assert_eq!(ours(), 0);
    // What firewalld has: a policy that accepts, and a last rule that rejects.
    let zones = "table inet firewalld { chain filter_FORWARD { type filter hook forward priority 10; policy accept; \
        ct state established,related accept; reject with icmpx admin-prohibited; }; }";
    for _ in 0..2 {
        scene.machine.sh(&format!("nft 'table inet firewalld; delete table inet firewalld; {zones}'")).ok();
        healed("reload", "inet firewalld filter_FORWARD");
        scene.assert_reached();
    }
}

/// Tables of the old iptables, of both families, without what they count.
fn old_tables(scene: &Scene) -> String {
    scene.machine.sh("iptables-legacy-save; ip6tables-legacy-save | sed 's/\\[.*//'").ok()
}

#[test]
fn the_old_iptables_that_drops_lets_us_through() {
    let scene = Scene::new();
    let _server = scene.serve();
    let both = |line: &str| {
        scene.machine.sh(&format!("iptables-legacy -w {line} && ip6tables-legacy -w {line}")).ok()
    };
    let marked = || {
        let all = both("-S FORWARD");
        all.lines().filter(|line| line.contains("--comment pontoon -j ACCEPT")).count()
    };
    scene.assert_reached();
    assert_eq!(old_tables(&scene), "", "asking makes no table");
    let healed = |why: &str| {
        // Each program has its own turn with the lock.
        let mut told = Vec::new();
        while told.len() < 2 {
            told.extend(scene.next_report(why).repaired);
        }
        told.sort();
        let chains = ["ip6tables-legacy FORWARD", "iptables-legacy FORWARD"];
        assert_eq!(told, chains.map(|chain| format!("rules of ours in {chain}")), "{why}");
    };
    // Theirs: rules that lead elsewhere, that go on, that count.
    both("-N theirs");
    both("-A theirs -p tcp -m multiport --dports 1,2 -j DROP");
    both("-A FORWARD -j theirs");
    both("-A FORWARD -p udp");
    both("-A INPUT -i lo -j theirs");
    both("-A FORWARD -m limit --limit 5/min -m comment --comment 'not ours' -j LOG");
    assert_eq!(marked(), 0);
    both("-P FORWARD DROP");
    healed("policy");
    assert_eq!(marked(), 4);
    scene.assert_reached();
    both("-F FORWARD");
    healed("flush");
    both("-A FORWARD -j REJECT");
    // A rule that nobody gets past is before nothing of ours; one that stands before ours is.
    both("-I FORWARD -j theirs");
    both("-A theirs -j DROP");
    assert_eq!(marked(), 4);
    both("-D FORWARD -j REJECT");
    both("-I theirs -j DROP");
    healed("a chain that drops, before ours");
    let first = both("-S FORWARD 1");
    assert_eq!(first.matches("--comment pontoon").count(), 2, "{first}");
    both("-F FORWARD");
    healed("flush");
    both("-P FORWARD ACCEPT");
    healed("policy");
    assert_eq!(marked(), 0);
}

/// They stay what they are, and go on counting.
#[test]
fn rules_of_the_old_iptables_are_nobody_s_but_their_owner_s() {
    let scene = Scene::new();
    // Of IPv6 the kernel itself sends something now and then, which policies count.
    let saved = || {
        let all =
            scene.machine.sh("iptables-legacy-save -c; ip6tables-legacy-save -c | sed '/^:/s/ \\[.*//'").ok();
        let theirs = all.lines().filter(|line| !line.starts_with('#') && !line.contains("--comment pontoon"));
        theirs.collect::<Vec<_>>().join("\n")
    };
    let marked = |expected: usize| {
        eventually("ours are there or not", || {
            let all = scene.machine.sh("iptables-legacy -w -S; ip6tables-legacy -w -S").ok();
            if all.matches("--comment pontoon").count() == expected { Ok(()) } else { Err(all) }
        });
    };
    scene.machine.sh("iptables-legacy -w -P FORWARD DROP; ip6tables-legacy -w -P FORWARD DROP").ok();
    marked(4);
    scene
        .machine
        .sh("set -e; for t in iptables-legacy ip6tables-legacy; do
               $t -w -N theirs; $t -w -A theirs -p tcp -m multiport --dports 1,2 -m state --state NEW -j REJECT
               $t -w -A INPUT -j theirs; $t -w -A FORWARD -j theirs; $t -w -A FORWARD -p udp -g theirs
               $t -w -A FORWARD -m limit --limit 5/min -m comment --comment 'not ours' -j LOG --log-prefix a
               $t -w -A FORWARD -o br-web; $t -w -A OUTPUT -m owner --uid-owner 0; done
             ping -qc3 -i0.01 127.0.0.1; ping -qc3 -i0.01 ::1")
        .ok();
    let before = saved();
    assert!(before.contains(":INPUT ACCEPT [6:504]\n:FORWARD DROP [0:0]"), "rules have counted: {before}");
    scene.machine.run(|| scene.host.remove_network(scene.net.id)).unwrap();
    marked(0);
    assert_eq!(saved(), before);
    let other = network("other", "10.10.0.1/24", "fd10::1/64");
    scene.machine.run(|| scene.host.create_network(&other)).unwrap();
    marked(4);
    assert_eq!(saved(), before);
}

#[test]
fn who_may_send_nothing_is_not_let_out_by_a_flush() {
    let scene = Scene::new();
    let name = "pontoon-000000000003";
    scene.machine.run(|| {
        let sandbox = scene.host.open_sandbox(name).unwrap();
        let ep = EndpointSpec { egress: Egress::Deny, ..endpoint(&scene.net, 4, "eth0") };
        scene.host.attach(&sandbox, &ep).unwrap();
    });
    let lan = scene.lan.address();
    let out = || scene.machine.exec(["ip", "netns", "exec", name, "ping", "-c1", "-W1", &lan]).result();
    let before = scene.state();
    assert!(out().is_err());
    for injury in [
        "nft flush ruleset",
        "nft flush chain inet pontoon-egress forward",
        "nft delete table inet pontoon-egress",
    ] {
        scene.machine.sh(injury).ok();
        while !scene.next_report(injury).repaired.iter().any(|healed| healed.starts_with("egress")) {}
        eventually(injury, || match scene.state() {
            now if now == before => Ok(()),
            now => Err(now),
        });
        assert!(out().is_err(), "{injury}");
    }
    // Nor by a rule of ours for chains that drop: ours own are none of them.
    assert!(!before.contains("comment \"pontoon\""), "{before}");
}

#[test]
fn whoever_fights_us_loses_in_the_end_and_what_is_beyond_repair_is_told_once() {
    let scene = Scene::new();
    let before = scene.state();
    scene
        .machine
        .sh("for i in $(seq 60); do nft delete table inet pontoon 2>/dev/null; sleep 0.01; done; true")
        .ok();
    // The longer the fight, the longer the pauses: half a minute after fifteen seconds.
    until(Duration::from_secs(60), "all is as before", || match scene.state() {
        now if now == before => Ok(()),
        now => Err(now),
    });
    let repairs = scene.reports.try_iter().count();
    assert!((1..=30).contains(&repairs), "{repairs} repairs of 60 injuries");

    scene.machine.sh(&format!("ip link delete {}; ip link set br-web down", scene.link)).ok();
    let mut lost = Vec::new();
    while lost.is_empty() {
        let report = scene.reports.recv_timeout(Duration::from_secs(30)).expect("a report");
        assert!(report.errors.is_empty(), "{report:?}");
        lost.extend(report.lost);
    }
    assert!(lost[0].contains(&scene.link), "{lost:?}");
    scene.machine.sh("ip link set br-web down").ok();
    let report = scene.reports.recv_timeout(Duration::from_secs(60)).expect("a report");
    assert!(report.lost.is_empty(), "{report:?}");
    // Whoever attaches the endpoint anew has it again.
    scene.machine.run(|| {
        let ep = endpoint(&scene.net, 2, "eth0");
        scene.host.detach(&scene.sandboxes[0], ep.id).unwrap();
        scene.host.attach(&scene.sandboxes[0], &ep).unwrap();
    });
    let lan = scene.lan.address();
    scene.machine.exec(["ip", "netns", "exec", NAMES[0], "ping", "-c1", "-W5", &lan]).ok();
}
