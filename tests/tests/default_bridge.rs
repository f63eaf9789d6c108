//! The daemon's settings of the default bridge, by keys and by flags: what the kernel and containers get of each.

use tests::{Lab, Machine, NetdOptions, eventually};

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

/// The same settings, said by flags and said in the file.
fn both_ways(flags: &[&str], config: &str) -> [Machine; 2] {
    let args = flags.iter().map(|&flag| flag.to_owned()).collect();
    let by_flags = NetdOptions { args, ..NetdOptions::default() };
    let by_file = NetdOptions { config: Some(config.to_owned()), ..NetdOptions::default() };
    [by_flags, by_file].map(|options| Lab::new().machine_with("aa", options))
}

#[test]
fn ranges_and_routers_of_both_families() {
    let flags = [
        "--bip=10.90.0.1/16",
        "--fixed-cidr=10.90.7.0/24",
        "--default-gateway=10.90.0.9",
        "--ipv6",
        "--bip6=fd90::1/64",
        "--fixed-cidr-v6=fd90::7:0/112",
        "--default-gateway-v6=fd90::9",
    ];
    let config = r#"{"bip": "10.90.0.1/16", "fixed-cidr": "10.90.7.0/24", "default-gateway": "10.90.0.9", "ipv6": true,
        "bip6": "fd90::1/64", "fixed-cidr-v6": "fd90::7:0/112", "default-gateway-v6": "fd90::9"}"#;
    for machine in both_ways(&flags, config) {
        contains(&bridge(&machine), &["10.90.0.1/16", "fd90::1/64"]);
        let seen = seen(&machine);
        contains(&seen, &["inet 10.90.7.", "/16 ", "inet6 fd90::7:", "/64 "]);
        contains(&seen, &["default via 10.90.0.9 ", "default via fd90::9 "]);
        for gateway in ["10.90.0.1", "fd90::1"] {
            machine.docker(["run", "--rm", "host", "ping", "-c1", "-W5", gateway]).ok();
        }
    }
}

#[test]
fn who_may_talk_where_ports_are_and_how_long_packets_are() {
    let flags = ["--icc=false", "--ip=127.0.0.1", "--ip-masq=false", "--mtu=1350"];
    let config = r#"{"icc": false, "ip": "127.0.0.1", "ip-masq": false, "mtu": 1350}"#;
    for machine in both_ways(&flags, config) {
        let lan = machine.lan("client");
        let echo = ["socat", "TCP-LISTEN:80,fork,reuseaddr", "SYSTEM:echo hello"];
        machine.start("c1", &["-p", "8080:80"], &echo);
        machine.start("c2", &[], &["sleep", "1000"]);
        let address =
            |name: &str| machine.docker(["inspect", "-f", "{{.NetworkSettings.IPAddress}}", name]).ok();
        let (c1, c2) = (address("c1"), address("c2"));
        // icc
        machine.docker(["exec", "c2", "ping", "-c1", "-W1", &c1]).fails(1);
        machine.docker(["exec", "c2", "ping", "-c1", "-W5", &lan.address()]).ok();
        // ip
        assert_eq!(machine.docker(["port", "c1"]).ok(), "80/tcp -> 127.0.0.1:8080");
        let ask = |to: &str| format!("socat -t3 - TCP:{to}:8080,connect-timeout=2");
        eventually("it answers", || {
            let said = machine.sh(&ask("127.0.0.1"));
            if said.stdout == "hello" { Ok(()) } else { Err(said) }
        });
        assert!(!lan.sh(&ask(&lan.gateway())).status.success());
        // ip-masq: the LAN host knows the way back.
        let server = lan.spawn(["socat", "TCP-LISTEN:9000,reuseaddr,fork", "SYSTEM:echo $SOCAT_PEERADDR"]);
        let ask =
            format!("socat -T5 -u TCP:{}:9000,connect-timeout=1,retry=200,interval=0.1 -", lan.address());
        assert_eq!(machine.docker(["exec", "c2", "bash", "-c", &ask]).ok(), c2);
        drop(server);
        // mtu
        let mtu = |line: &str| machine.sh(line).ok();
        assert_eq!(mtu("cat /sys/class/net/pontoon0/mtu"), "1350");
        assert_eq!(machine.docker(["exec", "c1", "cat", "/sys/class/net/eth0/mtu"]).ok(), "1350");
        // All of it is the default bridge's alone.
        machine.docker(["network", "create", "web"]).ok();
        machine.start("c3", &["--network", "web", "-p", "8081:80"], &echo);
        machine.start("c4", &["--network", "web"], &["sleep", "1000"]);
        machine.docker(["exec", "c4", "ping", "-c1", "-W5", "c3"]).ok();
        assert_eq!(machine.docker(["exec", "c3", "cat", "/sys/class/net/eth0/mtu"]).ok(), "1500");
        assert!(machine.docker(["port", "c3"]).ok().contains("0.0.0.0:8081"));
    }
}

#[test]
fn new_networks_have_the_options_that_the_daemon_gives_them() {
    let flags = [
        "--default-network-opt=bridge=com.docker.network.driver.mtu=1333",
        "--default-network-opt=bridge=com.docker.network.bridge.enable_icc=false",
    ];
    let config = r#"{"default-network-opts": {"bridge":
        {"com.docker.network.driver.mtu": "1333", "com.docker.network.bridge.enable_icc": "false"}}}"#;
    for machine in both_ways(&flags, config) {
        let mtu = |name: &str| machine.docker(["exec", name, "cat", "/sys/class/net/eth0/mtu"]).ok();
        machine.docker(["network", "create", "web"]).ok();
        let own = ["-o", "com.docker.network.driver.mtu=1234"];
        machine.docker(["network", "create"].iter().chain(&own).chain(&["own"]).copied()).ok();
        for (name, network) in [("c1", "web"), ("c2", "web"), ("c3", "own"), ("c4", "bridge")] {
            machine.start(name, &["--network", network], &["sleep", "1000"]);
        }
        assert_eq!(["c1", "c3", "c4"].map(mtu), ["1333", "1234", "1500"]);
        machine.docker(["exec", "c2", "ping", "-c1", "-W1", "c1"]).fails(1);
        let shown = machine.docker(["network", "inspect", "-f", "{{json .Options}}", "web"]).ok();
        contains(
            &shown,
            &[
                r#""com.docker.network.driver.mtu":"1333""#,
                r#""com.docker.network.bridge.enable_icc":"false""#,
            ],
        );
    }
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
        machine.docker(["exec", "c1", "ping", "-c1", "-W5", gateway]).ok();
    }
    // Without IPv6, nothing of it is left.
    machine.docker(["rm", "-f", "c1"]).ok();
    machine.stop_netd();
    machine.set_config(r#"{"bip": "10.93.0.1/24"}"#);
    machine.start_netd();
    let shown = bridge(&machine);
    assert!(shown.contains("10.93.0.1/24") && !shown.contains("fd93:"), "{shown}");
    machine.docker(["run", "--rm", "host", "ping", "-c1", "-W5", "10.93.0.1"]).ok();
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
        machine.docker(["exec", container, "ping", "-c1", "-W5", &gateway]).ok();
        machine.docker(["restart", "-t", "0", container]).ok();
        machine.docker(["exec", container, "ping", "-c1", "-W5", &gateway]).ok();
    }
    machine.sh("ip route del 172.16.0.0/12").ok();
}
