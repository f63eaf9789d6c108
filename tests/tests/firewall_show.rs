//! `pontoon firewall show`: what the kernel has, readable for people, for `nft` and for programs.

use serde_json::Value;
use tests::{Host, Lab, Machine, eventually, has_word};

/// Starts a server that answers whoever connects.
fn server(machine: &Machine, name: &str, args: &[&str]) {
    machine.start(name, args, &["socat", "TCP-LISTEN:8000,fork,reuseaddr", "SYSTEM:echo here; cat"]);
}

fn ask(from: &Host, to: &str) -> Result<(), String> {
    let output = from.exec(["socat", "-t3", "-", &format!("TCP:{to},connect-timeout=2")]);
    if output.stdout == "here" { Ok(()) } else { Err(output.stderr) }
}

fn shown(machine: &Machine, object: &[&str]) -> Value {
    machine.pontoon([&["firewall", "show", "--json"], object].concat()).json()
}

fn port(report: &Value, number: u64, ip: &str) -> Value {
    let mut ports = report["Ports"].as_array().unwrap().iter();
    let found = ports.find(|port| port["HostPort"] == number && port["HostIp"] == ip);
    found.unwrap_or_else(|| panic!("{number} in {report:#}")).clone()
}

#[test]
fn connections_and_traffic_are_counted() {
    let machine = Lab::new().machine("aa");
    let client = machine.lan("client");
    machine.pontoon(["network", "create", "web"]).ok();
    machine.pontoon(["network", "create", "other"]).ok();
    server(&machine, "c1", &["--network", "web", "-p", "8080:8000", "-p", "127.0.0.1:8081:8000"]);
    server(&machine, "c2", &["--network", "other", "-p", "9090:8000"]);
    let there = format!("{}:8080", client.gateway());
    eventually("it is answered", || ask(&client, &there));
    let before = port(&shown(&machine, &["c1"]), 8080, "0.0.0.0")["Connections"].as_u64().unwrap();
    for _ in 0..3 {
        ask(&client, &there).unwrap();
    }
    ask(&machine, "127.0.0.1:8081").unwrap();

    let report = shown(&machine, &["c1"]);
    let all = port(&report, 8080, "0.0.0.0");
    assert_eq!(all["Connections"].as_u64(), Some(before + 3), "one each, however many packets: {all}");
    assert_eq!(port(&report, 8081, "127.0.0.1")["Connections"], 1);
    assert_eq!(port(&report, 8080, "::")["ContainerIp"], "", "no IPv6 in this network");
    assert!(all.get("RxBytes").is_none() && report["Accounting"] == false, "{all}");
    let end = &report["Endpoints"][0];
    assert_eq!((&end["Container"], &end["Network"]), (&"c1".into(), &"web".into()));
    assert!(end["RxBytes"].as_u64().unwrap() > 500 && end["TxPackets"].as_u64().unwrap() > 10, "{end}");
    // `stats` has them as Docker shows them.
    let words = ["stats", "--no-stream", "--format", "{{.NetIO}}", "c1"];
    for stats in [machine.docker(words).ok(), machine.pontoon(words).ok()] {
        assert!(stats.contains("kB / "), "{stats}");
    }

    // What is moved, only while the kernel counts it.
    machine.sh("sysctl -qw net.netfilter.nf_conntrack_acct=1").ok();
    let words = ["socat", "-t60", "-", &format!("TCP:{there}")];
    let _through = client.spawn(words);
    eventually("a connection is there", || {
        let living = port(&shown(&machine, &["web"]), 8080, "0.0.0.0");
        match living["TxBytes"].as_u64() {
            Some(bytes) if bytes > 0 => Ok(()),
            _ => Err(living),
        }
    });

    // Of others there is nothing in what concerns one.
    let text = report["Tables"].to_string();
    assert!(has_word(&text, "8080") && !has_word(&text, "9090"), "{text}");
    let owners = report["Tables"].to_string();
    assert!(owners.contains(r#""Owner":{"Network":"web","Container":"c1"}"#), "{owners}");
    assert!(has_word(&shown(&machine, &[])["Tables"].to_string(), "9090"));
    let said = machine.pontoon(["firewall", "show", "nobody"]).fails(1);
    assert!(said.contains("no such container or network: nobody"), "{said}");
}

#[test]
fn nft_reads_what_is_shown() {
    let mut machine = Lab::new().machine("aa");
    machine.leave_mess();
    machine.sh("iptables-nft -P FORWARD DROP").ok();
    machine.pontoon(["network", "create", "--ipv6", "web"]).ok();
    server(&machine, "c1", &["--network", "web", "-p", "8080:8000", "--label", "io.pontoon.egress=deny"]);
    machine.exec(["nft", "add rule inet pontoon pontoon-user ip saddr 192.0.2.9 counter drop"]).ok();

    let text = machine.pontoon(["firewall", "show"]).ok();
    for expected in [
        "# Published ports: connections since they are published (bytes are counted while",
        "table bridge pontoon {",
        "table inet pontoon-egress {",
        "table inet pontoon {",
        "\t# Rules of your own, before all others here; Pontoon never changes them.\n\tchain pontoon-user {\n\t\tip saddr 192.0.2.9 counter packets 0 bytes 0 drop",
        "table ip filter {",
        "comment \"pontoon\"",
    ] {
        assert!(text.contains(expected), "{expected:?} in\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "no colours but on a terminal");
    // An old nft prints this line and can't read it (`icmpv6 taddr`).
    let readable: Vec<&str> = text.lines().filter(|line| !line.contains("@th,64,128")).collect();
    std::fs::write(machine.path("/run/shown.nft"), readable.join("\n") + "\n").unwrap();
    machine.exec(["nft", "-c", "-f", "/run/shown.nft"]).ok();

    // What nft says of our tables is in there, line for line.
    let listed = machine.sh("nft list table inet pontoon").ok();
    let lines = listed.lines().filter(|line| !line.contains("elements") && !line.starts_with("\t\t\t"));
    for line in lines.filter(|line| !line.is_empty() && !line.contains("counter packets")) {
        assert!(text.lines().any(|shown| shown == line), "{line:?} in\n{text}");
    }
}

#[test]
fn the_old_iptables_is_shown_and_looked_at() {
    let mut machine = Lab::new().machine("aa");
    machine.leave_mess();
    let client = machine.lan("client");
    let create = ["network", "create", "-o"];
    machine.pontoon([&create[..], &["com.docker.network.bridge.name=br-web", "web"]].concat()).ok();
    machine.pontoon([&create[..], &["com.docker.network.bridge.name=br-other", "other"]].concat()).ok();
    assert!(!machine.pontoon(["firewall", "show"]).ok().contains("legacy"), "nobody uses it");
    machine.sh("iptables-legacy -w -P FORWARD DROP").ok();
    let doctor = || machine.pontoon(["doctor"]).stdout;
    let well = "note    other-firewalls  iptables-legacy FORWARD drops forwarded packets that it does not know; 6 rules of ours";
    eventually("ours are there", || if doctor().contains(well) { Ok(()) } else { Err(doctor()) });

    // What it lists itself, line for line.
    let text = machine.pontoon(["firewall", "show"]).ok();
    let listed = machine.sh("iptables-legacy -w -S FORWARD | grep pontoon").ok();
    assert_eq!(listed.lines().count(), 6, "{listed}");
    for rule in listed.lines() {
        assert!(text.contains(&format!("\n#   iptables-legacy {rule}  (")), "{rule} in\n{text}");
    }
    let report = shown(&machine, &["web"]);
    let elsewhere = &report["Elsewhere"];
    assert_eq!(elsewhere[0]["Program"], "iptables-legacy");
    assert_eq!(elsewhere[0]["Rules"].as_array().unwrap().len(), 2, "{elsewhere}");
    assert!(elsewhere[0]["Rules"].to_string().contains("-i br-web "), "{elsewhere}");

    // What it counts is told: one packet that comes in by the bridge.
    machine.start("c1", &["--network", "web"], &["sleep", "1000"]);
    let packets = || shown(&machine, &["web"])["Elsewhere"][0]["Rules"][0]["Packets"].as_u64().unwrap();
    let before = packets();
    machine.pontoon(["exec", "c1", "ping", "-c1", "-W9", &client.address()]).ok();
    assert_eq!(packets(), before + 1);
    machine.stop_netd();
    let alone = machine.pontoon(["doctor"]).stdout;
    assert!(
        alone.contains("iptables-legacy FORWARD drops forwarded packets that it does not know"),
        "{alone}"
    );
}

#[test]
fn the_user_s_chain_survives_everything() {
    let mut machine = Lab::new().machine("aa");
    let rule = "ip saddr 192.0.2.9 drop";
    let chain = |machine: &Machine| machine.sh("nft list chain inet pontoon pontoon-user").stdout;
    machine.exec(["nft", &format!("add rule inet pontoon pontoon-user {rule}")]).ok();
    let there = |machine: &Machine, when: &str| {
        let listed = chain(machine);
        assert!(listed.contains(rule), "{when}: {listed}");
    };
    machine.pontoon(["network", "create", "web"]).ok();
    server(&machine, "c1", &["--network", "web", "-p", "8080:8000"]);
    there(&machine, "a container came");
    machine.kill_netd();
    machine.start_netd();
    there(&machine, "a new daemon");
    machine.exec(["nft", "flush chain inet pontoon filter-forward"]).ok();
    eventually("the chain is put right", || {
        let listed = machine.sh("nft list chain inet pontoon filter-forward").stdout;
        if listed.contains("jump pontoon-user") { Ok(()) } else { Err(listed) }
    });
    there(&machine, "a repair");
    machine.pontoon(["doctor", "--fix"]).ok();
    there(&machine, "a repair that was asked for");
    machine.pontoon(["rm", "-f", "c1"]).ok();
    machine.pontoon(["network", "rm", "web"]).ok();
    there(&machine, "the network went");
    machine.stop_netd();
    there(&machine, "the daemon stopped");
    assert!(!machine.sh("nft list ruleset").ok().contains("hook"), "and nothing else is left");
    machine.start_netd();
    there(&machine, "it came again");
    // Its end is its user's, too.
    machine.exec(["nft", "flush chain inet pontoon pontoon-user"]).ok();
    machine.pontoon(["network", "create", "web"]).ok();
    assert!(!chain(&machine).contains("drop"), "a flushed chain stays so");
}
