//! The daemon's settings of the default bridge, by keys and by flags: what the kernel and containers get of each.

use tests::{Lab, Machine, NetdOptions};

/// What a container on the default bridge has: its addresses and its default routes.
fn seen(machine: &Machine) -> String {
    let ask = "ip -o address show eth0 scope global; ip route show default; ip -6 route show default";
    machine.docker(["run", "--rm", "host", "sh", "-c", ask]).ok()
}

fn bridge(machine: &Machine) -> String {
    machine.sh("ip -o address show pontoon0 scope global | cut -d: -f2-").ok()
}

fn contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

#[test]
fn flags_give_ranges_and_routers_of_both_families() {
    let flags = [
        "--bip=10.90.0.1/16",
        "--fixed-cidr=10.90.7.0/24",
        "--default-gateway=10.90.0.9",
        "--ipv6",
        "--bip6=fd90::1/64",
        "--fixed-cidr-v6=fd90::7:0/112",
        "--default-gateway-v6=fd90::9",
    ];
    let args = flags.map(str::to_owned).to_vec();
    let machine = Lab::new().machine_with("aa", NetdOptions { args, ..NetdOptions::default() });
    contains(&bridge(&machine), &["10.90.0.1/16", "fd90::1/64"]);
    let seen = seen(&machine);
    contains(&seen, &["inet 10.90.7.", "/16 ", "inet6 fd90::7:", "/64 "]);
    contains(&seen, &["default via 10.90.0.9 ", "default via fd90::9 "]);
}

#[test]
fn a_range_alone_is_the_subnet() {
    let config = r#"{"ipv6": true, "fixed-cidr": "10.91.4.0/24", "fixed-cidr-v6": "fd91:0:0:4::/64"}"#;
    let options = NetdOptions { config: Some(config.to_owned()), ..NetdOptions::default() };
    let machine = Lab::new().machine_with("aa", options);
    contains(&bridge(&machine), &["10.91.4.1/24", "fd91:0:0:4::1/64"]);
    let seen = seen(&machine);
    contains(&seen, &["inet 10.91.4.2/24", "inet6 fd91:0:0:4::2/64"]);
    contains(&seen, &["default via 10.91.4.1 ", "default via fd91:0:0:4::1 "]);
}

#[test]
fn another_address_is_taken_up_by_the_next_daemon() {
    let config = r#"{"bip": "10.92.0.1/24", "ipv6": true, "bip6": "fd92::1/64"}"#;
    let options = NetdOptions { config: Some(config.to_owned()), ..NetdOptions::default() };
    let mut machine = Lab::new().machine_with("aa", options);
    machine.docker(["create", "--name", "c1", "host", "sleep", "1000"]).ok();
    contains(&seen(&machine), &["inet 10.92.0.", "inet6 fd92::"]);
    machine.stop_netd();
    machine.set_config(r#"{"bip": "10.93.0.1/24", "ipv6": true, "bip6": "fd93::1/64"}"#);
    machine.start_netd();
    let shown = bridge(&machine);
    contains(&shown, &["10.93.0.1/24", "fd93::1/64"]);
    assert!(!shown.contains("10.92.") && !shown.contains("fd92:"), "{shown}");
    machine.docker(["start", "c1"]).ok();
    let address = machine.docker(["exec", "c1", "ip", "-o", "address", "show", "eth0"]).ok();
    contains(&address, &["inet 10.93.0.", "inet6 fd93::"]);
    for gateway in ["10.93.0.1", "fd93::1"] {
        machine.docker(["exec", "c1", "ping", "-c1", "-W2", gateway]).ok();
    }
    // Without IPv6, nothing of it is left.
    machine.docker(["rm", "-f", "c1"]).ok();
    machine.stop_netd();
    machine.set_config(r#"{"bip": "10.93.0.1/24"}"#);
    machine.start_netd();
    let shown = bridge(&machine);
    assert!(shown.contains("10.93.0.1/24") && !shown.contains("fd93:"), "{shown}");
    machine.docker(["run", "--rm", "host", "ping", "-c1", "-W2", "10.93.0.1"]).ok();
}

#[test]
fn a_subnet_in_use_stays_though_a_route_covers_it() {
    let mut machine = Lab::new().machine("aa");
    let _lan = machine.lan("client");
    machine.docker(["network", "create", "web"]).ok();
    machine.start("c1", &["--network", "web"], &["sleep", "1000"]);
    machine.start("c2", &[], &["sleep", "1000"]);
    let subnets = |machine: &Machine| {
        machine.docker(["network", "inspect", "-f", "{{json .IPAM.Config}}", "web", "bridge"]).ok()
    };
    let before = (subnets(&machine), bridge(&machine));
    machine.kill_netd();
    machine.sh("ip route add 172.16.0.0/12 via 198.51.100.2").ok();
    machine.start_netd();
    assert_eq!((subnets(&machine), bridge(&machine)), before);
    for (container, network) in [("c1", "web"), ("c2", "bridge")] {
        let words = ["network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", network];
        let gateway = machine.docker(words).ok();
        machine.docker(["exec", container, "ping", "-c1", "-W2", &gateway]).ok();
        machine.docker(["restart", "-t", "0", container]).ok();
        machine.docker(["exec", container, "ping", "-c1", "-W2", &gateway]).ok();
    }
    machine.sh("ip route del 172.16.0.0/12").ok();
}
