//! Port 53 belongs to whoever wants it: to a container with a name server of its own, to the host's, and containers
//! resolve through us all the same.

use std::fs;

use tests::{Host, Lab, Machine, Process, eventually};

/// A name server for `zone` with this address, of the program that hosts have.
fn dnsmasq(zone: &str, address: &str, more: &[&str]) -> Vec<String> {
    let own = format!("--address=/{zone}/{address}");
    let words = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=root"];
    let rest = ["--no-resolv", "--no-hosts", &own];
    words.iter().chain(&rest).chain(more).map(|&word| word.to_owned()).collect()
}

/// Starts one on the host, and makes it the host's only server.
fn host_s_server(machine: &Machine, zone: &str, listen: &str) -> Process {
    let bound = ["--bind-interfaces", &format!("--listen-address={listen}"), "--except-interface=none"];
    let process = machine.spawn(dnsmasq(zone, "192.0.2.53", &bound));
    eventually("the host's server listens", || {
        machine.sh(&format!("ss -Hlun sport = :53 | grep -F '{listen}:53'")).result()
    });
    let text = format!("nameserver {listen}\noptions edns0 trust-ad\n");
    fs::write(machine.path("/run/lab/resolv.conf"), text).expect("resolv.conf");
    process
}

fn dig(from: &Host, server: &str, words: &str) -> String {
    from.sh(&format!("dig +short +tries=2 +time=2 @{server} {words}")).stdout
}

fn within(machine: &Machine, name: &str, line: &str) -> String {
    machine.pontoon(["exec", name, "sh", "-c", line]).ok()
}

/// A container whose own server, on all its addresses, asks us for what it does not know.
fn serve_names(machine: &Machine, publish: &[&str]) {
    let asks = ["--server=127.0.0.11"];
    let words = dnsmasq("own.example", "192.0.2.77", &asks);
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    machine.start("names", &[&["--network", "web"], publish].concat(), &words);
    eventually("the container's server listens", || {
        machine.pontoon(["exec", "names", "sh", "-c", "ss -Hlun sport = :53 | grep 0.0.0.0:53"]).result()
    });
}

#[test]
fn a_container_serves_names_on_port_53_and_resolves_through_us() {
    let machine = Lab::new().machine("aa");
    let client = machine.lan("client");
    machine.pontoon(["network", "create", "--subnet", "10.53.0.0/24", "web"]).ok();
    machine.start("peer", &["--network", "web", "--ip", "10.53.0.9"], &["sleep", "1000"]);
    serve_names(&machine, &["-p", "53:53/udp", "-p", "53:53/tcp"]);

    for transport in ["+notcp", "+tcp"] {
        let ask = |name: &str| dig(&client, &client.gateway(), &format!("{transport} {name}"));
        eventually("the LAN is answered", || match ask("own.example") {
            answer if answer == "192.0.2.77" => Ok(()),
            other => Err(other),
        });
        assert_eq!(ask("peer"), "10.53.0.9", "its own server asks us, {transport}");
        assert_eq!(dig(&machine, "127.0.0.1", &format!("{transport} own.example")), "192.0.2.77");
    }
    // Inside, each is at its own address.
    assert_eq!(within(&machine, "names", "dig +short peer"), "10.53.0.9");
    assert_eq!(within(&machine, "names", "getent hosts peer | cut -d' ' -f1"), "10.53.0.9");
    assert_eq!(within(&machine, "names", "dig +short @127.0.0.1 own.example"), "192.0.2.77");
    assert_eq!(within(&machine, "names", "dig +short @127.0.0.11 own.example"), "");
    assert_eq!(within(&machine, "peer", "dig +short @names own.example"), "192.0.2.77");
}

#[test]
fn what_has_the_host_s_port_53_does_not_matter() {
    let machine = Lab::new().machine("aa");
    let client = machine.lan("client");
    machine.pontoon(["network", "create", "--subnet", "10.53.0.0/24", "web"]).ok();
    machine.start("peer", &["--network", "web", "--ip", "10.53.0.9"], &["sleep", "1000"]);
    for listen in ["127.0.0.53", "127.0.0.1"] {
        let zone = format!("{}.example", listen.replace('.', "-"));
        let _server = host_s_server(&machine, &zone, listen);
        machine.start("cc", &["--network", "web"], &["sleep", "1000"]);
        assert_eq!(within(&machine, "cc", "dig +short peer"), "10.53.0.9");
        for transport in ["+notcp", "+tcp"] {
            let line = format!("dig +short {transport} www.{zone}");
            assert_eq!(within(&machine, "cc", &line), "192.0.2.53", "{listen} {transport}");
        }
        let file = within(&machine, "cc", "cat /etc/resolv.conf");
        assert!(file.contains(&format!("# ExtServers: [host({listen})]")), "{file}");

        // A container's server has what the host's leaves, and no more.
        let held = machine.pontoon(["run", "--rm", "-p", "53:53/udp", "host", "true"]).fails(125);
        assert!(held.contains("0.0.0.0:53/udp: address already in use (by dnsmasq, pid "), "{held}");
        let there = client.gateway();
        serve_names(&machine, &["-p", &format!("{there}:53:53/udp")]);
        eventually("the LAN is answered", || match dig(&client, &there, "own.example") {
            answer if answer == "192.0.2.77" => Ok(()),
            other => Err(other),
        });
        assert_eq!(dig(&machine, listen, &zone), "192.0.2.53", "the host's own goes on");
        machine.pontoon(["rm", "-f", "cc", "names"]).ok();
        machine.exec(["pkill", "-x", "dnsmasq"]).ok();
        eventually("the host's server has ended", || {
            let left = machine.sh("ss -Hlun sport = :53").stdout;
            if left.is_empty() { Ok(()) } else { Err(left) }
        });
    }
}
