//! Configuration networks and those that are made from them.

use libnet::host::NetworkSpec;
use netd_api::{Filters, models};
use serde_json::json;

use super::*;

fn template(name: &str) -> models::NetworkCreateRequest {
    let option = ("com.docker.network.driver.mtu".to_owned(), "1300".to_owned());
    models::NetworkCreateRequest {
        config_only: Some(true),
        options: Some([option].into()),
        labels: Some([("tier".to_owned(), "front".to_owned())].into()),
        ..network(name, "10.40.0.0/24")
    }
}

fn from(name: &str, source: &str) -> models::NetworkCreateRequest {
    let config_from = models::ConfigReference { network: Some(source.to_owned()) };
    models::NetworkCreateRequest { config_from: Some(config_from), ..network(name, "") }
}

#[test]
fn a_configuration_network_is_kept_and_nothing_else() {
    let daemon = Daemon::new();
    let world = daemon.kernel.world();
    let id = daemon.run(|inner| inner.create(template("cfg"))).unwrap();
    assert!(daemon.kernel.world() == world);
    let expected = json!({
        "Name": "cfg", "Id": id.to_string(), "Created": "2023-11-14T22:13:20Z", "Scope": "local", "Driver": "null",
        "EnableIPv4": true, "EnableIPv6": false,
        "IPAM": {"Driver": "default", "Config": [{"Subnet": "10.40.0.0/24"}]},
        "Internal": false, "Attachable": false, "Ingress": false, "ConfigFrom": {"Network": ""}, "ConfigOnly": true,
        "Options": {"com.docker.network.driver.mtu": "1300"}, "Labels": {"tier": "front"}, "Containers": {},
    });
    assert_eq!(shown(&daemon, "cfg"), expected);
    let daemon = daemon.restart();
    assert_eq!(shown(&daemon, "cfg"), expected);
    assert_eq!(shown(&daemon, "none")["ConfigOnly"], false);
    daemon.network("other", "10.40.0.0/16");
}

#[test]
fn a_network_takes_its_configuration_over() {
    let daemon = Daemon::new();
    daemon.run(|inner| inner.create(template("cfg"))).unwrap();
    let id = daemon.run(|inner| inner.create(from("web", "cfg"))).unwrap();
    let shown = shown(&daemon, "web");
    assert_eq!(shown["ConfigFrom"], json!({"Network": "cfg"}));
    assert_eq!((&shown["ConfigOnly"], &shown["Driver"]), (&json!(false), &json!("bridge")));
    assert_eq!(shown["Labels"], json!({"tier": "front"}));
    assert_eq!(shown["IPAM"]["Config"], json!([{"Subnet": "10.40.0.0/24", "Gateway": "10.40.0.1"}]));
    let NetworkSpec::Bridge(link) = daemon.kernel.world().networks[&id].clone() else { panic!("{shown}") };
    assert_eq!((link.mtu.bytes(), link.v4.unwrap().to_string()), (1_300, "10.40.0.1/24".to_owned()));
    let overlap = "invalid pool request: Pool overlaps with other one on this address space";
    assert_eq!(refused(&daemon, from("again", "cfg")), (Kind::Forbidden, overlap.to_owned()));
}

#[test]
fn it_stays_while_networks_use_it() {
    let daemon = Daemon::new();
    daemon.run(|inner| inner.create(template("cfg"))).unwrap();
    daemon.run(|inner| inner.create(from("web", "cfg"))).unwrap();
    let daemon = daemon.restart();
    let error = daemon.run(|inner| inner.remove("cfg")).unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (Kind::Forbidden, "error while removing network: configuration network \"cfg\" is in use")
    );
    assert_eq!(daemon.run(|inner| inner.prune(&Filters::default())).unwrap(), ["web"], "prune leaves it");
    let events = daemon.actions().len();
    daemon.run(|inner| inner.remove("cfg")).unwrap();
    assert_eq!(daemon.actions().len(), events, "as in Docker, nobody is told");
    let gone = (Kind::NotFound, "configuration network \"cfg\" does not exist".to_owned());
    assert_eq!(refused(&daemon, from("web", "cfg")), gone);
}

#[test]
fn no_container_can_be_in_it() {
    let daemon = Daemon::new();
    let id = daemon.run(|inner| inner.create(template("cfg"))).unwrap();
    let c1 = daemon.sandbox(1);
    let error = daemon.connect(c1, &daemon.ask(id)).unwrap_err();
    assert_eq!(error.kind(), Kind::Forbidden);
    assert!(
        error.to_string().starts_with("configuration network \"cfg\" cannot be used by containers"),
        "{error}"
    );
}

#[test]
fn what_makes_no_sense_is_refused_in_docker_s_words() {
    let daemon = Daemon::new();
    daemon.run(|inner| inner.create(template("cfg"))).unwrap();
    daemon.network("web", "");
    let operator = "configuration network can only contain network specific fields. Network operator fields like [ ingress | internal | attachable | scope ] are not supported.";
    let own =
        "user specified configurations are not supported if the network depends on a configuration network";
    let yes = Some(true);
    let text = |text: &str| Some([(text.to_owned(), text.to_owned())].into());
    let table = [
        (models::NetworkCreateRequest { internal: yes, ..template("x") }, operator),
        (models::NetworkCreateRequest { attachable: yes, ..template("x") }, operator),
        (models::NetworkCreateRequest { ingress: yes, ..template("x") }, operator),
        (models::NetworkCreateRequest { scope: Some("local".to_owned()), ..template("x") }, operator),
        (
            models::NetworkCreateRequest { config_only: yes, ..from("x", "cfg") },
            "a configuration network cannot depend on another configuration network",
        ),
        (models::NetworkCreateRequest { labels: text("a"), ..from("x", "cfg") }, own),
        (models::NetworkCreateRequest { enable_ipv6: yes, ..from("x", "cfg") }, own),
        (models::NetworkCreateRequest { enable_ipv4: Some(false), ..from("x", "cfg") }, own),
        (models::NetworkCreateRequest { ipam: network("", "10.1.0.0/24").ipam, ..from("x", "cfg") }, own),
        (
            models::NetworkCreateRequest { options: text("a"), ..from("x", "cfg") },
            "network driver options are not supported if the network depends on a configuration network",
        ),
    ];
    for (ask, expected) in table {
        assert_eq!(refused(&daemon, ask), (Kind::Forbidden, expected.to_owned()));
    }
    for source in ["nope", "web"] {
        let text = format!("configuration network \"{source}\" does not exist");
        assert_eq!(refused(&daemon, from("x", source)), (Kind::NotFound, text));
    }
    let bad = models::NetworkCreateRequest { ipam: network("", "10.1.0.1/24").ipam, ..template("x") };
    let text = "invalid network config:\ninvalid subnet 10.1.0.1/24: it should be 10.1.0.0/24";
    assert_eq!(refused(&daemon, bad), (Kind::InvalidParameter, text.to_owned()));
    let taken = "network with name web already exists".to_owned();
    assert_eq!(refused(&daemon, template("web")), (Kind::Conflict, taken));
}

#[test]
fn a_failure_at_any_point_leaves_nothing_behind() {
    let daemon = Daemon::new();
    let before = daemon.everything();
    daemon.declared.fuse.set(1);
    daemon.run(|inner| inner.create(template("cfg"))).unwrap_err();
    daemon.everything().is(&before, "create");
    daemon.run(|inner| inner.create(template("cfg"))).unwrap();
    let there = daemon.everything();
    daemon.declared.fuse.set(1);
    daemon.run(|inner| inner.remove("cfg")).unwrap_err();
    daemon.everything().is(&there, "remove");
    daemon.run(|inner| inner.remove("cfg")).unwrap();
    daemon.everything().is(&before, "");
}
