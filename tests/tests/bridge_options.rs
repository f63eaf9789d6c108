//! Options of bridge networks through the stock docker CLI, each looked at in the kernel or by packets. Who reaches whom
//! in which gateway mode: connectivity.rs.

use tests::{Lab, Machine, NetdOptions, Place, Probe};

const MODE_V4: &str = "com.docker.network.bridge.gateway_mode_ipv4=";

/// A network with 10.82.0.0/24 and these options, and a container `c1` at .2 with `-p 8080:80`.
fn with_options(machine: &Machine, options: &[&str]) {
    let create = ["network", "create", "--subnet", "10.82.0.0/24"];
    machine.docker(create.iter().chain(options).chain(&["net"]).copied()).ok();
    let run = ["run", "-d", "--name", "c1", "--network", "net", "-p", "8080:80", "host", "sleep", "1000"];
    machine.docker(run).ok();
}

fn link(machine: &Machine) -> String {
    let id = machine.docker(["network", "inspect", "-f", "{{.Id}}", "net"]).ok();
    format!("br-{}", &id[..12])
}

/// What a server of the LAN sees as the source of the container's packets.
fn source_seen(machine: &Machine, from: &tests::Lan) -> String {
    let server = from.spawn(["socat", "TCP-LISTEN:9000,reuseaddr,fork", "SYSTEM:echo $SOCAT_PEERADDR"]);
    let ask = format!("socat -T5 -u TCP:{}:9000,connect-timeout=1,retry=20,interval=0.1 -", from.address());
    let seen = machine.docker(["exec", "c1", "bash", "-c", &ask]).ok();
    drop(server);
    seen
}

#[test]
fn a_routed_network_has_no_port_of_the_host() {
    let machine = Lab::new().machine("aa");
    with_options(&machine, &["-o", &format!("{MODE_V4}routed")]);
    let ports = machine.docker(["inspect", "-f", "{{json .NetworkSettings.Ports}}", "c1"]).ok();
    assert_eq!(ports, r#"{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":""}]}"#);
    assert!(!machine.exec(["ss", "-Htln", "sport", "=", ":8080"]).ok().contains("8080"));
    // In another network, the same container has the port that it asked for.
    machine.docker(["network", "create", "other"]).ok();
    machine.docker(["network", "connect", "--gw-priority", "1", "other", "c1"]).ok();
    assert!(machine.docker(["port", "c1"]).ok().contains("80/tcp -> 0.0.0.0:8080"));
}

#[test]
fn an_isolated_or_inhibited_bridge_has_no_address() {
    let machine = Lab::new().machine("aa");
    let address = |machine: &Machine| machine.exec(["ip", "-4", "-o", "addr", "show", &link(machine)]).ok();
    let wrong = machine.docker(["network", "create", "-o", &format!("{MODE_V4}isolated"), "x"]).fails(1);
    assert!(wrong.contains("gateway mode 'isolated' can only be used for an internal network"), "{wrong}");
    with_options(&machine, &["--internal", "-o", &format!("{MODE_V4}isolated")]);
    assert_eq!(address(&machine), "");
    let config = machine.docker(["network", "inspect", "-f", "{{json .IPAM.Config}}", "net"]).ok();
    assert_eq!(config, r#"[{"Subnet":"10.82.0.0/24"}]"#);
    machine.docker(["rm", "-f", "c1"]).ok();
    machine.docker(["network", "rm", "net"]).ok();

    with_options(&machine, &["-o", "com.docker.network.bridge.inhibit_ipv4=true"]);
    assert_eq!(address(&machine), "");
    let route = machine.docker(["exec", "c1", "ip", "route", "show", "default"]).ok();
    assert!(route.contains("via 10.82.0.1"), "{route}");
}

#[test]
fn packets_leave_with_the_address_that_the_network_names() {
    let machine = Lab::new().machine("aa");
    let lan = machine.lan("client");
    machine.exec(["ip", "addr", "add", "198.51.100.77/24", "dev", "lan0"]).ok();
    with_options(&machine, &["-o", "com.docker.network.host_ipv4=198.51.100.77"]);
    assert_eq!(source_seen(&machine, &lan), "198.51.100.77");
}

#[test]
fn a_trusted_link_and_direct_routing_open_published_ports() {
    let reach = |machine: &Machine, lan: &tests::Lan| {
        let id = machine.docker(["inspect", "-f", "{{.Id}}", "c1"]).ok();
        let inside = Place::open(&machine.path(&format!("/run/netns/pontoon-{}", &id[..12])));
        let _servers = inside.serve(&[80, 81]);
        let outside = Place::open(std::path::Path::new(&format!("/proc/{}/ns/net", lan.pid())));
        let probes = [80, 81].map(|port| ([10, 82, 0, 2].into(), Probe::Tcp(port)));
        outside.reach(&probes, std::time::Duration::from_secs(2))
    };
    let machine = Lab::new().machine("aa");
    let lan = machine.lan("client");
    with_options(&machine, &["-o", "com.docker.network.bridge.trusted_host_interfaces=lan7:lan0"]);
    assert_eq!(reach(&machine, &lan), [true, false]);

    let args = vec!["--allow-direct-routing".to_owned()];
    let machine = Lab::new().machine_with("bb", NetdOptions { args, ..NetdOptions::default() });
    let lan = machine.lan("client");
    with_options(&machine, &[]);
    assert_eq!(reach(&machine, &lan), [true, false]);
}

#[test]
fn forwarding_is_left_alone_where_it_is_somebody_elses() {
    let args = vec!["--ip-forward=false".to_owned()];
    let machine = Lab::new().machine_with("aa", NetdOptions { args, ..NetdOptions::default() });
    with_options(&machine, &[]);
    assert_eq!(machine.exec(["sysctl", "-n", "net.ipv4.ip_forward"]).ok(), "0");
}
