//! Networks alone: made, shown, found, removed.

use libnet::host::NetworkSpec;
use netd_api::{Filters, models};
use serde_json::json;

use super::*;
use crate::{
    error::Kind,
    network::inspect::{self, ListFilter},
};

fn shown(daemon: &Daemon, reference: &str) -> serde_json::Value {
    let state = daemon.inner.state();
    let record = state.resolve(reference).unwrap();
    serde_json::to_value(inspect::network(record, state.endpoints_in(record.id))).unwrap()
}

fn refused(daemon: &Daemon, ask: models::NetworkCreateRequest) -> (Kind, String) {
    let before = daemon.everything();
    let error = daemon.run(|inner| inner.create(ask)).unwrap_err();
    daemon.everything().is(&before, "");
    (error.kind(), error.to_string())
}

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
        "IPAM": {"Driver": "default", "Config": [{"Subnet": "192.168.0.0/24", "Gateway": "192.168.0.1"}], "Options": {}},
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
    for (key, value) in [("what", "x"), ("type", "x"), ("dangling", "x")] {
        assert!(ListFilter::new(&Filters::default().with(key, value)).is_err(), "{key}");
    }
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
