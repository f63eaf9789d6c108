//! Published ports where addresses can't be rewritten: `[::1]`, and from one address family to the other. The daemon
//! carries these flows itself.

use std::{net::IpAddr, path::Path, time::Duration};

use tests::{Lab, Machine, NetdOptions, Output, Place, Probe, Servers, eventually};

/// Nothing here is further away than a few switched frames; but a machine under load is slow.
const PATIENCE: Duration = Duration::from_secs(3);
/// For what is not answered.
const SHORT: Duration = Duration::from_millis(300);

fn networks(machine: &Machine) {
    let create =
        |words: &[&str]| drop(machine.docker(["network", "create"].iter().chain(words).copied()).ok());
    create(&["--subnet", "10.1.0.0/24", "four"]);
    create(&["--ipv6", "--ipv4=false", "--subnet", "fd01::/64", "six"]);
    create(&["--ipv6", "--subnet", "10.2.0.0/24", "--subnet", "fd02::/64", "both"]);
}

/// A container that publishes its port 80, in TCP and UDP, by these, and says to everybody whom it sees.
fn serve(machine: &Machine, name: &str, network: &str, ports: &[&str]) -> Servers {
    let all: Vec<String> =
        ports.iter().flat_map(|port| ["", "/udp"].map(|proto| format!("{port}:80{proto}"))).collect();
    let published = all.iter().flat_map(|port| ["-p", port]);
    let args: Vec<&str> = ["--network", network].into_iter().chain(published).collect();
    machine.start(name, &args, &["sleep", "1000"]);
    within(machine, name).tell(&[80])
}

fn within(machine: &Machine, container: &str) -> Place {
    let id = machine.docker(["inspect", "-f", "{{.Id}}", container]).ok();
    Place::open(&machine.path(&format!("/run/netns/pontoon-{}", &id[..12])))
}

fn of_process(pid: u32) -> Place {
    Place::open(Path::new(&format!("/proc/{pid}/ns/net")))
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[track_caller]
fn assert_sees(from: &Place, (to, port): (&str, u16), expected: &str) {
    for probe in [Probe::Tcp(port), Probe::Udp(port)] {
        let seen = || from.seen(&[(ip(to), probe)], PATIENCE)[0].ok_or("no answer");
        assert_eq!(eventually(&format!("{to} {probe:?}"), seen), ip(expected), "{to} {probe:?}");
    }
}

#[track_caller]
fn assert_silent(from: &Place, to: &str, probe: Probe) {
    assert_eq!(from.seen(&[(ip(to), probe)], SHORT), [None], "{to} {probe:?}");
}

/// Asks by a link-local address of the host.
fn ask_near(run: impl Fn(&str) -> Output, proto: &str, address: &str, port: u16) -> String {
    let line = format!("echo ? | timeout 5 socat -t1 - '{proto}6:[{address}%eth0]:{port}'");
    run(&line).stdout
}

/// The link-local address of a link of the host.
fn near(machine: &Machine, link: &str) -> String {
    let line = format!("ip -6 -o address show dev {link} scope link | awk '{{print $4}}' | cut -d/ -f1");
    machine.sh(&line).ok()
}

#[test]
fn either_family_of_the_host_leads_to_either_family_of_a_container() {
    let mut machine = Lab::new().machine("relay");
    let lan = machine.lan("client");
    networks(&machine);
    let _servers = [
        serve(&machine, "c4", "four", &["8004"]),
        serve(&machine, "c6", "six", &["8006"]),
        serve(&machine, "cb", "both", &["8046"]),
    ];
    assert_eq!(machine.docker(["port", "c6", "80/tcp"]).ok(), "0.0.0.0:8006\n[::]:8006");
    let (host, outside) = (of_process(machine.pid()), of_process(lan.pid()));
    let (v4, v6) = (lan.gateway(), lan.gateway6());
    let all = || {
        // Relayed: the server sees the bridge.
        assert_sees(&host, ("::1", 8004), "10.1.0.1");
        assert_sees(&host, (&v6, 8004), "10.1.0.1");
        assert_sees(&outside, (&v6, 8004), "10.1.0.1");
        assert_sees(&host, ("127.0.0.1", 8006), "fd01::1");
        assert_sees(&host, (&v4, 8006), "fd01::1");
        assert_sees(&outside, (&v4, 8006), "fd01::1");
        assert_sees(&host, ("::1", 8046), "fd02::1");
        // Rewritten: the server sees the client.
        assert_sees(&outside, (&v4, 8004), &lan.address());
        assert_sees(&outside, (&v6, 8006), &lan.address6());
        assert_sees(&outside, (&v4, 8046), &lan.address());
        assert_sees(&outside, (&v6, 8046), &lan.address6());
    };
    all();
    let local = near(&machine, "lan0");
    for proto in ["TCP", "UDP"] {
        for (port, expected) in [(8004, "10.1.0.1"), (8046, "fd02::1")] {
            eventually(&format!("{proto} {port}"), || {
                match ask_near(|line| lan.sh(line), proto, &local, port) {
                    seen if seen.parse::<IpAddr>().is_ok_and(|seen| seen.to_canonical() == ip(expected)) => {
                        Ok(())
                    }
                    other => Err(other),
                }
            });
        }
    }

    machine.kill_netd();
    assert_sees(&outside, (&v4, 8004), &lan.address());
    assert_silent(&host, "::1", Probe::Tcp(8004));
    machine.start_netd();
    all();

    machine.pontoon(["port", "rm", "c4", "8004:80"]).ok();
    assert_silent(&host, "::1", Probe::Tcp(8004));
    assert_eq!(host.seen(&[(ip("::1"), Probe::Udp(8004))], PATIENCE), [Some(ip("10.1.0.1"))]);
    machine.pontoon(["port", "add", "c4", "[::1]:8004:80"]).ok();
    assert_sees(&host, ("::1", 8004), "10.1.0.1");
    assert_silent(&host, &v6, Probe::Tcp(8004));
}

#[test]
fn an_internal_network_reaches_no_relayed_port() {
    let machine = Lab::new().machine("relay");
    networks(&machine);
    let create =
        ["network", "create", "--internal", "--ipv6", "--subnet", "10.3.0.0/24", "--subnet", "fd03::/64"];
    let inner = machine.docker(create.into_iter().chain(["inner"])).ok();
    let both = machine.docker(["network", "inspect", "-f", "{{.Id}}", "both"]).ok();
    let _servers = [serve(&machine, "c4", "four", &["8004"]), serve(&machine, "cb", "both", &["8046"])];
    machine.start("aa", &["--network", "inner"], &["sleep", "1000"]);
    machine.start("bb", &["--network", "both"], &["sleep", "1000"]);
    assert_sees(&within(&machine, "bb"), ("fd02::1", 8004), "10.1.0.1");
    for to in [8004, 8046] {
        assert_silent(&within(&machine, "aa"), "fd03::1", Probe::Tcp(to));
        assert_silent(&within(&machine, "aa"), "fd03::1", Probe::Udp(to));
    }
    let exec = |container: &str, line: &str| machine.docker(["exec", container, "bash", "-c", line]);
    let [inside, outside] = [&inner, &both].map(|id| near(&machine, &format!("br-{}", &id[..12])));
    for proto in ["TCP", "UDP"] {
        eventually("a network that is not internal reaches it", || {
            let seen = ask_near(|line| exec("bb", line), proto, &outside, 8004);
            if seen.contains("10.1.0.1") { Ok(()) } else { Err(seen) }
        });
        for port in [8004, 8046] {
            assert_eq!(ask_near(|line| exec("aa", line), proto, &inside, port), "", "{proto} {port}");
        }
    }
}

#[test]
fn a_relayed_port_is_reached_at_the_gateways_of_all_networks() {
    let machine = Lab::new().machine("relay");
    networks(&machine);
    machine
        .docker([
            "network",
            "create",
            "--internal",
            "--ipv6",
            "--subnet",
            "10.3.0.0/24",
            "--subnet",
            "fd03::/64",
            "inner",
        ])
        .ok();
    let here = of_process(machine.pid()).serve(&[9000]);
    let _servers = [
        here,
        serve(&machine, "c4", "four", &["8004", "[fd01::1]:8005"]),
        serve(&machine, "c6", "six", &["8006"]),
    ];
    machine.start("bb", &["--network", "both"], &["sleep", "1000"]);
    let bb = within(&machine, "bb");
    assert_sees(&bb, ("fd01::1", 8004), "10.1.0.1");
    assert_sees(&bb, ("fd01::1", 8005), "10.1.0.1");
    assert_sees(&bb, ("10.1.0.1", 8006), "fd01::1");
    assert_sees(&bb, ("10.1.0.1", 8004), "10.2.0.2");
    assert_silent(&bb, "fd01::1", Probe::Tcp(9000));
    assert_silent(&bb, "fd03::1", Probe::Tcp(8005));

    // Who makes itself a way out of an internal network is not led by it.
    let inner = ["--network", "inner", "--cap-add", "NET_ADMIN"];
    machine.start(
        "aa",
        &inner,
        &[
            "sh",
            "-c",
            "ip -6 route add fd01::/64 via fd03::1; ip route add 10.1.0.0/24 via 10.3.0.1; sleep 1000",
        ],
    );
    let aa = within(&machine, "aa");
    eventually("it has its routes", || match machine.docker(["exec", "aa", "ip", "route"]).ok() {
        routes if routes.contains("10.1.0.0/24") => Ok(()),
        routes => Err(routes),
    });
    for (to, port) in [("fd01::1", 8004), ("fd01::1", 8005), ("10.1.0.1", 8006)] {
        assert_silent(&aa, to, Probe::Tcp(port));
        assert_silent(&aa, to, Probe::Udp(port));
    }
    let chain = machine.sh("nft list chain inet pontoon filter-elsewhere").ok();
    assert!(
        !chain.contains("iifname @internal counter packets 0 "),
        "it is the kernel that drops it: {chain}"
    );
    machine.pontoon(["port", "rm", "c4", "8004:80"]).ok();
    assert!(!machine.sh("nft list set inet pontoon answered-any").ok().contains("tcp . 8004"));
    let shown = machine.pontoon(["firewall", "show", "c6"]).ok();
    assert!(shown.contains("set answered-any {") && shown.contains("ipv4 . udp . 8006"), "{shown}");
}

#[test]
fn without_a_userland_proxy_a_port_leads_within_its_family() {
    let machine = Lab::new().machine_with(
        "relay",
        NetdOptions { args: vec!["--userland-proxy=false".to_owned()], ..NetdOptions::default() },
    );
    let lan = machine.lan("client");
    networks(&machine);
    let _servers = [
        serve(&machine, "c4", "four", &["8004", "[::]:8005"]),
        serve(&machine, "c6", "six", &["8006"]),
        serve(&machine, "cb", "both", &["8046"]),
    ];
    let ports = |name: &str| machine.docker(["port", name, "80/tcp"]).ok();
    assert_eq!([ports("c4"), ports("c6")], ["0.0.0.0:8004", "[::]:8006"]);
    assert_eq!(ports("cb"), "0.0.0.0:8046\n[::]:8046");
    assert_sees(&of_process(lan.pid()), (&lan.gateway(), 8004), &lan.address());
    let host = of_process(machine.pid());
    for (to, port) in [("::1", 8004), ("::1", 8005), ("127.0.0.1", 8006), ("::1", 8046)] {
        assert_silent(&host, to, Probe::Tcp(port));
        assert_silent(&host, to, Probe::Udp(port));
    }
}
