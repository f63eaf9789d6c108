//! What users write after `-p`, to the end: what `docker port`, `ps` and `inspect` show is what the kernel has.

use std::collections::BTreeSet;

use tests::{Lab, Machine};

/// A container that publishes this, in a network with both families.
fn run(machine: &Machine, name: &str, publish: &[&str]) {
    let words = ["run", "-d", "--name", name, "--network", "both"];
    let publish = publish.iter().flat_map(|port| ["-p", port]);
    machine.docker(words.into_iter().chain(publish).chain(["host", "sleep", "1000"])).ok();
}

fn machine() -> Machine {
    let machine = Lab::new().machine("grammar");
    machine
        .docker(["network", "create", "--ipv6", "--subnet", "10.5.0.0/24", "--subnet", "fd05::/64", "both"])
        .ok();
    machine
}

/// `tcp 0.0.0.0:8080 80` for each port, as each of the commands tells it.
fn told(machine: &Machine, name: &str) -> [BTreeSet<String>; 3] {
    let port = machine.docker(["port", name]).ok();
    let port = port.lines().map(|line| {
        let (container, host) = line.split_once(" -> ").unwrap();
        let (number, proto) = container.split_once('/').unwrap();
        format!("{proto} {host} {number}")
    });
    let ps = machine.curl(&format!("/containers/json?filters=%7B%22name%22%3A%5B%22{name}%22%5D%7D")).json();
    let ps =
        ps[0]["Ports"].as_array().unwrap().iter().filter(|port| port["PublicPort"].is_u64()).map(|port| {
            let ip = bracketed(port["IP"].as_str().unwrap());
            format!("{} {ip}:{} {}", port["Type"].as_str().unwrap(), port["PublicPort"], port["PrivatePort"])
        });
    let inspect = machine.docker(["inspect", "-f", "{{json .NetworkSettings.Ports}}", name]).json();
    let inspect = inspect.as_object().unwrap().iter().flat_map(|(container, bindings)| {
        let (number, proto) = container.split_once('/').unwrap();
        let binding = move |binding: &serde_json::Value| {
            let ip = bracketed(binding["HostIp"].as_str().unwrap());
            format!("{proto} {ip}:{} {number}", binding["HostPort"].as_str().unwrap())
        };
        bindings.as_array().into_iter().flatten().map(binding).collect::<Vec<_>>()
    });
    [port.collect(), ps.collect(), inspect.collect()]
}

fn bracketed(ip: &str) -> String {
    if ip.contains(':') { format!("[{ip}]") } else { ip.to_owned() }
}

/// The same of the maps of the firewall, for the container with these addresses.
fn in_kernel(machine: &Machine, addresses: &[String; 2]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (map, any) in
        [("dnat4-any", "0.0.0.0"), ("dnat6-any", "::"), ("dnat4-address", ""), ("dnat6-address", "")]
    {
        let text = machine.sh(&format!("nft list map inet pontoon {map}")).ok();
        let Some((_, elements)) = text.split_once("elements = {") else { continue };
        for element in elements.split('}').next().unwrap().split(',') {
            let words: Vec<&str> = element.split_whitespace().filter(|word| *word != ".").collect();
            let at = words.iter().position(|word| *word == ":").unwrap();
            // Behind the key stand a counter and a comment.
            let end = words.iter().position(|word| ["counter", "comment"].contains(word)).unwrap();
            let (key, [to, number]) = (&words[..end], &words[at + 1..]) else { panic!("{element}") };
            let (ip, proto, port) = match key {
                [proto, port] => (any, proto, port),
                [ip, proto, port] => (*ip, proto, port),
                _ => panic!("{element}"),
            };
            if addresses.iter().any(|own| own == to) {
                all.insert(format!("{proto} {}:{port} {number}", bracketed(ip)));
            }
        }
    }
    all
}

fn addresses(machine: &Machine, name: &str) -> [String; 2] {
    let of = |key: &str| {
        let template = format!("{{{{.NetworkSettings.Networks.both.{key}}}}}");
        machine.docker(["inspect", "-f", &template, name]).ok()
    };
    [of("IPAddress"), of("GlobalIPv6Address")]
}

#[test]
fn what_is_shown_is_what_the_kernel_has() {
    let machine = machine();
    let table: [(&[&str], &[&str]); 11] = [
        (&["8080:80"], &["tcp 0.0.0.0:8080 80", "tcp [::]:8080 80"]),
        (&["0.0.0.0:8080:80"], &["tcp 0.0.0.0:8080 80"]),
        (&["[::]:8080:80/udp"], &["udp [::]:8080 80"]),
        (&["127.0.0.1:8080:80", "[::1]:8081:80"], &["tcp 127.0.0.1:8080 80", "tcp [::1]:8081 80"]),
        (&["::1:8080:80"], &["tcp [::1]:8080 80"]),
        (&["0.0.0.0:8080-8081:80-81/udp"], &["udp 0.0.0.0:8080 80", "udp 0.0.0.0:8081 81"]),
        // Exactly before any of a range, whatever is written first.
        (&["0.0.0.0:8080-8082:80", "0.0.0.0:8080:81"], &["tcp 0.0.0.0:8081 80", "tcp 0.0.0.0:8080 81"]),
        // One port of the container by several of the host, and the same number of the host by protocol.
        (
            &["0.0.0.0:8080:80", "0.0.0.0:8081:80", "0.0.0.0:8080:80/udp"],
            &["tcp 0.0.0.0:8080 80", "tcp 0.0.0.0:8081 80", "udp 0.0.0.0:8080 80"],
        ),
        (&["10.5.0.1:8080:80"], &["tcp 10.5.0.1:8080 80"]),
        (&["8080:80/sctp"], &["sctp 0.0.0.0:8080 80", "sctp [::]:8080 80"]),
        (&["published=8080,target=80,protocol=udp"], &["udp 0.0.0.0:8080 80", "udp [::]:8080 80"]),
    ];
    for (publish, expected) in table {
        run(&machine, "web", publish);
        let expected: BTreeSet<String> = expected.iter().map(|text| (*text).to_owned()).collect();
        for told in told(&machine, "web") {
            assert_eq!(told, expected, "{publish:?}");
        }
        assert_eq!(in_kernel(&machine, &addresses(&machine, "web")), expected, "{publish:?}");
        machine.docker(["rm", "-f", "web"]).ok();
    }
}

#[test]
fn ports_that_are_chosen_are_the_same_everywhere() {
    let machine = machine();
    run(&machine, "web", &["80", "127.0.0.1::81", "[::1]::81", "82-83/udp", "9000-9005:84"]);
    let [port, ps, inspect] = told(&machine, "web");
    assert!(port == ps && port == inspect, "{port:?} {ps:?} {inspect:?}");
    assert_eq!(in_kernel(&machine, &addresses(&machine, "web")), port);
    let number = |ip: &str, container: &str| {
        let found = port.iter().find(|text| text.contains(ip) && text.ends_with(container));
        let host = found.unwrap_or_else(|| panic!("{ip} {container}: {port:?}")).split(' ').nth(1).unwrap();
        host.rsplit(':').next().unwrap().parse::<u16>().unwrap()
    };
    assert_eq!(number("0.0.0.0", " 80"), number("[::]", " 80"), "both families");
    assert_eq!(number("127.0.0.1", " 81"), number("[::1]", " 81"), "what differs in the address alone");
    assert_ne!(number("0.0.0.0", " 82"), number("0.0.0.0", " 83"));
    assert!((9000..=9005).contains(&number("0.0.0.0", " 84")));
    assert_eq!(port.len(), 10);
}

#[test]
fn a_port_is_refused_in_docker_s_words() {
    let machine = machine();
    run(&machine, "web", &["8080:80", "127.0.0.1:8081:80", "9000-9001:80"]);
    let table = [
        ("8080:81", "Bind for 0.0.0.0:8080 failed: port is already allocated"),
        ("[::]:8080:81", "Bind for :::8080 failed: port is already allocated"),
        ("127.0.0.1:8080:81", "Bind for 127.0.0.1:8080 failed: port is already allocated"),
        ("8081:81", "Bind for 0.0.0.0:8081 failed: port is already allocated"),
        ("192.0.2.1:8085:81", "failed to bind host port 192.0.2.1:8085/tcp: cannot assign requested address"),
    ];
    for (publish, text) in table {
        let words = ["run", "--rm", "--network", "both", "-p", publish, "host", "true"];
        let refused = machine.docker(words).fails(125);
        assert!(refused.contains(text), "{publish}: {refused}");
    }
    // Nothing is left of any of them.
    assert_eq!(machine.docker(["ps", "-aq"]).ok().lines().count(), 1);
    run(&machine, "beside", &["127.0.0.2:8081:81", "8080:81/udp"]);
}
