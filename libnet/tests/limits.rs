//! What happens where the kernel allows no more.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test may")]

mod support;

use libnet::{
    host::{BridgeNetwork, EndpointSpec, Host, HostError, Sandbox},
    types::EndpointId,
};
use support::{endpoint, here, open_with_web};
use tests::{Lab, eventually};

/// Ports of a bridge of Linux.
const PORTS: u16 = 1_023;

#[test]
fn a_full_network_says_so_and_goes_on() {
    let lab = Lab::new();
    let machine = lab.host("a");
    let before = machine.run(here);
    machine.run(|| {
        let (host, net) = open_with_web("10.9.0.1/16", "");
        let sandboxes: Vec<Sandbox> = (1..=PORTS).map(|number| attached(&host, &net, number)).collect();
        let late = sandbox(&host, PORTS + 1);
        let full = machine.run(here);
        for _ in 0..2 {
            let error = host.attach(&late, &numbered(&net, PORTS + 1)).unwrap_err();
            assert!(matches!(error, HostError::Full(_)), "{error:?}");
            assert_eq!(
                error.to_string(),
                "network web is full: its bridge br-web has 1023 ports, all that the kernel allows; use another network"
            );
            assert_eq!(machine.run(here), full, "nothing is left of an endpoint that found no room");
        }
        // The link of an endpoint that left is deleted a moment later; its place can be had at once.
        host.detach(&sandboxes[0], numbered(&net, 1).id).unwrap();
        host.attach(&late, &numbered(&net, PORTS + 1)).unwrap();
        let name = late.name();
        machine.exec(["ip", "netns", "exec", name, "ping", "-c1", "-W5", "10.9.3.255"]).ok();
        host.clear().unwrap();
    });
    eventually("nothing is left", || {
        let after = machine.run(here);
        if after == before { Ok(()) } else { Err(after) }
    });
}

fn attached(host: &Host, net: &BridgeNetwork, number: u16) -> Sandbox {
    let sandbox = sandbox(host, number);
    host.attach(&sandbox, &numbered(net, number)).unwrap();
    sandbox
}

fn sandbox(host: &Host, number: u16) -> Sandbox {
    host.open_sandbox(&format!("pontoon-{number:012x}")).unwrap()
}

/// Endpoint 1 has 10.9.0.2, and so on.
fn numbered(net: &BridgeNetwork, number: u16) -> EndpointSpec {
    let [high, low] = (number + 1).to_be_bytes();
    let mut id = [0; 32];
    id[..2].copy_from_slice(&[high, low]);
    EndpointSpec {
        id: EndpointId::from_bytes(id),
        mac: format!("02:42:0a:09:{high:02x}:{low:02x}").parse().unwrap(),
        v4: Some(format!("10.9.{high}.{low}/16").parse().unwrap()),
        ..endpoint(net, 0, "eth0")
    }
}
