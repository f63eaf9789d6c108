//! Names and plans, as values.

use super::{attach, create, detach, remove, sub_interface};
use crate::{
    bridge::{Circumstances, Step},
    host::{
        Child, DefaultRoute, EndpointSpec, IpvlanFlag, IpvlanMode, MacvlanMode, Parent, ParentError,
        ParentNetwork,
    },
    types::{Announce, EndpointId, IfName, Interval, MacAddr, Mtu, NetworkId},
};

fn network(kind: Child, parent: Parent) -> ParentNetwork {
    let id = NetworkId::from_bytes([1; 32]);
    ParentNetwork { id, name: "lan".to_owned(), parent, kind, mtu: None, announce: Announce::default() }
}

fn link(name: &str) -> IfName {
    name.parse().unwrap()
}

fn endpoint() -> EndpointSpec {
    EndpointSpec {
        egress: Default::default(),
        spoof: Default::default(),
        rates: Default::default(),
        id: EndpointId::from_bytes([2; 32]),
        network: NetworkId::from_bytes([1; 32]),
        label: "lan a".to_owned(),
        ifname: link("eth0"),
        mac: MacAddr::local([2; 6]),
        v4: Some("10.9.0.2/24".parse().unwrap()),
        v6: Some("fd09::2/64".parse().unwrap()),
        link_local: Vec::new(),
        settings: Vec::new(),
        mtu: Mtu::ETHERNET,
        default_route: DefaultRoute::Out { v4: true, v6: true },
        ports: Vec::new(),
    }
}

fn words(steps: &[Step]) -> Vec<String> {
    steps.iter().map(ToString::to_string).collect()
}

#[test]
fn a_name_with_a_dot_is_a_vlan() {
    let (on, id) = sub_interface(&link("eth0.10")).unwrap();
    assert_eq!((on.as_str(), id.get()), ("eth0", 10));
    let table = [
        ("eth7", "the requested parent interface eth7 was not found on the Docker host"),
        (
            "eth0.10.20",
            "required interface name format is: name.vlan_id, ex. eth0.10 for vlan 10, instead received eth0.10.20",
        ),
        (
            ".10",
            "required interface name format is: name.vlan_id, ex. eth0.10 for vlan 10, instead received .10",
        ),
        ("eth0.x", "unable to parse a valid vlan id from: x (ex. eth0.10 for vlan 10)"),
        ("eth0.", "unable to parse a valid vlan id from:  (ex. eth0.10 for vlan 10)"),
        ("eth0.0", "vlan id must be between 1-4094, received: 0"),
        ("eth0.4095", "vlan id must be between 1-4094, received: 4095"),
        ("eth0.-1", "vlan id must be between 1-4094, received: -1"),
    ];
    for (name, text) in table {
        assert_eq!(sub_interface(&link(name)).unwrap_err().to_string(), text);
    }
    assert_eq!(sub_interface(&link("eth7")), Err(ParentError::Missing(link("eth7"))));
}

#[test]
fn a_parent_of_the_host_s_is_found_and_left_alone() {
    let net = network(Child::Macvlan(MacvlanMode::Bridge), Parent::Link(link("eth0")));
    assert_eq!(words(&create(&net)), ["use eth0 as the parent of network lan"]);
    assert_eq!(words(&remove(&net)), ["leave parent eth0"]);
    assert!(!words(&create(&net)).iter().any(|step| step.contains("firewall")));
}

#[test]
fn an_island_is_made_and_goes() {
    let net = network(Child::Macvlan(MacvlanMode::Bridge), Parent::Island(link("dm-1")));
    let made = words(&create(&net));
    assert_eq!(
        made,
        ["use dm-1 as the parent of network lan", "set ipv6/conf/dm-1/disable_ipv6", "raise dm-1"]
    );
    assert_eq!(words(&remove(&net)), ["set link dm-1 down"]);
}

#[test]
fn an_endpoint_is_one_interface_and_its_configuration() {
    let l2 = network(Child::Ipvlan(IpvlanMode::L2, IpvlanFlag::Bridge), Parent::Link(link("eth0")));
    let steps = words(&attach(&l2, &endpoint(), Circumstances::default()));
    assert_eq!(steps[0], "create eth0 on parent eth0 in the sandbox");
    assert!(steps[1].contains("arp_notify") && steps[1].contains("ndisc_notify"), "{steps:?}");
    assert_eq!(steps[2..], ["configure eth0 in the sandbox"]);
    let announce =
        |times: i64| Announce::Always { times: times.try_into().unwrap(), every: Interval::DEFAULT };
    let counted = |times| ParentNetwork { announce: announce(times), ..l2.clone() };
    let steps = words(&attach(&counted(0), &endpoint(), Circumstances::default()));
    assert!(!steps.iter().any(|step| step.contains("notify")), "{steps:?}");
    let steps = words(&attach(&counted(2), &endpoint(), Circumstances::default()));
    assert!(steps.last().unwrap().contains("arp_notify"), "after it is up: {steps:?}");
    // On layer 3 there is nobody to tell whose an address is.
    let l3 = network(Child::Ipvlan(IpvlanMode::L3, IpvlanFlag::Bridge), Parent::Link(link("eth0")));
    let steps = words(&attach(&l3, &endpoint(), Circumstances::default()));
    assert!(!steps.iter().any(|step| step.contains("notify")), "{steps:?}");
    assert_eq!(detach(endpoint().id), [Step::Unhang(endpoint().id)]);
}
