//! Published ports: who reaches them, from where, and which source address the server sees.

use std::{collections::HashMap, io::Read};

use tests::{Host, Lab, Lan, Machine, eventually, has_word};

/// Starts a server that says its name and whom it sees.
fn server(machine: &Machine, name: &str, args: &[&str]) {
    let says = format!("SYSTEM:echo {name} sees $SOCAT_PEERADDR");
    machine.start(name, args, &["socat", "TCP-LISTEN:8000,fork,reuseaddr", &says]);
}

fn ask(from: &Host, to: &str) -> Result<String, String> {
    let output = from.exec(["socat", "-t3", "-", &format!("TCP:{to},connect-timeout=2")]);
    if output.stdout.is_empty() { Err(output.stderr) } else { Ok(output.stdout) }
}

fn address(machine: &Machine, container: &str) -> String {
    let template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    machine.pontoon(["inspect", "-f", template, container]).ok()
}

#[test]
fn a_port_is_reached_from_everywhere_with_the_real_source() {
    let machine = Lab::new().machine("aa");
    let client = machine.lan("client");
    machine.pontoon(["network", "create", "web"]).ok();
    machine.pontoon(["network", "create", "other"]).ok();
    server(&machine, "c1", &["--network", "web", "-p", "8080:8000"]);
    server(&machine, "c2", &["--network", "other"]);
    let there = format!("{}:8080", client.gateway());

    let seen = eventually("a LAN host is answered", || ask(&client, &there));
    assert_eq!(seen, format!("c1 sees {}", client.address()));
    assert!(ask(&machine, "127.0.0.1:8080").unwrap().starts_with("c1 sees "));
    assert!(ask(&machine, &there).unwrap().starts_with("c1 sees "));
    assert!(ask(&machine, &format!("{}:8000", address(&machine, "c1"))).unwrap().starts_with("c1 sees "));
    let inside = |name: &str, to: &str| {
        machine.pontoon(["exec", name, "socat", "-t3", "-", &format!("TCP:{to},connect-timeout=2")]).stdout
    };
    assert!(inside("c1", &there).starts_with("c1 sees "), "hairpin: its own published port");
    assert_eq!(inside("c2", &there), format!("c1 sees {}", address(&machine, "c2")));
}

#[test]
fn what_is_not_published_is_not_reached_from_outside() {
    let machine = Lab::new().machine("aa");
    let client = machine.lan("client");
    machine.pontoon(["network", "create", "web"]).ok();
    server(&machine, "c1", &["--network", "web"]);
    server(&machine, "c2", &["--network", "web", "-p", "127.0.0.1:8082:8000"]);
    eventually("the server is up", || ask(&machine, "127.0.0.1:8082"));
    ask(&client, &format!("{}:8000", address(&machine, "c1"))).unwrap_err();
    ask(&client, &format!("{}:8082", client.gateway())).unwrap_err();
    ask(&client, &format!("{}:8000", address(&machine, "c2"))).unwrap_err();
}

#[test]
fn a_port_is_one_containers_only() {
    let machine = Lab::new().machine("aa");
    server(&machine, "c1", &["-p", "8080:8000"]);
    let error =
        machine.pontoon(["run", "-d", "--name", "c2", "-p", "8080:8000", "host", "sleep", "99"]).fails(125);
    assert!(error.contains("Bind for 0.0.0.0:8080 failed: port is already allocated"), "{error}");
    assert_eq!(machine.pontoon(["inspect", "-f", "{{.State.Status}}", "c2"]).ok(), "created");
    let _other = machine.spawn(["socat", "TCP-LISTEN:9090,fork", "EXEC:true"]);
    eventually("the process listens", || machine.sh("ss -Hltn sport = :9090 | grep .").result());
    let error = machine.pontoon(["run", "--rm", "-p", "9090:8000", "host", "true"]).fails(125);
    assert!(error.contains("9090") && error.contains("address already in use"), "{error}");
    machine.exec(["pkill", "-x", "socat"]).ok();
    machine.pontoon(["rm", "-f", "c1"]).ok();
    machine.pontoon(["start", "c2"]).ok();
}

#[test]
fn exposed_ports_are_published_on_free_ones() {
    let machine = Lab::new().machine("aa");
    server(&machine, "c1", &["-P", "--expose", "8000"]);
    let port = machine.pontoon(["port", "c1", "8000/tcp"]).ok();
    let port = port.lines().next().unwrap().rsplit(':').next().unwrap().to_owned();
    assert!(eventually("it answers", || ask(&machine, &format!("127.0.0.1:{port}"))).starts_with("c1 sees"));
    let ps = machine.pontoon(["ps", "--format", "{{.Ports}}"]).ok();
    assert!(ps.contains(&format!("0.0.0.0:{port}->8000/tcp")), "{ps}");
}

#[test]
fn one_of_all_exposed_ports_is_taken_back_for_good() {
    let mut machine = Lab::new().machine("aa");
    server(&machine, "c1", &["-P", "--expose", "8000-8002"]);
    let all = machine.docker(["port", "c1"]).ok();
    assert_eq!(all.lines().count(), 6, "{all}");
    let others = |all: &str| -> String {
        all.lines().filter(|line| !line.starts_with("8001/tcp")).collect::<Vec<_>>().join("\n")
    };
    machine.pontoon(["port", "rm", "c1", "8001"]).ok();
    assert_eq!(machine.docker(["port", "c1"]).ok(), others(&all));
    machine.kill_netd();
    machine.start_netd();
    assert_eq!(machine.docker(["port", "c1"]).ok(), others(&all));
    machine.docker(["restart", "-t", "0", "c1"]).ok();
    let again = machine.docker(["port", "c1"]).ok();
    assert!(again.lines().count() == 4 && again == others(&again), "{again}");
    let error = machine.pontoon(["port", "rm", "c1", "8001"]).fails(1);
    assert!(error.contains("No public port '8001/tcp' published for c1"), "{error}");
}

#[test]
fn udp_and_ranges() {
    let machine = Lab::new().machine("aa");
    let client = machine.lan("client");
    let says = "SYSTEM:echo $SOCAT_PEERADDR";
    let server = ["socat", "UDP-RECVFROM:9001,fork", says];
    machine.start("uu", &["-p", "9000-9002:9000-9002/udp"], &server);
    let port = machine.pontoon(["port", "uu"]).ok();
    assert_eq!(port.lines().filter(|line| line.contains("0.0.0.0:")).count(), 3, "{port}");
    let ask = format!("echo hi | socat -t2 - UDP:{}:9001", client.gateway());
    let seen = eventually("a datagram is answered", || match client.sh(&ask).stdout {
        empty if empty.is_empty() => Err(empty),
        seen => Ok(seen),
    });
    assert_eq!(seen, client.address());
}

#[test]
fn what_is_no_port_is_refused() {
    let machine = Lab::new().machine("aa");
    for (publish, text) in [
        ("nonsense", "invalid containerPort: nonsense"),
        ("80:nonsense", "invalid containerPort: nonsense"),
        ("70000:80", "invalid hostPort: 70000"),
        ("80-82:80-81", "invalid ranges specified for container and host Ports"),
        ("80:80/icmp", "invalid proto: icmp"),
        ("1.2.3.400:80:80", "1.2.3.400"),
    ] {
        let error = machine.pontoon(["run", "--rm", "-p", publish, "host", "true"]).fails(125);
        assert!(error.contains(text), "{publish}: {error}");
    }
    assert_eq!(machine.pontoon(["ps", "-aq"]).ok(), "");
}

#[test]
fn a_port_goes_with_its_container() {
    let machine = Lab::new().machine("aa");
    server(&machine, "c1", &["-p", "8080:8000"]);
    eventually("it answers", || ask(&machine, "127.0.0.1:8080"));
    let rules = machine.exec(["nft", "list", "ruleset"]).ok();
    assert!(has_word(&rules, "8080"), "{rules}");
    machine.pontoon(["rm", "-f", "c1"]).ok();
    let rules = machine.exec(["nft", "list", "ruleset"]).ok();
    assert!(!has_word(&rules, "8080"), "{rules}");
    ask(&machine, "127.0.0.1:8080").unwrap_err();
}

/// What ports of a container were asked for, as `inspect` shows it.
fn bound(machine: &Machine, container: &str, key: &str) -> String {
    let template = format!("{{{{json (index .HostConfig.PortBindings \"{key}\")}}}}");
    machine.docker(["inspect", "-f", &template, container]).ok()
}

#[test]
fn ports_of_a_running_container_come_and_go() {
    let mut machine = Lab::new().machine("aa");
    let client = machine.lan("client");
    server(&machine, "c1", &["-p", "8080:8000"]);
    let at = |port: u16| format!("{}:{port}", client.gateway());
    eventually("it is answered", || ask(&client, &at(8080)));
    // A connection through a port that stays goes on.
    let words = ["socat", "-t60", "-", &format!("TCP:{}", at(8080))];
    let mut through = client.spawn(words);

    let added = machine.pontoon(["port", "add", "c1", "9090:8000", "127.0.0.1:9100-9101:9100-9101/udp"]).ok();
    let expected = "8000/tcp -> 0.0.0.0:8080\n8000/tcp -> 0.0.0.0:9090\n8000/tcp -> [::]:8080\n\
        8000/tcp -> [::]:9090\n9100/udp -> 127.0.0.1:9100\n9101/udp -> 127.0.0.1:9101";
    assert_eq!(added, expected);
    assert_eq!(machine.docker(["port", "c1"]).ok(), expected);
    assert_eq!(machine.pontoon(["port", "ls", "c1", "9100/udp"]).ok(), "127.0.0.1:9100");
    assert!(machine.docker(["ps"]).ok().contains("0.0.0.0:9090->8000/tcp"));
    let two = r#"[{"HostIp":"","HostPort":"8080"},{"HostIp":"","HostPort":"9090"}]"#;
    assert_eq!(bound(&machine, "c1", "8000/tcp"), two);
    eventually("the new port is answered", || ask(&client, &at(9090)));

    // Over a restart of the daemon, and of the container.
    machine.kill_netd();
    ask(&client, &at(9090)).unwrap();
    machine.start_netd();
    assert_eq!(machine.docker(["port", "c1"]).ok(), expected);
    assert!(through.child.try_wait().unwrap().is_none_or(|status| status.success()));
    machine.pontoon(["restart", "-t", "0", "c1"]).ok();
    assert_eq!(machine.docker(["port", "c1"]).ok(), expected);
    eventually("it is answered again", || ask(&client, &at(9090)));

    machine.pontoon(["port", "rm", "c1", "8080:8000", "9100-9101:9100-9101/udp"]).ok();
    assert_eq!(machine.docker(["port", "c1"]).ok(), "8000/tcp -> 0.0.0.0:9090\n8000/tcp -> [::]:9090");
    ask(&client, &at(8080)).unwrap_err();
    ask(&client, &at(9090)).unwrap();
    let rules = machine.sh("nft list ruleset").ok();
    assert!(!has_word(&rules, "8080") && !has_word(&rules, "9100"), "{rules}");
    // What was given back is anybody's.
    server(&machine, "c3", &["-p", "8080:8000"]);
}

#[test]
fn none_of_the_ports_is_added_if_one_is_refused() {
    let machine = Lab::new().machine("aa");
    server(&machine, "c1", &["-p", "8080:8000"]);
    server(&machine, "c2", &["-p", "8090:8000"]);
    let before = bound(&machine, "c1", "8000/tcp");
    let refused = machine.pontoon(["port", "add", "c1", "9200:80", "8090:81"]).fails(1);
    assert!(refused.contains("Bind for 0.0.0.0:8090 failed: port is already allocated"), "{refused}");
    assert_eq!(bound(&machine, "c1", "80/tcp"), "null");
    assert_eq!(bound(&machine, "c1", "8000/tcp"), before);
    let _listener = machine.spawn(["nc", "-lk", "9300"]);
    eventually("it listens", || machine.sh("ss -ltn | grep 9300").result());
    let refused = machine.pontoon(["port", "add", "c1", "9300:80"]).fails(1);
    assert!(
        refused.contains("failed to bind host port 0.0.0.0:9300/tcp: address already in use (by nc, pid "),
        "{refused}"
    );
    machine.exec(["pkill", "-x", "nc"]).ok();
    assert!(machine.pontoon(["port", "add", "c1", "x:80"]).fails(1).contains("invalid hostPort: x"));
    let gone = machine.pontoon(["port", "rm", "c1", "1234:8000"]).fails(1);
    assert!(gone.contains("No public port '1234:8000/tcp' published for c1"), "{gone}");
}

#[test]
fn ports_that_were_added_follow_the_gateway_and_outlive_a_stop() {
    let machine = Lab::new().machine("aa");
    let client = machine.lan("client");
    machine.pontoon(["network", "create", "web"]).ok();
    server(&machine, "c1", &["--network", "web"]);
    machine.pontoon(["port", "add", "c1", "9090:8000"]).ok();
    let at = |port: u16| format!("{}:{port}", client.gateway());
    machine.pontoon(["network", "create", "apart"]).ok();
    machine.pontoon(["network", "connect", "--gw-priority", "9", "apart", "c1"]).ok();
    assert_eq!(machine.docker(["port", "c1"]).ok(), "8000/tcp -> 0.0.0.0:9090\n8000/tcp -> [::]:9090");
    eventually("it is answered by the other way", || ask(&client, &at(9090)));
    machine.pontoon(["port", "add", "c1", "9400:8000"]).ok();
    eventually("the new one too", || ask(&client, &at(9400)));
    machine.pontoon(["stop", "-t", "0", "c1"]).ok();
    assert_eq!(machine.pontoon(["port", "add", "c1", "9500:8000"]).ok(), "");
    machine.pontoon(["port", "rm", "c1", "9400:8000"]).ok();
    machine.pontoon(["start", "c1"]).ok();
    assert_eq!(
        machine.docker(["port", "c1"]).ok(),
        "8000/tcp -> 0.0.0.0:9090\n8000/tcp -> 0.0.0.0:9500\n8000/tcp -> [::]:9090\n8000/tcp -> [::]:9500"
    );
}

/// Says to everybody, whatever the family, whom it sees.
const MIRROR: &str = r#"
import socket, threading
def streams():
    listener = socket.create_server(("::", 8000), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
    while True:
        client, who = listener.accept()
        client.sendall(who[0].removeprefix("::ffff:").encode())
        client.close()
threading.Thread(target=streams, daemon=True).start()
datagrams = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
datagrams.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
datagrams.bind(("::", 8000))
while True:
    who = datagrams.recvfrom(64)[1]
    datagrams.sendto(who[0].removeprefix("::ffff:").encode(), who)
"#;

/// Asks at a port of each address, by TCP and UDP, and prints each answer, or what came of it.
const ASK: &str = r#"
import socket, sys
for host in sys.argv[2:]:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind) as asks:
            asks.settimeout(2)
            try:
                asks.connect((host, int(sys.argv[1])))
                if kind == socket.SOCK_DGRAM:
                    asks.send(b"?")
                print(asks.recv(64).decode())
            except OSError as error:
                print(error)
"#;

/// Networks `n1` and `n2`; `rp` and `nn` serve in `n1` at ports 9000 and 9001, `a2` asks from `n2`.
struct Beside {
    machine: Machine,
    lan: Lan,
    /// The namespaces of `rp`, `nn` and `a2`: one can ask from there without a daemon.
    namespaces: HashMap<&'static str, String>,
}

impl Beside {
    fn new() -> Self {
        let machine = Lab::new().machine("aa");
        let lan = machine.lan("client");
        for (net, number) in [("n1", 1), ("n2", 2)] {
            let (v4, v6) = (format!("10.{number}.0.0/24"), format!("fd00:{number}::/64"));
            machine.docker(["network", "create", "--ipv6", "--subnet", &v4, "--subnet", &v6, net]).ok();
        }
        let mut namespaces = HashMap::new();
        let mut start = |name, args: &[&str], program: &[&str]| {
            let id = machine.start(name, args, program);
            namespaces.insert(name, format!("pontoon-{}", &id[..12]));
        };
        for (name, port, ip) in [("rp", 9000, 10), ("nn", 9001, 11)] {
            let publish = [format!("{port}:8000"), format!("{port}:8000/udp")];
            let (v4, v6) = (format!("10.1.0.{ip}"), format!("fd00:1::{ip}"));
            let args = ["--network", "n1", "--ip", &v4, "--ip6", &v6, "-p", &publish[0], "-p", &publish[1]];
            start(name, &args, &["python3", "-c", MIRROR]);
        }
        let args = ["--network", "n2", "--ip", "10.2.0.20", "--ip6", "fd00:2::20"];
        start("a2", &args, &["sleep", "infinity"]);
        Self { machine, lan, namespaces }
    }

    /// Whom the server at a port sees when `who` asks there, by TCP and UDP at each address.
    fn seen(&self, who: &str, hosts: [&str; 2], port: u16) -> Vec<String> {
        let (port, [v4, v6]) = (port.to_string(), hosts);
        let inside = ["ip", "netns", "exec", &self.namespaces[who]];
        let told = self.machine.exec([&inside[..], &["python3", "-c", ASK, &port, v4, v6]].concat()).ok();
        told.lines().map(str::to_owned).collect()
    }

    #[track_caller]
    fn sees(&self, who: &str, port: u16, [v4, v6]: [&str; 2]) {
        let (one, two) = (self.lan.gateway(), self.lan.gateway6());
        eventually(&format!("{who} is seen at port {port} as {v4} and {v6}"), || {
            let seen = self.seen(who, [&one, &two], port);
            if seen == [v4, v4, v6, v6] { Ok(()) } else { Err(seen) }
        });
    }

    fn rules(&self) -> String {
        let set = |set| self.machine.sh(&format!("nft list set inet pontoon {set}")).ok();
        ["beside4", "beside6"].map(set).concat()
    }
}

const HOST: [&str; 2] = ["10.1.0.1", "fd00:1::1"];
const ASKER: [&str; 2] = ["10.2.0.20", "fd00:2::20"];

#[test]
fn a_port_is_reached_from_a_network_that_its_container_is_on_as_well() {
    let mut scene = Beside::new();
    scene.sees("a2", 9000, ASKER);
    assert!(!scene.rules().contains("elements"), "{}", scene.rules());

    scene.machine.docker(["network", "connect", "--ip", "10.2.0.10", "--ip6", "fd00:2::10", "n2", "rp"]).ok();
    scene.sees("a2", 9000, HOST);
    scene.sees("a2", 9001, ASKER);
    let by_gateway = |who| scene.seen(who, ["10.2.0.1", "fd00:2::1"], 9000);
    let twice = ["10.1.0.1", "10.1.0.1", "fd00:1::1", "fd00:1::1"];
    assert_eq!(by_gateway("a2"), twice);
    // To itself, by the host and by the gateway that it does not leave by.
    scene.sees("rp", 9000, HOST);
    assert_eq!(by_gateway("rp"), twice);

    // The next daemon leaves them as they are.
    let rules = scene.rules();
    assert_eq!(rules.matches("br-").count(), 4, "{rules}");
    let handles = "nft -a list chain inet pontoon nat-postrouting";
    let before = scene.machine.sh(handles).ok();
    scene.machine.kill_netd();
    scene.sees("a2", 9000, HOST);
    scene.machine.start_netd();
    scene.sees("a2", 9000, HOST);
    assert_eq!((scene.rules(), scene.machine.sh(handles).ok()), (rules, before));

    // The ports go with the gateway, and who asks from the network that they were in is the one to be hidden then.
    let connect = ["--gw-priority", "9", "--ip", "10.2.0.10", "--ip6", "fd00:2::10", "n2", "rp"];
    scene.machine.docker(["network", "disconnect", "n2", "rp"]).ok();
    assert!(!scene.rules().contains("elements"), "{}", scene.rules());
    scene.sees("a2", 9000, ASKER);
    scene.machine.docker(["network", "connect"].into_iter().chain(connect)).ok();
    scene.sees("nn", 9000, ["10.2.0.1", "fd00:2::1"]);
    scene.machine.docker(["rm", "-f", "rp"]).ok();
    assert!(!scene.rules().contains("elements"), "{}", scene.rules());
}

/// Connects until it is told to end, and says what failed. A first packet that comes to nothing is sent again after a
/// second. A connection ends with a reset, which frees the client's port at once: it has so many.
const CLIENT: &str = r#"
import os, socket, struct, sys
count, failed = 0, []
while not os.path.exists("/run/ended"):
    try:
        with socket.create_connection((sys.argv[1], 9090), timeout=5) as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        count += 1
    except OSError as error:
        failed.append(str(error))
print(count > 0, failed)
"#;

/// Says at which of its addresses it was found, to everybody, one after the other.
const SERVER: &str = r#"
import socket
listener = socket.create_server(("", 8000), backlog=1024)
while True:
    client, _ = listener.accept()
    try:
        client.sendall(client.getsockname()[0].encode())
    except OSError:
        pass  # who only connects is gone
    client.close()
"#;

#[test]
fn ports_move_with_the_gateway_and_are_never_closed() {
    let machine = Lab::new().machine("aa");
    let client = machine.lan("client");
    machine.pontoon(["network", "create", "--subnet", "10.1.0.0/24", "web"]).ok();
    machine.pontoon(["network", "create", "--subnet", "10.2.0.0/24", "apart"]).ok();
    machine.start("c1", &["--network", "web", "-p", "9090:8000"], &["python3", "-c", SERVER]);
    let at = format!("{}:9090", client.gateway());
    // What the daemon carries moves likewise: the host by `[::1]`.
    let answered_at = |address: &str| {
        let by_one = || machine.sh("socat -t3 - TCP6:[::1]:9090,connect-timeout=2").stdout;
        let found = || [ask(&client, &at).unwrap_or_else(|error| error), by_one()];
        eventually(address, || match found() {
            found if found == [address, address] => Ok(()),
            other => Err(other),
        });
    };
    // From now on somebody listens.
    answered_at("10.1.0.2");
    let mut connects = client.spawn(["python3", "-c", CLIENT, &client.gateway()]);
    for _ in 0..3 {
        machine.pontoon(["network", "connect", "--gw-priority", "9", "--ip", "10.2.0.2", "apart", "c1"]).ok();
        answered_at("10.2.0.2");
        machine.pontoon(["network", "disconnect", "apart", "c1"]).ok();
        answered_at("10.1.0.2");
    }
    client.sh("touch /run/ended").ok();
    let mut told = String::new();
    connects.child.stdout.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(told.trim(), "True []");
}

#[test]
fn a_port_that_is_published_gets_another_number_where_any_will_do() {
    let mut machine = Lab::new().machine("aa");
    let client = machine.lan("client");
    let numbers = |text: &str| -> Vec<u16> {
        let v4 = text.lines().filter_map(|line| line.strip_prefix("8000/tcp -> 0.0.0.0:"));
        v4.map(|number| number.parse().unwrap()).collect()
    };
    let answered = |number: u16| {
        let there = format!("{}:{number}", client.gateway());
        eventually("a LAN host is answered", || ask(&client, &there));
    };
    server(&machine, "c1", &["-p", "8080:8000"]);
    let added = numbers(&machine.pontoon(["port", "add", "c1", "8000"]).ok());
    assert_eq!(added.len(), 2, "{added:?}");
    let added = numbers(&machine.pontoon(["port", "add", "c1", "8000"]).ok());
    assert_eq!(added.len(), 3, "{added:?}");
    added.iter().copied().for_each(answered);
    let both = machine.docker(["port", "c1"]).ok();
    assert_eq!(both.lines().filter(|line| line.contains("[::]")).count(), 3, "{both}");

    // The same as at a start, and each is a container's own.
    machine.pontoon(["restart", "-t", "0", "c1"]).ok();
    let again = numbers(&machine.docker(["port", "c1"]).ok());
    assert!(again.len() == 3 && again.contains(&8080), "{again:?}");
    again.iter().copied().for_each(answered);
    machine.pontoon(["port", "rm", "c1", "8080:8000"]).ok();
    let left = numbers(&machine.docker(["port", "c1"]).ok());
    assert!(left.len() == 2 && left.iter().all(|number| again.contains(number)), "{left:?}");
    // Each goes by the number that it has.
    machine.pontoon(["port", "rm", "c1", &format!("{}:8000", left[0])]).ok();
    assert_eq!(numbers(&machine.pontoon(["port", "ls", "c1"]).ok()), left[1..]);
    answered(left[1]);
    ask(&client, &format!("{}:{}", client.gateway(), left[0])).unwrap_err();
    let gone = machine.pontoon(["port", "rm", "c1", &format!("{}:8000", left[0])]).fails(1);
    assert!(gone.contains(&format!("No public port '{}:8000/tcp' published for c1", left[0])), "{gone}");
    machine.kill_netd();
    machine.start_netd();
    assert_eq!(numbers(&machine.docker(["port", "c1"]).ok()), left[1..]);
    machine.pontoon(["port", "rm", "c1", "8000"]).ok();
    assert_eq!(machine.docker(["port", "c1"]).ok(), "");
}
