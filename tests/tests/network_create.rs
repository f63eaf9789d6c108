//! `docker network create` and its like with the stock command line: what the kernel has of it, and what is refused.

use bollard::{
    Docker,
    errors::Error,
    models::{ConfigReference, Ipam, IpamConfig, NetworkCreateRequest},
    query_parameters::{InspectNetworkOptions, PruneNetworksOptions},
};
use tests::{Lab, Machine, NetdOptions, eventually};

fn create(machine: &Machine, words: &[&str]) -> String {
    machine.docker(["network", "create"].iter().chain(words).copied()).ok()
}

fn addresses(machine: &Machine, id: &str) -> String {
    machine.exec(["ip", "-br", "address", "show", &format!("br-{}", &id[..12])]).ok()
}

fn refused(error: Error) -> (u16, String) {
    match error {
        Error::DockerResponseServerError { status_code, message } => (status_code, message),
        other => panic!("{other}"),
    }
}

#[test]
fn a_configuration_network_makes_networks() {
    let mut machine = Lab::new().machine("aa");
    let links = machine.exec(["ip", "-o", "link"]).ok();
    let option = "com.docker.network.driver.mtu=1300";
    create(
        &machine,
        &[
            "--config-only",
            "--ipv6",
            "--subnet",
            "10.40.0.0/24",
            "--subnet",
            "fd40::/64",
            "-o",
            option,
            "cfg",
        ],
    );
    assert_eq!(machine.exec(["ip", "-o", "link"]).ok(), links, "nothing of it is in the kernel");
    let error = machine.docker(["run", "--rm", "--network", "cfg", "host", "true"]).fails(125);
    assert!(error.contains("configuration network \"cfg\" cannot be used by containers"), "{error}");
    machine.kill_netd();
    machine.start_netd();
    let id = create(&machine, &["--config-from", "cfg", "web"]);
    let shown = addresses(&machine, &id);
    assert!(shown.contains("10.40.0.1/24") && shown.contains("fd40::1/64"), "{shown}");
    assert!(machine.exec(["ip", "link", "show", &format!("br-{}", &id[..12])]).ok().contains("mtu 1300"));
    machine.docker(["run", "--rm", "--network", "web", "host", "ping", "-c1", "-W5", "10.40.0.1"]).ok();
    let error = machine.docker(["network", "rm", "cfg"]).fails(1);
    assert!(
        error.contains("error while removing network: configuration network \"cfg\" is in use"),
        "{error}"
    );
    machine.docker(["network", "rm", "web", "cfg"]).ok();
}

#[test]
fn sizes_names_and_families() {
    let machine = Lab::new().machine("aa");
    let id = create(&machine, &["--subnet", "0.0.0.0/28", "--subnet", "::/72", "--ipv6", "sized"]);
    let shown = addresses(&machine, &id);
    assert!(shown.contains("/28") && shown.contains("/72"), "{shown}");
    let id = create(&machine, &["--ipv4=false", "--ipv6", "six"]);
    let shown = machine.exec(["ip", "-4", "-br", "address", "show", &format!("br-{}", &id[..12])]).ok();
    assert_eq!(shown, "");
    let odd = ["a/b/c", "create", "prune", "ein netz", &"long".repeat(80), "connect"];
    for name in odd {
        let id = create(&machine, &[name]);
        let words = ["network", "inspect", "-f", "{{.Id}}", name];
        assert_eq!([machine.docker(words).ok(), machine.pontoon(words).ok()], [id.clone(), id]);
        machine.docker(["run", "--rm", "--network", name, "host", "true"]).ok();
        machine.docker(["network", "rm", name]).ok();
    }
}

#[test]
fn ranges_gateways_and_what_others_have() {
    let machine = Lab::new().machine("aa");
    let line = "--subnet 10.82.0.0/24 --ip-range 10.82.0.128/30 --gateway 10.82.0.9 --aux-address nas=10.82.0.129 \
                --ipv6 --subnet fd82::/64 --ip-range fd82::8/126 --gateway fd82::9 net";
    let id = create(&machine, &line.split_whitespace().collect::<Vec<_>>());
    let shown = addresses(&machine, &id);
    assert!(shown.contains("10.82.0.9/24") && shown.contains("fd82::9/64"), "{shown}");
    let seen = |name: &str, more: &[&str]| {
        machine.start(name, &[&["--network", "net"], more].concat(), &["sleep", "1000"]);
        let ask = "ip -o address show eth0 scope global | awk '{print $4}'; ip route show default; \
                   ip -6 route show default; ping -c1 -W5 10.82.0.9 >/dev/null && ping -c1 -W5 fd82::9 >/dev/null";
        machine.docker(["exec", name, "sh", "-ec", ask]).ok().replace('\n', " ")
    };
    // In the range, but for what something else has and the gateway; who asks for an address need not be in it.
    for (name, more, expected) in [
        ("c1", &[][..], "10.82.0.128/24 fd82::8/64 "),
        ("c2", &["--ip", "10.82.0.5", "--ip6", "fd82::5"], "10.82.0.5/24 fd82::5/64 "),
        ("c3", &[], "10.82.0.130/24 fd82::a/64 "),
        ("c4", &[], "10.82.0.131/24 fd82::b/64 "),
    ] {
        let seen = seen(name, more);
        assert!(seen.starts_with(&format!("{expected}default via 10.82.0.9 dev eth0")), "{name}: {seen}");
        assert!(seen.contains("default via fd82::9 dev eth0"), "{name}: {seen}");
    }
    let error = machine.docker(["run", "--rm", "--network", "net", "host", "true"]).fails(125);
    let text = format!("no available IPv4 addresses on this network's address pools: net ({id})");
    assert!(error.contains(&text), "{error}");
    for taken in ["10.82.0.129", "10.82.0.9", "10.82.0.0", "10.82.0.255"] {
        let error =
            machine.docker(["run", "--rm", "--network", "net", "--ip", taken, "host", "true"]).fails(125);
        assert!(error.contains("Address already in use"), "{taken}: {error}");
    }
}

#[test]
fn subnets_keep_clear_of_a_vpn() {
    let machine = Lab::new().machine("aa");
    let _lan = machine.lan("client");
    let before =
        "ip route add 172.18.0.0/15 via 198.51.100.2 table 220; ip route add unreachable 172.20.0.0/16";
    machine.sh(before).ok();
    machine.sh("ip route add 0.0.0.0/1 via 198.51.100.2; ip route add 128.0.0.0/1 via 198.51.100.2").ok();
    let id = create(&machine, &["web"]);
    let shown = addresses(&machine, &id);
    assert!(shown.contains("172.21.0.1/16"), "{shown}");
    machine.sh("ip route del 172.18.0.0/15 table 220; ip route del unreachable 172.20.0.0/16").ok();
    machine.sh("ip route del 0.0.0.0/1; ip route del 128.0.0.0/1").ok();
}

#[test]
fn pools_are_used_up_by_networks_or_by_routes() {
    let config =
        r#"{"bip": "10.10.0.1/24", "default-address-pools": [{"base": "10.50.0.0/23", "size": 24}]}"#;
    let options = NetdOptions { config: Some(config.to_owned()), ..NetdOptions::default() };
    let machine = Lab::new().machine_with("aa", options);
    let _lan = machine.lan("client");
    let dockers = "Error response from daemon: all predefined address pools have been fully subnetted";
    create(&machine, &["one"]);
    machine.sh("ip route add 10.50.1.0/25 via 198.51.100.2").ok();
    assert_eq!(
        machine.docker(["network", "create", "two"]).fails(1),
        format!("{dockers} (routes or addresses of the host cover 10.50.1.0/25)")
    );
    machine.sh("ip route del 10.50.1.0/25").ok();
    create(&machine, &["two"]);
    assert_eq!(machine.docker(["network", "create", "three"]).fails(1), dockers);
    let id = create(&machine, &["--subnet", "10.60.0.0/30", "tiny"]);
    machine.start("c1", &["--network", "tiny"], &["sleep", "1000"]);
    let error = machine.docker(["run", "--rm", "--network", "tiny", "host", "true"]).fails(125);
    let text = format!("no available IPv4 addresses on this network's address pools: tiny ({id})");
    assert!(error.contains(&text), "{error}");
}

#[test]
fn a_network_of_stopped_containers_is_pruned() {
    let machine = Lab::new().machine("aa");
    let id = create(&machine, &["web"]);
    create(&machine, &["--config-only", "cfg"]);
    machine.docker(["run", "--name", "c1", "--network", "web", "host", "true"]).ok();
    assert_eq!(machine.docker(["network", "prune", "-f"]).ok().trim(), "Deleted Networks:\nweb");
    let error = machine.docker(["start", "c1"]).fails(1);
    assert!(error.contains(&format!("network {id} not found")), "{error}");
}

#[test]
fn statuses_are_docker_s() {
    let machine = Lab::new().machine("aa");
    create(&machine, &["--subnet", "10.20.0.0/16", "web"]);
    let socket = machine.socket();
    let docker =
        Docker::connect_with_unix(&socket.to_string_lossy(), 30, bollard::API_DEFAULT_VERSION).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ask = |name: &str| NetworkCreateRequest { name: name.to_owned(), ..Default::default() };
    let subnet = |subnet: &str| {
        let config = IpamConfig { subnet: Some(subnet.to_owned()), ..Default::default() };
        Some(Ipam { config: Some(vec![config]), ..Default::default() })
    };
    let from = Some(ConfigReference { network: Some("nope".to_owned()) });
    let text = |text: &str| Some(text.to_owned());
    let table = [
        (ask("web"), 409, "network with name web already exists"),
        (ask("bridge"), 403, "operation is not permitted on predefined bridge network "),
        (ask(" "), 400, "invalid name: name is empty"),
        (NetworkCreateRequest { driver: text("foo"), ..ask("x") }, 404, "plugin \"foo\" not found"),
        (
            NetworkCreateRequest { driver: text("host"), ..ask("x") },
            403,
            "only one instance of \"host\" network is allowed",
        ),
        (
            NetworkCreateRequest { ipam: subnet("10.20.1.0/24"), ..ask("x") },
            403,
            "invalid pool request: Pool overlaps with other one on this address space",
        ),
        (
            NetworkCreateRequest { ipam: subnet("10.0.0.1/24"), ..ask("x") },
            400,
            "invalid network config:\ninvalid subnet 10.0.0.1/24: it should be 10.0.0.0/24",
        ),
        (
            NetworkCreateRequest { config_from: from, ..ask("x") },
            404,
            "configuration network \"nope\" does not exist",
        ),
        (
            NetworkCreateRequest { config_only: Some(true), internal: Some(true), ..ask("x") },
            403,
            "configuration network can only contain network specific fields. Network operator fields like [ ingress | internal | attachable | scope ] are not supported.",
        ),
        (NetworkCreateRequest { enable_ipv4: Some(false), ..ask("x") }, 400, "IPv4 or IPv6 must be enabled"),
    ];
    for (ask, status, text) in table {
        let error = runtime.block_on(docker.create_network(ask)).unwrap_err();
        assert_eq!(refused(error), (status, text.to_owned()));
    }
    let error = runtime.block_on(docker.remove_network("nope")).unwrap_err();
    assert_eq!(refused(error), (404, "network nope not found".to_owned()));
    let swarm = InspectNetworkOptions { scope: Some("swarm".to_owned()), ..Default::default() };
    let error = runtime.block_on(docker.inspect_network("web", Some(swarm))).unwrap_err();
    assert_eq!(refused(error), (404, "network web not found".to_owned()));
}

#[test]
fn one_prune_at_a_time() {
    let machine = Lab::new().machine("aa");
    let socket = machine.socket();
    let docker =
        Docker::connect_with_unix(&socket.to_string_lossy(), 30, bollard::API_DEFAULT_VERSION).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let prune = || docker.prune_networks(None::<PruneNetworksOptions>);
    eventually("of two prunes at once, one is refused", || {
        let names: Vec<_> = (0..16).map(|n| format!("n{n}")).collect();
        names.iter().for_each(|name| drop(create(&machine, &[name])));
        let (one, two) = runtime.block_on(async { tokio::join!(prune(), prune()) });
        match (one, two) {
            (Ok(_), Err(error)) | (Err(error), Ok(_)) => Ok(refused(error)),
            both => Err(both),
        }
        .inspect(|answer| assert_eq!(*answer, (409, "a prune operation is already running".to_owned())))
    });
}

#[test]
fn ids_that_begin_alike_are_ambiguous() {
    let machine = Lab::new().machine("aa");
    // 17 ids begin with 16 digits.
    (0..17).for_each(|n| _ = create(&machine, &[&format!("n{n}")]));
    let all = machine.docker(["network", "ls", "-q", "--no-trunc"]).ok();
    let mut ids: Vec<_> = all.lines().collect();
    ids.sort_unstable();
    let twins = ids.windows(2).find(|pair| pair[0][..1] == pair[1][..1]).unwrap();
    let alike = twins[0].bytes().zip(twins[1].bytes()).take_while(|(one, other)| one == other).count();
    let prefix = &twins[0][..alike];
    let matches = ids.iter().filter(|id| id.starts_with(prefix)).count();
    let text = format!("network {prefix} is ambiguous ({matches} matches found based on ID prefix)");
    for words in [&["network", "inspect", prefix][..], &["network", "rm", prefix]] {
        let error = machine.docker(words.iter().copied()).fails(1);
        assert!(error.contains(&text), "{error}");
    }
    let error = machine.docker(["run", "--rm", "--network", prefix, "host", "true"]).fails(125);
    assert!(error.contains(&text), "{error}");
    let unique = &twins[0][..=alike];
    assert_eq!(machine.docker(["network", "inspect", "-f", "{{.Id}}", unique]).ok(), twins[0]);
}
