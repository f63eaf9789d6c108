//! Whether the host forwards packets: switched on where networks need it, which is said once; left alone where it is
//! somebody else's, which is said wherever Docker says it.

use tests::{Lab, Machine, NetdOptions};

/// The settings that netd changed, each as it is logged.
fn changed(machine: &Machine) -> Vec<String> {
    let log = machine.log();
    let lines = log.lines().filter(|line| line.contains("host setting changed"));
    lines.map(|line| line.split("net/").nth(1).unwrap_or(line).to_owned()).collect()
}

fn setting(machine: &Machine, key: &str) -> String {
    machine.exec(["sysctl", "-n", key]).ok()
}

#[test]
fn what_a_network_needs_of_the_host_is_set_once_and_said() {
    let machine = Lab::new().machine("aa");
    let _lan = machine.lan("client");
    let said = changed(&machine);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("ipv4/ip_forward") && said[0].contains('0') && said[0].contains('1'),
        "{said:?}"
    );
    assert_eq!(setting(&machine, "net.ipv6.conf.all.forwarding"), "0");

    machine.docker(["network", "create", "--ipv6", "six"]).ok();
    assert_eq!(setting(&machine, "net.ipv6.conf.all.forwarding"), "1");
    assert_eq!(
        setting(&machine, "net.ipv6.conf.lan0.accept_ra"),
        "2",
        "the host goes on to hear its routers"
    );
    let said = changed(&machine);
    for key in ["ipv6/conf/lan0/accept_ra", "ipv6/conf/all/forwarding"] {
        assert_eq!(said.iter().filter(|line| line.starts_with(key)).count(), 1, "{key}: {said:?}");
    }
    let count = said.len();
    machine.docker(["network", "create", "--ipv6", "seven"]).ok();
    machine.docker(["run", "--rm", "--network", "seven", "host", "true"]).ok();
    assert_eq!(changed(&machine).len(), count, "what is so already is not set again");
}

#[test]
fn what_is_set_on_a_bridge_of_the_user_s_is_said_too() {
    let machine = Lab::new().machine("aa");
    machine.sh("ip link add br9 type bridge && ip link set br9 up").ok();
    let said = |from: usize| changed(&machine).split_off(from);
    let before = changed(&machine).len();
    machine.docker(["network", "create", "-o", "com.docker.network.bridge.name=br9", "web"]).ok();
    // The bridge carries 127.0.0.0/8 while one of its ports is reached there.
    machine
        .docker([
            "run",
            "-d",
            "--name",
            "c1",
            "--network",
            "web",
            "-p",
            "127.0.0.1:8080:80",
            "host",
            "sleep",
            "1000",
        ])
        .ok();
    let taken = said(before);
    assert!(matches!(&taken[..], [one] if one.starts_with("ipv4/conf/br9/route_localnet")), "{taken:?}");
    machine.docker(["rm", "-f", "c1"]).ok();
    machine.docker(["network", "rm", "web"]).ok();
    let given_back = said(before + 1);
    assert!(
        matches!(&given_back[..], [one] if one.starts_with("ipv4/conf/br9/route_localnet")),
        "{given_back:?}"
    );
    assert_eq!(setting(&machine, "net.ipv4.conf.br9.route_localnet"), "0");
    machine.sh("ip link del br9").ok();
}

const INFO: &str = "WARNING: IPv4 forwarding is disabled";
const CREATE: &str = "WARNING: IPv4 forwarding is disabled. Networking will not work.";

#[test]
fn a_host_that_forwards_nothing_is_warned_of() {
    let args = vec!["--ip-forward=false".to_owned()];
    let machine = Lab::new().machine_with("aa", NetdOptions { args, ..NetdOptions::default() });
    let lan = machine.lan("client");
    assert_eq!(changed(&machine), [""; 0]);
    let address = lan.address();
    let out = |wait: &'static str| ["ping", "-c1", wait, &address];
    let run = |words: &[&str], program: &[&str]| {
        machine.docker(["run", "--rm"].iter().chain(words).chain(&["host"]).chain(program).copied())
    };
    let info = machine.docker(["info"]);
    assert!(info.stderr.lines().any(|line| line == INFO), "{info:?}");
    assert!(machine.pontoon(["info"]).stderr.lines().any(|line| line == INFO));
    assert_eq!(machine.docker(["info", "-f", "{{.IPv4Forwarding}}"]).ok(), "false");
    let cut_off = run(&[], &out("-W1"));
    assert_eq!((cut_off.status.code(), cut_off.stderr.as_str()), (Some(1), CREATE), "{cut_off:?}");
    assert_eq!(machine.pontoon(["create", "host", "true"]).stderr, CREATE);
    for network in ["host", "none"] {
        assert_eq!(run(&["--network", network], &["true"]).stderr, "", "{network}");
    }

    // Whoever has switched it off switches it on.
    machine.sh("sysctl -qw net.ipv4.ip_forward=1").ok();
    assert_eq!(machine.docker(["info", "-f", "{{.IPv4Forwarding}}"]).ok(), "true");
    assert!(!machine.docker(["info"]).stderr.contains("forwarding"));
    let through = run(&[], &out("-W5"));
    assert_eq!(through.stderr, "");
    through.ok();
}
