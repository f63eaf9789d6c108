//! Networks alone: made, shown, found, removed.

use libnet::host::NetworkSpec;
use netd_api::{Filters, models};
use serde_json::json;

use super::*;
use crate::network::inspect::ListFilter;

#[test]
fn the_default_networks_are_there() {
    let daemon = Daemon::new();
    let bridge = shown(&daemon, "default");
    assert_eq!(bridge["Name"], "bridge");
    let config = json!([{"Subnet": "10.10.0.0/16", "Gateway": "10.10.0.1"}]);
    assert_eq!(bridge["IPAM"]["Config"], config);
    assert_eq!(bridge["Options"]["com.docker.network.bridge.name"], "pontoon0");
    assert_eq!(
        (&shown(&daemon, "host")["Driver"], &shown(&daemon, "none")["Driver"]),
        (&json!("host"), &json!("null"))
    );
    let world = daemon.kernel.world();
    let NetworkSpec::Bridge(link) = world.networks.values().next().unwrap() else { panic!("{world:?}") };
    assert_eq!((link.link.as_str(), link.mtu.bytes()), ("pontoon0", 1400));
    for name in ["bridge", "host", "none"] {
        let error = daemon.run(|inner| inner.remove(name)).unwrap_err();
        assert_eq!(error.to_string(), format!("{name} is a pre-defined network and cannot be removed"));
    }
}

#[test]
fn a_network_is_shown_as_docker_shows_it() {
    let daemon = Daemon::new();
    let mut ask = network("web", "192.168.0.0/24");
    ask.labels = Some([("tier".to_owned(), "front".to_owned())].into());
    let id = daemon.run(|inner| inner.create(ask)).unwrap();
    let shown = shown(&daemon, &id.short(6));
    let expected = json!({
        "Name": "web", "Id": id.to_string(), "Created": "2023-11-14T22:13:20Z", "Scope": "local", "Driver": "bridge",
        "EnableIPv4": true, "EnableIPv6": false,
        "IPAM": {"Driver": "default", "Config": [{"Subnet": "192.168.0.0/24", "Gateway": "192.168.0.1"}]},
        "Internal": false, "Attachable": false, "Ingress": false, "ConfigFrom": {"Network": ""}, "ConfigOnly": false,
        "Options": {}, "Labels": {"tier": "front"}, "Containers": {},
    });
    assert_eq!(shown, expected);
    assert_eq!(daemon.actions(), ["create", "create"]);
    let link = daemon.kernel.world().networks[&id].clone();
    assert_eq!(link.link().as_str(), format!("br-{}", id.short(12)));
}

#[test]
fn what_collides_is_refused_in_docker_s_words() {
    let daemon = Daemon::new();
    daemon.network("web", "192.168.0.0/24");
    let name = refused(&daemon, network("web", ""));
    assert_eq!(name, (Kind::Conflict, "network with name web already exists".to_owned()));
    let overlap = "invalid pool request: Pool overlaps with other one on this address space";
    assert_eq!(refused(&daemon, network("db", "192.168.0.128/25")), (Kind::Forbidden, overlap.to_owned()));
    assert_eq!(refused(&daemon, network("db", "10.10.3.0/24")), (Kind::Forbidden, overlap.to_owned()));
    let linked = |name: &str| {
        let options = [("com.docker.network.bridge.name".to_owned(), "br0".to_owned())].into();
        models::NetworkCreateRequest { options: Some(options), ..network(name, "") }
    };
    daemon.run(|inner| inner.create(linked("one"))).unwrap();
    let (kind, text) = refused(&daemon, linked("two"));
    assert_eq!(kind, Kind::Forbidden);
    assert!(text.ends_with("networks have same bridge name"), "{text}");
}

#[test]
fn automatic_subnets_avoid_the_host_s_routes() {
    let kernel = FakeKernel { routes: vec!["172.17.0.0/16".parse().unwrap()], ..FakeKernel::default() };
    let daemon = Daemon::start(kernel, Arc::default(), Arc::default(), Arc::default(), config());
    let mut ask = network("web", "");
    ask.enable_ipv6 = Some(true);
    daemon.run(|inner| inner.create(ask)).unwrap();
    let config = shown(&daemon, "web")["IPAM"]["Config"].clone();
    assert_eq!(config[0], json!({"Subnet": "172.18.0.0/16", "Gateway": "172.18.0.1"}));
    assert_eq!(config[1], json!({"Subnet": "fd07:707:707::/64", "Gateway": "fd07:707:707::1"}));
}

#[test]
fn filters_and_references() {
    let daemon = Daemon::new();
    let id = daemon.network("web", "");
    let names = |key: &str, value: &str| {
        let filter = ListFilter::new(&Filters::default().with(key, value)).unwrap();
        let state = daemon.inner.state();
        let passing = state.networks().filter(|record| filter.passes(record, state.in_use(record.id)));
        let mut names: Vec<_> = passing.map(|record| record.name.clone()).collect();
        names.sort();
        names
    };
    assert_eq!(names("type", "custom"), ["web"]);
    assert_eq!(names("type", "builtin"), ["bridge", "host", "none"]);
    assert_eq!(names("driver", "null"), ["none"]);
    assert_eq!(names("id", &id.short(5)), ["web"]);
    assert_eq!(names("name", "e"), ["bridge", "none", "web"]);
    assert_eq!(names("dangling", "true"), ["web"]);
    assert_eq!(names("scope", "swarm"), [""; 0]);
    let refused = |filters: &Filters| ListFilter::new(filters).err().unwrap().to_string();
    let only = |key: &str, value: &str| Filters::default().with(key, value);
    assert_eq!(refused(&only("what", "x")), "invalid filter 'what'");
    assert_eq!(refused(&only("type", "x")), "invalid filter: 'type'='x'");
    assert_eq!(
        refused(&only("dangling", "yes")),
        r#"invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0")"#
    );
    assert_eq!(
        refused(&only("dangling", "1").with("dangling", "0")),
        r#"got more than one value for filter key "dangling""#
    );
    let state = daemon.inner.state();
    assert_eq!(state.resolve("nope").unwrap_err().to_string(), "network nope not found");
    assert!(state.resolve("").is_err());
}

#[test]
fn a_failure_at_any_point_of_create_and_remove_leaves_nothing_behind() {
    let daemon = Daemon::new();
    let before = daemon.everything();
    for fuse in [&daemon.kernel.fuse, &daemon.declared.fuse] {
        for n in 1.. {
            fuse.set(n);
            let made = daemon.run(|inner| inner.create(network("web", "")));
            if fuse.is_unburnt() {
                fuse.set(0);
                made.unwrap();
                break;
            }
            assert!(made.is_err(), "call {n}");
            daemon.everything().is(&before, &format!("call {n}"));
        }
        let there = daemon.everything();
        for n in 1.. {
            fuse.set(n);
            let removed = daemon.run(|inner| inner.remove("web"));
            if fuse.is_unburnt() {
                fuse.set(0);
                removed.unwrap();
                break;
            }
            assert!(removed.is_err(), "call {n}");
            daemon.everything().is(&there, &format!("call {n}"));
        }
        daemon.everything().is(&before, "");
    }
}

#[test]
fn prune_takes_what_nobody_runs_in() {
    let daemon = Daemon::new();
    let (idle, used) = (daemon.network("idle", ""), daemon.network("used", ""));
    let c1 = daemon.sandbox(1);
    daemon.connect(c1, &daemon.ask(idle)).unwrap();
    daemon.connect(c1, &daemon.ask(used)).unwrap();
    daemon.run(|inner| inner.disconnect(c1, idle, false)).unwrap();
    assert_eq!(daemon.run(|inner| inner.prune(&Filters::default())).unwrap(), ["idle"]);
    assert_eq!(
        daemon.actions().last_chunk(),
        Some(&["disconnect".to_owned(), "destroy".to_owned(), "prune".to_owned()])
    );
    let error = daemon.run(|inner| inner.remove("used")).unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with(
            "error while removing network: network used has active endpoints (name:\"c1\" id:\""
        ),
        "{text}"
    );
    daemon.run(|inner| inner.close_sandbox(c1)).unwrap();
    let kept = Filters::default().with("until", "2020-01-01");
    assert_eq!(daemon.run(|inner| inner.prune(&kept)).unwrap(), [""; 0]);
    assert_eq!(daemon.run(|inner| inner.prune(&Filters::default())).unwrap(), ["used"]);
    assert_eq!(
        daemon.declared.list(LEASES).unwrap(),
        [],
        "the stopped container's lease went with its network"
    );
}

#[test]
fn names_are_refused_before_anything_else() {
    let daemon = Daemon::new();
    let name = |name: &str| {
        refused(&daemon, models::NetworkCreateRequest { driver: Some("foo".to_owned()), ..network(name, "") })
    };
    for predefined in ["bridge", "host", "none", "default"] {
        let text = format!("operation is not permitted on predefined {predefined} network ");
        assert_eq!(name(predefined), (Kind::Forbidden, text));
    }
    for empty in ["", "  ", "\t"] {
        assert_eq!(name(empty), (Kind::InvalidParameter, "invalid name: name is empty".to_owned()));
    }
    assert_eq!(
        name("a\nb"),
        (Kind::InvalidParameter, "invalid name: name has control characters".to_owned())
    );
    daemon.network("web", "");
    assert_eq!(name("web"), (Kind::Conflict, "network with name web already exists".to_owned()));
    for odd in ["a/b", "/", "ein netz", "ü", "-x", &"long".repeat(100), "0123456789ab"] {
        daemon.network(odd, "");
        assert_eq!(shown(&daemon, odd)["Name"], odd);
    }
}

#[test]
fn an_id_a_name_the_beginning_of_an_id() {
    let daemon = Daemon::new();
    let first = daemon.network("first", "").to_string();
    // A name that is the beginning of another network's id is the name all the same; a whole id is the id.
    let named_so = daemon.network(&first[..6], "").to_string();
    let whole = daemon.network(&named_so, "").to_string();
    let found = |reference: &str| daemon.inner.state().resolve(reference).map(|record| record.id.to_string());
    assert_eq!(found(&first[..6]).unwrap(), named_so);
    assert_eq!(found(&named_so).unwrap(), named_so);
    assert_ne!(found(&named_so).unwrap(), whole);
    assert_eq!(found(&first[..13]).unwrap(), first);
    let all: Vec<_> =
        (0..40).map(|n| daemon.network(&format!("n{n}"), &format!("10.20.{n}.0/24")).to_string()).collect();
    let digit = all[0].chars().next().unwrap();
    let same = |id: &&String| id.starts_with(digit);
    let total = all.iter().chain([&first, &named_so, &whole]).filter(same).count();
    let defaults = daemon
        .inner
        .state()
        .networks()
        .filter(|record| record.default && record.id.to_string().starts_with(digit))
        .count();
    let error = found(&digit.to_string()).unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidParameter);
    let total = total + defaults;
    assert_eq!(
        error.to_string(),
        format!("network {digit} is ambiguous ({total} matches found based on ID prefix)")
    );
}

#[test]
fn sizes_families_and_scopes() {
    let daemon = Daemon::new();
    let sized = models::NetworkCreateRequest { enable_ipv6: Some(true), ..network("sized", "0.0.0.0/26") };
    daemon.run(|inner| inner.create(sized)).unwrap();
    let config = shown(&daemon, "sized")["IPAM"]["Config"].clone();
    assert_eq!(config[0], json!({"Subnet": "172.17.0.0/26", "Gateway": "172.17.0.1"}));
    assert_eq!(config[1], json!({"Subnet": "fd07:707:707::/64", "Gateway": "fd07:707:707::1"}));
    let v6 = models::NetworkCreateRequest {
        enable_ipv4: Some(false),
        enable_ipv6: Some(true),
        ..network("six", "::/56")
    };
    daemon.run(|inner| inner.create(v6)).unwrap();
    let six = shown(&daemon, "six");
    assert_eq!((&six["EnableIPv4"], &six["EnableIPv6"]), (&json!(false), &json!(true)));
    assert_eq!(
        six["IPAM"]["Config"],
        json!([{"Subnet": "fd07:707:707:100::/56", "Gateway": "fd07:707:707:100::1"}])
    );
    let scoped =
        |scope: &str| models::NetworkCreateRequest { scope: Some(scope.to_owned()), ..network(scope, "") };
    daemon.run(|inner| inner.create(scoped("global"))).unwrap();
    assert_eq!(shown(&daemon, "global")["Scope"], "global");
    assert_eq!(
        refused(&daemon, scoped("swarm")),
        (Kind::Forbidden, "cannot create a swarm scoped network when swarm is not active".to_owned())
    );
    assert_eq!(refused(&daemon, scoped("planet")).0, Kind::InvalidParameter);
    let ingress = models::NetworkCreateRequest { ingress: Some(true), ..network("mesh", "") };
    assert_eq!(
        refused(&daemon, ingress),
        (Kind::Forbidden, "Ingress network can only be global scope network".to_owned())
    );
}

#[test]
fn families_that_options_name_give_way_to_the_request() {
    let daemon = Daemon::new();
    let ask = |name: &str, key: &str, value: &str| models::NetworkCreateRequest {
        options: Some([(key.to_owned(), value.to_owned())].into()),
        ..network(name, "")
    };
    let v6 = "com.docker.network.enable_ipv6";
    daemon.run(|inner| inner.create(ask("six", v6, "1"))).unwrap();
    assert_eq!(shown(&daemon, "six")["EnableIPv6"], true);
    let overruled = models::NetworkCreateRequest { enable_ipv6: Some(false), ..ask("four", v6, "what") };
    daemon.run(|inner| inner.create(overruled)).unwrap();
    let four = shown(&daemon, "four");
    assert_eq!((&four["EnableIPv6"], &four["Options"]), (&json!(false), &json!({})));
    let text = "driver-opt \"com.docker.network.enable_ipv6\" is not a valid bool";
    assert_eq!(refused(&daemon, ask("x", v6, "what")), (Kind::InvalidParameter, text.to_owned()));
}

#[test]
fn addresses_that_can_t_be_kept_for_a_network() {
    let daemon = Daemon::new();
    let ask = |gateway: &str, aux: &[(&str, &str)]| {
        let aux = aux.iter().map(|(name, ip)| ((*name).to_owned(), (*ip).to_owned())).collect();
        let config = models::IpamConfig {
            subnet: Some("10.30.0.0/24".to_owned()),
            gateway: Some(gateway.to_owned()),
            auxiliary_addresses: Some(aux),
            ..Default::default()
        };
        let ipam = models::Ipam { config: Some(vec![config]), ..Default::default() };
        models::NetworkCreateRequest { ipam: Some(ipam), ..network("web", "") }
    };
    assert_eq!(
        refused(&daemon, ask("10.30.0.0", &[])),
        (Kind::System, "failed to allocate gateway (10.30.0.0): Address already in use".to_owned())
    );
    assert_eq!(
        refused(&daemon, ask("", &[("a", "10.30.0.255")])),
        (
            Kind::System,
            "failed to allocate secondary ip address (a:10.30.0.255): Address already in use".to_owned()
        )
    );
    daemon.run(|inner| inner.create(ask("", &[("router", "10.30.0.1")]))).unwrap();
    assert_eq!(shown(&daemon, "web")["IPAM"]["Config"][0]["Gateway"], "10.30.0.2", "it makes way");
}
