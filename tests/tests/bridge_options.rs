//! Options of bridge networks through the stock docker CLI, each looked at in the kernel or by packets. Who reaches whom
//! in which gateway mode: connectivity.rs.

use tests::{Host, Lab, Machine, NetdOptions, Place, Probe, Sniffer, eventually};

const MODE_V4: &str = "com.docker.network.bridge.gateway_mode_ipv4=";

/// A network with 10.82.0.0/24 and these options, and a container `c1` at .2 with `-p 8080:80`.
fn with_options(machine: &Machine, options: &[&str]) {
    let create = ["network", "create", "--subnet", "10.82.0.0/24"];
    machine.docker(create.iter().chain(options).chain(&["net"]).copied()).ok();
    let run = ["run", "-d", "--name", "c1", "--network", "net", "-p", "8080:80", "host", "sleep", "1000"];
    machine.docker(run).ok();
}

fn link(machine: &Machine) -> String {
    let id = machine.docker(["network", "inspect", "-f", "{{.Id}}", "net"]).ok();
    format!("br-{}", &id[..12])
}

/// What a server of the LAN, at this address of its, sees as the source of the container's packets.
fn source_seen(machine: &Machine, lan: &tests::Lan, address: &str) -> std::net::IpAddr {
    let family = if address.contains(':') { "TCP6" } else { "TCP4" };
    let server =
        lan.spawn(["socat", &format!("{family}-LISTEN:9000,reuseaddr,fork"), "SYSTEM:echo $SOCAT_PEERADDR"]);
    let ask = format!("socat -T5 -u {family}:[{address}]:9000,connect-timeout=1,retry=200,interval=0.1 -");
    let ask = if family == "TCP6" { ask } else { ask.replace(['[', ']'], "") };
    let seen = machine.docker(["exec", "c1", "bash", "-c", &ask]).ok();
    drop(server);
    seen.trim_matches(['[', ']']).parse().unwrap_or_else(|_| panic!("{seen} is no address"))
}

/// A server in `c1` on port 80 of both families, with the words of `docker run`.
fn serve(machine: &Machine, words: &[&str]) {
    let server = ["host", "socat", "TCP6-LISTEN:80,fork,reuseaddr,ipv6only=0", "SYSTEM:echo hello"];
    machine.docker(["run", "-d", "--name", "c1"].iter().chain(words).chain(&server).copied()).ok();
}

/// Whether `host:port` answers, as `socat` writes it.
fn answers(from: &Host, to: &str) -> Result<(), String> {
    let family = if to.starts_with('[') { "TCP6" } else { "TCP4" };
    let said = from.exec(["socat", "-t3", "-", &format!("{family}:{to},connect-timeout=2")]);
    if said.stdout == "hello" { Ok(()) } else { Err(format!("{to}: {said:?}")) }
}

fn ports(machine: &Machine) -> String {
    machine.docker(["port", "c1", "80"]).ok()
}

#[test]
fn a_routed_network_has_no_port_of_the_host() {
    let machine = Lab::new().machine("aa");
    with_options(&machine, &["-o", &format!("{MODE_V4}routed")]);
    let ports = machine.docker(["inspect", "-f", "{{json .NetworkSettings.Ports}}", "c1"]).ok();
    assert_eq!(ports, r#"{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":""}]}"#);
    assert!(!machine.exec(["ss", "-Htln", "sport", "=", ":8080"]).ok().contains("8080"));
    // In another network, the same container has the port that it asked for.
    machine.docker(["network", "create", "other"]).ok();
    machine.docker(["network", "connect", "--gw-priority", "1", "other", "c1"]).ok();
    assert!(machine.docker(["port", "c1"]).ok().contains("80/tcp -> 0.0.0.0:8080"));
}

#[test]
fn an_isolated_or_inhibited_bridge_has_no_address() {
    let machine = Lab::new().machine("aa");
    let address = |machine: &Machine| machine.exec(["ip", "-4", "-o", "addr", "show", &link(machine)]).ok();
    let wrong = machine.docker(["network", "create", "-o", &format!("{MODE_V4}isolated"), "x"]).fails(1);
    assert!(wrong.contains("gateway mode 'isolated' can only be used for an internal network"), "{wrong}");
    with_options(&machine, &["--internal", "-o", &format!("{MODE_V4}isolated")]);
    assert_eq!(address(&machine), "");
    let config = machine.docker(["network", "inspect", "-f", "{{json .IPAM.Config}}", "net"]).ok();
    assert_eq!(config, r#"[{"Subnet":"10.82.0.0/24"}]"#);
    machine.docker(["rm", "-f", "c1"]).ok();
    machine.docker(["network", "rm", "net"]).ok();

    with_options(&machine, &["-o", "com.docker.network.bridge.inhibit_ipv4=true"]);
    assert_eq!(address(&machine), "");
    let route = machine.docker(["exec", "c1", "ip", "route", "show", "default"]).ok();
    assert!(route.contains("via 10.82.0.1"), "{route}");
}

#[test]
fn packets_leave_with_the_address_that_the_network_names() {
    let machine = Lab::new().machine("aa");
    let lan = machine.lan("client");
    machine.exec(["ip", "addr", "add", "198.51.100.77/24", "dev", "lan0"]).ok();
    machine.exec(["ip", "addr", "add", "2001:db8::77/64", "dev", "lan0", "nodad"]).ok();
    let v6 = ["--ipv6", "-o", "com.docker.network.host_ipv6=2001:db8::77"];
    with_options(&machine, &[&v6[..], &["-o", "com.docker.network.host_ipv4=198.51.100.77"]].concat());
    assert_eq!(source_seen(&machine, &lan, &lan.address()).to_string(), "198.51.100.77");
    assert_eq!(source_seen(&machine, &lan, &lan.address6()).to_string(), "2001:db8::77");
}

#[test]
fn packets_keep_their_source_where_nothing_rewrites_it() {
    let machine = Lab::new().machine("aa");
    let lan = machine.lan("client");
    let v6 = ["--ipv6", "--subnet", "fd82::/64"];
    with_options(
        &machine,
        &[&v6[..], &["-o", "com.docker.network.bridge.enable_ip_masquerade=false"]].concat(),
    );
    assert_eq!(source_seen(&machine, &lan, &lan.address()).to_string(), "10.82.0.2");
    assert_eq!(source_seen(&machine, &lan, &lan.address6()).to_string(), "fd82::2");
}

#[test]
fn a_trusted_link_and_direct_routing_open_published_ports() {
    let reach = |machine: &Machine, lan: &tests::Lan| {
        let id = machine.docker(["inspect", "-f", "{{.Id}}", "c1"]).ok();
        let inside = Place::open(&machine.path(&format!("/run/netns/pontoon-{}", &id[..12])));
        let _servers = inside.serve(&[80, 81]);
        let outside = Place::open(std::path::Path::new(&format!("/proc/{}/ns/net", lan.pid())));
        let probes = [80, 81].map(|port| ([10, 82, 0, 2].into(), Probe::Tcp(port)));
        outside.reach(&probes, std::time::Duration::from_secs(2))
    };
    let machine = Lab::new().machine("aa");
    let lan = machine.lan("client");
    with_options(&machine, &["-o", "com.docker.network.bridge.trusted_host_interfaces=lan7:lan0"]);
    assert_eq!(reach(&machine, &lan), [true, false]);

    let args = vec!["--allow-direct-routing".to_owned()];
    let machine = Lab::new().machine_with("bb", NetdOptions { args, ..NetdOptions::default() });
    let lan = machine.lan("client");
    with_options(&machine, &[]);
    assert_eq!(reach(&machine, &lan), [true, false]);
}

#[test]
fn forwarding_is_left_alone_where_it_is_somebody_elses() {
    let args = vec!["--ip-forward=false".to_owned()];
    let machine = Lab::new().machine_with("aa", NetdOptions { args, ..NetdOptions::default() });
    with_options(&machine, &[]);
    assert_eq!(machine.exec(["sysctl", "-n", "net.ipv4.ip_forward"]).ok(), "0");
}

#[test]
fn interfaces_are_called_as_their_network_says() {
    let machine = Lab::new().machine("aa");
    with_options(&machine, &["-o", "com.docker.network.container_iface_prefix=net"]);
    let links = || machine.docker(["exec", "c1", "ls", "/sys/class/net"]).ok();
    assert_eq!(links(), "lo\nnet0");
    machine.docker(["exec", "c1", "ping", "-c1", "-W5", "-I", "net0", "10.82.0.1"]).ok();
    machine.docker(["network", "create", "other"]).ok();
    machine.docker(["network", "connect", "other", "c1"]).ok();
    machine.docker(["restart", "-t", "0", "c1"]).ok();
    assert_eq!(links(), "eth0\nlo\nnet0");
    let error =
        machine.docker(["network", "create", "-o", "com.docker.network.container_iface_prefix=lo", "x"]);
    assert!(error.fails(1).contains("container_iface_prefix"));
}

#[test]
fn ports_are_where_the_network_wants_them() {
    let machine = Lab::new().machine("aa");
    let lan = machine.lan("client");
    let other = machine.lan("other");
    let bound = |address: &str, name: &str| {
        let option = format!("com.docker.network.bridge.host_binding_ipv4={address}");
        machine.docker(["network", "create", "--ipv6", "-o", &option, name]).ok();
    };
    let (v4, v6) = (lan.gateway(), lan.gateway6());
    bound(&v4, "four");
    serve(&machine, &["--network", "four", "-p", "8080:80", "-p", "127.0.0.1:8081:80"]);
    assert_eq!(ports(&machine), format!("127.0.0.1:8081\n{v4}:8080"));
    eventually("the LAN is answered at that address", || answers(&lan, &format!("{v4}:8080")));
    answers(&machine, "127.0.0.1:8081").unwrap();
    for to in ["127.0.0.1:8080".to_owned(), format!("{}:8080", other.gateway()), format!("[{v6}]:8080")] {
        answers(&machine, &to).unwrap_err();
    }
    machine.docker(["rm", "-f", "c1"]).ok();

    bound(&v6, "six");
    serve(&machine, &["--network", "six", "-p", "8080:80"]);
    let canonical: std::net::Ipv6Addr = v6.parse().unwrap();
    assert_eq!(ports(&machine), format!("[{canonical}]:8080"));
    eventually("the LAN is answered at that address", || answers(&lan, &format!("[{v6}]:8080")));
    answers(&lan, &format!("{v4}:8080")).unwrap_err();
    answers(&other, &format!("[{}]:8080", other.gateway6())).unwrap_err();
}

#[test]
fn ports_that_move_with_the_gateway_go_where_its_network_wants_them() {
    let machine = Lab::new().machine("aa");
    let lan = machine.lan("client");
    let local = "com.docker.network.bridge.host_binding_ipv4=127.0.0.1";
    machine.docker(["network", "create", "-o", local, "local"]).ok();
    machine.docker(["network", "create", "open"]).ok();
    serve(&machine, &["--network", "open", "-p", "80"]);
    let everywhere = ports(&machine);
    let number = everywhere.lines().next().unwrap().rsplit(':').next().unwrap().to_owned();
    assert_eq!(everywhere, format!("0.0.0.0:{number}\n[::]:{number}"));
    let (here, there) = (format!("127.0.0.1:{number}"), format!("{}:{number}", lan.gateway()));
    eventually("the LAN is answered", || answers(&lan, &there));

    for _ in 0..2 {
        machine.docker(["network", "connect", "--gw-priority", "5", "local", "c1"]).ok();
        assert_eq!(ports(&machine), here, "the number stays");
        answers(&machine, &here).unwrap();
        answers(&lan, &there).unwrap_err();
        machine.docker(["network", "disconnect", "local", "c1"]).ok();
        assert_eq!(ports(&machine), everywhere);
        answers(&lan, &there).unwrap();
    }
    // From the start, and over restarts of the container.
    machine.docker(["network", "connect", "--gw-priority", "5", "local", "c1"]).ok();
    machine.docker(["restart", "-t", "0", "c1"]).ok();
    let seen = ports(&machine);
    assert!(seen.starts_with("127.0.0.1:") && seen.lines().count() == 1, "{seen}");
}

#[test]
fn marked_packets_get_in() {
    let args = vec!["--bridge-accept-fwmark=0x10/0xf0".to_owned()];
    let machine = Lab::new().machine_with("aa", NetdOptions { args, ..NetdOptions::default() });
    let lan = machine.lan("client");
    machine.docker(["network", "create", "--subnet", "10.82.0.0/24", "net"]).ok();
    machine.docker(["network", "create", "--internal", "--subnet", "10.82.1.0/24", "inner"]).ok();
    serve(&machine, &["--network", "net"]);
    machine.docker(["network", "connect", "inner", "c1"]).ok();
    eventually("the server is up", || answers(&machine, "10.82.0.2:80"));
    answers(&lan, "10.82.0.2:80").unwrap_err();
    let mark = |mark: &str| {
        let table = format!(
            "table ip marking {{ chain c {{ type filter hook prerouting priority -150; iifname lan0 meta mark set {mark}; }}; }}"
        );
        machine.sh(&format!("nft delete table ip marking 2>/dev/null; nft '{table}'")).ok();
    };
    mark("0x21");
    answers(&lan, "10.82.0.2:80").unwrap_err();
    // The other bits are somebody else's.
    mark("0x1f");
    answers(&lan, "10.82.0.2:80").unwrap();
    answers(&lan, "10.82.1.2:80").unwrap_err();
    machine.sh("nft delete table ip marking").ok();
    answers(&lan, "10.82.0.2:80").unwrap_err();
}

#[test]
fn addresses_are_announced_as_often_as_the_network_says() {
    let machine = Lab::new().machine("aa");
    let announce = |name: &str, options: &[&str]| {
        let options = options.iter().flat_map(|option| ["-o", option]);
        let line = ["network", "create", "--ipv6", "--subnet", "10.82.0.0/24", "--subnet", "fd82::/64"];
        machine.docker(line.into_iter().chain(options).chain([name])).ok();
        let id = machine.docker(["network", "inspect", "-f", "{{.Id}}", name]).ok();
        let sniff = |address| Sniffer::start(&machine, &format!("br-{}", &id[..12]), address);
        let sniffers = [sniff("10.82.0.2"), sniff("fd82::2")];
        machine.docker(["run", "-d", "--name", "c1", "--network", name, "host", "sleep", "1000"]).ok();
        let heard = Sniffer::heard(sniffers);
        machine.docker(["rm", "-f", "c1"]).ok();
        machine.docker(["network", "rm", name]).ok();
        heard
    };
    // Nobody was told of the address before, and nobody has to be told now.
    assert_eq!(announce("plain", &[]).map(|heard| heard.len()), [0, 0]);
    let (times, every) = ("com.docker.network.advertise_addr_nmsgs", "com.docker.network.advertise_addr_ms");
    let twice = announce("twice", &[&format!("{times}=2"), &format!("{every}=1500")]);
    for heard in &twice {
        assert!(matches!(heard[..], [first, second] if second - first > 0.75), "{twice:?}");
    }
    assert_eq!(announce("thrice", &[&format!("{every}=100")]).map(|heard| heard.len()), [3, 3]);
    assert_eq!(announce("never", &[&format!("{times}=0")]).map(|heard| heard.len()), [0, 0]);
}

#[test]
fn packets_are_as_long_as_the_way_out_takes() {
    let machine = Lab::new().machine("aa");
    let lan = machine.lan("client");
    machine.sh(&format!("ip link set lan0 mtu 1400 && ip route add default via {}", lan.address())).ok();
    with_options(&machine, &[]);
    let mtu = |line: &str| machine.sh(line).ok();
    assert_eq!(mtu(&format!("cat /sys/class/net/{}/mtu", link(&machine))), "1400");
    let inside = |name: &str| machine.docker(["exec", name, "cat", "/sys/class/net/eth0/mtu"]).ok();
    assert_eq!(inside("c1"), "1400");
    // 20 bytes of IP and 8 of ICMP come on top.
    let ping =
        |size: &str| machine.docker(["exec", "c1", "ping", "-c1", "-W5", "-Mdo", "-s", size, &lan.address()]);
    ping("1372").ok();
    let error = ping("1373").fails(1);
    assert!(error.contains("mtu=1400") || error.contains("too long"), "{error}");
    machine.docker(["network", "create", "-o", "com.docker.network.driver.mtu=1300", "own"]).ok();
    machine.start("c2", &["--network", "own"], &["sleep", "1000"]);
    assert_eq!(inside("c2"), "1300");
    // IPv4 takes 68 bytes, IPv6 not less than 1280; the kernel then has no settings of IPv6 for such a link.
    machine.docker(["network", "create", "-o", "com.docker.network.driver.mtu=68", "least"]).ok();
    machine.start("c4", &["--network", "least"], &["sleep", "1000"]);
    assert_eq!(inside("c4"), "68");
    machine.docker(["exec", "c4", "ping", "-c1", "-W5", "-s", "500", &lan.address()]).ok();
    let short = ["network", "create", "--ipv6", "-o", "com.docker.network.driver.mtu=1279", "x"];
    let error = machine.docker(short).fails(1);
    assert!(error.contains("invalid MTU number: 1279: IPv6 needs 1280 at least"), "{error}");
    machine.sh("ip link set lan0 mtu 1000").ok();
    machine.docker(["network", "create", "--ipv6", "six"]).ok();
    machine.start("c5", &["--network", "six"], &["sleep", "1000"]);
    assert_eq!(inside("c5"), "1280");
    machine.sh("ip route del default").ok();
    machine.docker(["network", "create", "later"]).ok();
    machine.start("c3", &["--network", "later"], &["sleep", "1000"]);
    assert_eq!(inside("c3"), "1500");
}
