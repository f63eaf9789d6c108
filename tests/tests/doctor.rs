//! `pontoon doctor`: finds what somebody broke, says what to do, and does it.

use serde_json::Value;
use tests::{Lab, Machine, OwnEtc, eventually};

fn findings(machine: &Machine, severity: &str) -> Vec<String> {
    let examination: Value = serde_json::from_str(&machine.pontoon(["doctor", "--json"]).stdout).unwrap();
    let all = examination["Findings"].as_array().unwrap().iter();
    let wanted = all.filter(|finding| finding["Severity"] == severity);
    wanted.map(|finding| finding["What"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_host_that_is_well_is_told_so() {
    let machine = Lab::new().machine("aa");
    machine.pontoon(["network", "create", "web"]).ok();
    machine.start("c1", &["--network", "web", "-p", "8080:80"], &["sleep", "1000"]);
    let text = machine.pontoon(["doctor"]).ok();
    for expected in [
        "ok      kernel           nf_tables with all that the firewall needs",
        "ok      kernel           interfaces of kind veth",
        "ok      links            2 networks and 1 endpoints are as declared",
        "ok      links            1 namespaces have inside what is declared",
        "ok      firewall         the tables of networks are as declared",
        "ok      containers       1 run, each with its shim",
    ] {
        assert!(text.contains(expected), "{expected:?} in\n{text}");
    }
    assert!(!text.contains("wrong"), "{text}");
}

#[test]
fn nothing_is_wrong_with_any_kind_of_network() {
    let machine = Lab::new().machine("aa");
    let lan = machine.lan("client");
    let create = |words: &str| drop(machine.docker(format!("network create {words}").split(' ')).ok());
    create("--ipv6 --subnet 10.9.1.0/24 --subnet fd09:0:0:1::/64 both");
    create("--ipv6 --ipv4=false --subnet fd09:0:0:2::/64 six");
    create("--internal --subnet 10.9.3.0/24 inner");
    create("--internal --subnet 10.9.4.0/24 -o com.docker.network.bridge.gateway_mode_ipv4=isolated alone");
    create("--subnet 10.9.5.0/24 -o com.docker.network.bridge.inhibit_ipv4=true handed");
    create("--ipam-driver null none-given");
    create("--subnet 10.9.6.0/24 -o com.docker.network.bridge.gateway_mode_ipv4=routed routed");
    create(
        "-d macvlan -o parent=lan0 --subnet 198.51.100.0/24 --gateway 198.51.100.2 --ip-range 198.51.100.64/28 out",
    );
    machine.sh("ip link add br9 type bridge; ip address add 10.9.7.1/24 dev br9; ip link set br9 up").ok();
    create("--subnet 10.9.7.0/24 --gateway 10.9.7.1 -o com.docker.network.bridge.name=br9 lent");
    let names = ["both", "six", "inner", "alone", "handed", "none-given", "routed", "out", "lent"];
    for name in names {
        machine.start(&format!("c-{name}"), &["--network", name], &["sleep", "1000"]);
    }
    let address = ["--network", "both", "--link-local-ip", "169.254.3.3"];
    machine.start("many", &address, &["sleep", "1000"]);
    machine.docker(["network", "connect", "--gw-priority", "5", "lent", "many"]).ok();
    machine.docker(["network", "connect", "inner", "many"]).ok();
    let well = |when: &str| {
        assert_eq!(findings(&machine, "wrong"), Vec::<String>::new(), "{when}");
        let notes = findings(&machine, "note");
        assert!(!notes.iter().any(|note| note.starts_with("in ")), "{when}: {notes:?}");
    };
    well("as they are");
    machine.docker(["network", "disconnect", "lent", "many"]).ok();
    well("another way out");
    machine.docker(["pause", "many"]).ok();
    well("paused");
    machine.docker(["unpause", "many"]).ok();
    machine.docker(["stop", "-t", "0", "c-out"]).ok();
    well("stopped");
    let text = machine.pontoon(["doctor"]).ok();
    assert!(text.contains(&format!("{} namespaces have inside", names.len())), "{text}");
    machine.docker(["rm", "-f", "c-lent"]).ok();
    machine.docker(["network", "rm", "lent"]).ok();
    machine.sh("ip link delete br9").ok();
    drop(lan);
}

#[test]
fn what_is_broken_is_found_and_fixed() {
    let machine = Lab::new().machine("aa");
    machine.pontoon(["network", "create", "-o", "com.docker.network.bridge.name=br-web", "web"]).ok();
    machine.start("c1", &["--network", "web", "-p", "127.0.0.1:8081:80"], &["sleep", "1000"]);
    // Nobody tells of this setting, so that it is still so when it is looked for.
    machine.sh("sysctl -qw net.ipv4.conf.br-web.route_localnet=0").ok();
    let found = findings(&machine, "wrong");
    assert_eq!(found, ["net/ipv4/conf/br-web/route_localnet is not 1, as network web needs it"]);
    let text = machine.pontoon(["doctor"]);
    assert!(text.stdout.contains("→ pontoon doctor --fix puts it right"), "{text:?}");
    text.fails(1);

    let fixed = machine.pontoon(["doctor", "--fix"]).ok();
    assert!(
        fixed.contains("fixed                    setting net/ipv4/conf/br-web/route_localnet"),
        "{fixed}"
    );
    assert_eq!(machine.sh("sysctl -n net.ipv4.conf.br-web.route_localnet").ok(), "1");
    machine.pontoon(["doctor"]).ok();
    let events =
        machine.pontoon(["events", "--since", "10m", "--until", "0s", "--filter", "type=daemon"]).ok();
    assert!(events.contains("repair") && events.contains("route_localnet"), "{events}");
}

#[test]
fn what_a_container_did_to_its_own_network_is_told() {
    let machine = Lab::new().machine("aa");
    machine
        .pontoon(["network", "create", "--ipv6", "--subnet", "10.9.0.0/24", "--subnet", "fd09::/64", "web"])
        .ok();
    machine.start("c1", &["--network", "web", "--cap-add", "NET_ADMIN"], &["sleep", "1000"]);
    let etc = OwnEtc::lay(&machine);
    machine.sh("ip netns add blue").ok();
    machine.pontoon(["netns", "attach", "blue", "web"]).ok();
    assert_eq!(findings(&machine, "wrong"), Vec::<String>::new());
    let restarted = || {
        machine.pontoon(["restart", "-t", "0", "c1"]).ok();
        assert_eq!(findings(&machine, "wrong"), Vec::<String>::new(), "a restart makes it anew");
    };
    let within = |line: &str| machine.pontoon(["exec", "c1", "sh", "-c", line]).ok();
    let table = [
        ("ip address del 10.9.0.2/24 dev eth0", "in c1: interface eth0 is without 10.9.0.2/24"),
        ("ip -6 address flush dev eth0 scope global", "in c1: interface eth0 is without fd09::2/64"),
        ("ip route del default", "in c1: there is no IPv4 default route; it led out of eth0"),
        ("ip -6 route del default", "in c1: there is no IPv6 default route; it led out of eth0"),
        ("ip link set eth0 down", "in c1: interface eth0 is down"),
    ];
    for (line, expected) in table {
        within(line);
        let found = findings(&machine, "wrong");
        assert!(found.iter().any(|what| what == expected), "{line}: {found:?}");
        restarted();
    }
    // Another way out may be meant, and so may another name.
    within(
        "ip link set eth0 down; ip link set eth0 name lan0; ip link set lan0 up; ip route add default via 10.9.0.1",
    );
    assert_eq!(
        findings(&machine, "wrong"),
        [
            "in c1: interface eth0 is without fd09::2/64",
            "in c1: there is no IPv6 default route; it led out of eth0"
        ]
    );
    restarted();
    within(
        "ip link add tun0 type veth peer name far; ip link set far up; ip link set tun0 up; ip route replace default dev tun0",
    );
    assert_eq!(findings(&machine, "wrong"), Vec::<String>::new());
    let notes = findings(&machine, "note");
    assert!(
        notes.iter().any(|what| what == "in c1: the IPv4 default route no longer leads out of eth0"),
        "{notes:?}"
    );
    machine.sh("ip -n blue link set eth0 down").ok();
    assert_eq!(findings(&machine, "wrong"), ["in blue: interface eth0 is down"]);
    machine.pontoon(["netns", "detach", "blue", "web"]).ok();
    machine.sh("ip netns del blue").ok();
    etc.lift();
}

#[test]
fn other_firewalls_and_ports_in_the_way_are_named() {
    let mut machine = Lab::new().machine("aa");
    machine.leave_mess();
    machine.sh("iptables-nft -P FORWARD DROP").ok();
    machine.pontoon(["create", "--name", "late", "-p", "9300:80", "host", "true"]).ok();
    let _listener = machine.spawn(["nc", "-lk", "9300"]);
    eventually("it listens", || machine.sh("ss -ltn | grep 9300").result());
    eventually("both are found", || {
        let notes = findings(&machine, "note");
        let has = |text: &str| notes.iter().any(|note| note.contains(text));
        let port = "port 0.0.0.0:9300/tcp, which container late wants when it starts, is held by nc (pid ";
        match has("ip filter FORWARD drops forwarded packets that it does not know; 2 rules of ours")
            && has(port)
        {
            true => Ok(()),
            false => Err(notes),
        }
    });
    machine.pontoon(["doctor"]).ok();
}

#[test]
fn without_a_daemon_the_kernel_is_looked_at() {
    let lab = Lab::new();
    let mut machine = lab.machine("aa");
    machine.leave_mess();
    machine.stop_netd();
    machine.sh("iptables-nft -P FORWARD DROP").ok();
    let text = machine.pontoon(["doctor"]).ok();
    assert!(text.contains("ok      kernel           interfaces of kind bridge"), "{text}");
    assert!(text.contains("note    other-firewalls  ip filter FORWARD drops forwarded packets"), "{text}");
    assert!(text.contains("no daemon answers at unix:///run/pontoon/pontoon.sock"), "{text}");
    assert!(text.contains("→ pontoon daemon start"), "{text}");
    let said = machine.pontoon(["doctor", "--fix"]).fails(1);
    assert!(said.contains("Cannot connect to the Pontoon daemon"), "{said}");
}
