//! Networks on a link of the host with several subnets of a family.

use serde_json::json;

use super::*;

fn subnet(subnet: &str, gateway: &str) -> models::IpamConfig {
    let gateway = (!gateway.is_empty()).then(|| gateway.to_owned());
    models::IpamConfig { subnet: Some(subnet.to_owned()), gateway, ..Default::default() }
}

/// `phys`, with room for one container in its first subnet of IPv4.
fn phys(subnets: Vec<models::IpamConfig>) -> models::NetworkCreateRequest {
    models::NetworkCreateRequest {
        name: "phys".to_owned(),
        driver: Some("macvlan".to_owned()),
        enable_ipv6: Some(true),
        ipam: Some(models::Ipam { config: Some(subnets), ..Default::default() }),
        ..Default::default()
    }
}

fn four() -> Vec<models::IpamConfig> {
    let v6 = |number| subnet(&format!("fd8{number}::/64"), "");
    vec![subnet("10.85.0.0/30", ""), v6(5), subnet("10.86.0.0/24", "10.86.0.254"), v6(6)]
}

#[test]
fn addresses_come_from_the_first_that_has_one_left() {
    let daemon = Daemon::new();
    let id = daemon.run(|inner| inner.create(phys(four()))).unwrap();
    let expected = json!([
        {"Subnet": "10.85.0.0/30", "Gateway": "10.85.0.1"},
        {"Subnet": "10.86.0.0/24", "Gateway": "10.86.0.254"},
        {"Subnet": "fd85::/64", "Gateway": "fd85::1"},
        {"Subnet": "fd86::/64", "Gateway": "fd86::1"},
    ]);
    assert_eq!(shown(&daemon, "phys")["IPAM"]["Config"], expected);
    let view = |number, ask: EndpointAsk| daemon.connect(daemon.sandbox(number), &ask).unwrap();
    let first = view(1, daemon.ask(id));
    // Without a parent, it leads nowhere.
    assert_eq!((first.gateway_v4, first.gateway_v6), (None, None));
    assert_eq!(first.v4.unwrap().to_string(), "10.85.0.2/30");
    assert_eq!(view(2, daemon.ask(id)).v4.unwrap().to_string(), "10.86.0.1/24");
    let fixed = EndpointAsk { v4: "10.86.0.77".parse().ok(), v6: "fd86::77".parse().ok(), ..daemon.ask(id) };
    let fixed = view(3, fixed);
    assert_eq!(fixed.v4.unwrap().to_string(), "10.86.0.77/24");
    assert_eq!(fixed.v6.unwrap().to_string(), "fd86::77/64");
    let outside = EndpointAsk { v4: "10.87.0.2".parse().ok(), ..daemon.ask(id) };
    let error = daemon.connect(daemon.sandbox(4), &outside).unwrap_err().to_string();
    assert!(error.contains("no configured subnet or ip-range contain the IP address 10.87.0.2"), "{error}");
}

#[test]
fn each_subnet_has_a_gateway_of_its_own_and_all_outlive_the_daemon() {
    let daemon = Daemon::new();
    let on_a_link = |subnets| models::NetworkCreateRequest {
        options: Some([("parent".to_owned(), "eth0".to_owned())].into()),
        ..phys(subnets)
    };
    let id = daemon.run(|inner| inner.create(on_a_link(four()))).unwrap();
    let views = [1, 2].map(|number| daemon.connect(daemon.sandbox(number), &daemon.ask(id)).unwrap());
    let gateways =
        views.map(|view| [view.gateway_v4.unwrap().to_string(), view.gateway_v6.unwrap().to_string()]);
    assert_eq!(gateways, [["10.85.0.1", "fd85::1"], ["10.86.0.254", "fd85::1"]]);
    let before = shown(&daemon, "phys")["IPAM"].clone();

    let daemon = daemon.restart();
    assert_eq!(shown(&daemon, "phys")["IPAM"], before);
    // The addresses of both are theirs.
    let third = daemon.connect(daemon.sandbox(3), &daemon.ask(id)).unwrap();
    assert_eq!(third.v4.unwrap().to_string(), "10.86.0.2/24");
    for number in 1..4 {
        daemon.run(|inner| inner.close_sandbox(container(number))).unwrap();
        daemon.run(|inner| inner.release(container(number))).unwrap();
    }
    daemon.run(|inner| inner.remove("phys")).unwrap();
    for config in four() {
        let subnet = config.subnet.unwrap();
        let six = models::NetworkCreateRequest { enable_ipv6: Some(true), ..network(&subnet, &subnet) };
        daemon.run(|inner| inner.create(six)).unwrap();
    }
}

#[test]
fn none_is_taken_if_one_can_t_be_had() {
    let daemon = Daemon::new();
    daemon.network("web", "10.86.0.0/16");
    let (kind, text) = refused(&daemon, phys(four()));
    assert_eq!(kind, Kind::Forbidden);
    assert_eq!(text, "invalid pool request: Pool overlaps with other one on this address space");
    let twice = vec![subnet("10.85.0.0/24", ""), subnet("10.85.0.0/25", "")];
    assert_eq!(refused(&daemon, phys(twice)), (kind, text));
    let bridge = models::NetworkCreateRequest { driver: None, ..phys(four()) };
    let text = "bridge driver doesn't support multiple subnets".to_owned();
    assert_eq!(refused(&daemon, bridge), (kind, text));
}

#[test]
fn a_configuration_network_keeps_them_for_others() {
    let daemon = Daemon::new();
    let only = models::NetworkCreateRequest { config_only: Some(true), driver: None, ..phys(four()) };
    daemon
        .run(|inner| inner.create(models::NetworkCreateRequest { name: "cfg".to_owned(), ..only }))
        .unwrap();
    let from = |driver: Option<&str>| models::NetworkCreateRequest {
        name: "phys".to_owned(),
        driver: driver.map(str::to_owned),
        config_from: Some(models::ConfigReference { network: Some("cfg".to_owned()) }),
        ..Default::default()
    };
    let (kind, text) = refused(&daemon, from(None));
    assert_eq!((kind, text.as_str()), (Kind::Forbidden, "bridge driver doesn't support multiple subnets"));
    daemon.run(|inner| inner.create(from(Some("macvlan")))).unwrap();
    assert_eq!(shown(&daemon, "phys")["IPAM"]["Config"].as_array().unwrap().len(), 4);
}
