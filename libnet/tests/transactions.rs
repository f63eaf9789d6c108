//! Whatever is made or removed, and however many ports it has, the firewall changes at once: one transaction each.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test may")]

mod support;

use std::io::{BufRead, BufReader};

use libnet::{
    host::{Declared, DeclaredEndpoint, DeclaredSandbox, EndpointSpec},
    ports::{HostPort, PortRequest},
    types::{Egress, Port, Proto},
};
use support::{endpoint, network, open, open_with_web};
use tests::{Host as Machine, Lab};

/// Fifty ports from this one on.
fn ports(first: u16) -> Vec<PortRequest> {
    let port = |number| Port::new(number).unwrap();
    let publish = |number| PortRequest {
        host_ip: None,
        host: HostPort::Exactly(port(number)),
        container: port(number),
        proto: Proto::Tcp,
    };
    (first..first + 50).map(publish).collect()
}

/// The kernel's own account of transactions.
struct Transactions<'m> {
    machine: &'m Machine,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    _monitor: tests::Process,
    marks: usize,
}

impl<'m> Transactions<'m> {
    fn watch(machine: &'m Machine) -> Self {
        let mut monitor = machine.spawn(["stdbuf", "-oL", "nft", "monitor"]);
        let lines = BufReader::new(monitor.child.stdout.take().unwrap()).lines();
        let mut this = Self { machine, lines, _monitor: monitor, marks: 0 };
        // It has begun to listen when it tells of anything.
        let noise = "until [ -e /run/heard ]; do nft add table ip noise; nft delete table ip noise; done";
        let mut noise = machine.spawn(["bash", "-c", noise]);
        this.lines.next().unwrap().unwrap();
        machine.sh("touch /run/heard").ok();
        noise.child.wait().unwrap();
        this.since();
        this
    }

    /// How many there were since the last time, a mark of our own left out.
    fn since(&mut self) -> usize {
        self.marks += 1;
        let mark = format!("add table ip mark{}", self.marks);
        self.machine.exec(["nft", &mark]).ok();
        let before = self.lines.by_ref().map(Result::unwrap).take_while(|line| *line != mark);
        before.filter(|line| line.contains("new generation") && !line.ends_with("(nft)")).count()
    }
}

#[test]
fn each_operation_is_one_transaction() {
    let lab = Lab::new();
    let machine = lab.host("a");
    machine.run(|| {
        let (host, net) = open_with_web("10.9.0.1/24", "fd09::1/64");
        let sandbox = host.open_sandbox("pontoon-000000000001").unwrap();
        let mut transactions = Transactions::watch(&machine);
        let ep = EndpointSpec { ports: ports(8_000), ..endpoint(&net, 2, "eth0") };
        host.attach(&sandbox, &ep).unwrap();
        assert_eq!(transactions.since(), 1, "attach");
        let more = host.publish(ep.id, &ports(9_000)).unwrap();
        assert_eq!(transactions.since(), 1, "publish");
        host.withdraw(ep.id, &more).unwrap();
        assert_eq!(transactions.since(), 1, "withdraw");
        let second = host.open_sandbox("pontoon-000000000002").unwrap();
        let next = endpoint(&net, 3, "eth0");
        host.attach(&second, &next).unwrap();
        transactions.since();
        assert_eq!(host.move_ports(ep.id, next.id).unwrap().unwrap().len(), 100);
        assert_eq!(transactions.since(), 1, "move ports");
        host.move_ports(next.id, ep.id).unwrap().unwrap();
        host.close_sandbox(second).unwrap();
        transactions.since();
        host.detach(&sandbox, ep.id).unwrap();
        assert_eq!(transactions.since(), 1, "detach");
        host.remove_network(net.id).unwrap();
        assert_eq!(transactions.since(), 1, "remove a network");
    });
}

/// Networks and ports of containers that outlive a daemon are never out of the firewall, nor do its counters begin anew.
#[test]
fn the_next_daemon_changes_nothing() {
    let lab = Lab::new();
    let machine = lab.host("a");
    machine.run(|| {
        let (first, net) = open_with_web("10.9.0.1/24", "fd09::1/64");
        let other = network("other", "10.8.0.1/24", "");
        first.create_network(&other).unwrap();
        let name = "pontoon-000000000001";
        let sandbox = first.open_sandbox(name).unwrap();
        let spec = EndpointSpec { ports: ports(8_000), egress: Egress::Deny, ..endpoint(&net, 2, "eth0") };
        let ports = first.attach(&sandbox, &spec).unwrap().ports;
        let endpoints = vec![DeclaredEndpoint { spec: spec.clone(), ports }];
        let declared = Declared {
            networks: vec![(&other).into(), (&net).into()],
            sandboxes: vec![DeclaredSandbox { name: name.to_owned(), endpoints }],
            ..Declared::default()
        };
        drop((sandbox, first));

        let mut transactions = Transactions::watch(&machine);
        let second = open();
        let report = second.reconcile(&declared).unwrap();
        assert!(report.errors.is_empty() && report.lost.is_empty(), "{report:?}");
        let sandbox = second.adopt_sandbox(name).unwrap();
        second.adopt_endpoint(&sandbox, &spec).unwrap();
        assert_eq!(transactions.since(), 0);
        second.close_sandbox(sandbox).unwrap();
    });
}
