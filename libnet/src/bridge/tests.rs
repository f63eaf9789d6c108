//! Plans and differences, as values: nothing here touches a kernel.

use ipnetwork::IpNetwork;
use proptest::prelude::*;

use super::{
    Circumstances, Difference, InUse, Step, attach, compare, create, detach,
    names::{Owner, bridge_mac, host_link, host_mac},
};
use crate::{
    firewall::FirewallEndpoint,
    host::{
        BridgeNetwork, Declared, DeclaredEndpoint, DeclaredSandbox, DefaultRoute, EndpointSpec, Forwarding,
    },
    ipam::masked,
    link::route::Hop,
    observe::{Address, Link, Route, Snapshot},
    ports::{HostPort, PortRequest},
    types::{EndpointId, Icc, Internal, MacAddr, Masquerade, Mtu, NetworkId, Port, Proto, Rates},
};

fn network(number: u8) -> BridgeNetwork {
    BridgeNetwork {
        id: NetworkId::from_bytes([number; 32]),
        name: format!("net{number}"),
        link: format!("br{number}").parse().unwrap(),
        mtu: Mtu::ETHERNET,
        v4: Some(format!("10.{number}.0.1/24").parse().unwrap()),
        v6: None,
        internal: Internal::No,
        icc: Icc::Allowed,
        masquerade: Masquerade::Yes,
        default_host_ip: None,
        exposure: Default::default(),
        announce: Default::default(),
        lent: None,
    }
}

fn endpoint(net: &BridgeNetwork, number: u8) -> EndpointSpec {
    EndpointSpec {
        egress: Default::default(),
        spoof: Default::default(),
        rates: Default::default(),
        id: EndpointId::from_bytes([number; 32]),
        network: net.id,
        label: String::new(),
        ifname: "eth0".parse().unwrap(),
        mac: MacAddr::local([number; 6]),
        v4: Some("10.9.0.2/24".parse().unwrap()),
        v6: None,
        link_local: Vec::new(),
        settings: Vec::new(),
        mtu: net.mtu,
        default_route: DefaultRoute::Via { v4: net.v4.map(ipnetwork::Ipv4Network::ip), v6: None },
        ports: Vec::new(),
    }
}

fn words(steps: &[Step]) -> Vec<String> {
    steps.iter().map(ToString::to_string).collect()
}

#[test]
fn a_network_is_made_in_this_order() {
    let plain = network(1);
    let made = words(&create(&plain, Forwarding::Enable));
    assert_eq!(made.first().unwrap(), "create bridge br1");
    assert_eq!(made.last().unwrap(), "open the firewall for network net1");
    assert!(made.iter().any(|step| step.starts_with("set ipv4/ip_forward")), "{made:?}");
    let at = |text: &str| made.iter().position(|step| step.starts_with(text)).unwrap();
    // What is set before the bridge is up does not have to be taken back from it.
    assert!(at("set ipv6/conf/br1/disable_ipv6") < at("raise bridge br1"));

    let internal = words(&create(&BridgeNetwork { internal: Internal::Yes, ..plain }, Forwarding::Enable));
    assert!(!internal.iter().any(|step| step.contains("forward")), "{internal:?}");
}

#[test]
fn an_endpoint_is_attached_in_this_order() {
    let net = BridgeNetwork { default_host_ip: Some("192.0.2.1".parse().unwrap()), ..network(1) };
    let port = Port::new(80).unwrap();
    let publish =
        |host_ip| PortRequest { host_ip, host: HostPort::Ephemeral, container: port, proto: Proto::Tcp };
    let elsewhere = Some("127.0.0.1".parse().unwrap());
    let ep = EndpointSpec { ports: vec![publish(None), publish(elsewhere)], ..endpoint(&net, 2) };
    let steps = attach(&net, &ep, Circumstances::default());
    assert_eq!(
        words(&steps),
        [
            "reserve host ports",
            "set route_localnet for network NetworkId(010101010101)",
            "open the firewall for endpoint EndpointId(020202020202)",
            "create veth pair veth0202020 - eth0",
            "configure eth0 in the sandbox",
        ]
    );
    // A request without an address goes where the network says.
    assert_eq!(steps[0], Step::ReservePorts(vec![publish(net.default_host_ip), publish(elsewhere)]));

    let moved = Circumstances { address_moved: true, ..Circumstances::default() };
    assert!(
        words(&attach(&net, &ep, moved)).contains(&"set ipv4/conf/eth0/arp_notify in the sandbox".to_owned())
    );
    let six = EndpointSpec { v6: Some("fd00::2/64".parse().unwrap()), ..ep };
    let settings = "set ipv6/conf/eth0/disable_ipv6 in the sandbox".to_owned();
    assert!(words(&attach(&net, &six, Circumstances::default())).contains(&settings));
}

#[test]
fn packets_stop_before_rules_and_ports_go() {
    let who = FirewallEndpoint::new(&endpoint(&network(1), 2), &[]);
    let ending = words(&detach(&who, Rates::default(), super::Fate::Ends));
    assert_eq!(ending[0], "set link veth0202020 down");
    assert_eq!(ending[2], "release host ports");
    let mut living = words(&detach(&who, Rates::default(), super::Fate::Lives));
    assert!(living.remove(1).ends_with("aside"), "{living:?}");
    assert_eq!(living, ending);
}

#[test]
fn a_gateway_outside_of_the_subnet_is_on_the_link() {
    let net = network(1);
    let near = |ep: &EndpointSpec| {
        let steps = attach(&net, ep, Circumstances::default());
        let inside = steps.iter().find_map(|step| match step {
            Step::Configure(inside) => Some(inside.clone()),
            _ => None,
        });
        let onlink = |hop| matches!(hop, Hop::OnLink(_));
        inside.unwrap().hops().map(onlink).collect::<Vec<_>>()
    };
    let ep = EndpointSpec { v4: Some("10.1.0.2/24".parse().unwrap()), ..endpoint(&net, 2) };
    assert_eq!(near(&ep), [false]);
    assert_eq!(near(&EndpointSpec { v4: Some("10.1.0.2/32".parse().unwrap()), ..ep.clone() }), [true]);
    let local = DefaultRoute::Via { v4: None, v6: Some("fe80::1".parse().unwrap()) };
    assert_eq!(near(&EndpointSpec { default_route: local, ..ep }), [false]);
}

/// A host on which exactly these networks and endpoints are as they should be.
fn host(networks: &[BridgeNetwork], endpoints: &[EndpointSpec]) -> Snapshot {
    let mut seen = Snapshot::default();
    let mut add = |name: String, alias: String, mac: MacAddr, bridge| {
        let index = u32::try_from(seen.links.len()).unwrap() + 1;
        let name = name.parse().unwrap();
        let (kind, mac, mtu) = (String::new(), mac.octets().to_vec(), Some(Mtu::ETHERNET));
        seen.links.push(Link {
            index,
            name,
            kind,
            up: true,
            mtu,
            mac,
            bridge,
            group: 0,
            alias: Some(alias),
            peer: None,
        });
        index
    };
    let mut bridges = Vec::new();
    for net in networks {
        let (alias, mac) = (Owner::Network(net.id).alias(&net.name), bridge_mac(&net.id));
        bridges.push((net.id, add(net.link.to_string(), alias, mac, None)));
    }
    for ep in endpoints {
        let bridge = bridges.iter().find(|(id, _)| *id == ep.network).map(|(_, index)| *index);
        let (link, mac) = (host_link(&ep.id).to_string(), host_mac(&ep.id));
        add(link, Owner::Endpoint(ep.id).alias(&ep.label), mac, bridge);
    }
    for (net, (_, index)) in networks.iter().zip(bridges) {
        seen.addresses.extend(net.gateways().map(|address| Address { link: index, address }));
        let route = |own: IpNetwork| Route { to: masked(&own), gateway: None, link: Some(index) };
        seen.routes.extend(net.gateways().map(route));
    }
    seen
}

fn name(number: u8) -> String {
    format!("pontoon-{number:012x}")
}

fn declared(networks: &[BridgeNetwork], endpoints: &[EndpointSpec]) -> Declared {
    let sandbox = |ep: &EndpointSpec| DeclaredSandbox {
        name: name(ep.id.bytes()[0]),
        endpoints: vec![DeclaredEndpoint { spec: ep.clone(), ports: Vec::new() }],
    };
    Declared {
        networks: networks.iter().map(Into::into).collect(),
        sandboxes: endpoints.iter().map(sandbox).collect(),
        ..Declared::default()
    }
}

proptest! {
    #[test]
    fn what_is_declared_and_there_needs_nothing(declared_count in 0_usize..6, ghosts in 0_usize..6) {
        let networks: Vec<_> = (1..=3).map(network).collect();
        let all: Vec<_> = (10..22).map(|number| endpoint(&networks[usize::from(number) % 3], number)).collect();
        let there = &all[..declared_count + ghosts];
        let names: Vec<String> = there.iter().map(|ep| name(ep.id.bytes()[0])).collect();
        let seen = host(&networks, there);
        let wanted = declared(&networks, &all[..declared_count]);

        let difference = compare(&wanted, &InUse::default(), &seen, &names);
        prop_assert_eq!(difference.ghosts.len(), ghosts);
        prop_assert_eq!(&difference.ghost_sandboxes, &names[declared_count..]);
        prop_assert!(difference.broken.is_empty() && difference.unrouted.is_empty());
        prop_assert!(difference.loose.is_empty() && difference.lost.is_empty());

        // What somebody works with just now is nobody's ghost.
        let in_use = InUse {
            endpoints: all.iter().map(|ep| ep.id).collect(),
            sandboxes: names.iter().cloned().collect(),
            ..InUse::default()
        };
        let difference = compare(&wanted, &in_use, &seen, &names);
        prop_assert!(difference.ghosts.is_empty() && difference.ghost_sandboxes.is_empty());
    }
}

#[test]
fn what_is_wrong_is_named() {
    let nets = [network(1)];
    let ends = [endpoint(&nets[0], 10)];
    let wanted = declared(&nets, &ends);
    let names = [name(10)];
    let broken = |change: fn(&mut Snapshot)| {
        let mut seen = host(&nets, &ends);
        change(&mut seen);
        compare(&wanted, &InUse::default(), &seen, &names)
    };
    assert_eq!(broken(|seen| seen.addresses.clear()).broken, [nets[0].id]);
    assert_eq!(broken(|seen| seen.links[0].up = false).broken, [nets[0].id]);
    assert_eq!(broken(|seen| seen.links[0].mtu = None).broken, [nets[0].id]);
    assert_eq!(broken(|seen| seen.routes.clear()).unrouted, [(nets[0].id, "10.1.0.1/24".parse().unwrap())]);
    // Somebody else's to the same subnet, and a VRF, which has them elsewhere.
    assert_eq!(broken(|seen| seen.routes[0].link = None), Difference::default());
    let in_vrf = |seen: &mut Snapshot| (seen.links[0].bridge, seen.routes) = (Some(9), Vec::new());
    assert_eq!(broken(in_vrf), Difference::default());
    assert_eq!(broken(|seen| seen.links[1].bridge = None).loose, ends);
    assert_eq!(broken(|seen| seen.links[1].up = false).loose, ends);
    assert_eq!(broken(|seen| drop(seen.links.remove(1))).lost.len(), 1);
    let lost = compare(&wanted, &InUse::default(), &host(&nets, &ends), &[]).lost;
    assert_eq!(lost, ["sandbox pontoon-00000000000a: its namespace is gone"]);
}
