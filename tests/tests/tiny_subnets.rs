//! Subnets of one or two addresses: who can be in them talks, and who finds no room is told in Docker's words.

use tests::{Lab, Machine};

const ISOLATED: [&str; 5] = [
    "--internal",
    "-o",
    "com.docker.network.bridge.gateway_mode_ipv4=isolated",
    "-o",
    "com.docker.network.bridge.gateway_mode_ipv6=isolated",
];

fn create(machine: &Machine, words: &[&str], name: &str) -> String {
    machine.docker(["network", "create"].iter().chain(words).chain(&[name]).copied()).ok()
}

fn start(machine: &Machine, name: &str, network: &str) {
    machine.start(name, &["--network", network], &["sleep", "1000"]);
}

fn addresses(machine: &Machine, name: &str) -> String {
    machine.docker(["exec", name, "ip", "-o", "address", "show", "eth0", "scope", "global"]).ok()
}

fn ping(machine: &Machine, from: &str, to: &str) {
    machine.docker(["exec", from, "ping", "-c1", "-W5", to]).ok();
}

/// `docker run` in a network that has no room.
fn no_room(machine: &Machine, network: &str, id: &str, family: &str) {
    let error = machine.docker(["run", "--rm", "--network", network, "host", "true"]).fails(125);
    let text = format!("no available {family} addresses on this network's address pools: {network} ({id})");
    assert!(error.contains(&text), "{error}");
}

#[test]
fn two_addresses_are_a_gateway_and_a_container() {
    let machine = Lab::new().machine("aa");
    let lan = machine.lan("client");
    let id = create(&machine, &["--ipv6", "--subnet", "10.83.0.0/31", "--subnet", "fd83::/127"], "pair");
    let bridge = machine.exec(["ip", "-o", "address", "show", &format!("br-{}", &id[..12])]).ok();
    assert!(bridge.contains("10.83.0.0/31") && bridge.contains("fd83::/127"), "{bridge}");
    start(&machine, "c1", "pair");
    let has = addresses(&machine, "c1");
    assert!(has.contains("inet 10.83.0.1/31") && has.contains("inet6 fd83::1/127"), "{has}");
    for to in ["10.83.0.0", "fd83::", &lan.address(), &lan.address6()] {
        ping(&machine, "c1", to);
    }
    for to in ["10.83.0.1", "fd83::1"] {
        machine.exec(["ping", "-c1", "-W5", to]).ok();
    }
    let template =
        "{{with .NetworkSettings.Networks.pair}}{{.IPAddress}}/{{.IPPrefixLen}} {{.Gateway}}{{end}}";
    assert_eq!(machine.docker(["inspect", "-f", template, "c1"]).ok(), "10.83.0.1/31 10.83.0.0");
    no_room(&machine, "pair", &id, "IPv4");
    let id = create(&machine, &["--ipv4=false", "--ipv6", "--subnet", "fd84::/127"], "six");
    start(&machine, "c2", "six");
    ping(&machine, "c2", "fd84::");
    no_room(&machine, "six", &id, "IPv6");
}

#[test]
fn without_a_gateway_two_containers_share_them() {
    let machine = Lab::new().machine("aa");
    let words = ["--ipv6", "--subnet", "10.83.2.0/31", "--subnet", "fd83:2::/127"];
    let id = create(&machine, &[&words[..], &ISOLATED].concat(), "pair");
    start(&machine, "c1", "pair");
    start(&machine, "c2", "pair");
    let has = addresses(&machine, "c1");
    assert!(has.contains("inet 10.83.2.0/31") && has.contains("inet6 fd83:2::/127"), "{has}");
    for (from, to) in
        [("c1", "10.83.2.1"), ("c2", "10.83.2.0"), ("c1", "fd83:2::1"), ("c2", "fd83:2::"), ("c1", "c2")]
    {
        ping(&machine, from, to);
    }
    no_room(&machine, "pair", &id, "IPv4");
}

#[test]
fn one_address_is_a_gateway_or_a_container() {
    let machine = Lab::new().machine("aa");
    let _lan = machine.lan("client");
    let id = create(&machine, &["--subnet", "10.83.4.7/32"], "four");
    assert!(machine.exec(["ip", "-o", "address"]).ok().contains("10.83.4.7/32"));
    no_room(&machine, "four", &id, "IPv4");
    let id = create(&machine, &["--ipv4=false", "--ipv6", "--subnet", "fd83:4::7/128"], "six");
    no_room(&machine, "six", &id, "IPv6");

    let words = ["--ipv6", "--subnet", "10.83.5.7/32", "--subnet", "fd83:5::7/128"];
    let id = create(&machine, &[&words[..], &ISOLATED].concat(), "alone");
    start(&machine, "c1", "alone");
    let has = addresses(&machine, "c1");
    assert!(has.contains("inet 10.83.5.7/32") && has.contains("inet6 fd83:5::7/128"), "{has}");
    no_room(&machine, "alone", &id, "IPv4");
    // What it has goes with it.
    machine.docker(["rm", "-f", "c1"]).ok();
    start(&machine, "c2", "alone");
}

#[test]
fn a_link_of_the_lan_between_two_hosts_is_one() {
    let machine = Lab::new().machine("aa");
    let lan = machine.lan("client");
    lan.sh("ip address add 10.83.6.0/31 dev eth0; ip address add fd83:6::/127 dev eth0 nodad").ok();
    let words = ["-d", "macvlan", "-o", "parent=lan0", "--ipv6"];
    let subnets = ["--subnet", "10.83.6.0/31", "--gateway", "10.83.6.0", "--subnet", "fd83:6::/127"];
    let id = create(&machine, &[&words[..], &subnets, &["--gateway", "fd83:6::"]].concat(), "pair");
    start(&machine, "c1", "pair");
    for to in ["10.83.6.0", "fd83:6::", &lan.address(), &lan.address6()] {
        ping(&machine, "c1", to);
    }
    lan.exec(["ping", "-c1", "-W5", "10.83.6.1"]).ok();
    lan.exec(["ping", "-c1", "-W5", "fd83:6::1"]).ok();
    no_room(&machine, "pair", &id, "IPv4");
}
