//! What `pontoon run` and other clients say of a new container's networks, end to end: the long form of `--network`, the
//! servers of `--dns`, and the endpoints that a request to the API names.

use serde_json::{Value, json};
use tests::{Lab, Machine};

fn within(machine: &Machine, name: &str, line: &str) -> String {
    machine.pontoon(["exec", name, "sh", "-c", line]).ok()
}

#[test]
fn two_networks_of_one_run_have_settings_of_their_own() {
    let machine = Lab::new().machine("aa");
    machine.pontoon(["network", "create", "--subnet", "192.168.0.0/24", "web"]).ok();
    let six = ["--subnet", "10.5.0.0/24", "--ipv6", "--subnet", "fd05::/64"];
    machine.pontoon([&["network", "create"], &six[..], &["back"]].concat()).ok();
    let web = "name=web,ip=192.168.0.9,alias=search,alias=find,mac-address=02:42:00:00:00:09";
    let back = "name=back,ip=10.5.0.7,ip6=fd05::7,link-local-ip=169.254.7.7,gw-priority=3,driver-opt=com.docker.network.endpoint.ifname=back0";
    machine.start("c1", &["--network", web, "--network", back], &["sleep", "1000"]);

    let links = within(&machine, "c1", "ip -br link");
    assert!(links.lines().any(|it| it.starts_with("eth0@") && it.contains("02:42:00:00:00:09")), "{links}");
    let addresses = within(&machine, "c1", "ip -br address");
    let of = |link: &str| addresses.lines().find(|line| line.starts_with(link)).unwrap_or_default();
    assert!(of("eth0").contains(" 192.168.0.9/24"), "{addresses}");
    for address in ["10.5.0.7/24", "fd05::7/64", "169.254.7.7/16"] {
        assert!(of("back0").contains(address), "{address}: {addresses}");
    }
    let routes = within(&machine, "c1", "ip route show default; ip -6 route show default");
    let ways: Vec<_> = routes.lines().map(|line| line.trim_end()).collect();
    assert!(ways.len() == 2 && ways.iter().all(|way| way.contains("dev back0")), "{routes}");

    machine.start("c2", &["--network", "web"], &["sleep", "1000"]);
    for alias in ["search", "find", "c1", "c1.web"] {
        assert!(
            within(&machine, "c2", &format!("getent hosts {alias}")).starts_with("192.168.0.9"),
            "{alias}"
        );
    }
    machine.start("c3", &["--network", "back"], &["sleep", "1000"]);
    assert_eq!(within(&machine, "c3", "getent hosts search || true"), "");
    within(&machine, "c3", "ping -c1 -W5 c1");

    for (long, text) in [
        ("name=web,ip=192.168.0.9", "failed to set up container networking: Address already in use"),
        ("name=web,colour=red", "invalid field key colour"),
        ("ip=192.168.0.3", "network name/id is not specified"),
    ] {
        let said = machine.pontoon(["run", "--rm", "--network", long, "host", "true"]).fails(125);
        assert!(said.contains(text), "{long}: {said}");
    }
}

#[test]
fn a_server_on_loopback_is_warned_of() {
    let machine = Lab::new().machine("aa");
    let run = |clients: [&str; 2]| {
        let words =
            ["run", "--rm", "--dns", clients[0], "--dns", clients[1], "host", "cat", "/etc/resolv.conf"];
        (machine.pontoon(words), machine.docker(words))
    };
    let (ours, docker_s) = run(["127.0.0.53", "192.0.2.53"]);
    assert_eq!(ours.stderr, "WARNING: Localhost DNS (127.0.0.53) may fail in containers.");
    assert_eq!(ours.stderr, docker_s.stderr);
    let text = ours.ok();
    assert!(text.contains("nameserver 127.0.0.53\nnameserver 192.0.2.53\n"), "{text}");
    let (ours, docker_s) = run(["192.0.2.1", "2001:db8::53"]);
    assert_eq!((ours.stderr.as_str(), docker_s.stderr.as_str()), ("", ""));
}

/// Makes a container `c1` by the API; its networks, or why there is none.
fn created(machine: &Machine, mut body: Value) -> Result<Vec<String>, String> {
    body["Image"] = "host".into();
    body["Cmd"] = json!(["sleep", "1000"]);
    let (status, answer) = machine.post("/containers/create?name=c1", &body);
    if status != 201 {
        return Err(answer["message"].to_string());
    }
    machine.docker(["start", "c1"]).ok();
    let networks = machine.docker(["inspect", "-f", "{{json .NetworkSettings.Networks}}", "c1"]).json();
    let links = within(machine, "c1", "ls /sys/class/net");
    machine.docker(["rm", "-f", "c1"]).ok();
    let names: Vec<_> = networks.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
    assert_eq!(
        links.lines().filter(|link| link.starts_with("eth")).count(),
        names.len(),
        "{names:?}: {links}"
    );
    Ok(names)
}

#[test]
fn a_request_that_names_endpoints_gets_those_alone() {
    let machine = Lab::new().machine("aa");
    let web = machine.docker(["network", "create", "web"]).ok();
    machine.docker(["network", "create", "back"]).ok();
    let ask = |mode: &str, endpoints: &[&str]| {
        let endpoints: Value = endpoints.iter().map(|&name| (name.to_owned(), json!({}))).collect();
        let body = json!({
            "HostConfig": {"NetworkMode": mode},
            "NetworkingConfig": {"EndpointsConfig": endpoints},
        });
        created(&machine, body)
    };
    for (mode, endpoints, networks) in [
        ("", &["web"][..], &["web"][..]),
        ("none", &["web"], &["web"]),
        ("web", &["back"], &["back"]),
        ("web", &["web", "back"], &["back", "web"]),
        (&web, &["web"], &["web"]),
        ("web", &[&web], &["web"]),
        (&web, &[&web[..12], "default"], &["bridge", "web"]),
        ("web", &[], &["web"]),
        ("", &[], &["bridge"]),
    ] {
        assert_eq!(ask(mode, endpoints).unwrap(), networks, "{mode} {endpoints:?}");
    }
    for (mode, endpoints, text) in [
        ("web", &["web", &web][..], "is specified multiple times"),
        ("none", &["none", "web"], "one of the networks in private (none) mode"),
        ("host", &["web"], "container sharing network namespace with another container or host"),
        ("", &["host"], "cannot connect container to host network"),
    ] {
        let said = ask(mode, endpoints).unwrap_err();
        assert!(said.contains(text), "{mode} {endpoints:?}: {said}");
    }
}

#[test]
fn a_container_without_network_has_a_loopback_interface_alone() {
    let machine = Lab::new().machine("aa");
    for mode in ["", "host"] {
        let body = json!({"NetworkDisabled": true, "HostConfig": {"NetworkMode": mode}});
        assert_eq!(created(&machine, body).unwrap(), [""; 0], "{mode}");
    }
    let body = json!({"Image": "host", "Cmd": ["sleep", "1000"], "NetworkDisabled": true});
    assert_eq!(machine.post("/containers/create?name=c2", &body).0, 201);
    machine.docker(["start", "c2"]).ok();
    assert_eq!(within(&machine, "c2", "ls /sys/class/net"), "lo");
    let said = machine.docker(["network", "connect", "bridge", "c2"]).fails(1);
    assert!(said.contains("network sandbox for container"), "{said}");
}

#[test]
fn an_ethernet_address_needs_an_endpoint_of_ones_own() {
    let machine = Lab::new().machine("aa");
    machine.start("c2", &[], &["sleep", "1000"]);
    let conflict = "conflicting options: mac-address and the network mode";
    let words =
        ["run", "--rm", "--mac-address", "02:42:00:00:00:07", "--network", "container:c2", "host", "true"];
    for said in [machine.pontoon(words), machine.docker(words)] {
        let said = said.fails(125);
        assert!(said.contains(conflict), "{said}");
    }
    for (version, mode, refused) in
        [("v1.43", "container:c2", true), ("v1.43", "none", true), ("v1.44", "none", false)]
    {
        let body =
            json!({"Image": "host", "MacAddress": "02:42:00:00:00:07", "HostConfig": {"NetworkMode": mode}});
        let (status, answer) = machine.post(&format!("/{version}/containers/create"), &body);
        assert_eq!(status, if refused { 400 } else { 201 }, "{version} {mode}: {answer}");
        assert_eq!(answer["message"] == conflict, refused, "{version} {mode}: {answer}");
    }
}
