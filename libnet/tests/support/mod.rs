//! Networks, endpoints and what is there, in few words.

#![allow(dead_code, reason = "each suite uses its part")]
#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test may")]

use libnet::{
    host::{BridgeNetwork, DefaultRoute, EndpointSpec, Host, HostConfig, Sandbox},
    observe::Snapshot,
    types::{EndpointId, MacAddr, Mtu, NetworkId},
};

/// A network named `name` with the bridge `br-<name>` and the gateway `v4` (and `v6`, where it is not empty).
pub(crate) fn network(name: &str, v4: &str, v6: &str) -> BridgeNetwork {
    let mut id = [0; 32];
    id.iter_mut().zip(name.bytes().cycle()).for_each(|(byte, letter)| *byte = letter);
    BridgeNetwork {
        id: NetworkId::from_bytes(id),
        name: name.to_owned(),
        link: format!("br-{name}").parse().unwrap(),
        mtu: Mtu::ETHERNET,
        v4: (!v4.is_empty()).then(|| v4.parse().unwrap()),
        v6: (!v6.is_empty()).then(|| v6.parse().unwrap()),
        internal: Default::default(),
        icc: Default::default(),
        masquerade: Default::default(),
        default_host_ip: None,
        exposure: Default::default(),
        announce: Default::default(),
        lent: None,
    }
}

/// An endpoint of `net` with the interface `ifname` and the `number`th address.
pub(crate) fn endpoint(net: &BridgeNetwork, number: u8, ifname: &str) -> EndpointSpec {
    let mut id = *net.id.bytes();
    id[0] = number;
    let v4 = net.v4.map(|gateway| {
        let mut octets = gateway.network().octets();
        octets[3] = number;
        ipnetwork::Ipv4Network::new(octets.into(), gateway.prefix()).unwrap()
    });
    let v6 = net.v6.map(|gateway| {
        let mut octets = gateway.network().octets();
        octets[15] = number;
        ipnetwork::Ipv6Network::new(octets.into(), gateway.prefix()).unwrap()
    });
    EndpointSpec {
        egress: Default::default(),
        spoof: Default::default(),
        rates: Default::default(),
        id: EndpointId::from_bytes(id),
        network: net.id,
        label: format!("{} c{number}", net.name),
        ifname: ifname.parse().unwrap(),
        mac: MacAddr::local([2, 0x42, 0, 0, net.id.bytes()[0], number]),
        v4,
        v6,
        link_local: Vec::new(),
        settings: Vec::new(),
        mtu: net.mtu,
        default_route: DefaultRoute::Via {
            v4: net.v4.map(ipnetwork::Ipv4Network::ip),
            v6: net.v6.as_ref().map(ipnetwork::Ipv6Network::ip),
        },
        ports: Vec::new(),
    }
}

/// The networking of the host that this is called in.
pub(crate) fn open() -> Host {
    Host::open(HostConfig { ready_namespaces: 1, ..HostConfig::default() }).unwrap()
}

/// The same, with network `web` made on it.
pub(crate) fn open_with_web(v4: &str, v6: &str) -> (Host, BridgeNetwork) {
    let (host, net) = (open(), network("web", v4, v6));
    host.create_network(&net).unwrap();
    (host, net)
}

/// Links, addresses and routes of the namespace that this is called in. Link-local addresses are left out: the kernel
/// makes them by itself, when it gets round to it.
pub(crate) fn here() -> String {
    let all = Snapshot::take().unwrap().to_string();
    all.split_inclusive('\n').filter(|line| !line.contains("fe80::")).collect()
}

/// Links, addresses and routes in a sandbox.
pub(crate) fn within(sandbox: &Sandbox) -> String {
    sandbox.netns().run(here).unwrap()
}
