//! Egress of restricted endpoints, on a real kernel, with packets.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test may")]

mod support;

use std::{net::IpAddr, time::Duration};

use libnet::{
    firewall::{Allowance, Attempt, Fate},
    host::{EndpointSpec, Host, Sandbox},
    types::{Egress, Port, Proto},
};
use support::{endpoint, open, open_with_web};
use tests::{ANSWER, Host as Machine, Lab, Lan, Output, SILENCE, eventually};

const A: &str = "pontoon-000000000001";
const B: &str = "pontoon-000000000002";

fn inside(machine: &Machine, sandbox: &str, line: &str) -> Output {
    machine.exec(["ip", "netns", "exec", sandbox, "bash", "-c", line])
}

/// Whether a connection from the sandbox is taken there.
fn reaches(machine: &Machine, sandbox: &str, ip: &str, port: u16, seconds: u8) -> bool {
    inside(machine, sandbox, &format!("nc -z -w{seconds} {ip} {port}")).status.success()
}

fn attach(host: &Host, name: &str, ep: &EndpointSpec) -> Sandbox {
    let sandbox = host.open_sandbox(name).unwrap();
    host.attach(&sandbox, ep).unwrap();
    sandbox
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn allowance(from: &str, to: &str, port: Option<u16>, time: Option<Duration>) -> Allowance {
    let at = port.map(|port| (Proto::Tcp, Port::new(port).unwrap()));
    Allowance { from: ip(from), to: ip(to), at, time }
}

/// Takes connections of both families at two ports.
fn listen(lan: &Lan) -> [tests::Process; 2] {
    let listeners = [80, 443]
        .map(|port| lan.spawn(["socat", &format!("TCP6-LISTEN:{port},fork,reuseaddr"), "/dev/null"]));
    eventually("the servers listen", || {
        let listening = lan.sh("ss -Htln | grep -c ':80 \\|:443 '").stdout;
        if listening.trim() == "2" { Ok(()) } else { Err(listening) }
    });
    listeners
}

#[test]
fn a_denied_endpoint_reaches_what_it_is_allowed_and_its_neighbours() {
    let lab = Lab::new();
    let machine = lab.host("a");
    let lan = machine.lan("b");
    let _listener = listen(&lan);
    let (far, far6) = (lan.address(), lan.address6());
    machine.run(|| {
        let (host, net) = open_with_web("10.9.0.1/24", "fd09::1/64");
        let denied = EndpointSpec { egress: Egress::Deny, ..endpoint(&net, 2, "eth0") };
        let sandbox = attach(&host, A, &denied);
        attach(&host, B, &endpoint(&net, 3, "eth0"));
        for to in [&far, &far6] {
            assert!(reaches(&machine, B, to, 80, ANSWER), "who is not restricted is not touched: {to}");
            assert!(!reaches(&machine, A, to, 80, SILENCE), "{to}");
        }
        inside(&machine, A, "ping -c1 -W5 10.9.0.3").ok();
        inside(&machine, A, "ping -c1 -W5 fd09::3").ok();
        inside(&machine, A, "ping -c1 -W1 10.9.0.1").fails(1);

        host.allow(&[
            allowance("10.9.0.2", &far, Some(443), Some(Duration::from_secs(60))),
            allowance("fd09::2", &far6, None, None),
        ])
        .unwrap();
        assert!(reaches(&machine, A, &far, 443, ANSWER) && !reaches(&machine, A, &far, 80, SILENCE));
        assert!(reaches(&machine, A, &far6, 80, ANSWER) && reaches(&machine, A, &far6, 443, ANSWER));
        // The time counts anew, up and down, and then it is over.
        let again = |seconds| allowance("10.9.0.2", &far, Some(443), Some(Duration::from_secs(seconds)));
        host.allow(&[again(600)]).unwrap();
        host.allow(&[again(1)]).unwrap();
        eventually("what was allowed for a time ends", || {
            if reaches(&machine, A, &far, 443, SILENCE) { Err("still open") } else { Ok(()) }
        });

        let attempts = host.attempts(&[ip("10.9.0.2"), ip("fd09::2")]).unwrap();
        let dropped = |to: &str, port| Attempt {
            to: ip(to),
            proto: Proto::Tcp,
            port: Port::new(port).unwrap(),
            fate: Fate::Dropped,
        };
        assert_eq!(attempts, [dropped(&far, 80), dropped(&far, 443), dropped(&far6, 80)]);

        // Another address than its own gets nowhere, not even one that is allowed more.
        inside(&machine, A, "ip address add 10.9.0.3/32 dev eth0; ip address add 10.9.0.77/24 dev eth0").ok();
        for stolen in ["10.9.0.3", "10.9.0.77"] {
            inside(&machine, A, &format!("nc -z -w1 -s {stolen} {far} 80")).fails(1);
        }

        host.detach(&sandbox, denied.id).unwrap();
        let rules = machine.exec(["nft", "list", "ruleset"]).ok();
        assert!(!rules.contains("pontoon-egress"), "{rules}");
        host.attach(&sandbox, &denied).unwrap();
        assert!(
            !reaches(&machine, A, &far6, 443, SILENCE),
            "who comes next with an address inherits nothing"
        );
    });
}

#[test]
fn restrictions_outlive_the_daemon_and_what_others_do_to_them() {
    let lab = Lab::new();
    let machine = lab.host("a");
    let lan = machine.lan("b");
    let _listener = listen(&lan);
    let far = lan.address();
    machine.run(|| {
        let (host, net) = open_with_web("10.9.0.1/24", "");
        let denied = |number| EndpointSpec { egress: Egress::Deny, ..endpoint(&net, number, "eth0") };
        let ((_one, _two), specs) =
            ((attach(&host, A, &denied(2)), attach(&host, B, &denied(3))), [denied(2), denied(3)]);
        host.allow(&[allowance("10.9.0.2", &far, Some(80), None)]).unwrap();
        host.shutdown();
        assert!(
            reaches(&machine, A, &far, 80, ANSWER) && !reaches(&machine, B, &far, 80, SILENCE),
            "nobody need be there"
        );

        let next = open();
        let sandbox = |name: &str, spec: &EndpointSpec| libnet::host::DeclaredSandbox {
            name: name.to_owned(),
            endpoints: vec![libnet::host::DeclaredEndpoint { spec: spec.clone(), ports: Vec::new() }],
        };
        let sandboxes = vec![sandbox(A, &specs[0]), sandbox(B, &specs[1])];
        let declared = libnet::host::Declared {
            networks: vec![libnet::host::NetworkSpec::Bridge(net.clone())],
            sandboxes,
            ..libnet::host::Declared::default()
        };
        assert!(next.reconcile(&declared).unwrap().errors.is_empty());
        assert!(
            reaches(&machine, A, &far, 80, ANSWER) && !reaches(&machine, B, &far, 80, SILENCE),
            "allowed is still allowed"
        );

        machine.exec(["nft", "flush", "ruleset"]).ok();
        assert!(next.reconcile(&declared).unwrap().errors.is_empty());
        assert!(
            !reaches(&machine, A, &far, 443, SILENCE) && !reaches(&machine, B, &far, 80, SILENCE),
            "healed"
        );
        next.clear().unwrap();
        let rules = machine.exec(["nft", "list", "ruleset"]).ok();
        assert!(!rules.contains("pontoon"), "{rules}");
    });
}

#[test]
fn who_learns_reaches_everything_and_it_is_noted() {
    let lab = Lab::new();
    let machine = lab.host("a");
    let lan = machine.lan("b");
    let _listener = listen(&lan);
    let far = lan.address();
    machine.run(|| {
        let (host, net) = open_with_web("10.9.0.1/24", "");
        let _sandbox = attach(&host, A, &EndpointSpec { egress: Egress::Learn, ..endpoint(&net, 2, "eth0") });
        assert!(reaches(&machine, A, &far, 80, ANSWER) && reaches(&machine, A, &far, 443, ANSWER));
        let noted = host.attempts(&[ip("10.9.0.2")]).unwrap();
        let noted: Vec<_> = noted.iter().map(|attempt| (attempt.port.get(), attempt.fate)).collect();
        assert_eq!(noted, [(80, Fate::Noted), (443, Fate::Noted)]);
    });
}
