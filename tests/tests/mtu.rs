//! Networks that were given no MTU have that of the way out of the host, also when it changes while containers run.

use tests::{Lab, Lan, Machine, NetdOptions, eventually};

const OWN: &str = "com.docker.network.driver.mtu=1450";

/// A machine whose default route leads to a host on its LAN.
fn machine(args: &[&str]) -> (Machine, Lan) {
    let args = args.iter().map(|&arg| arg.to_owned()).collect();
    let machine = Lab::new().machine_with("aa", NetdOptions { args, ..NetdOptions::default() });
    let lan = machine.lan("client");
    machine.sh(&format!("ip route add default via {}", lan.address())).ok();
    (machine, lan)
}

/// The MTU of a network's bridge, of the host's ends in it, and of the interfaces of these containers in it.
fn sizes(machine: &Machine, network: &str, inside: &[(&str, &str)]) -> Vec<String> {
    let id = machine.docker(["network", "inspect", "-f", "{{.Id}}", network]).ok();
    let bridge = if network == "bridge" { "pontoon0".to_owned() } else { format!("br-{}", &id[..12]) };
    let mtu = |line: String| machine.sh(&line).ok().lines().map(str::to_owned).collect::<Vec<_>>();
    let mut all = mtu(format!("cat /sys/class/net/{bridge}/mtu /sys/class/net/{bridge}/brif/*/../mtu"));
    for (container, link) in inside {
        all.push(machine.within(container, &["cat", &format!("/sys/class/net/{link}/mtu")]));
    }
    all
}

#[track_caller]
fn become_all(machine: &Machine, network: &str, inside: &[(&str, &str)], mtu: &str) {
    eventually(&format!("{network} has {mtu}"), || {
        let sizes = sizes(machine, network, inside);
        if sizes.iter().all(|size| size == mtu) { Ok(()) } else { Err(sizes) }
    });
}

#[test]
fn networks_follow_the_way_out() {
    let (mut machine, lan) = machine(&[]);
    machine.docker(["network", "create", "web"]).ok();
    machine.docker(["network", "create", "six", "--ipv6"]).ok();
    machine.docker(["network", "create", "own", "-o", OWN]).ok();
    machine.run("c1", &["--network", "web", "--label", "io.pontoon.rate.out=50mbit"]).ok();
    machine.run("c2", &["--network", "six"]).ok();
    machine.run("c3", &["--network", "own"]).ok();
    machine.run("c4", &[]).ok();
    machine.docker(["network", "connect", "web", "c2"]).ok();
    let web = [("c1", "eth0"), ("c2", "eth1")];
    become_all(&machine, "web", &web, "1500");

    machine.sh("ip link set lan0 mtu 1400").ok();
    become_all(&machine, "web", &web, "1400");
    become_all(&machine, "six", &[("c2", "eth0")], "1400");
    become_all(&machine, "bridge", &[("c4", "eth0")], "1400");
    assert_eq!(sizes(&machine, "own", &[("c3", "eth0")]), ["1450"; 3]);
    // What a packet finds: the largest that is not split.
    machine.within("c1", &["ping", "-c1", "-W5", "-Mdo", "-s1372", &lan.address()]);
    assert!(
        !machine
            .docker(["exec", "c1", "ping", "-c1", "-W5", "-Mdo", "-s1373", &lan.address()])
            .status
            .success()
    );

    // Another way out, and too small a one for IPv6.
    machine
        .sh("ip link add vpn mtu 1200 type veth peer name far; ip link set far up; ip link set vpn up")
        .ok();
    machine.sh("ip route replace default dev vpn").ok();
    become_all(&machine, "web", &web, "1200");
    become_all(&machine, "six", &[("c2", "eth0")], "1280");
    // None for a time: everything stays. New containers have what their network has.
    machine.sh("ip route del default").ok();
    machine.run("c5", &["--network", "web"]).ok();
    become_all(&machine, "web", &[("c1", "eth0"), ("c5", "eth0")], "1200");
    // While nobody watches.
    machine.kill_netd();
    machine.sh(&format!("ip link del vpn; ip route add default via {}", lan.address())).ok();
    machine.start_netd();
    become_all(&machine, "web", &web, "1400");
    become_all(&machine, "six", &[("c2", "eth0")], "1400");
    machine.sh("ip link set lan0 mtu 1500").ok();
    become_all(&machine, "web", &web, "1500");
    assert!(!machine.log().contains("repaired"), "{}", machine.log());
    // An end on the host that was too small for IPv6 speaks none now that it could.
    assert_eq!(machine.sh("ip -6 -o address show scope link | grep ' veth'").stdout, "");

    // A restart agrees, and nothing was left of what was followed.
    machine.kill_netd();
    machine.start_netd();
    become_all(&machine, "web", &web, "1500");
    machine.docker(["restart", "-t0", "c1"]).ok();
    become_all(&machine, "web", &web, "1500");
    let shown = machine.docker(["network", "inspect", "-f", "{{json .Options}}", "web"]).ok();
    assert_eq!(shown, "{}");
    machine.assert_clean();
}

#[test]
fn a_default_bridge_with_an_mtu_does_not_follow() {
    let (machine, _lan) = machine(&["--mtu", "1350"]);
    // No number is none given.
    machine.docker(["network", "create", "web", "-o", "com.docker.network.driver.mtu=0"]).ok();
    machine.run("c1", &[]).ok();
    machine.run("c2", &["--network", "web"]).ok();
    machine.sh("ip link set lan0 mtu 1300").ok();
    become_all(&machine, "web", &[("c2", "eth0")], "1300");
    assert_eq!(sizes(&machine, "bridge", &[("c1", "eth0")]), ["1350"; 3]);
}
