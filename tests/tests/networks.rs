//! `pontoon network`: made, shown, joined, left and removed on a running daemon, looked at in the kernel.

use tests::{Lab, Machine, NetdOptions, eventually};

fn address(machine: &Machine, container: &str, network: &str) -> String {
    let template = format!("{{{{(index .NetworkSettings.Networks \"{network}\").IPAddress}}}}");
    machine.pontoon(["inspect", "-f", &template, container]).ok()
}

#[test]
fn a_network_is_a_bridge_with_its_gateway() {
    let machine = Lab::new().machine("aa");
    let id = machine.pontoon(["network", "create", "--subnet", "192.168.0.0/24", "monreseau0"]).ok();
    assert_eq!(id.len(), 64, "the full id is printed: {id}");
    let link = format!("br-{}", &id[..12]);
    assert!(machine.exec(["ip", "-4", "-o", "address", "show", &link]).ok().contains("192.168.0.1/24"));
    assert!(
        machine.exec(["ip", "link", "show", &link]).ok().contains("monreseau0"),
        "its alias names the network"
    );
    let table = machine.pontoon(["network", "ls"]).ok();
    assert!(table.starts_with("NETWORK ID     NAME"), "{table}");
    assert!(table.contains(&id[..12]), "{table}");

    let inspected = machine.pontoon(["network", "inspect", "monreseau0"]).json();
    assert_eq!(inspected[0]["Id"], id.as_str());
    assert_eq!(inspected[0]["Driver"], "bridge");
    assert_eq!(inspected[0]["Scope"], "local");
    assert_eq!(inspected[0]["IPAM"]["Config"][0]["Subnet"], "192.168.0.0/24");

    machine.pontoon(["network", "rm", "monreseau0"]).ok();
    eventually("the bridge is gone", || match machine.exec(["ip", "link", "show", &link]) {
        gone if !gone.status.success() => Ok(()),
        still => Err(still),
    });
}

#[test]
fn the_three_default_networks_are_there_and_stay() {
    let machine = Lab::new().machine("aa");
    let names = machine.pontoon(["network", "ls", "--format", "{{.Name}} {{.Driver}}"]).ok();
    let mut names: Vec<_> = names.lines().collect();
    names.sort_unstable();
    assert_eq!(names, ["bridge bridge", "host host", "none null"]);
    for name in ["bridge", "host", "none"] {
        let error = machine.pontoon(["network", "rm", name]).fails(1);
        assert!(error.contains(&format!("{name} is a pre-defined network and cannot be removed")), "{error}");
    }
}

#[test]
fn bip_of_the_configuration_file_is_the_default_bridge() {
    let config = r#"{"bip": "10.10.0.1/16"}"#.to_owned();
    let machine =
        Lab::new().machine_with("aa", NetdOptions { config: Some(config), ..NetdOptions::default() });
    assert!(machine.exec(["ip", "-4", "-o", "address", "show", "pontoon0"]).ok().contains("10.10.0.1/16"));
    machine.start("cc", &[], &["sleep", "1000"]);
    assert!(address(&machine, "cc", "bridge").starts_with("10.10.0."));
}

#[test]
fn bad_input_is_refused_and_makes_nothing() {
    let machine = Lab::new().machine("aa");
    machine.pontoon(["network", "create", "--subnet", "10.20.0.0/16", "first"]).ok();
    let before = machine.exec(["ip", "-o", "link"]).ok();
    for (args, text) in [
        (&["--subnet", "10.0.0.1/24"][..], "it should be 10.0.0.0/24"),
        (&["--subnet", "10.20.30.0/24"], "Pool overlaps with other one on this address space"),
        (&["--subnet", "nonsense"], "invalid"),
        (&["--subnet", "10.1.0.0/24", "--gateway", "10.9.0.1"], "10.9.0.1"),
        (&["--gateway", "10.9.0.1"], "every ip-range or gateway must have a corresponding subnet"),
        (&["--opt", "com.docker.network.driver.mtu=-1"], "invalid MTU number: -1"),
        (&["--opt", "com.docker.network.bridge.enable_icc=x"], "enable_icc"),
        (&["--driver", "foo"], "plugin \"foo\" not found"),
    ] {
        let error =
            machine.pontoon(["network", "create"].iter().chain(args).chain(&["other"]).copied()).fails(1);
        assert!(error.contains(text), "{args:?}: {error}");
    }
    let error = machine.pontoon(["network", "create", "first"]).fails(1);
    assert!(error.contains("network with name first already exists"), "{error}");
    let error = machine.pontoon(["network", "rm", "nowhere"]).fails(1);
    assert!(error.contains("network nowhere not found"), "{error}");
    assert_eq!(machine.exec(["ip", "-o", "link"]).ok(), before);
    assert_eq!(machine.pontoon(["network", "ls", "-q", "--filter", "type=custom"]).ok().lines().count(), 1);
}

#[test]
fn a_running_container_joins_and_leaves_a_network() {
    let machine = Lab::new().machine("aa");
    machine.pontoon(["network", "create", "--subnet", "192.168.0.0/24", "web"]).ok();
    machine.start("c3", &[], &["sleep", "1000"]);
    machine.start("c1", &["--network", "web"], &["sleep", "1000"]);
    machine.pontoon(["exec", "c3", "getent", "hosts", "c1"]).fails(2);

    machine.pontoon(["network", "connect", "--alias", "three", "web", "c3"]).ok();
    assert!(
        machine
            .pontoon(["exec", "c3", "ip", "-4", "-o", "address", "show", "eth1"])
            .ok()
            .contains("192.168.0.")
    );
    machine.pontoon(["exec", "c3", "ping", "-c1", "-W5", "c1"]).ok();
    machine.pontoon(["exec", "c1", "ping", "-c1", "-W5", "three"]).ok();
    let error = machine.pontoon(["network", "rm", "web"]).fails(1);
    assert!(error.contains("has active endpoints"), "{error}");

    machine.pontoon(["network", "disconnect", "web", "c3"]).ok();
    assert!(!machine.pontoon(["exec", "c3", "ip", "-o", "link"]).ok().contains("eth1"));
    machine.pontoon(["exec", "c1", "getent", "hosts", "three"]).fails(2);
    machine.pontoon(["exec", "c1", "getent", "hosts", "c3"]).fails(2);
    for _ in 0..5 {
        machine.pontoon(["network", "connect", "web", "c3"]).ok();
        machine.pontoon(["exec", "c3", "ping", "-c1", "-W5", "c1"]).ok();
        machine.pontoon(["network", "disconnect", "web", "c3"]).ok();
    }
}

#[test]
fn networks_do_not_reach_each_other() {
    let machine = Lab::new().machine("aa");
    for (network, container) in [("one", "aa"), ("two", "bb")] {
        machine.pontoon(["network", "create", network]).ok();
        machine
            .pontoon(["run", "-d", "--name", container, "--network", network, "host", "sleep", "1000"])
            .ok();
    }
    let other = address(&machine, "bb", "two");
    machine.pontoon(["exec", "aa", "ping", "-c1", "-W1", &other]).fails(1);
    machine.pontoon(["exec", "bb", "ping", "-c1", "-W5", &other]).ok();
}

#[test]
fn an_internal_network_reaches_nothing_outside() {
    let machine = Lab::new().machine("aa");
    let lan = machine.lan("client");
    machine.pontoon(["network", "create", "--internal", "inner"]).ok();
    machine.pontoon(["network", "create", "outer"]).ok();
    machine.start("in", &["--network", "inner"], &["sleep", "1000"]);
    machine.start("in2", &["--network", "inner"], &["sleep", "1000"]);
    machine.start("out", &["--network", "outer"], &["sleep", "1000"]);
    machine.pontoon(["exec", "out", "ping", "-c1", "-W5", &lan.address()]).ok();
    assert!(!machine.pontoon(["exec", "in", "ping", "-c1", "-W1", &lan.address()]).status.success());
    machine.pontoon(["exec", "in", "ping", "-c1", "-W5", "in2"]).ok();
}

#[test]
fn host_none_and_the_network_of_another_container() {
    let machine = Lab::new().machine("aa");
    let _lan = machine.lan("client");
    let links = |args: &[&str]| {
        let line = ["run", "--rm"].iter().chain(args).chain(&["host", "ls", "/sys/class/net"]);
        machine.pontoon(line.copied()).ok()
    };
    assert_eq!(links(&["--network", "none"]), "lo");
    assert!(links(&["--network", "host"]).contains("lan0"));
    machine.start("c1", &[], &["sleep", "1000"]);
    let line = ["run", "--rm", "--network", "container:c1", "host", "hostname", "-I"];
    assert_eq!(machine.pontoon(line).ok().trim(), address(&machine, "c1", "bridge"));
    let error = machine.pontoon(["run", "--rm", "--network", "container:nobody", "host", "true"]).fails(125);
    assert!(error.contains("No such container: nobody"), "{error}");
}

#[test]
fn an_address_of_ones_own() {
    let machine = Lab::new().machine("aa");
    machine.pontoon(["network", "create", "--subnet", "192.168.7.0/24", "web"]).ok();
    machine
        .pontoon([
            "run",
            "-d",
            "--name",
            "cc",
            "--network",
            "web",
            "--ip",
            "192.168.7.77",
            "host",
            "sleep",
            "99",
        ])
        .ok();
    assert_eq!(address(&machine, "cc", "web"), "192.168.7.77");
    let error = machine
        .pontoon(["run", "--rm", "--network", "web", "--ip", "192.168.7.77", "host", "true"])
        .fails(125);
    assert!(error.contains("Address already in use"), "{error}");
    let error = machine.pontoon(["run", "--rm", "--ip", "172.17.0.9", "host", "true"]).fails(125);
    assert!(
        error.contains("user specified IP address is supported on user defined networks only"),
        "{error}"
    );
}
