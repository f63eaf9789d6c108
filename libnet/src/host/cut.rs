//! Plans cut at every step: whatever fails, the host is as it was.

use std::process::Command;

use tests::{Host as Machine, Lab};

use super::{
    BridgeNetwork, Child, Declared, DefaultRoute, EndpointSpec, Forwarding, Host, HostConfig, HostError,
    MacvlanMode, Parent, ParentNetwork, Sandbox,
};
use crate::{
    bridge::{self, Step},
    observe::Snapshot,
    parent,
    ports::{HostPort, PortRequest},
    types::{EndpointId, MacAddr, Mtu, NetworkId, Port, Proto, Rates, Setting},
};

pub(super) fn network() -> BridgeNetwork {
    BridgeNetwork {
        id: NetworkId::from_bytes([7; 32]),
        name: "web".to_owned(),
        link: "br-web".parse().unwrap(),
        mtu: Mtu::ETHERNET,
        v4: Some("10.9.0.1/24".parse().unwrap()),
        v6: Some("fd09::1/64".parse().unwrap()),
        internal: Default::default(),
        icc: Default::default(),
        masquerade: Default::default(),
        default_host_ip: None,
        exposure: Default::default(),
        announce: Default::default(),
        lent: None,
    }
}

pub(super) fn on_a_link() -> ParentNetwork {
    ParentNetwork {
        announce: Default::default(),
        id: network().id,
        name: "lan".to_owned(),
        parent: Parent::Link("eth7".parse().unwrap()),
        kind: Child::Macvlan(MacvlanMode::Bridge),
        mtu: None,
    }
}

pub(super) fn endpoint() -> EndpointSpec {
    let port = |number| Port::new(number).unwrap();
    EndpointSpec {
        egress: Default::default(),
        spoof: Default::default(),
        rates: Rates { into: "10mbit".parse().ok(), out: "20mbit".parse().ok() },
        id: EndpointId::from_bytes([9; 32]),
        network: network().id,
        label: "web a".to_owned(),
        ifname: "eth0".parse().unwrap(),
        mac: MacAddr::local([2, 0x42, 10, 9, 0, 2]),
        v4: Some("10.9.0.2/24".parse().unwrap()),
        v6: Some("fd09::2/64".parse().unwrap()),
        link_local: vec!["169.254.7.7/16".parse().unwrap(), "fe80::7/64".parse().unwrap()],
        settings: vec![Setting::new("ipv4/conf/eth0/log_martians", "1")],
        mtu: Mtu::ETHERNET,
        default_route: DefaultRoute::Via {
            v4: Some("10.9.0.1".parse().unwrap()),
            v6: Some("fd09::1".parse().unwrap()),
        },
        ports: vec![PortRequest {
            host_ip: None,
            host: HostPort::Exactly(port(8_080)),
            container: port(80),
            proto: Proto::Tcp,
        }],
    }
}

/// Everything that the kernel knows here: links, addresses, routes, settings, sockets, rules, namespaces.
pub(super) fn kernel() -> String {
    let output = |line: &str| {
        let output = Command::new("bash").args(["-c", line]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let links = Snapshot::take().unwrap().to_string();
    // A bridge makes its link-local address by itself, when its first port comes up.
    let links: String = links.split_inclusive('\n').filter(|line| !line.contains("fe80::")).collect();
    let rest = output(
        "sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding net.ipv4.conf.all.route_localnet; \
         sysctl -e net.ipv4.conf.br-web.route_localnet; \
         nft list ruleset; ls /run/netns; cut -d' ' -f2-4 /proc/thread-self/net/tcp /proc/thread-self/net/tcp6 | sort; \
         ip neighbour show nud all | grep -v NOARP | sort",
    );
    links + &rest
}

fn inside(sandbox: &Sandbox) -> String {
    sandbox.netns().run(|| Snapshot::take().unwrap().to_string()).unwrap()
}

fn cut(steps: &[Step], at: usize) -> Vec<Step> {
    let mut cut = steps[..at].to_vec();
    cut.push(Step::Refuse);
    cut
}

pub(super) fn machine() -> Machine {
    Lab::new().host("cut")
}

pub(super) fn open() -> Host {
    Host::open(HostConfig { ready_namespaces: 0, ..HostConfig::default() }).unwrap()
}

#[test]
fn a_network_that_fails_half_way_leaves_nothing() {
    machine().run(|| {
        let host = open();
        let net = network();
        let steps = bridge::create(&net, Forwarding::Enable);
        let before = kernel();
        for at in 0..=steps.len() {
            let error = host.inner.make_network(&(&net).into(), &cut(&steps, at)).unwrap_err();
            assert!(matches!(error, HostError::Step { .. }), "{error}");
            assert_eq!(kernel(), before, "cut at {at}: {:?}", steps.get(at));
        }
        host.create_network(&net).unwrap();
        assert_ne!(kernel(), before);
    });
}

#[test]
fn an_endpoint_that_fails_half_way_leaves_nothing() {
    machine().run(|| {
        let host = open();
        let (net, ep) = (network(), endpoint());
        host.create_network(&net).unwrap();
        let sandbox = host.open_sandbox("pontoon-0123456789ab").unwrap();
        let steps = bridge::attach(&net, &ep, bridge::Circumstances::default());
        let (before, inside_before) = (kernel(), inside(&sandbox));
        for at in 0..=steps.len() {
            host.inner.make_endpoint(&sandbox, &ep, &cut(&steps, at)).unwrap_err();
            assert_eq!(kernel(), before, "cut at {at}: {:?}", steps.get(at));
            assert_eq!(inside(&sandbox), inside_before, "cut at {at}: {:?}", steps.get(at));
        }
        host.attach(&sandbox, &ep).unwrap();
        assert_ne!(kernel(), before);
    });
}

#[test]
fn a_network_on_an_island_that_fails_half_way_leaves_nothing() {
    machine().run(|| {
        let host = open();
        let net = ParentNetwork { parent: Parent::Island("dm-7".parse().unwrap()), ..on_a_link() };
        let steps = parent::create(&net);
        let before = kernel();
        for at in 0..=steps.len() {
            host.inner.make_network(&(&net).into(), &cut(&steps, at)).unwrap_err();
            assert_eq!(kernel(), before, "cut at {at}: {:?}", steps.get(at));
        }
        host.create_network(&net).unwrap();
        assert_ne!(kernel(), before);
    });
}

#[test]
fn an_endpoint_on_a_parent_that_fails_half_way_leaves_nothing() {
    machine().run(|| {
        Command::new("ip").args(["link", "add", "eth7", "up", "type", "veth"]).status().unwrap();
        let host = open();
        let ep = EndpointSpec { ports: Vec::new(), ..endpoint() };
        for mode in [MacvlanMode::Bridge, MacvlanMode::Passthru] {
            let net = ParentNetwork { kind: Child::Macvlan(mode), ..on_a_link() };
            host.create_network(&net).unwrap();
            let sandbox = host.open_sandbox("pontoon-0123456789ab").unwrap();
            let steps = parent::attach(&net, &ep, bridge::Circumstances::default());
            let (before, inside_before) = (kernel(), inside(&sandbox));
            for at in 0..=steps.len() {
                host.inner.make_endpoint(&sandbox, &ep, &cut(&steps, at)).unwrap_err();
                assert_eq!(kernel(), before, "cut at {at}: {:?}", steps.get(at));
                assert_eq!(inside(&sandbox), inside_before, "cut at {at}: {:?}", steps.get(at));
            }
            host.attach(&sandbox, &ep).unwrap();
            assert_ne!(inside(&sandbox), inside_before);
            host.close_sandbox(sandbox).unwrap();
            host.remove_network(net.id).unwrap();
        }
    });
}

#[test]
fn a_network_on_a_bridge_of_the_user_s_that_fails_half_way_leaves_it_as_it_was() {
    machine().run(|| {
        let made = "ip link add br-user address 02:00:00:00:00:01 up type bridge && ip link set br-user alias mine && \
             ip address add 10.9.0.9/24 dev br-user && sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv4.conf.br-user.forwarding=0";
        assert!(Command::new("bash").args(["-c", made]).status().unwrap().success());
        let host = open();
        let link = "br-user".parse().unwrap();
        let lent = host.lent_bridge(&link).unwrap();
        assert_eq!(lent.as_ref().unwrap().addresses, ["10.9.0.9/24".parse().unwrap()]);
        let net = BridgeNetwork { link, lent, mtu: 1400_u32.try_into().unwrap(), ..network() };
        let steps = bridge::create(&net, Forwarding::Enable);
        let settings = || {
            let output = Command::new("sysctl").args(["-a", "-r", "br-user"]).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        let before = (kernel(), settings());
        for at in 0..=steps.len() {
            host.inner.make_network(&(&net).into(), &cut(&steps, at)).unwrap_err();
            assert!((kernel(), settings()) == before, "cut at {at}: {:?}\n{}", steps.get(at), kernel());
        }
        host.create_network(&net).unwrap();
        assert!(kernel().contains("address 10.9.0.1/24 dev br-user"), "{}", kernel());
        assert_eq!(host.lent_bridge(&net.link).unwrap().unwrap().addresses.len(), 3);

        // Whoever cleans up must not take it for one of ours.
        let declared = Declared { networks: vec![(&net).into()], ..Declared::default() };
        let report = host.reconcile(&declared).unwrap();
        assert!(report.removed.is_empty() && report.repaired.is_empty(), "{report:?}");
        host.remove_network(net.id).unwrap();
        let own = |text: String| text.lines().filter(|line| line.contains("br-user")).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!((own(kernel()), settings()), (own(before.0), before.1));
        let report = host.reconcile(&Declared::default()).unwrap();
        assert!(report.removed.is_empty(), "{report:?}");
    });
}
