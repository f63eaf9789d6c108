use std::net::Ipv4Addr;

use serde_json::json;

use super::*;

fn ask(body: serde_json::Value) -> Result<Wanted, ContainerError> {
    read(&serde_json::from_value(body).unwrap(), |name| name.replace("0123abcd", "web"))
}

fn refusal(body: serde_json::Value) -> String {
    let said = body.to_string();
    ask(body).expect_err(&said).to_string()
}

#[test]
fn what_the_cli_sends_without_a_network_is_the_default_bridge() {
    for body in [
        json!({}),
        json!({"HostConfig": {"NetworkMode": "default"}}),
        json!({"HostConfig": {"NetworkMode": "bridge"}, "NetworkingConfig": {"EndpointsConfig": {"default": {}}}}),
    ] {
        let wanted = ask(body).unwrap();
        assert_eq!(wanted.mode, NetworkMode::Private);
        assert_eq!(wanted.networks, [("bridge".to_owned(), EndpointSettings::default())]);
    }
}

#[test]
fn the_mode_names_the_first_of_several_networks() {
    let wanted = ask(json!({
        "HostConfig": {"NetworkMode": "web", "Links": ["db:database"]},
        "NetworkingConfig": {"EndpointsConfig": {
            "a": {},
            "web": {"Aliases": ["search", ""], "IPAMConfig": {"IPv4Address": "10.0.0.9"}, "GwPriority": 7},
        }},
    }))
    .unwrap();
    let names: Vec<_> = wanted.networks.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["web", "a"]);
    let web = &wanted.networks[0].1;
    assert_eq!((web.v4, web.gw_priority), (Some(Ipv4Addr::new(10, 0, 0, 9)), 7));
    assert_eq!(
        (web.aliases.as_slice(), web.links.as_slice()),
        (&["search".to_owned()][..], &["db:database".to_owned()][..])
    );
}

#[test]
fn who_names_endpoints_gets_those_alone() {
    for (mode, endpoints, expected) in [
        ("", json!({"web": {}}), &["web"][..]),
        ("none", json!({"web": {}}), &["web"]),
        ("web", json!({"x": {}}), &["x"]),
        ("web", json!({"x": {}, "0123abcd": {}}), &["web", "x"]),
        ("0123abcd", json!({"x": {}, "web": {}}), &["web", "x"]),
        ("0123abcd", json!({}), &["web"]),
        ("container:x", json!({"web": {}}), &[]),
    ] {
        let body = json!({
            "HostConfig": {"NetworkMode": mode},
            "NetworkingConfig": {"EndpointsConfig": endpoints},
        });
        let networks = ask(body).unwrap().networks;
        let names: Vec<_> = networks.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, expected, "{mode} {endpoints}");
    }
    let disabled = ask(json!({"NetworkDisabled": true, "HostConfig": {"NetworkMode": "host"}})).unwrap();
    assert_eq!((disabled.mode, disabled.networks.len()), (NetworkMode::None, 0));
}

#[test]
fn contradictions_are_refused_in_dockers_words() {
    let shared = |mut body: serde_json::Value| {
        body["HostConfig"]["NetworkMode"] = "container:x".into();
        refusal(body)
    };
    assert_eq!(shared(json!({"Hostname": "h"})), "conflicting options: hostname and the network mode");
    assert_eq!(
        shared(json!({"HostConfig": {"Dns": ["1.1.1.1"]}})),
        "conflicting options: dns and the network mode"
    );
    assert_eq!(
        shared(json!({"HostConfig": {"ExtraHosts": ["a:1.1.1.1"]}})),
        "conflicting options: custom host-to-IP mapping and the network mode"
    );
    assert_eq!(
        shared(json!({"HostConfig": {"PublishAllPorts": true}})),
        "conflicting options: port publishing and the container type network mode"
    );
    assert_eq!(
        shared(json!({"ExposedPorts": {"80/tcp": {}}})),
        "conflicting options: port exposing and the container type network mode"
    );
    assert_eq!(
        shared(json!({"HostConfig": {"Links": ["a:b"]}})),
        "conflicting options: container type network can't be used with links. This would result in undefined behavior"
    );
    assert_eq!(
        refusal(json!({"HostConfig": {"NetworkMode": "host", "Links": ["a:b"]}})),
        "conflicting options: host type networking can't be used with links. This would result in undefined behavior"
    );
    assert_eq!(
        refusal(json!({"Hostname": "h", "HostConfig": {"UTSMode": "host"}})),
        "conflicting options: hostname and the UTS mode"
    );
    assert_eq!(
        shared(json!({"NetworkingConfig": {"EndpointsConfig": {"container:x": {"MacAddress": "02:42::"}}}})),
        "conflicting options: mac-address and the network mode"
    );
    assert_eq!(
        refusal(json!({"NetworkingConfig": {"EndpointsConfig": {"0123abcd": {}, "web": {}}}})),
        "network \"web\" is specified multiple times"
    );
}

#[test]
fn names_servers_and_links_are_read() {
    let host: models::HostConfig = serde_json::from_value(json!({
        "Dns": ["1.1.1.1", "fd00::1"], "DnsSearch": ["."],
        "ExtraHosts": ["a:10.0.0.1", "b=fd00::2", "c:[fd00::3]", "gw:host-gateway"],
    }))
    .unwrap();
    assert_eq!(dns(&host).unwrap().servers.len(), 2);
    let text = |name: &str, ip: &str| (name.to_owned(), ip.to_owned());
    assert_eq!(
        extra_hosts(&host).unwrap(),
        [text("a", "10.0.0.1"), text("b", "fd00::2"), text("c", "fd00::3"), text("gw", "host-gateway")]
    );
    for wrong in [json!({"Dns": ["nowhere"]}), json!({"ExtraHosts": ["a"]}), json!({"ExtraHosts": ["a:b"]})] {
        let host: models::HostConfig = serde_json::from_value(wrong).unwrap();
        assert!(dns(&host).is_err() || extra_hosts(&host).is_err());
    }
    assert_eq!(link_parts("db").unwrap(), ("db", "db"));
    assert_eq!(link_parts("/db:/web/database").unwrap(), ("db", "database"));
    assert!(link_parts(":x").is_err() && link_parts("a:b:c").is_err());
}
