//! Networks with IPv6 through the stock docker CLI and `pontoon`: subnets that Pontoon chooses, and networks without IPv4.

use tests::{Lab, Machine, Output, eventually};

/// The network `six`: IPv6 and nothing else, of a subnet that Pontoon chooses.
fn six(machine: &Machine) {
    machine.docker(["network", "create", "--ipv6", "--ipv4=false", "six"]).ok();
}

fn subnets(machine: &Machine, network: &str) -> String {
    machine.docker(["network", "inspect", "-f", "{{range .IPAM.Config}}{{.Subnet}} {{end}}", network]).ok()
}

fn run(machine: &Machine, name: &str, more: &[&str], program: &[&str]) {
    let words = ["run", "-d", "--name", name, "--network", "six"];
    machine.docker(words.iter().chain(more).chain(&["host"]).chain(program).copied()).ok();
}

fn within(machine: &Machine, container: &str, line: &str) -> Output {
    machine.docker(["exec", container, "bash", "-c", line])
}

#[test]
fn a_network_without_ipv4_is_whole() {
    let machine = Lab::new().machine("aa");
    let lan = machine.lan("client");
    six(&machine);
    let subnet = subnets(&machine, "six");
    let prefix = subnet.trim().strip_suffix("::/64").expect("a /64");
    assert!(prefix.starts_with("fd"), "{subnet}");
    run(
        &machine,
        "web",
        &["-p", "8080:80"],
        &["socat", "TCP6-LISTEN:80,fork,reuseaddr", "EXEC:'echo hello'"],
    );
    run(&machine, "peer", &[], &["sleep", "1000"]);

    let address = |name| {
        let format = "{{.NetworkSettings.Networks.six.GlobalIPv6Address}}";
        machine.docker(["inspect", "-f", format, name]).ok()
    };
    assert_eq!([address("web"), address("peer")], ["2", "3"].map(|last| format!("{prefix}::{last}")));
    let has = within(&machine, "peer", "ip -o address show dev eth0 scope global").ok();
    assert!(has.contains(&format!("inet6 {prefix}::3/64")) && !has.contains("inet "), "{has}");
    let route = within(&machine, "peer", "ip -6 route show default").ok();
    assert!(route.starts_with(&format!("default via {prefix}::1 dev eth0")), "{route}");
    assert_eq!(within(&machine, "peer", "ip -4 route show").ok(), "");

    assert_eq!(within(&machine, "peer", "grep ^nameserver /etc/resolv.conf").ok(), "nameserver 127.0.0.11");
    assert_eq!(within(&machine, "peer", "dig +short web AAAA").ok(), format!("{prefix}::2"));
    let v4 = within(&machine, "peer", "dig web A").ok();
    assert!(v4.contains("status: NOERROR") && v4.contains("ANSWER: 0"), "{v4}");
    within(&machine, "peer", "ping -6 -c1 -W5 web").ok();
    machine.pontoon(["exec", "web", "ping", "-6", "-c1", "-W5", "peer"]).ok();

    let ask = |to: &str| format!("socat -T5 -u 'TCP6:[{to}]:8080,connect-timeout=5' -");
    eventually("it answers", || {
        let said = machine.sh(&ask(&lan.gateway6()));
        if said.stdout == "hello" { Ok(()) } else { Err(said) }
    });
    assert_eq!(lan.sh(&ask(&lan.gateway6())).ok(), "hello");
    within(&machine, "peer", &format!("ping -6 -c1 -W5 {}", lan.address6())).ok();
}

#[test]
fn chosen_v6_subnets_differ_and_outlive_the_daemon() {
    let mut machine = Lab::new().machine("aa");
    six(&machine);
    machine.pontoon(["network", "create", "--ipv6", "both"]).ok();
    let all = |machine: &Machine| ["six", "both"].map(|name| subnets(machine, name));
    let before = all(&machine);
    let v6 = |subnets: &str| subnets.split(' ').find(|subnet| subnet.contains(':')).expect("v6").to_owned();
    let chosen = [v6(&before[0]), v6(&before[1])];
    assert_ne!(chosen[0], chosen[1]);
    // RFC 4193: the first 48 bits are this daemon's own.
    let own = |subnet: &str| -> [u16; 3] {
        let address: std::net::Ipv6Addr = subnet.split('/').next().unwrap().parse().unwrap();
        let [a, b, c, ..] = address.segments();
        [a, b, c]
    };
    assert_eq!(own(&chosen[0]), own(&chosen[1]), "{chosen:?}");
    run(&machine, "web", &[], &["sleep", "1000"]);

    machine.kill_netd();
    machine.start_netd();
    assert_eq!(all(&machine), before);
    run(&machine, "peer", &[], &["sleep", "1000"]);
    eventually("the new one reaches the old one", || {
        within(&machine, "peer", "ping -6 -c1 -W2 web").result()
    });
    machine.pontoon(["network", "create", "--ipv6", "third"]).ok();
    let third = v6(&subnets(&machine, "third"));
    assert!(!chosen.contains(&third) && own(&third) == own(&chosen[0]), "{third} {chosen:?}");
}
