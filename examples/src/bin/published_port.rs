//! A published port: the host's port 8080 leads to a container's port 80, from the host itself and from its LAN, and the
//! container sees who really asks. No process forwards anything: these are elements of nftables maps.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::net::TcpListener;

use examples::{ask, greet, on_stage};
use libnet::{
    host::{BridgeNetwork, DefaultRoute, EndpointSpec, Host, HostConfig},
    netns::{CableEnd, NetNs, join},
    ports::{HostPort, PortRequest},
    types::{EndpointId, Icc, Internal, MacAddr, Masquerade, Mtu, NetworkId, Port, Proto},
};

fn main() -> anyhow::Result<()> {
    on_stage(|| {
        let (here, lan) = (NetNs::current()?, NetNs::create()?);
        join(
            &CableEnd { netns: &here, name: "lan0".parse()?, address: "192.0.2.1/24".parse()? },
            &CableEnd { netns: &lan, name: "eth0".parse()?, address: "192.0.2.2/24".parse()? },
        )?;
        let host = Host::open(HostConfig::default())?;
        let network = network()?;
        host.create_network(&network)?;
        let sandbox = host.open_sandbox("pontoon-000000000002")?;
        let attached = host.attach(&sandbox, &endpoint(&network)?)?;
        for port in &attached.ports {
            let number = port.host_port.map_or_else(|| "-".to_owned(), |number| number.to_string());
            println!("{}:{number} leads to port {} of the container", port.host_ip, port.container);
        }
        let listener = sandbox.netns().run(|| TcpListener::bind("0.0.0.0:80"))??;
        greet(listener, "the container");

        println!("\n== firewall\n{}", host.ruleset());
        println!("the LAN asks 192.0.2.1:8080: {}", ask(&lan, "192.0.2.1:8080".parse()?)?);
        println!("the host asks 192.0.2.1:8080: {}", ask(&here, "192.0.2.1:8080".parse()?)?);
        println!("the host asks 127.0.0.1:8080: {}", ask(&here, "127.0.0.1:8080".parse()?)?);
        // Bound for real: nobody else can take it by accident.
        let taken = TcpListener::bind("0.0.0.0:8080").err();
        println!(
            "a process that binds port 8080 gets: {}",
            taken.map(|error| error.to_string()).unwrap_or_default()
        );

        host.unpublish(endpoint(&network)?.id)?;
        let refused = ask(&lan, "192.0.2.1:8080".parse()?).err();
        println!("unpublished, the LAN gets: {:#}", refused.unwrap_or_else(|| anyhow::anyhow!("an answer")));
        host.close_sandbox(sandbox)?;
        host.remove_network(network.id)?;
        Ok(())
    })
}

fn network() -> anyhow::Result<BridgeNetwork> {
    Ok(BridgeNetwork {
        id: NetworkId::from_bytes([1; 32]),
        name: "web".to_owned(),
        link: "br-web".parse()?,
        mtu: Mtu::ETHERNET,
        v4: Some("10.9.0.1/24".parse()?),
        v6: None,
        internal: Internal::No,
        icc: Icc::Allowed,
        masquerade: Masquerade::Yes,
        default_host_ip: None,
        exposure: Default::default(),
        announce: Default::default(),
        lent: None,
    })
}

fn endpoint(network: &BridgeNetwork) -> anyhow::Result<EndpointSpec> {
    let port = |number| Port::new(number).ok_or_else(|| anyhow::anyhow!("port 0"));
    let publish = PortRequest {
        host_ip: None,
        host: HostPort::Exactly(port(8080)?),
        container: port(80)?,
        proto: Proto::Tcp,
    };
    Ok(EndpointSpec {
        id: EndpointId::from_bytes([2; 32]),
        network: network.id,
        label: "web server".to_owned(),
        ifname: "eth0".parse()?,
        mac: MacAddr::local([2, 0x42, 10, 9, 0, 2]),
        v4: Some("10.9.0.2/24".parse()?),
        v6: None,
        link_local: Vec::new(),
        settings: Vec::new(),
        mtu: network.mtu,
        default_route: DefaultRoute::Via { v4: network.v4.map(ipnetwork::Ipv4Network::ip), v6: None },
        egress: Default::default(),
        spoof: Default::default(),
        rates: Default::default(),
        ports: vec![publish],
    })
}
