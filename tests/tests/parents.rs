//! Networks on a link of the host: macvlan, VLANs, networks that lead nowhere; what this kernel can't do.

use tests::{Lab, Lan, Machine, eventually};

/// `docker network create -d macvlan` on the cable to `lan`, in the LAN's own subnet. The LAN host is the gateway.
fn on_the_lan(machine: &Machine, lan: &Lan, name: &str, more: &[&str]) {
    let (subnet, gateway) = (subnet_of(&lan.address()), lan.address());
    let line = ["network", "create", "-d", "macvlan", "--subnet", &subnet, "--gateway", &gateway];
    // The host's own address on the cable is nobody else's.
    let aux = format!("host={}", lan.gateway());
    machine
        .docker(line.iter().copied().chain(["--aux-address", &aux]).chain(more.iter().copied()).chain([name]))
        .ok();
}

/// The /24 of an address.
fn subnet_of(address: &str) -> String {
    format!("{}.0/24", address.rsplit_once('.').unwrap().0)
}

fn address(machine: &Machine, container: &str, network: &str) -> String {
    let template = format!("{{{{(index .NetworkSettings.Networks \"{network}\").IPAddress}}}}");
    machine.docker(["inspect", "-f", &template, container]).ok()
}

fn links(machine: &Machine) -> String {
    machine.sh("ip -o link show | sed 's/^[0-9]*: //;s/ .*//' | sort").ok()
}

#[test]
fn macvlan_containers_are_hosts_of_the_lan() {
    let machine = Lab::new().machine("aa");
    let lan = machine.lan("client");
    let rules = machine.exec(["nft", "list", "ruleset"]).ok();
    on_the_lan(&machine, &lan, "phys", &["-o", "parent=lan0"]);
    assert_eq!(machine.exec(["nft", "list", "ruleset"]).ok(), rules, "the host filters nothing there");
    machine.docker(["run", "-d", "--name", "ca", "--network", "phys", "host", "sleep", "1000"]).ok();
    machine.start("cb", &["--network", "phys", "--net-alias", "search", "-p", "8080:80"], &["sleep", "1000"]);
    let (a, b) = (address(&machine, "ca", "phys"), address(&machine, "cb", "phys"));
    assert_ne!(a, lan.address());
    assert_ne!(a, lan.gateway(), "auxiliary addresses are nobody's");

    // The containers reach each other, by name too, and the LAN and they reach each other; the host is no part of it.
    machine.docker(["exec", "ca", "ping", "-c1", "-W5", &b]).ok();
    machine.docker(["exec", "ca", "ping", "-c1", "-W5", "search"]).ok();
    lan.exec(["ping", "-c1", "-W5", &a]).ok();
    machine.docker(["exec", "cb", "ping", "-c1", "-W5", &lan.address()]).ok();
    assert!(!machine.exec(["ping", "-c1", "-W1", &a]).status.success());
    assert!(!machine.docker(["exec", "ca", "ping", "-c1", "-W1", &lan.gateway()]).status.success());

    let route = machine.docker(["exec", "ca", "ip", "route"]).ok();
    assert!(route.contains(&format!("default via {} dev eth0", lan.address())), "{route}");
    let link = machine.docker(["exec", "ca", "ip", "-d", "link", "show", "eth0"]).ok();
    assert!(link.contains("macvlan mode bridge"), "{link}");
    assert!(
        !machine.sh("ss -Hltn").ok().contains(":8080"),
        "-p is for the host's ports, and it has none there"
    );
    assert!(!machine.docker(["ps", "--format", "{{.Ports}}"]).ok().contains("8080"));

    for of in ["phys", "ca"] {
        let shown = machine.pontoon(["firewall", "show", of]).ok();
        let heading =
            "# No end of these is the host's (macvlan, ipvlan): it filters and counts nothing there:";
        assert!(shown.contains(heading) && shown.contains(&a), "{shown}");
        assert!(!shown.contains("received and sent"), "{shown}");
        let report = machine.pontoon(["firewall", "show", of, "--json"]).json();
        assert!(report["Endpoints"][0].get("RxBytes").is_none(), "{report}");
    }

    let inspected = machine.docker(["network", "inspect", "phys"]).json();
    assert_eq!(inspected[0]["Driver"], "macvlan");
    assert_eq!(inspected[0]["Options"]["parent"], "lan0");
    assert_eq!(inspected[0]["IPAM"]["Config"][0]["Gateway"], lan.address());
    let error = machine.docker(["network", "rm", "phys"]).fails(1);
    assert!(error.contains("has active endpoints"), "{error}");
    machine.docker(["rm", "-f", "ca", "cb"]).ok();
    machine.docker(["network", "rm", "phys"]).ok();
    machine.exec(["ip", "link", "show", "lan0"]).ok();
}

#[test]
fn macvlan_comes_and_goes_beside_a_bridge() {
    let machine = Lab::new().machine("aa");
    let lan = machine.lan("client");
    on_the_lan(&machine, &lan, "phys", &["-o", "parent=lan0"]);
    machine.pontoon(["network", "create", "web"]).ok();
    machine.start("ca", &["--network", "web", "-p", "8080:80"], &["sleep", "1000"]);
    let ports = || machine.docker(["port", "ca"]).ok();
    assert!(ports().contains("8080"));
    for _ in 0..3 {
        machine.docker(["network", "connect", "phys", "ca"]).ok();
        lan.exec(["ping", "-c1", "-W5", &address(&machine, "ca", "phys")]).ok();
        machine.docker(["network", "disconnect", "phys", "ca"]).ok();
        let seen = machine.docker(["exec", "ca", "ip", "-o", "link"]).ok();
        assert!(!seen.contains("eth1"), "{seen}");
    }
    eventually("what was set aside is deleted", || {
        let seen = machine.docker(["exec", "ca", "ip", "-o", "link"]).ok();
        if seen.contains("gone") { Err(seen) } else { Ok(()) }
    });
    // "phys" sorts before "web": the way out moves there and back, and the published port with it.
    machine.docker(["network", "connect", "phys", "ca"]).ok();
    let route = machine.docker(["exec", "ca", "ip", "route", "show", "default"]).ok();
    assert!(route.contains(&lan.address()), "{route}");
    machine.docker(["network", "disconnect", "phys", "ca"]).ok();
    let route = machine.docker(["exec", "ca", "ip", "route", "show", "default"]).ok();
    assert!(route.contains("eth0"), "{route}");
    assert!(ports().contains("8080"), "{}", ports());
}

#[test]
fn a_parent_is_shared_by_all_but_passthru() {
    let machine = Lab::new().machine("aa");
    let _lan = machine.lan("client");
    let create = |name: &str, subnet: &str, options: &[&str]| {
        let options = options.iter().flat_map(|option| ["-o", option]);
        let line = ["network", "create", "-d", "macvlan", "--subnet", subnet].into_iter().chain(options);
        machine.docker(line.chain([name]))
    };
    create("one", "10.71.0.0/24", &["parent=lan0"]).ok();
    create("two", "10.72.0.0/24", &["parent=lan0", "macvlan_mode=private"]).ok();
    let error = create("three", "10.73.0.0/24", &["parent=lan0", "macvlan_mode=passthru"]).fails(1);
    assert!(error.contains("cannot use mode passthru, macvlan network") && error.contains("lan0"), "{error}");
    for (name, network) in [("ca", "two"), ("cb", "two"), ("cc", "one")] {
        machine.start(name, &["--network", network], &["sleep", "1000"]);
    }
    machine.docker(["exec", "ca", "ping", "-c1", "-W1", &address(&machine, "cb", "two")]).fails(1);
    machine.docker(["rm", "-f", "ca", "cb", "cc"]).ok();
    machine.docker(["network", "rm", "one", "two"]).ok();
    create("three", "10.73.0.0/24", &["parent=lan0", "macvlan_mode=passthru"]).ok();
    let error = create("one", "10.71.0.0/24", &["parent=lan0"]).fails(1);
    assert!(
        error.contains("macvlan network three is already using parent interface lan0 in mode passthru"),
        "{error}"
    );
    machine.start("ca", &["--network", "three"], &["sleep", "1000"]);
    let mac = machine.docker(["inspect", "-f", "{{.NetworkSettings.Networks.three.MacAddress}}", "ca"]).ok();
    let link = machine.docker(["exec", "ca", "ip", "-d", "link", "show", "eth0"]).ok();
    assert!(link.contains(&mac) && link.contains("mode passthru"), "{mac}: {link}");
}

#[test]
fn without_a_parent_a_network_leads_nowhere() {
    let machine = Lab::new().machine("aa");
    let id = machine.docker(["network", "create", "-d", "macvlan", "island"]).ok();
    let link = format!("dm-{}", &id[..12]);
    assert!(links(&machine).contains(&link), "{}", links(&machine));
    for name in ["ca", "cb"] {
        machine.start(name, &["--network", "island"], &["sleep", "1000"]);
    }
    machine.docker(["exec", "ca", "ping", "-c1", "-W5", "cb"]).ok();
    let route = machine.docker(["exec", "ca", "ip", "route", "show", "default"]).ok();
    assert_eq!(route, "");
    // Not even the host, by an address of the same subnet, is there.
    let (a, b) = (address(&machine, "ca", "island"), address(&machine, "cb", "island"));
    assert_ne!(a, b);
    assert!(!machine.exec(["ping", "-c1", "-W1", "-I", &link, &a]).status.success());
    machine.docker(["rm", "-f", "ca", "cb"]).ok();
    machine.docker(["network", "rm", "island"]).ok();
    eventually("the island is gone", || match links(&machine) {
        left if left.contains("dm-") => Err(left),
        _ => Ok(()),
    });
}

#[test]
fn a_parent_that_won_t_do_is_refused_and_nothing_is_made() {
    let machine = Lab::new().machine("aa");
    let _lan = machine.lan("client");
    machine.pontoon(["network", "create", "--opt", "com.docker.network.bridge.name=br0", "web"]).ok();
    machine.start("ca", &["--network", "web"], &["sleep", "1000"]);
    let port = machine.sh("ip -o link show master br0 | sed 's/^[0-9]*: //;s/@.*//'").ok();
    let before = (links(&machine), machine.docker(["network", "ls", "--no-trunc"]).ok());
    for (driver, option, text) in [
        ("macvlan", "parent=lo", "loopback interface is not a valid macvlan parent link"),
        ("macvlan", "parent=eth7", "the requested parent interface eth7 was not found on the Docker host"),
        ("macvlan", "parent=lan0.5000", "vlan id must be between 1-4094, received: 5000"),
        ("macvlan", "parent=eth7.10", "-o parent interface was not found on the host: eth7"),
        (
            "macvlan",
            "parent=lan0.1.2",
            "required interface name format is: name.vlan_id, ex. eth0.10 for vlan 10, instead received lan0.1.2",
        ),
        ("macvlan", "macvlan_mode=x", "requested macvlan mode 'x' is not valid"),
        ("macvlan", "parrent=lan0", "unknown option \"parrent\""),
        ("ipvlan", "ipvlan_mode=l4", "requested ipvlan mode 'l4' is not valid"),
        ("ipvlan", "parent=lo", "loopback interface is not a valid ipvlan parent link"),
        ("macvlan", &format!("parent={port}"), "is a port of br0: use br0 as the parent"),
    ] {
        let line = ["network", "create", "-d", driver, "--subnet", "10.70.0.0/24", "-o", option, "other"];
        let error = machine.docker(line).fails(1);
        assert!(error.contains(text), "{option}: {error}");
        assert_eq!(
            (links(&machine), machine.docker(["network", "ls", "--no-trunc"]).ok()),
            before,
            "{option}"
        );
    }
}

/// Whether the kernel can make links of a kind: asked as a user would.
fn has(machine: &Machine, kind: &str) -> bool {
    let output = machine.sh(&format!("ip link add probe type {kind} 2>&1 || true")).ok();
    !output.contains("Unknown device type")
}

#[test]
fn what_the_kernel_lacks_is_said_before_anything_is_made() {
    let machine = Lab::new().machine("aa");
    let _lan = machine.lan("client");
    let before = links(&machine);
    for (kind, module, line) in [
        ("ipvlan", "ipvlan", ["-d", "ipvlan", "-o", "parent=lan0"]),
        ("vlan", "8021q", ["-d", "macvlan", "-o", "parent=lan0.10"]),
    ] {
        let made = machine.docker(["network", "create"].into_iter().chain(line).chain(["other"]));
        if has(&machine, kind) {
            made.ok();
            machine.docker(["network", "rm", "other"]).ok();
            eventually("nothing is left of it", || match links(&machine) {
                now if now == before => Ok(()),
                now => Err(now),
            });
        } else {
            let error = made.fails(1);
            assert!(error.contains("this kernel has no") && error.contains(module), "{error}");
            assert_eq!(links(&machine), before);
        }
    }
}

#[test]
fn the_drivers_of_this_kernel_are_listed() {
    let machine = Lab::new().machine("aa");
    let drivers = machine.docker(["info", "-f", "{{json .Plugins.Network}}"]).json();
    let ipvlan = if has(&machine, "ipvlan") { &["ipvlan"][..] } else { &[] };
    let expected = [&["bridge", "host"], ipvlan, &["macvlan", "null"]].concat();
    assert_eq!(drivers, serde_json::json!(expected));
}

#[test]
fn addresses_can_be_left_to_somebody_else() {
    let machine = Lab::new().machine("aa");
    let lan = machine.lan("client");
    let line = ["network", "create", "-d", "macvlan", "--ipam-driver", "null", "-o", "parent=lan0", "phys"];
    machine.docker(line).ok();
    machine.docker(["network", "create", "--ipam-driver", "null", "web"]).ok();
    let ipam = machine.docker(["network", "inspect", "-f", "{{.IPAM.Driver}}", "phys", "web"]).ok();
    assert_eq!(ipam, "null\nnull");
    machine.start("c1", &["--network", "phys", "--privileged"], &["sleep", "1000"]);
    machine.start("c2", &["--network", "web"], &["sleep", "1000"]);
    for container in ["c1", "c2"] {
        let seen = machine.docker(["exec", container, "ip", "-o", "-4", "address", "show", "eth0"]).ok();
        assert_eq!(seen, "");
        let up = machine.docker(["exec", container, "ip", "-o", "link", "show", "eth0"]).ok();
        assert!(up.contains("LOWER_UP"), "{up}");
    }
    // As a DHCP client would.
    machine.docker(["exec", "c1", "ip", "address", "add", "198.51.100.77/24", "dev", "eth0"]).ok();
    lan.exec(["ping", "-c1", "-W5", "198.51.100.77"]).ok();
    let error = machine
        .docker(["network", "create", "--ipam-driver", "null", "--subnet", "10.1.0.0/24", "other"])
        .fails(1);
    assert!(error.contains("null IPAM driver does not handle specific address pool requests"), "{error}");
}

#[test]
fn macvlan_outlives_netd_and_is_adopted() {
    let mut machine = Lab::new().machine("aa");
    let lan = machine.lan("client");
    on_the_lan(&machine, &lan, "phys", &["-o", "parent=lan0"]);
    machine.docker(["network", "create", "-d", "macvlan", "island"]).ok();
    machine.start("ca", &["--network", "phys"], &["sleep", "1000"]);
    machine.start("cb", &["--network", "phys"], &["sleep", "1000"]);
    machine.start("cc", &["--network", "island"], &["sleep", "1000"]);
    let networks = |machine: &Machine| {
        ["ca", "cb", "cc"]
            .map(|name| machine.docker(["inspect", "-f", "{{json .NetworkSettings.Networks}}", name]).ok())
    };
    let (seen, there) = (networks(&machine), address(&machine, "ca", "phys"));
    machine.kill_netd();
    lan.exec(["ping", "-c1", "-W5", &there]).ok();
    machine.start_netd();
    assert_eq!(networks(&machine), seen);
    lan.exec(["ping", "-c1", "-W5", &there]).ok();
    machine.docker(["exec", "cb", "ping", "-c1", "-W5", "ca"]).ok();
    machine.docker(["network", "connect", "island", "ca"]).ok();
    machine.docker(["exec", "ca", "ping", "-c1", "-W5", "cc"]).ok();
    machine.docker(["network", "disconnect", "phys", "ca"]).ok();
    assert!(!lan.exec(["ping", "-c1", "-W1", &there]).status.success());
    machine.docker(["restart", "-t", "0", "cb"]).ok();
    lan.exec(["ping", "-c1", "-W5", &address(&machine, "cb", "phys")]).ok();
}

#[test]
fn a_link_of_the_user_s_that_has_another_name_is_named_until_it_is_back() {
    let machine = Lab::new().machine("aa");
    let lan = machine.lan("client");
    on_the_lan(&machine, &lan, "phys", &["-o", "parent=lan0"]);
    machine.sh("ip link add br9 type bridge && ip link set br9 up").ok();
    machine.docker(["network", "create", "-o", "com.docker.network.bridge.name=br9", "web"]).ok();
    machine.start("ca", &["--network", "phys"], &["sleep", "1000"]);
    machine.start("cb", &["--network", "web"], &["sleep", "1000"]);
    let gateway =
        machine.docker(["network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", "web"]).ok();

    machine.sh("ip link set lan0 down; ip link set lan0 name lan9 up; ip link set br9 down; ip link set br9 name br8 up").ok();
    let text = machine.pontoon(["doctor"]).stdout;
    for (link, network) in [("lan0", "phys"), ("br9", "web")] {
        let what = format!("link {link}, which network {network} is on, is gone or has another name");
        let advice = format!("→ bring {link} back, or remove the network");
        assert!(text.contains(&what) && text.contains(&advice), "{text}");
    }
    // Who is there goes on; who comes is told what is missing.
    lan.exec(["ping", "-c1", "-W5", &address(&machine, "ca", "phys")]).ok();
    let error = machine.run("cc", &["--network", "phys"]).fails(125);
    assert!(error.contains("lan0 was not found on the Docker host"), "{error}");
    let error = machine.run("cd", &["--network", "web"]).fails(125);
    assert!(error.contains("bridge device with non default name br9 must be created manually"), "{error}");

    machine.sh("ip link set lan9 down; ip link set lan9 name lan0 up; ip link set br8 down; ip link set br8 name br9 up").ok();
    eventually("all is well", || machine.pontoon(["doctor"]).result());
    machine.docker(["exec", "cb", "ping", "-c1", "-W5", &gateway]).ok();
    machine.docker(["start", "cc"]).ok();
    machine.docker(["rm", "-f", "ca", "cb", "cc", "cd"]).ok();
    machine.docker(["network", "rm", "phys", "web"]).ok();
    machine.sh("ip link del br9").ok();
}
