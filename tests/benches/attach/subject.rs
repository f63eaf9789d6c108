//! Pontoon, as the bench uses it.

use libnet::{
    host::{BridgeNetwork, DefaultRoute, EndpointSpec, Host, HostConfig, Sandbox},
    ports::{HostPort, PortRequest},
    types::{EndpointId, MacAddr, Mtu, NetworkId, Port, Proto},
};

/// Namespaces that wait to be taken.
pub const READY: usize = 4;

pub struct Subject {
    host: Host,
    nets: Vec<BridgeNetwork>,
}

impl Subject {
    /// So many namespaces that are ready, so many networks.
    pub fn open(ready: usize, networks: usize) -> Self {
        let host =
            Host::open(HostConfig { ready_namespaces: ready, ..HostConfig::default() }).expect("a host");
        let nets: Vec<_> = (0..networks).map(network).collect();
        nets.iter().for_each(|net| host.create_network(net).expect("a network"));
        Self { host, nets }
    }

    pub fn ready(&self) -> usize {
        self.host.ready_namespaces()
    }

    pub fn open_sandbox(&self, number: usize) -> Sandbox {
        self.host.open_sandbox(&format!("pontoon-{number:012x}")).expect("a sandbox")
    }

    pub fn attach(&self, sandbox: &Sandbox, number: usize, network: usize) {
        self.host.attach(sandbox, &self.endpoint(number, network)).expect("an endpoint");
    }

    pub fn detach(&self, sandbox: &Sandbox, number: usize) {
        self.host.detach(sandbox, endpoint_id(number)).expect("gone");
    }

    pub fn close(&self, sandbox: Sandbox) {
        self.host.close_sandbox(sandbox).expect("closed");
    }

    /// With a published port where there is one network: host ports are descriptors.
    fn endpoint(&self, number: usize, network: usize) -> EndpointSpec {
        let net = &self.nets[network];
        let [.., high, low] = (number + 2).to_be_bytes();
        let port = |port: usize| u16::try_from(port).ok().and_then(Port::new).expect("a port");
        let publish = || PortRequest {
            host_ip: None,
            host: HostPort::Exactly(port(1_024 + number)),
            container: port(80),
            proto: Proto::Tcp,
        };
        let second = net.v4.map_or(0, |gateway| gateway.ip().octets()[1]);
        EndpointSpec {
            egress: Default::default(),
            spoof: Default::default(),
            rates: Default::default(),
            id: endpoint_id(number),
            network: net.id,
            label: format!("bench c{number}"),
            ifname: "eth0".parse().expect("a name"),
            mac: MacAddr::local([2, 0x42, 10, second, high, low]),
            v4: Some(format!("10.{second}.{high}.{low}/16").parse().expect("an address")),
            v6: None,
            link_local: Vec::new(),
            settings: Vec::new(),
            mtu: Mtu::ETHERNET,
            default_route: DefaultRoute::Via { v4: net.v4.map(|gateway| gateway.ip()), v6: None },
            ports: if self.nets.len() == 1 { vec![publish()] } else { Vec::new() },
        }
    }
}

fn network(number: usize) -> BridgeNetwork {
    BridgeNetwork {
        id: NetworkId::from_bytes([u8::try_from(number + 7).expect("a few"); 32]),
        name: format!("bench{number}"),
        link: format!("br-bench{number}").parse().expect("a name"),
        mtu: Mtu::ETHERNET,
        v4: Some(format!("10.{}.0.1/16", number + 9).parse().expect("a subnet")),
        v6: None,
        internal: Default::default(),
        icc: Default::default(),
        masquerade: Default::default(),
        default_host_ip: None,
        exposure: Default::default(),
        announce: Default::default(),
        lent: None,
    }
}

pub fn endpoint_id(number: usize) -> EndpointId {
    let mut id = [0; 32];
    id[..4].copy_from_slice(&u32::try_from(number).unwrap_or(0).reverse_bits().to_be_bytes());
    id[8..16].copy_from_slice(&number.to_be_bytes());
    EndpointId::from_bytes(id)
}
