//! Options of networks on a link of the host, each looked at by packets: IPv6, several subnets, modes, announcements; and
//! the same through `pontoon`.

use tests::{Lab, Lan, Machine, Output, Sniffer, eventually};

const V6: &str = "2001:db8:0::/64";

/// The words that make a macvlan network on the cable to `lan`, in both of the LAN's subnets.
fn on_the_lan(lan: &Lan) -> Vec<String> {
    let v4 = format!("{}.0/24", lan.address().rsplit_once('.').unwrap().0);
    let line = format!(
        "network create -d macvlan -o parent=lan0 --ipv6 --subnet {v4} --gateway {} --subnet {V6} --gateway {} \
         --aux-address host4={} --aux-address host6={}",
        lan.address(),
        lan.address6(),
        lan.gateway(),
        lan.gateway6()
    );
    line.split_whitespace().map(str::to_owned).collect()
}

fn with(words: &[String], more: &[&str]) -> Vec<String> {
    words.iter().cloned().chain(more.iter().map(|&word| word.to_owned())).collect()
}

fn shown(machine: &Machine, container: &str, network: &str, field: &str) -> String {
    let template = format!("{{{{(index .NetworkSettings.Networks \"{network}\").{field}}}}}");
    machine.docker(["inspect", "-f", &template, container]).ok()
}

fn ping(machine: &Machine, from: &str, to: &str) -> Output {
    machine.docker(["exec", from, "ping", "-c1", "-W5", to])
}

fn start(machine: &Machine, name: &str, network: &str) {
    machine.start(name, &["--network", network], &["sleep", "1000"]);
}

#[test]
fn macvlan_has_ipv6_and_pontoon_makes_it_too() {
    let machine = Lab::new().machine("aa");
    let lan = machine.lan("client");
    let id = machine.pontoon(with(&on_the_lan(&lan), &["phys"])).ok();
    assert_eq!(id.len(), 64);
    start(&machine, "ca", "phys");
    start(&machine, "cb", "phys");
    let (a, b) = (
        shown(&machine, "ca", "phys", "GlobalIPv6Address"),
        shown(&machine, "cb", "phys", "GlobalIPv6Address"),
    );
    assert!(a.starts_with("2001:db8::") && a != b && a != lan.gateway6(), "{a} {b}");
    ping(&machine, "ca", &b).ok();
    ping(&machine, "ca", &lan.address6()).ok();
    machine.docker(["exec", "ca", "ping", "-6", "-c1", "-W5", "cb"]).ok();
    lan.exec(["ping", "-c1", "-W5", &a]).ok();
    assert!(!machine.exec(["ping", "-c1", "-W1", &a]).status.success(), "the host is no part of it");
    let route = machine.docker(["exec", "ca", "ip", "-6", "route", "show", "default"]).ok();
    let gateway: std::net::Ipv6Addr = lan.address6().parse().unwrap();
    assert!(route.starts_with(&format!("default via {gateway} dev eth0")), "{route}");

    let inspected = |client: Output| client.json()[0]["IPAM"]["Config"].clone();
    let config = inspected(machine.pontoon(["network", "inspect", "phys"]));
    assert_eq!(config, inspected(machine.docker(["network", "inspect", "phys"])));
    assert_eq!(
        config[1]["AuxiliaryAddresses"]["host6"],
        lan.gateway6().parse::<std::net::Ipv6Addr>().unwrap().to_string()
    );
    machine.docker(["rm", "-f", "ca", "cb"]).ok();
    machine.pontoon(["network", "rm", "phys"]).ok();
    assert!(!machine.docker(["network", "ls", "--format", "{{.Name}}"]).ok().contains("phys"));
}

#[test]
fn each_subnet_has_its_gateway_and_addresses_come_from_the_first_with_room() {
    let mut machine = Lab::new().machine("aa");
    let lan = machine.lan("router");
    lan.sh("ip address add 10.85.0.1/30 dev eth0 && ip address add 10.86.0.254/24 dev eth0 && \
            ip address add fd85::1/64 dev eth0 nodad && sysctl -qw net.ipv4.ip_forward=1 && \
            sysctl -qw net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.eth0.send_redirects=0")
        .ok();
    let line = "network create -d macvlan -o parent=lan0 --ipv6 --subnet 10.85.0.0/30 --subnet 10.86.0.0/24 \
                --gateway 10.86.0.254 --subnet fd85::/64 --subnet fd86::/64 phys";
    // Docker's own command line puts them into any order.
    machine.pontoon(line.split_whitespace()).ok();
    let config = machine.docker(["network", "inspect", "-f", "{{json .IPAM.Config}}", "phys"]).ok();
    assert_eq!(
        config,
        r#"[{"Subnet":"10.85.0.0/30","Gateway":"10.85.0.1"},{"Subnet":"10.86.0.0/24","Gateway":"10.86.0.254"},{"Subnet":"fd85::/64","Gateway":"fd85::1"},{"Subnet":"fd86::/64","Gateway":"fd86::1"}]"#
    );
    start(&machine, "c1", "phys");
    start(&machine, "c2", "phys");
    machine.start(
        "c3",
        &["--network", "phys", "--ip", "10.86.0.77", "--ip6", "fd86::77"],
        &["sleep", "1000"],
    );
    let seen = |machine: &Machine, name: &str| {
        let ask = "ip -o address show eth0 scope global | grep -o 'inet[^ ]* [^ ]*'; ip route show default";
        machine.docker(["exec", name, "sh", "-c", ask]).ok()
    };
    let table = [
        ("c1", ["inet 10.85.0.2/30", "inet6 fd85::2/64", "default via 10.85.0.1 dev eth0"]),
        ("c2", ["inet 10.86.0.1/24", "inet6 fd85::3/64", "default via 10.86.0.254 dev eth0"]),
        ("c3", ["inet 10.86.0.77/24", "inet6 fd86::77/64", "default via 10.86.0.254 dev eth0"]),
    ];
    let check = |machine: &Machine| {
        for (name, parts) in table {
            let seen = seen(machine, name);
            assert!(parts.iter().all(|part| seen.contains(part)), "{name}: {seen}");
        }
        // Within a subnet directly; from one into the other through the router, which knows both.
        for (from, to) in
            [("c2", "10.86.0.77"), ("c1", "10.86.0.1"), ("c3", "10.85.0.2"), ("c1", "fd85::3"), ("c1", "c2")]
        {
            ping(machine, from, to).ok();
        }
        lan.exec(["ping", "-c1", "-W5", "10.85.0.2"]).ok();
    };
    check(&machine);
    machine.kill_netd();
    machine.start_netd();
    check(&machine);
    machine.docker(["restart", "-t", "0", "c1", "c2", "c3"]).ok();
    eventually("neighbours know who has the addresses now", || ping(&machine, "c1", "10.86.0.1").result());
    check(&machine);
}

#[test]
fn several_subnets_are_asked_for_again_after_a_removal_and_are_no_bridge_s() {
    let machine = Lab::new().machine("aa");
    let _lan = machine.lan("router");
    let line = "network create -d macvlan -o parent=lan0 --subnet 10.85.0.0/30 --subnet 10.86.0.0/24 phys";
    let id = machine.pontoon(line.split_whitespace()).ok();
    start(&machine, "c1", "phys");
    let error =
        machine.docker(["run", "--rm", "--network", "phys", "--ip", "10.87.0.2", "host", "true"]).fails(125);
    assert!(error.contains("no configured subnet or ip-range contain the IP address 10.87.0.2"), "{error}");
    machine.docker(["rm", "-f", "c1"]).ok();
    machine.docker(["network", "rm", "phys"]).ok();
    let again = machine.docker(line.split_whitespace()).ok();
    assert_ne!(again, id);
    let error =
        machine.docker(["network", "create", "--subnet", "10.88.0.0/24", "--subnet", "10.89.0.0/24", "web"]);
    assert!(error.fails(1).contains("bridge driver doesn't support multiple subnets"));
}

#[test]
fn vepa_containers_meet_at_the_switch() {
    let machine = Lab::new().machine("aa");
    let lan = machine.lan("switch");
    machine.docker(with(&on_the_lan(&lan), &["-o", "macvlan_mode=vepa", "phys"])).ok();
    for name in ["ca", "cb"] {
        start(&machine, name, "phys");
    }
    let link = machine.docker(["exec", "ca", "ip", "-d", "link", "show", "eth0"]).ok();
    assert!(link.contains("macvlan mode vepa"), "{link}");
    ping(&machine, "ca", &lan.address()).ok();
    let b = shown(&machine, "cb", "phys", "IPAddress");
    machine.docker(["exec", "ca", "ping", "-c1", "-W1", &b]).fails(1);
    // A switch that sends frames back by the port that they came from.
    lan.sh(&format!(
        "ip link add br0 type bridge && ip link set br0 up && ip address flush dev eth0 && \
         ip link set eth0 master br0 && bridge link set dev eth0 hairpin on && ip address add {}/24 dev br0",
        lan.address()
    ))
    .ok();
    eventually("they meet", || ping(&machine, "ca", &b).result());
}

#[test]
fn addresses_on_the_lan_are_announced_as_often_as_the_network_says() {
    let machine = Lab::new().machine("aa");
    let lan = machine.lan("client");
    let subnet = ["--subnet", "10.87.0.0/24"];
    for (name, times, count) in [("never", "0", 0), ("twice", "2", 2)] {
        let nmsgs = format!("com.docker.network.advertise_addr_nmsgs={times}");
        let words = ["network", "create", "-d", "macvlan", "-o", "parent=lan0", "-o", &nmsgs];
        let every = ["-o", "com.docker.network.advertise_addr_ms=1500", name];
        machine.docker(words.iter().chain(&subnet).chain(&every).copied()).ok();
        let sniffer = Sniffer::start(&lan, "eth0", "10.87.0.2");
        machine.docker(["run", "-d", "--name", "c1", "--network", name, "host", "sleep", "1000"]).ok();
        let [heard] = Sniffer::heard([sniffer]);
        assert_eq!(heard.len(), count, "{name}: {heard:?}");
        assert!(heard.windows(2).all(|pair| pair[1] - pair[0] > 0.75), "{name}: {heard:?}");
        machine.docker(["rm", "-f", "c1"]).ok();
        machine.docker(["network", "rm", name]).ok();
    }
}
