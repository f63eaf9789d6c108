//! A network of three containers on one bridge, as the daemon makes them: sandboxes from the pool, attached in about a
//! millisecond each.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::{net::TcpListener, path::Path, time::Instant};

use examples::{ask, greet, is_mounted_below, look, on_stage};
use libnet::{
    host::{BridgeNetwork, DefaultRoute, EndpointSpec, Host, HostConfig, Sandbox},
    netns::NetNs,
    types::{EndpointId, Icc, Internal, MacAddr, Masquerade, Mtu, NetworkId},
};

fn main() -> anyhow::Result<()> {
    on_stage(|| {
        let host = Host::open(HostConfig::default())?;
        let network = network()?;
        host.create_network(&network)?;
        let sandboxes = [2, 3, 4].map(|number| {
            let sandbox = host.open_sandbox(&format!("pontoon-00000000000{number}"))?;
            let start = Instant::now();
            host.attach(&sandbox, &endpoint(&network, number)?)?;
            println!("10.9.0.{number} attached in {:?}", start.elapsed());
            serve(&sandbox, number)?;
            anyhow::Ok(sandbox)
        });
        let [two, three, four] = sandboxes;
        let (two, three, four) = (two?, three?, four?);

        println!("\n== host\n{}", look(&NetNs::current()?)?);
        println!("== first container\n{}", look(two.netns())?);
        println!("10.9.0.2 asks 10.9.0.3: {}", ask(two.netns(), "10.9.0.3:80".parse()?)?);
        println!("10.9.0.3 asks 10.9.0.4: {}", ask(three.netns(), "10.9.0.4:80".parse()?)?);
        println!("the host asks 10.9.0.2: {}", ask(&NetNs::current()?, "10.9.0.2:80".parse()?)?);

        for sandbox in [two, three, four] {
            host.close_sandbox(sandbox)?;
        }
        host.remove_network(network.id)?;
        anyhow::ensure!(!is_mounted_below(Path::new("/run/netns"))?, "a namespace was left");
        Ok(())
    })
}

fn network() -> anyhow::Result<BridgeNetwork> {
    Ok(BridgeNetwork {
        id: NetworkId::from_bytes([1; 32]),
        name: "three".to_owned(),
        link: "br-three".parse()?,
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

fn endpoint(network: &BridgeNetwork, number: u8) -> anyhow::Result<EndpointSpec> {
    Ok(EndpointSpec {
        egress: Default::default(),
        spoof: Default::default(),
        rates: Default::default(),
        id: EndpointId::from_bytes([number; 32]),
        network: network.id,
        label: format!("three c{number}"),
        ifname: "eth0".parse()?,
        mac: MacAddr::local([2, 0x42, 10, 9, 0, number]),
        v4: Some(format!("10.9.0.{number}/24").parse()?),
        v6: None,
        link_local: Vec::new(),
        settings: Vec::new(),
        mtu: network.mtu,
        default_route: DefaultRoute::Via { v4: network.v4.map(ipnetwork::Ipv4Network::ip), v6: None },
        ports: Vec::new(),
    })
}

fn serve(sandbox: &Sandbox, number: u8) -> anyhow::Result<()> {
    let listener = sandbox.netns().run(|| TcpListener::bind("0.0.0.0:80"))??;
    greet(listener, &format!("10.9.0.{number}"));
    Ok(())
}
