//! Hosts in the lab: networks, sandboxes and endpoints on a real kernel.

mod support;

use support::{endpoint, here, network, open, within};
use tests::{Lab, eventually};

#[test]
fn two_containers_reach_each_other_and_leave_nothing() {
    let lab = Lab::new();
    let machine = lab.host("a");
    let before = machine.run(here);
    machine.run(|| {
        let host = open();
        let net = network("web", "10.9.0.1/24", "");
        host.create_network(&net).unwrap();
        let (one, two) = (
            host.open_sandbox("pontoon-000000000001").unwrap(),
            host.open_sandbox("pontoon-000000000002").unwrap(),
        );
        host.attach(&one, &endpoint(&net, 2, "eth0")).unwrap();
        host.attach(&two, &endpoint(&net, 3, "eth0")).unwrap();
        println!("{}\n{}", here(), within(&one));
        machine.exec(["ip", "netns", "exec", "pontoon-000000000001", "ping", "-c1", "-W2", "10.9.0.3"]).ok();
        machine.exec(["ip", "netns", "exec", "pontoon-000000000001", "ping", "-c1", "-W2", "10.9.0.1"]).ok();
        host.close_sandbox(one).unwrap();
        host.close_sandbox(two).unwrap();
        host.remove_network(net.id).unwrap();
    });
    eventually("nothing is left", || {
        let after = machine.run(here);
        if after == before { Ok(()) } else { Err(after) }
    });
}
