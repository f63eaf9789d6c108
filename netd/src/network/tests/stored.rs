//! Records that older daemons wrote are read by this one.

use libnet::store::Change;
use serde_json::json;

use super::*;

/// A network as the first release wrote it.
const FIRST: &str = include_str!("stored/network-1.json");

#[test]
fn a_network_of_the_first_release_goes_on() {
    let declared = Arc::new(FakeStore::default());
    let record: serde_json::Value = serde_json::from_str(FIRST).unwrap();
    let id = record["id"].as_str().unwrap();
    declared.commit(&[Change::put(NETWORKS, id, &record).unwrap()]).unwrap();
    let daemon = Daemon::start(FakeKernel::default(), declared, Arc::default(), Arc::default(), config());
    let shown = shown(&daemon, "web");
    assert_eq!(shown["Id"], id);
    assert_eq!((&shown["Scope"], &shown["ConfigOnly"]), (&json!("local"), &json!(false)));
    assert_eq!(
        shown["IPAM"]["Config"],
        json!([{"Subnet": "192.168.0.0/24", "IPRange": "192.168.0.128/25", "Gateway": "192.168.0.1",
            "AuxiliaryAddresses": {"router": "192.168.0.5"}}])
    );
    let overlap = "invalid pool request: Pool overlaps with other one on this address space";
    assert_eq!(refused(&daemon, network("db", "192.168.0.0/28")).1, overlap, "its subnet is its own again");
    let c1 = daemon.sandbox(1);
    let network = daemon.inner.state().resolve("web").unwrap().id;
    let view = daemon.connect(c1, &daemon.ask(network)).unwrap();
    assert_eq!(view.v4.unwrap().to_string(), "192.168.0.128/24");
}
