//! How fast packets come to an endpoint and from it, on a real kernel, measured with streams of TCP.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test may")]

mod support;

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use libnet::{
    host::{Declared, DeclaredEndpoint, DeclaredSandbox, EndpointSpec, Host, NetworkSpec, Sandbox},
    types::Rates,
};
use support::{endpoint, network, open, open_with_web};
use tests::{Host as Machine, Lab, eventually};

const A: &str = "pontoon-000000000001";
const B: &str = "pontoon-000000000002";

fn rates(into: &str, out: &str) -> Rates {
    let rate = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
    Rates { into: rate(into), out: rate(out) }
}

/// Bytes in a second that a stream carries, once it has got going.
fn speed(from: &Sandbox, to: &Sandbox, address: &str) -> f64 {
    let listener = to.netns().run(|| TcpListener::bind((address, 0)).unwrap()).unwrap();
    let there = listener.local_addr().unwrap();
    let mut sender = from.netns().run(|| TcpStream::connect(there).unwrap()).unwrap();
    // Ends when the receiver goes.
    let sending = thread::spawn(move || while sender.write(&[0; 16_384]).is_ok() {});
    let (mut receiver, _) = listener.accept().unwrap();
    let mut receive = |time: Duration| {
        let (began, mut buffer, mut all) = (Instant::now(), [0; 65_536], 0_usize);
        while began.elapsed() < time {
            all += receiver.read(&mut buffer).unwrap();
        }
        all as f64 / began.elapsed().as_secs_f64()
    };
    receive(Duration::from_millis(500));
    let speed = receive(Duration::from_secs(4));
    drop(receiver);
    sending.join().unwrap();
    speed
}

fn shown(machine: &Machine) -> String {
    let what = "tc qdisc show | grep -E 'tbf|ingress' | sed 's/ [0-9a-f]*: / /' | sort; \
                for link in $(ls /sys/class/net | grep ^veth); do tc filter show dev $link ingress; done; \
                ip -o link show type ifb | sed 's/^[0-9]*: //'";
    machine.sh(what).stdout
}

fn attach(host: &Host, name: &str, ep: &EndpointSpec) -> Sandbox {
    let sandbox = host.open_sandbox(name).unwrap();
    host.attach(&sandbox, ep).unwrap();
    sandbox
}

/// 20 Mbit/s in bytes, less what headers take; a machine under load may be slower, and none is faster but by what waited
/// when the measurement began.
fn is_twenty_mbit(speed: f64) -> bool {
    (1_200_000.0..3_000_000.0).contains(&speed)
}

#[test]
fn what_comes_and_what_goes_is_limited_each_by_its_own() {
    let machine = Lab::new().host("a");
    machine.run(|| {
        let (host, net) = open_with_web("10.9.0.1/24", "");
        let free = attach(&host, B, &endpoint(&net, 3, "eth0"));
        assert_eq!(shown(&machine), "", "nothing for who is not limited");
        for (rates, is_in, is_out) in [(rates("20mbit", ""), true, false), (rates("", "20mbit"), false, true)]
        {
            let limited = EndpointSpec { rates, ..endpoint(&net, 2, "eth0") };
            let sandbox = attach(&host, A, &limited);
            let (into, out) = (speed(&free, &sandbox, "10.9.0.2"), speed(&sandbox, &free, "10.9.0.3"));
            assert_eq!(is_twenty_mbit(into), is_in, "{into} bytes/s come, {}", shown(&machine));
            assert_eq!(is_twenty_mbit(out), is_out, "{out} bytes/s go, {}", shown(&machine));
            assert!(into > 1_000_000.0 && out > 1_000_000.0, "{into} {out}");
            host.close_sandbox(sandbox).unwrap();
        }
        let both = EndpointSpec { rates: rates("20mbit", "1gbit"), ..endpoint(&net, 2, "eth0") };
        let sandbox = attach(&host, A, &both);
        let text = shown(&machine);
        let expected = [
            "qdisc ingress ffff: dev veth0265627 parent ffff:fff1",
            "qdisc tbf dev ifb0265627 root refcnt 2 rate 1Gbit",
            "qdisc tbf dev veth0265627 root refcnt 2 rate 20Mbit",
            "mirred (Egress Redirect to device ifb0265627) stolen",
        ];
        for line in expected {
            let line = line.replace(" ffff: dev", " dev");
            assert!(text.contains(&line), "{line} in {text}");
        }
        // The detour changes nothing about who may send what.
        let inside = |line: &str| machine.exec(["ip", "netns", "exec", A, "bash", "-c", line]);
        inside("ping -c1 -W5 10.9.0.3").ok();
        inside("ip address add 10.9.0.77/24 dev eth0; ping -c1 -W1 -I 10.9.0.77 10.9.0.3").fails(1);
        // At once again, while the kernel still clears away.
        host.detach(&sandbox, both.id).unwrap();
        host.attach(&sandbox, &both).unwrap();
        inside("ping -c1 -W5 10.9.0.3").ok();
        host.detach(&sandbox, both.id).unwrap();
        eventually(
            "nothing is left",
            || if shown(&machine).is_empty() { Ok(()) } else { Err(shown(&machine)) },
        );
    });
}

#[test]
fn limits_are_healed_adopted_and_gone_at_the_end() {
    let machine = Lab::new().host("a");
    machine.run(|| {
        let host = Arc::new(open());
        let net = network("web", "10.9.0.1/24", "");
        host.create_network(&net).unwrap();
        let limited = EndpointSpec { rates: rates("20mbit", "30mbit"), ..endpoint(&net, 2, "eth0") };
        let _sandbox = attach(&host, A, &limited);
        let before = shown(&machine);
        let watch = host.watch(|_| {}).unwrap();
        let injuries = [
            "tc qdisc del dev veth0265627 root",
            "tc qdisc del dev veth0265627 ingress",
            "tc filter del dev veth0265627 ingress",
            "tc qdisc replace dev ifb0265627 root tbf rate 1gbit burst 1mb limit 1mb",
            "ip link set ifb0265627 down",
            "ip link delete ifb0265627",
        ];
        for injury in injuries {
            machine.sh(injury).ok();
            eventually(injury, || match shown(&machine) {
                now if same(&now, &before) => Ok(()),
                now => Err(format!("{now}\n--- before\n{before}")),
            });
        }
        drop(watch);
        drop(host);

        let next = open();
        let ends = vec![DeclaredEndpoint { spec: limited.clone(), ports: Vec::new() }];
        let sandboxes = vec![DeclaredSandbox { name: A.to_owned(), endpoints: ends }];
        let declared =
            Declared { networks: vec![NetworkSpec::Bridge(net)], sandboxes, ..Declared::default() };
        let now = shown(&machine);
        let report = next.reconcile(&declared).unwrap();
        assert!(report.is_empty(), "{report:?}");
        assert_eq!(shown(&machine), now, "what is right is not touched");
        machine.sh("tc qdisc del dev veth0265627 root; ip link delete ifb0265627").ok();
        let report = next.reconcile(&declared).unwrap();
        assert_eq!(report.repaired, ["rate of link veth0265627"]);
        assert!(same(&shown(&machine), &before), "{}", shown(&machine));
        next.clear().unwrap();
        eventually(
            "nothing is left",
            || if shown(&machine).is_empty() { Ok(()) } else { Err(shown(&machine)) },
        );
    });
}

/// Links and filters that were made anew have other numbers.
fn same(now: &str, before: &str) -> bool {
    let plain = |text: &str| {
        let words = text.split_whitespace().filter(|word| !word.contains("fh") && !word.contains(':'));
        words.filter(|word| word.parse::<u32>().is_err()).map(str::to_owned).collect::<Vec<_>>()
    };
    plain(now) == plain(before)
}
