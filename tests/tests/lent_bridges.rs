//! Bridges of the user's own: used by networks, and never anything but the user's.

use tests::{Lab, Lan, Machine, NetdOptions, eventually};

/// A bridge `br9` with an alias, an address and the cable to `client` in it, as a user would have made it.
fn user_bridge(machine: &Machine) -> Lan {
    let client = machine.lan("client");
    machine
        .sh("ip address flush dev lan0 && ip link add br9 type bridge && ip link set br9 alias mine up && \
             ip link set lan0 master br9 && ip address add 198.51.100.1/24 dev br9")
        .ok();
    client.exec(["ping", "-c1", "-W5", &client.gateway()]).ok();
    client
}

/// The bridge's own address, by which the LAN knows it.
fn mac(machine: &Machine) -> String {
    machine.exec(["cat", "/sys/class/net/br9/address"]).ok()
}

/// All that the user may want to find as it was.
fn bridge(machine: &Machine) -> String {
    machine
        .sh("ip -o link show br9 | sed 's/<.*>//; s/ state [A-Z]*//'; ip -o link show master br9 | grep lan0 | cut -d: -f2; \
             ip -o -4 address show br9; sysctl -a -r 'conf.br9' | sort")
        .ok()
}

fn remove(machine: &Machine) {
    machine.sh("ip link del br9").ok();
}

#[test]
fn a_network_on_a_bridge_of_the_user_s_shares_its_lan() {
    let mut machine = Lab::new().machine("aa");
    let client = user_bridge(&machine);
    let before = bridge(&machine);
    let option = "com.docker.network.bridge.name=br9";
    // The addresses come from the bridge, in a range where the LAN has none.
    let line = [
        "network",
        "create",
        "--subnet",
        "198.51.100.0/24",
        "--ip-range",
        "198.51.100.64/26",
        "-o",
        option,
        "web",
    ];
    machine.docker(line).ok();
    let gateway =
        machine.docker(["network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", "web"]).ok();
    assert_eq!(gateway, client.gateway());
    machine.start("c1", &["--network", "web", "-p", "8080:80"], &["sleep", "1000"]);
    let address = machine.docker(["inspect", "-f", "{{.NetworkSettings.Networks.web.IPAddress}}", "c1"]).ok();
    client.exec(["ping", "-c1", "-W5", &address]).ok();
    machine.docker(["exec", "c1", "ping", "-c1", "-W5", &client.address()]).ok();
    let error = machine.docker(["network", "create", "-o", option, "other"]).fails(1);
    assert!(error.contains("networks have same bridge name"), "{error}");

    machine.kill_netd();
    client.exec(["ping", "-c1", "-W5", &address]).ok();
    machine.start_netd();
    client.exec(["ping", "-c1", "-W5", &address]).ok();
    machine.docker(["restart", "-t", "0", "c1"]).ok();
    client.exec(["ping", "-c1", "-W5", &client.gateway()]).ok();

    machine.docker(["rm", "-f", "c1"]).ok();
    machine.docker(["network", "rm", "web"]).ok();
    assert_eq!(bridge(&machine), before);
    client.exec(["ping", "-c1", "-W5", &client.gateway()]).ok();
    remove(&machine);
}

/// By itself, a bridge takes the lowest address of its ports, whichever come and go.
#[test]
fn a_bridge_keeps_its_mac_when_containers_come_and_go() {
    // Of a network card, of a tap as libvirt names them, and one above all that we give.
    for port in ["02:42:00:00:00:01", "fe:54:00:00:00:01", "fe:ff:ff:ff:ff:ff"] {
        let machine = Lab::new().machine("aa");
        let client = user_bridge(&machine);
        machine.sh(&format!("ip link set lan0 address {port}")).ok();
        assert_eq!(mac(&machine), port);
        client.exec(["ip", "neighbour", "flush", "dev", "eth0"]).ok();
        client.exec(["ping", "-c1", "-W5", &client.gateway()]).ok();
        machine
            .docker([
                "network",
                "create",
                "--subnet",
                "198.51.100.0/24",
                "-o",
                "com.docker.network.bridge.name=br9",
                "web",
            ])
            .ok();
        let ping = ["ping", "-c1", "-W5", &client.address()];
        machine.docker([&["run", "--rm", "--network", "web", "host"][..], &ping].concat()).ok();
        machine.start("c1", &["--network", "web"], &["sleep", "1000"]);
        assert_eq!(mac(&machine), port, "while a container runs");
        client.exec(["ping", "-c1", "-W5", &client.gateway()]).ok();
        machine.docker(["rm", "-f", "c1"]).ok();
        client.exec(["ping", "-c1", "-W5", &client.gateway()]).ok();
        machine.docker(["network", "rm", "web"]).ok();
        assert_eq!(mac(&machine), port);
        remove(&machine);
    }
}

#[test]
fn a_bridge_without_addresses_gets_the_network_s_and_gives_it_back() {
    let machine = Lab::new().machine("aa");
    machine.sh("ip link add br9 type bridge && ip link set br9 up").ok();
    let before = bridge(&machine);
    machine.docker(["network", "create", "-o", "com.docker.network.bridge.name=br9", "web"]).ok();
    let gateway =
        machine.docker(["network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", "web"]).ok();
    assert!(bridge(&machine).contains(&gateway));
    machine.docker(["run", "--rm", "--network", "web", "host", "ping", "-c1", "-W5", &gateway]).ok();
    machine.docker(["network", "rm", "web"]).ok();
    assert_eq!(bridge(&machine), before);
    remove(&machine);
}

#[test]
fn the_default_bridge_can_be_the_user_s() {
    let mut machine = Lab::new().machine("aa");
    let client = user_bridge(&machine);
    machine.stop_netd();
    let before = bridge(&machine);
    machine.set_config(r#"{"bridge": "br9", "fixed-cidr": "198.51.100.128/25"}"#);
    for _ in 0..2 {
        machine.start_netd();
        let subnet = machine.docker(["network", "inspect", "-f", "{{json .IPAM.Config}}", "bridge"]).ok();
        assert!(subnet.contains("198.51.100.0/24") && subnet.contains("198.51.100.128/25"), "{subnet}");
        assert!(!machine.sh("ip -o link").ok().contains("pontoon0"));
        machine.start("c1", &[], &["sleep", "1000"]);
        let address = machine.docker(["inspect", "-f", "{{.NetworkSettings.IPAddress}}", "c1"]).ok();
        eventually("the LAN knows who has the address now", || {
            client.exec(["ping", "-c1", "-W1", &address]).result()
        });
        machine.docker(["rm", "-f", "c1"]).ok();
        machine.stop_netd();
        client.exec(["ping", "-c1", "-W5", &client.gateway()]).ok();
    }
    machine.set_config("{}");
    machine.start_netd();
    assert_eq!(bridge(&machine), before);
    assert!(machine.sh("ip -o link").ok().contains("pontoon0"));
    remove(&machine);
}

#[test]
fn what_can_t_be_the_default_bridge_is_said() {
    let mut machine = Lab::new().machine("aa");
    let _client = machine.lan("client");
    let error =
        machine.docker(["network", "create", "-o", "com.docker.network.bridge.name=lan0", "web"]).fails(1);
    assert!(error.contains("existing interface lan0 is not a bridge"), "{error}");
    machine.stop_netd();
    for (config, text) in [
        (r#"{"bridge": "br9"}"#, "bridge device with non default name br9 must be created manually"),
        (r#"{"bridge": "lan0"}"#, "existing interface lan0 is not a bridge"),
    ] {
        machine.set_config(config);
        let output = machine.exec(machine.netd_command());
        assert!(!output.status.success() && output.stderr.contains(text), "{output:?}");
    }
    machine.set_config("{}");
    machine.start_netd();
}

#[test]
fn there_need_be_no_default_bridge() {
    let options = NetdOptions { config: Some(r#"{"bridge": "none"}"#.to_owned()), ..NetdOptions::default() };
    let machine = Lab::new().machine_with("aa", options);
    assert_eq!(machine.docker(["network", "ls", "--format", "{{.Name}}"]).ok(), "host\nnone");
    assert!(!machine.sh("ip -o link").ok().contains("pontoon0"));
    let error = machine.docker(["run", "--rm", "host", "true"]).fails(125);
    assert!(error.contains("network bridge not found"), "{error}");
    machine.docker(["network", "create", "web"]).ok();
    machine.docker(["run", "--rm", "--network", "web", "host", "true"]).ok();
}
