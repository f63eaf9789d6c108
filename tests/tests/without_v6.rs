//! A host without IPv6 (`ipv6.disable=1`): IPv4 works as everywhere, and whoever asks for IPv6 is told that there is none.

use tests::{HostKind, Lab, Lan, Machine, NetdOptions, eventually};

const SERVER: [&str; 3] = ["socat", "TCP4-LISTEN:80,fork,reuseaddr", "EXEC:'echo hello'"];

fn machine() -> Machine {
    let options = NetdOptions { host: HostKind::WithoutIpv6, ..NetdOptions::default() };
    Lab::new().machine_with("aa", options)
}

fn asked(lan: &Lan, port: u16) -> String {
    let line = format!("socat -T5 -u TCP4:{}:{port},connect-timeout=5 -", lan.gateway());
    eventually("the port answers", || lan.sh(&line).result())
}

#[test]
fn networks_ports_and_names_need_no_ipv6() {
    let mut machine = machine();
    let lan = machine.lan("client");
    machine.docker(["network", "create", "four"]).ok();
    let web = [&["run", "-d", "--name", "web", "--network", "four", "-p", "8080:80", "host"], &SERVER[..]];
    machine.docker(web.concat()).ok();
    machine.run("peer", &["--network", "four", "--label", "io.pontoon.rate.out=50mbit"]).ok();

    // The whole host is asked for: there is no `[::]` to publish at.
    assert_eq!(machine.docker(["port", "web"]).ok(), "80/tcp -> 0.0.0.0:8080");
    assert_eq!(asked(&lan, 8080), "hello");
    assert_eq!(machine.sh("socat -T5 -u TCP4:127.0.0.1:8080 -").ok(), "hello");
    machine.within("peer", &["ping", "-4", "-c1", "-W5", "web"]);
    assert_eq!(machine.within("peer", &["dig", "+short", "web"]), machine.within("web", &["hostname", "-i"]));
    machine.within("peer", &["ping", "-c1", "-W5", &lan.address()]);

    // Such a kernel refuses links whose IPv6 is to be set: see `no_address` in libnet/src/link.
    let links = machine.sh("ip -d -o link show | grep -E ' (veth|ifb)[0-9a-f]{7}'").ok();
    assert_eq!(links.lines().count(), 3, "{links}");
    assert!(links.contains("addrgenmode eui64") && !links.contains("addrgenmode none"), "{links}");

    machine.kill_netd();
    machine.start_netd();
    assert_eq!(asked(&lan, 8080), "hello");
    machine.within("peer", &["ping", "-4", "-c1", "-W5", "web"]);
    machine.run("later", &["--network", "four", "-p", "8081:80"]).ok();
    machine.docker(["restart", "-t0", "web"]).ok();
    assert_eq!(asked(&lan, 8080), "hello");
    let log = machine.log();
    assert!(!log.contains("ERROR") && !log.contains("WARN"), "{log}");
    machine.assert_clean();
}

#[test]
fn networks_with_ipv6_are_refused() {
    let machine = machine();
    let refused = "network six can't have IPv6: this host has none";
    for more in [&["--ipv6"][..], &["--ipv6", "--ipv4=false"], &["--ipv6", "--driver", "macvlan"]] {
        let words = ["network", "create"].into_iter().chain(more.iter().copied()).chain(["six"]);
        assert!(machine.docker(words).fails(1).contains(refused), "{more:?}");
    }
    assert_eq!(machine.docker(["network", "ls", "-q", "--filter", "type=custom"]).ok(), "");
    // An address of the host that it can't have.
    let port = machine.run("web", &["-p", "[::1]:8080:80"]).fails(125);
    assert!(port.contains("failed to bind host port [::1]:8080/tcp: address family not supported"), "{port}");
}
