//! What the API says of networks and of a container's ends in them, whole, as Docker 28.2 says it to clients of any
//! version. Ids, times and what the daemon makes up are masked.

use serde_json::{Value, json};
use tests::{Lab, Machine};

/// One before each change of these answers, and each change: Docker's history of its API.
const VERSIONS: [&str; 8] = ["1.24", "1.27", "1.28", "1.43", "1.44", "1.45", "1.48", "1.50"];

const MAC: &str = "02:42:0a:46:00:07";

/// A network with everything, and a container that has all of it.
fn machine() -> Machine {
    let machine = Lab::new().machine("aa");
    let v4 = ["--subnet", "10.70.0.0/16", "--ip-range", "10.70.5.0/24", "--gateway", "10.70.0.1"];
    let v6 = ["--ipv6", "--subnet", "fd70::/64", "--gateway", "fd70::1"];
    let rest = ["--aux-address", "router=10.70.0.9", "--attachable", "--label", "a=b"];
    let option = ["-o", "com.docker.network.driver.mtu=1400", "web"];
    machine.docker([&["network", "create"], &v4[..], &v6, &rest, &option].concat()).ok();
    let ask =
        "name=web,ip=10.70.0.7,ip6=fd70::7,alias=search,alias=find,gw-priority=3,link-local-ip=169.254.7.7";
    let network = ["--network", ask, "--mac-address", MAC, "--hostname", "h1", "-p", "127.0.0.1:8080:80"];
    let line = [&["create", "--name", "c1"], &network[..], &["--expose", "81/udp", "host", "sleep", "99"]];
    machine.docker(line.concat()).ok();
    machine
}

fn get(machine: &Machine, version: &str, path: &str) -> Value {
    machine.curl(&format!("/v{version}{path}")).json()
}

/// The same with names for ids.
fn masked(machine: &Machine, value: &Value) -> Value {
    let mut text = value.to_string();
    for kind in ["container", "network"] {
        let list: &[&str] = if kind == "network" { &["network", "ls"] } else { &["ps", "-a"] };
        let format = if kind == "network" { "{{.ID}} {{.Name}}" } else { "{{.ID}} {{.Names}}" };
        let rows = machine.docker([list, &["--no-trunc", "--format", format]].concat()).ok();
        for (id, name) in rows.lines().filter_map(|row| row.split_once(' ')) {
            text = text.replace(id, &format!("<{name}>")).replace(&id[..12], &format!("<{name} 12>"));
        }
    }
    let mut value: Value = serde_json::from_str(&text).expect("it was JSON");
    mask(&mut value);
    value
}

fn mask(value: &mut Value) {
    match value {
        Value::Object(map) => map.iter_mut().for_each(|(key, value)| match (key.as_str(), value.as_str()) {
            ("EndpointID", Some(id)) if id.len() == 64 => *value = json!("<endpoint>"),
            ("Created", Some(_)) => *value = json!("<time>"),
            _ => mask(value),
        }),
        Value::Array(list) => list.iter_mut().for_each(mask),
        _ => {}
    }
}

fn web(containers: Value) -> Value {
    json!({
        "Name": "web", "Id": "<web>", "Created": "<time>", "Scope": "local", "Driver": "bridge",
        "EnableIPv4": true, "EnableIPv6": true,
        "IPAM": {"Driver": "default", "Options": {}, "Config": [
            {"Subnet": "10.70.0.0/16", "IPRange": "10.70.5.0/24", "Gateway": "10.70.0.1",
                "AuxiliaryAddresses": {"router": "10.70.0.9"}},
            {"Subnet": "fd70::/64", "Gateway": "fd70::1"},
        ]},
        "Internal": false, "Attachable": true, "Ingress": false, "ConfigFrom": {"Network": ""}, "ConfigOnly": false,
        "Containers": containers, "Options": {"com.docker.network.driver.mtu": "1400"}, "Labels": {"a": "b"},
    })
}

fn c1_there() -> Value {
    json!({"<c1>": {
        "Name": "c1", "EndpointID": "<endpoint>", "MacAddress": MAC, "IPv4Address": "10.70.0.7/16",
        "IPv6Address": "fd70::7/64",
    }})
}

#[test]
fn network_inspect_is_docker_s() {
    let machine = machine();
    for version in VERSIONS {
        assert_eq!(masked(&machine, &get(&machine, version, "/networks/web")), web(json!({})), "{version}");
    }
    machine.docker(["start", "c1"]).ok();
    for version in VERSIONS {
        let seen = masked(&machine, &get(&machine, version, "/networks/web"));
        assert_eq!(seen, web(c1_there()), "{version}");
    }
    let host = json!({
        "Name": "host", "Id": "<host>", "Created": "<time>", "Scope": "local", "Driver": "host",
        "EnableIPv4": true, "EnableIPv6": false, "IPAM": {"Driver": "default", "Options": null, "Config": null},
        "Internal": false, "Attachable": false, "Ingress": false, "ConfigFrom": {"Network": ""}, "ConfigOnly": false,
        "Containers": {}, "Options": {}, "Labels": {},
    });
    assert_eq!(masked(&machine, &get(&machine, "1.50", "/networks/host")), host);
}

#[test]
fn network_ls_is_docker_s() {
    let machine = machine();
    machine.docker(["start", "c1"]).ok();
    for version in VERSIONS {
        let all = masked(&machine, &get(&machine, version, "/networks"));
        let named =
            |name: &str| all.as_array().unwrap().iter().find(|it| it["Name"] == name).unwrap().clone();
        // Whom it holds is told by inspect alone since 1.28.
        let there = if ["1.24", "1.27"].contains(&version) { c1_there() } else { json!({}) };
        assert_eq!(named("web"), web(there), "{version}");
        let mut bridge = named("bridge");
        let ours = bridge["Options"]["com.docker.network.bridge.name"].take();
        assert_eq!((ours, all.as_array().unwrap().len()), (json!("pontoon0"), 4), "{version}");
        assert_eq!(
            bridge["Options"],
            json!({
                "com.docker.network.bridge.default_bridge": "true",
                "com.docker.network.bridge.enable_icc": "true",
                "com.docker.network.bridge.enable_ip_masquerade": "true",
                "com.docker.network.bridge.host_binding_ipv4": "0.0.0.0",
                "com.docker.network.bridge.name": null,
                "com.docker.network.driver.mtu": "1500",
            })
        );
    }
}

/// NetworkSettings of c1. `there` is what it has while it runs.
fn settings(aliases: Value, names: Value, mac: &str, there: bool) -> Value {
    let if_there = |value: Value, not: Value| if there { value } else { not };
    let text = |text: &str| if_there(json!(text), json!(""));
    let number = |number: u8| if_there(json!(number), json!(0));
    json!({
        "Bridge": "", "SandboxID": text("<c1>"), "SandboxKey": text("/run/netns/pontoon-<c1 12>"),
        "Ports": if_there(json!({"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}], "81/udp": null}), json!({})),
        "HairpinMode": false, "LinkLocalIPv6Address": "", "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": null, "SecondaryIPv6Addresses": null,
        "EndpointID": "", "Gateway": "", "GlobalIPv6Address": "", "GlobalIPv6PrefixLen": 0, "IPAddress": "",
        "IPPrefixLen": 0, "IPv6Gateway": "", "MacAddress": "",
        "Networks": {"web": {
            "IPAMConfig": {"IPv4Address": "10.70.0.7", "IPv6Address": "fd70::7", "LinkLocalIPs": ["169.254.7.7"]},
            "Links": null, "Aliases": aliases, "MacAddress": mac, "DriverOpts": null, "GwPriority": 3,
            "NetworkID": "<web>", "EndpointID": text("<endpoint>"), "Gateway": text("10.70.0.1"),
            "IPAddress": text("10.70.0.7"), "IPPrefixLen": number(16), "IPv6Gateway": text("fd70::1"),
            "GlobalIPv6Address": text("fd70::7"), "GlobalIPv6PrefixLen": number(64), "DNSNames": names,
        }},
    })
}

#[test]
fn a_container_s_network_settings_are_docker_s() {
    let machine = machine();
    let seen = |version: &str| {
        let all = get(&machine, version, "/containers/c1/json");
        masked(&machine, &all["NetworkSettings"])
    };
    let aliases = |version: &str| match version {
        "1.24" | "1.27" | "1.28" | "1.43" | "1.44" => json!(["search", "find", "<c1 12>", "h1"]),
        _ => json!(["search", "find"]),
    };
    let names = || json!(["c1", "search", "find", "<c1 12>", "h1"]);
    for version in VERSIONS {
        let mut expected = settings(aliases(version), Value::Null, MAC, false);
        // Which network of that name it will be is known once it has joined it.
        expected["Networks"]["web"]["NetworkID"] = "".into();
        assert_eq!(seen(version), expected, "created, {version}");
    }
    machine.docker(["start", "c1"]).ok();
    for version in VERSIONS {
        assert_eq!(seen(version), settings(aliases(version), names(), MAC, true), "running, {version}");
    }
    machine.docker(["stop", "-t", "0", "c1"]).ok();
    for version in VERSIONS {
        assert_eq!(seen(version), settings(aliases(version), names(), "", false), "stopped, {version}");
    }

    // What clients before 1.52 find of the default bridge at the top.
    machine.docker(["run", "-d", "--name", "c2", "host", "sleep", "99"]).ok();
    let top = masked(&machine, &get(&machine, "1.50", "/containers/c2/json")["NetworkSettings"]);
    let bridge = &top["Networks"]["bridge"];
    for key in [
        "EndpointID",
        "Gateway",
        "GlobalIPv6Address",
        "IPAddress",
        "IPPrefixLen",
        "IPv6Gateway",
        "MacAddress",
    ] {
        assert_eq!(top[key], bridge[key], "{key}");
    }
    assert_eq!((&top["EndpointID"], &bridge["DNSNames"]), (&json!("<endpoint>"), &Value::Null));
}
