//! What a container can't do to its host and its neighbours, as its user sees it. docs/security.md lists these properties
//! with the tests that prove them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use tests::{ANSWER, Lab, Machine, NetdOptions, OwnEtc, Place, SILENCE, eventually};

/// Whether a process of the container, which may change its network, does what `line` says.
fn can(machine: &Machine, container: &str, line: &str) -> bool {
    machine.pontoon(["exec", container, "sh", "-c", line]).status.success()
}

/// The name of a container's namespace.
fn sandbox(machine: &Machine, container: &str) -> String {
    let id = machine.pontoon(["inspect", "-f", "{{.Id}}", container]).ok();
    format!("pontoon-{}", &id[..12])
}

fn host(machine: &Machine) -> Place {
    Place::open(Path::new(&format!("/proc/{}/ns/net", machine.pid())))
}

const ADMIN: [&str; 2] = ["--cap-add", "NET_ADMIN"];

#[test]
fn labels_and_options_say_who_may_send_from_any_address() {
    let machine = Lab::new().machine("aa");
    let create = ["network", "create", "--subnet"];
    machine.docker([&create[..], &["10.81.1.0/24", "web"]].concat()).ok();
    machine.docker([&create[..], &["10.81.2.0/24", "-o", "io.pontoon.spoof=allow", "free"]].concat()).ok();
    let allow = ["--label", "io.pontoon.spoof=allow"];
    let deny = ["--label", "io.pontoon.spoof=deny"];
    let start = |name: &str, args: &[&[&str]]| {
        machine.start(name, &[&ADMIN[..], &args.concat()[..]].concat(), &["sleep", "1000"]);
    };
    start("kept", &[&["--network", "web"]]);
    start("label", &[&["--network", "web"], &allow]);
    start("option", &[&["--network", "name=web,driver-opt=io.pontoon.spoof=allow"]]);
    start("network", &[&["--network", "free"]]);
    start("nearer", &[&["--network", "free"], &deny]);
    let spoofs = |container: &str, subnet: u8, seconds: u8| {
        let own = format!("10.81.{subnet}.200");
        let line = format!(
            "ip address add {own}/24 dev eth0; ping -c1 -W{seconds} -I {own} 10.81.{subnet}.1 >/dev/null"
        );
        can(&machine, container, &line)
    };
    let table = [
        ("kept", 1, false),
        ("label", 1, true),
        ("option", 1, true),
        ("network", 2, true),
        ("nearer", 2, false),
    ];
    for (container, subnet, expected) in table {
        let seconds = if expected { ANSWER } else { SILENCE };
        assert_eq!(spoofs(container, subnet, seconds), expected, "{container}");
        assert!(can(&machine, container, &format!("ip address del 10.81.{subnet}.200/24 dev eth0")));
    }

    let said = machine.pontoon(["network", "create", "-o", "io.pontoon.spoof=maybe", "x"]).fails(1);
    assert!(
        said.contains("invalid value \"maybe\" of io.pontoon.spoof: it should be deny or allow"),
        "{said}"
    );
    let said =
        machine.pontoon([&["run", "--rm", "--network", "host"], &allow[..], &["host", "true"]].concat());
    let said = said.fails(125);
    assert!(said.contains("conflicting options: io.pontoon.spoof and the network mode"), "{said}");
}

#[test]
fn a_namespace_that_is_attached_is_kept_to_its_addresses() {
    let machine = Lab::new().machine("aa");
    machine.pontoon(["network", "create", "--subnet", "10.81.1.0/24", "web"]).ok();
    let etc = OwnEtc::lay(&machine);
    machine.sh("ip netns add blue").ok();
    machine.pontoon(["netns", "attach", "blue", "web"]).ok();
    let ping = |words: &str, seconds: u8| {
        machine.sh(&format!("ip netns exec blue ping -c1 -W{seconds} {words}")).status.success()
    };
    assert!(ping("10.81.1.1", ANSWER));
    machine.sh("ip -n blue address add 10.81.1.200/24 dev eth0").ok();
    assert!(!ping("-I 10.81.1.200 10.81.1.1", SILENCE));
    machine.pontoon(["netns", "detach", "blue", "web"]).ok();
    assert!(
        !machine.sh("nft list set bridge pontoon guarded").ok().contains("veth"),
        "nobody is left to be kept"
    );

    machine
        .pontoon(["network", "create", "--subnet", "10.81.2.0/24", "-o", "io.pontoon.spoof=allow", "free"])
        .ok();
    machine.pontoon(["netns", "attach", "blue", "free"]).ok();
    machine.sh("ip -n blue address add 10.81.2.200/24 dev eth0").ok();
    assert!(ping("-I 10.81.2.200 10.81.2.1", ANSWER));
    machine.pontoon(["netns", "detach", "blue", "free"]).ok();
    machine.sh("ip netns del blue").ok();
    etc.lift();
}

#[test]
fn another_networks_gateway_is_out_of_reach() {
    let machine = Lab::new().machine("aa");
    let lan = machine.lan("world");
    let _server = host(&machine).serve(&[9000]);
    let create = |words: &str| machine.pontoon(format!("network create --ipv6 {words}").split(' ')).ok();
    create("--subnet 10.81.1.0/24 --subnet fd81:0:0:1::/64 aa");
    create("--subnet 10.81.2.0/24 --subnet fd81:0:0:2::/64 bb");
    create("--subnet 10.81.3.0/24 --subnet fd81:0:0:3::/64 -o io.pontoon.gateway=everyone cc");
    machine.start("c1", &["--network", "aa"], &["sleep", "1000"]);
    machine.start(
        "c2",
        &["--network", "bb", "-p", "9001:80"],
        &["socat", "TCP6-LISTEN:80,fork,reuseaddr,ipv6only=0", "/dev/null"],
    );
    let reaches =
        |ip: &str, port: u16, seconds: u8| can(&machine, "c1", &format!("nc -z -w{seconds} {ip} {port}"));
    let default =
        machine.pontoon(["network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", "bridge"]).ok();
    let open = [
        "10.81.1.1",
        "fd81:0:0:1::1",
        "10.81.3.1",
        "fd81:0:0:3::1",
        &lan.gateway(),
        &lan.gateway6(),
        &default,
    ];
    for ip in open {
        eventually("it answers", || if reaches(ip, 9000, SILENCE) { Ok(()) } else { Err(ip.to_owned()) });
    }
    for ip in ["10.81.2.1", "fd81:0:0:2::1"] {
        assert!(!reaches(ip, 9000, SILENCE), "{ip}");
        assert!(!can(&machine, "c1", &format!("ping -c1 -W1 {ip}")), "{ip}");
        eventually("a published port is reached there too", || {
            if reaches(ip, 9001, SILENCE) { Ok(()) } else { Err(ip.to_owned()) }
        });
    }
    // Who is in both is a member of both.
    machine.pontoon(["network", "connect", "bb", "c1"]).ok();
    assert!(reaches("10.81.2.1", 9000, ANSWER) && reaches("fd81:0:0:2::1", 9000, ANSWER));
    machine.pontoon(["network", "disconnect", "bb", "c1"]).ok();
    assert!(!reaches("10.81.2.1", 9000, SILENCE));
    machine.exec(["nft", "flush", "ruleset"]).ok();
    eventually("closed again", || if reaches("10.81.2.1", 9000, SILENCE) { Err("open") } else { Ok(()) });
}

#[test]
fn the_daemons_own_ports_are_hidden_from_containers() {
    let args = [
        "--metrics-addr",
        "0.0.0.0:9323",
        "-H",
        "unix:///run/pontoon/pontoon.sock",
        "-H",
        "tcp://0.0.0.0:2375",
    ];
    let options = NetdOptions { args: args.map(str::to_owned).to_vec(), ..NetdOptions::default() };
    let mut machine = Lab::new().machine_with("aa", options);
    let lan = machine.lan("world");
    let _server = host(&machine).serve(&[9000]);
    machine.pontoon(["network", "create", "--subnet", "10.81.1.0/24", "web"]).ok();
    machine.start("user", &["--network", "web"], &["sleep", "1000"]);
    machine.start("plain", &[], &["sleep", "1000"]);
    let hidden = |machine: &Machine| {
        for container in ["user", "plain"] {
            let gateway = can(machine, container, "ip route show default > /tmp/route");
            assert!(gateway, "{container}");
            let own = "$(cut -d' ' -f3 /tmp/route)";
            for ip in [own, &lan.gateway()] {
                eventually("a server of the host answers", || {
                    if can(machine, container, &format!("nc -z -w1 {ip} 9000")) { Ok(()) } else { Err(()) }
                });
                for port in [9323, 2375] {
                    assert!(
                        !can(machine, container, &format!("nc -z -w1 {ip} {port}")),
                        "{container} {ip} {port}"
                    );
                }
            }
        }
    };
    hidden(&machine);
    for url in ["http://127.0.0.1:9323/metrics", "http://127.0.0.1:2375/_ping"] {
        machine.exec(["curl", "-fsS", "--max-time", "5", url]).ok();
    }
    lan.sh(&format!("nc -z -w5 {} 9323", lan.gateway())).ok();
    machine.kill_netd();
    machine.start_netd();
    hidden(&machine);
}

#[test]
fn servers_on_the_hosts_loopback_are_out_of_reach() {
    let machine = Lab::new().machine("aa");
    let _servers = ["TCP4-LISTEN:9000,bind=127.0.0.1,fork", "TCP6-LISTEN:9000,bind=[::1],fork"]
        .map(|address| machine.spawn(["socat", address, "/dev/null"]));
    machine.pontoon(["network", "create", "--ipv6", "web"]).ok();
    machine.start("cc", &["--network", "web"], &["sleep", "1000"]);
    let name = sandbox(&machine, "cc");
    // What a process that may change the namespace could do: the addresses lead out.
    let inside = |line: &str| machine.sh(&format!("ip netns exec {name} bash -c '{line}'"));
    inside("sysctl -qw net.ipv4.conf.all.route_localnet=1").ok();
    inside("ip route del local 127.0.0.0/8 table local; ip addr del 127.0.0.1/8 dev lo; ip addr del ::1/128 dev lo; true").ok();
    inside("ip route replace 127.0.0.1/32 via $(ip route show default | cut -d\" \" -f3) dev eth0").ok();
    inside("ip -6 route replace ::1/128 via $(ip -6 route show default | cut -d\" \" -f3) dev eth0").ok();
    for ip in ["127.0.0.1", "::1"] {
        eventually("the server listens", || machine.sh(&format!("nc -z -w1 {ip} 9000")).result());
        inside(&format!("nc -z -w1 {ip} 9000")).fails(1);
    }
    machine.sh("pkill -KILL -x socat").ok();
}

/// The names of all tests of the workspace.
fn all_tests(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() && !entry.ends_with("target") {
            all_tests(&entry, names);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&entry).expect("a source file");
            let mut is_test = false;
            for line in text.lines().map(str::trim) {
                is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
                if let Some((_, rest)) = line.split_once("fn ").filter(|_| is_test && !line.starts_with('#'))
                {
                    names.extend(rest.split_once('(').map(|(name, _)| name.to_owned()));
                    is_test = false;
                }
            }
        }
    }
}

#[test]
fn every_property_has_a_test_that_is_there() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut names = BTreeSet::new();
    for folder in ["libnet", "dns", "netd", "tests"] {
        all_tests(&root.join(folder), &mut names);
    }
    assert!(names.contains("every_property_has_a_test_that_is_there"));
    let page = fs::read_to_string(root.join("docs/security.md")).expect("docs/security.md");
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| ") && line.contains('`')).collect();
    assert!(rows.len() > 15, "{} rows", rows.len());
    for row in rows {
        let cell = row.trim_end_matches('|').rsplit('|').next().expect("a cell");
        let tests: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "no test proves: {row}");
        for test in tests {
            assert!(names.contains(test), "there is no test {test}: {row}");
        }
    }
}
