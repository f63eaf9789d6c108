//! Where frames of containers may come from, on a real kernel, with packets: what a container was given passes, what it
//! was not is dropped at its port of the bridge.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test may")]

mod support;

use libnet::{
    host::{Declared, DeclaredEndpoint, DeclaredSandbox, EndpointSpec, Host, NetworkSpec, Sandbox},
    types::Spoof,
};
use support::{endpoint, network, open, open_with_web};
use tests::{ANSWER, Host as Machine, Lab, Output, SILENCE, eventually};

const A: &str = "pontoon-000000000001";
const B: &str = "pontoon-000000000002";

fn inside(machine: &Machine, sandbox: &str, line: &str) -> Output {
    machine.exec(["ip", "netns", "exec", sandbox, "bash", "-c", line])
}

fn pings(machine: &Machine, sandbox: &str, words: &str, seconds: u8) -> bool {
    inside(machine, sandbox, &format!("ping -c1 -W{seconds} {words}")).status.success()
}

fn attach(host: &Host, name: &str, ep: &EndpointSpec) -> Sandbox {
    let sandbox = host.open_sandbox(name).unwrap();
    host.attach(&sandbox, ep).unwrap();
    sandbox
}

/// What a neighbour believes about the Ethernet address of another.
fn neighbour(machine: &Machine, sandbox: &str, ip: &str) -> String {
    let shown = inside(machine, sandbox, &format!("ip neighbour show {ip} | grep -o 'lladdr [0-9a-f:]*'"));
    shown.stdout.trim().trim_start_matches("lladdr ").to_owned()
}

/// Sends a frame of any content, or with `icmp6` a message of ICMPv6 from an own address.
const FRAMES: &str = r#"
import socket, struct, sys
def mac(text): return bytes(int(part, 16) for part in text.split(":"))
def ip(text): return socket.inet_aton(text)
def frame(payload, kind, source, target="ff:ff:ff:ff:ff:ff"):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(("eth0", 0))
    s.send(mac(target) + mac(source) + struct.pack("!H", kind) + payload)
def arp(ether, sender, address):
    frame(struct.pack("!HHBBH", 1, 0x800, 6, 4, 2) + mac(sender) + ip(address) + mac("ff:ff:ff:ff:ff:ff") + ip(address), 0x806, ether)
def udp(ether, source, text, tags=b""):
    data = struct.pack("!HHHH", 68, 67, 8 + len(text), 0) + text
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(data), 1, 0, 64, 17, 0, ip(source), ip("255.255.255.255"))
    total = sum(struct.unpack("!10H", head)); total = (total >> 16) + (total & 0xffff); total += total >> 16
    packet = head[:10] + struct.pack("!H", ~total & 0xffff) + head[12:] + data
    frame(tags[2:] + struct.pack("!H", 0x800) + packet if tags else packet, struct.unpack("!H", tags[:2])[0] if tags else 0x800, ether)
def advertise(address, own, to):
    s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 255)
    s.sendto(struct.pack("!BBHI", 136, 0, 0, 0x20000000) + socket.inet_pton(socket.AF_INET6, address) + b"\x02\x01" + mac(own), (to, 0))
"#;

fn frames(machine: &Machine, sandbox: &str, call: &str) {
    machine.exec(["ip", "netns", "exec", sandbox, "python3", "-c", &format!("{FRAMES}\n{call}")]).ok();
}

/// Two endpoints of one network; the first may send from addresses of others only if `spoof` says so.
struct Stage {
    machine: Machine,
    first: EndpointSpec,
    second: EndpointSpec,
}

impl Stage {
    fn new(lab: &Lab, spoof: Spoof) -> (Self, Host, [Sandbox; 2]) {
        let machine = lab.host("a");
        let (host, [first, second], sandboxes) = machine.run(|| {
            let (host, net) = open_with_web("10.9.0.1/24", "fd09::1/64");
            let link_local = |text: &str| vec![text.parse().unwrap()];
            let first =
                EndpointSpec { spoof, link_local: link_local("169.254.7.7/16"), ..endpoint(&net, 2, "eth0") };
            let second =
                EndpointSpec { link_local: link_local("169.254.8.8/16"), ..endpoint(&net, 3, "eth0") };
            let one = attach(&host, A, &first);
            let two = attach(&host, B, &second);
            (host, [first, second], [one, two])
        });
        // It believes what it hears, as often as it hears it.
        inside(&machine, B, "sysctl -qw net.ipv4.neigh.eth0.locktime=0").ok();
        (Self { machine, first, second }, host, sandboxes)
    }

    fn mac(&self) -> String {
        self.first.mac.to_string()
    }

    /// Whether a datagram to port 67 of everybody reaches the second endpoint.
    fn heard(&self, call: &str) -> bool {
        let script = "timeout 20 socat -u -T2 UDP4-RECVFROM:67 - & while kill -0 $! && \
                      ! ss -Hulnp sport = :67 | grep -q .; do sleep 0.02; done; echo ready; wait";
        let mut listener = self.machine.spawn(["ip", "netns", "exec", B, "bash", "-c", script]);
        let mut output = std::io::BufReader::new(listener.child.stdout.take().unwrap());
        let mut line = String::new();
        std::io::BufRead::read_line(&mut output, &mut line).unwrap();
        assert_eq!(line, "ready\n");
        frames(&self.machine, A, call);
        // Behind it something that arrives in any case.
        frames(&self.machine, A, &format!("udp('{}', '10.9.0.2', b'end')", self.mac()));
        let mut text = String::new();
        std::io::Read::read_to_string(&mut output, &mut text).unwrap();
        assert!(!text.is_empty(), "nothing arrived at all");
        text.starts_with("here")
    }
}

#[test]
fn what_a_container_was_given_passes() {
    let lab = Lab::new();
    let (stage, _host, _sandboxes) = Stage::new(&lab, Spoof::Deny);
    let machine = &stage.machine;
    for to in ["10.9.0.3", "10.9.0.1", "fd09::3", "fd09::1", "-I 169.254.7.7 169.254.8.8"] {
        assert!(pings(machine, A, to, ANSWER), "{to}");
    }
    let far = inside(machine, B, "ip -o -6 address show dev eth0 scope link").ok();
    let far = far.split_whitespace().find(|word| word.starts_with("fe80")).unwrap();
    let far = far.trim_end_matches("/64");
    assert!(pings(machine, A, &format!("{far}%eth0"), ANSWER), "an address of the link");
    assert!(stage.heard(&format!("udp('{}', '0.0.0.0', b'here')", stage.mac())), "who has no address yet");
    // Duplicate address detection, which asks without a source and waits for an answer.
    inside(machine, A, "sysctl -qw net.ipv6.conf.eth0.accept_dad=1; ip address add fd09::3/64 dev eth0").ok();
    eventually("the other one is noticed", || {
        inside(machine, A, "ip -6 address show dev eth0 | grep dadfailed").result()
    });
    inside(machine, A, "arping -D -c1 -w5 -I eth0 10.9.0.3").fails(1);
}

#[test]
fn addresses_of_others_are_dropped() {
    let lab = Lab::new();
    let (stage, _host, _sandboxes) = Stage::new(&lab, Spoof::Deny);
    let machine = &stage.machine;
    inside(machine, A, "ip address add 10.9.0.77/24 dev eth0; ip address add fd09::77/64 nodad dev eth0")
        .ok();
    for words in ["-I 10.9.0.77 10.9.0.3", "-I fd09::77 fd09::3", "-I 10.9.0.77 10.9.0.1"] {
        assert!(!pings(machine, A, words, SILENCE), "{words}");
    }
    inside(machine, A, "ip address del 10.9.0.77/24 dev eth0; ip address del fd09::77/64 dev eth0").ok();
    inside(machine, A, "ip link set eth0 address 02:42:00:00:00:99").ok();
    for to in ["10.9.0.3", "fd09::3"] {
        assert!(!pings(machine, A, to, SILENCE), "another Ethernet address: {to}");
    }
    inside(machine, A, &format!("ip link set eth0 address {}", stage.mac())).ok();
    assert!(pings(machine, A, "10.9.0.3", ANSWER), "its own again");

    let own = stage.mac();
    for call in [
        format!("udp('{own}', '10.9.0.1', b'here')"),
        "udp('02:42:00:00:00:99', '10.9.0.2', b'here')".to_owned(),
        "udp('02:42:00:00:00:99', '0.0.0.0', b'here')".to_owned(),
        // The kernel takes tags of VLAN 0 off, and sees what is behind them.
        format!("udp('{own}', '10.9.0.1', b'here', bytes.fromhex('81000000'))"),
        format!("udp('{own}', '10.9.0.1', b'here', bytes.fromhex('8100000081000000'))"),
    ] {
        assert!(!stage.heard(&call), "{call}");
    }
    let drops = machine.exec(["nft", "list", "chain", "bridge", "pontoon", "senders"]).ok();
    assert!(!drops.contains("packets 0 bytes 0 drop comment \"from"), "{drops}");
}

/// What the second endpoint believes of the gateway after the first has claimed its addresses.
fn believes(stage: &Stage) -> [bool; 2] {
    let machine = &stage.machine;
    let own = stage.mac();
    assert!(pings(machine, B, "10.9.0.1", ANSWER) && pings(machine, B, "fd09::1", ANSWER));
    frames(
        machine,
        A,
        &format!("arp('{own}', '{own}', '10.9.0.1'); advertise('fd09::1', '{own}', 'fd09::3')"),
    );
    // Packets keep their order: once this one is answered, those before have had their effect.
    assert!(pings(machine, A, "10.9.0.3", ANSWER) && pings(machine, A, "fd09::3", ANSWER));
    ["10.9.0.1", "fd09::1"].map(|ip| neighbour(machine, B, ip) == own)
}

#[test]
fn nobody_claims_the_address_of_another() {
    let lab = Lab::new();
    let (stage, _host, _sandboxes) = Stage::new(&lab, Spoof::Deny);
    assert_eq!(believes(&stage), [false, false]);
    // Nor by ARP that says another sender than the frame does.
    let (own, other) = (stage.mac(), "02:42:00:00:00:99");
    frames(
        &stage.machine,
        A,
        &format!("arp('{own}', '{other}', '10.9.0.2'); arp('{other}', '{own}', '10.9.0.2')"),
    );
    assert!(pings(&stage.machine, A, "10.9.0.3", ANSWER));
    assert_eq!(neighbour(&stage.machine, B, "10.9.0.2"), own);
    let learnt = stage.machine.exec(["bridge", "fdb", "show"]).ok();
    assert!(!learnt.contains(other), "{learnt}");
}

#[test]
fn who_may_send_from_any_address_does() {
    let lab = Lab::new();
    let (stage, _host, _sandboxes) = Stage::new(&lab, Spoof::Allow);
    let machine = &stage.machine;
    inside(machine, A, "ip address add 10.9.0.77/24 dev eth0; ip address add fd09::77/64 nodad dev eth0")
        .ok();
    for words in ["-I 10.9.0.77 10.9.0.3", "-I fd09::77 fd09::3"] {
        assert!(pings(machine, A, words, ANSWER), "{words}");
    }
    assert!(stage.heard("udp('02:42:00:00:00:99', '10.9.0.1', b'here')"));
    assert_eq!(believes(&stage), [true, true]);
}

#[test]
fn senders_are_healed_adopted_and_gone_at_the_end() {
    let lab = Lab::new();
    let (stage, host, sandboxes) = Stage::new(&lab, Spoof::Deny);
    let (machine, first) = (&stage.machine, &stage.first);
    let spoofs = || {
        inside(machine, A, "ip address replace 10.9.0.77/24 dev eth0").ok();
        pings(machine, A, "-I 10.9.0.77 10.9.0.3", SILENCE)
    };
    assert!(!spoofs());
    host.shutdown();
    machine.run(|| {
        let next = open();
        let net = network("web", "10.9.0.1/24", "fd09::1/64");
        let sandbox = |name: &str, spec: &EndpointSpec| DeclaredSandbox {
            name: name.to_owned(),
            endpoints: vec![DeclaredEndpoint { spec: spec.clone(), ports: Vec::new() }],
        };
        let declared = Declared {
            networks: vec![NetworkSpec::Bridge(net)],
            sandboxes: vec![sandbox(A, first), sandbox(B, &stage.second)],
            ..Declared::default()
        };
        let handles = || machine.exec(["nft", "-a", "-s", "list", "table", "bridge", "pontoon"]).ok();
        let before = handles();
        let report = next.reconcile(&declared).unwrap();
        assert!(report.is_empty(), "{report:?}");
        assert_eq!(handles(), before, "what is right is not touched");
        assert!(!spoofs());
        machine.exec(["nft", "flush", "ruleset"]).ok();
        eventually("this test can see it", || if spoofs() { Ok(()) } else { Err("dropped") });
        assert!(next.reconcile(&declared).unwrap().errors.is_empty());
        assert!(!spoofs(), "healed");
        next.clear().unwrap();
        assert_eq!(machine.exec(["nft", "list", "ruleset"]).ok(), "");
    });
    drop(sandboxes);
}
