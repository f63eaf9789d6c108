//! Bandwidth of containers, as labels and options say it, and what the kernel has of that.

use tests::{Lab, Machine, eventually};

/// The queues that limit something: link and rate.
fn limits(machine: &Machine) -> Vec<String> {
    let words = "tc qdisc show | grep -o 'tbf .*' | sed -E 's/.* dev (veth|ifb)[0-9a-f]* .* rate ([^ ]*) .*/\\1 \\2/' | sort";
    let shown = machine.sh(words);
    shown.ok().lines().map(str::to_owned).collect()
}

#[test]
fn labels_and_options_limit_bandwidth() {
    let mut machine = Lab::new().machine("aa");
    machine
        .docker([
            "network",
            "create",
            "-o",
            "io.pontoon.rate.in=50mbit",
            "-o",
            "io.pontoon.rate.out=40mbit",
            "slow",
        ])
        .ok();
    machine.docker(["network", "create", "fast"]).ok();
    machine.start("free", &["--network", "fast"], &["sleep", "1000"]);
    assert!(limits(&machine).is_empty(), "{:?}", limits(&machine));
    machine.start("network", &["--network", "slow"], &["sleep", "1000"]);
    assert_eq!(limits(&machine), ["ifb 40Mbit", "veth 50Mbit"]);
    machine.start(
        "nearer",
        &["--network", "slow", "--label", "io.pontoon.rate.out=1gbit"],
        &["sleep", "1000"],
    );
    assert_eq!(limits(&machine), ["ifb 1Gbit", "ifb 40Mbit", "veth 50Mbit", "veth 50Mbit"]);
    machine.start("label", &["--label", "io.pontoon.rate.in=10mbit"], &["sleep", "1000"]);
    machine
        .docker(["network", "connect", "--driver-opt", "io.pontoon.rate.in=2.5mbit", "fast", "label"])
        .ok();
    let all = ["ifb 1Gbit", "ifb 40Mbit", "veth 10Mbit", "veth 2500Kbit", "veth 50Mbit", "veth 50Mbit"];
    assert_eq!(limits(&machine), all);

    machine.kill_netd();
    machine.sh("tc qdisc del dev $(tc qdisc show | grep -o 'veth.* rate 10Mbit' | cut -d' ' -f1) root").ok();
    machine.start_netd();
    eventually("limits outlive the daemon", || {
        if limits(&machine) == all { Ok(()) } else { Err(limits(&machine)) }
    });
    machine.docker(["restart", "-t", "0", "nearer"]).ok();
    assert_eq!(limits(&machine), all);
    machine.docker(["rm", "-f", "network", "nearer", "label"]).ok();
    eventually("they go with their containers", || {
        if limits(&machine).is_empty() { Ok(()) } else { Err(limits(&machine)) }
    });
}

#[test]
fn rates_that_can_t_be_are_refused() {
    let machine = Lab::new().machine("aa");
    let said = machine.docker(["network", "create", "-o", "io.pontoon.rate.in=fast", "x"]).fails(1);
    assert!(said.contains("invalid value of io.pontoon.rate.in: \"fast\" is no rate"), "{said}");
    let said = machine
        .docker(["network", "create", "-d", "macvlan", "-o", "io.pontoon.rate.in=1mbit", "x"])
        .fails(1);
    assert!(said.contains("io.pontoon.rate.in is for networks of driver bridge"), "{said}");
    for (label, network, why) in [
        ("io.pontoon.rate.out=10", "bridge", "\"10\" is no rate: it should be a number with a unit"),
        (
            "io.pontoon.rate.out=1mbit",
            "host",
            "conflicting options: io.pontoon.rate.out and the network mode",
        ),
    ] {
        let said = machine.docker(["run", "--rm", "--network", network, "--label", label, "host", "true"]);
        let said = said.fails(125);
        assert!(said.contains(why), "{said}");
    }
}

/// What a container has received by each of its interfaces.
fn received(machine: &Machine, container: &str) -> Vec<(String, u64)> {
    let shown = machine.curl(&format!("/containers/{container}/stats?stream=false&one-shot=true")).json();
    let networks = shown["networks"].as_object().cloned().unwrap_or_default();
    let bytes = |counts: &serde_json::Value| counts["rx_bytes"].as_u64().expect("a number");
    let mut all: Vec<_> = networks.iter().map(|(name, counts)| (name.clone(), bytes(counts))).collect();
    all.sort();
    all
}

#[test]
fn traffic_is_counted_endpoint_by_endpoint() {
    let machine = Lab::new().machine("aa");
    machine.docker(["network", "create", "--subnet", "10.81.1.0/24", "one"]).ok();
    machine.docker(["network", "create", "--subnet", "10.81.2.0/24", "two"]).ok();
    machine.start(
        "cc",
        &["--network", "one", "--ip", "10.81.1.9", "--cap-add", "NET_ADMIN"],
        &["sleep", "1000"],
    );
    machine.docker(["network", "connect", "--ip", "10.81.2.9", "two", "cc"]).ok();
    machine.start("guest", &["--network", "container:cc"], &["sleep", "1000"]);
    machine.start("outside", &["--network", "host"], &["sleep", "1000"]);
    // An interface of its own making is no endpoint.
    machine.pontoon(["exec", "cc", "ip", "link", "add", "mine", "type", "bridge"]).ok();
    let before = received(&machine, "cc");
    assert_eq!(before.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["eth0", "eth1"]);
    machine.sh("ping -c 20 -i 0.01 -s 1000 10.81.2.9").ok();
    let after = received(&machine, "cc");
    let grown: Vec<u64> = after.iter().zip(&before).map(|((_, now), (_, then))| now - then).collect();
    assert!((20_000..30_000).contains(&grown[1]) && grown[0] < 5_000, "{before:?} {after:?}");
    assert_eq!(received(&machine, "guest").len(), 2, "it is in the same network");
    assert_eq!(received(&machine, "outside"), [], "the host's traffic is nobody's");
}
