//! Any sequence of requests, with failures and restarts among them, keeps disk, memory and kernel in step.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::network::state::State;

#[derive(Clone, Copy, Debug)]
enum Step {
    Create(u8),
    Remove(u8),
    Open(u8),
    Connect {
        container: u8,
        network: u8,
        priority: i64,
        ports: bool,
        live: bool,
    },
    Disconnect(u8, u8),
    Close(u8),
    Release(u8),
    /// The daemon is killed; the next one adopts the containers of these bits.
    Restart(u8),
    /// The n-th call of the next request to the kernel (or a store) fails.
    Fail(u8, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let (network, container) = (0..3_u8, 1..4_u8);
    prop_oneof![
        2 => network.clone().prop_map(Step::Create),
        1 => network.clone().prop_map(Step::Remove),
        3 => container.clone().prop_map(Step::Open),
        5 => (container.clone(), network.clone(), 0..2_i64, any::<bool>(), any::<bool>()).prop_map(
            |(container, network, priority, ports, live)| Step::Connect { container, network, priority, ports, live }
        ),
        2 => (container.clone(), network).prop_map(|(container, network)| Step::Disconnect(container, network)),
        1 => container.clone().prop_map(Step::Close),
        1 => container.prop_map(Step::Release),
        1 => any::<u8>().prop_map(Step::Restart),
        2 => (0..3_u8, 1..6_usize).prop_map(|(what, n)| Step::Fail(what, n)),
    ]
}

/// Does a step; what is refused or made to fail is no failure of the test.
fn act(mut daemon: Daemon, step: Step) -> Daemon {
    let id = |daemon: &Daemon, number: u8| {
        daemon.inner.state().resolve(&format!("n{number}")).map(|record| record.id).ok()
    };
    match step {
        Step::Create(number) => {
            // The first has IPv4 alone, the second both families, the third IPv6 alone.
            let families = models::NetworkCreateRequest {
                enable_ipv4: Some(number < 2),
                enable_ipv6: Some(number > 0),
                ..network(&format!("n{number}"), "")
            };
            let _ = daemon.run(|inner| inner.create(families));
        }
        Step::Remove(number) => _ = daemon.run(|inner| inner.remove(&format!("n{number}"))),
        Step::Open(number) => open(&daemon, container(number)),
        Step::Connect { container: number, network, priority, ports, live } => {
            if let Some(network) = id(&daemon, network) {
                let ask = EndpointAsk {
                    exposed: Vec::new(),
                    gw_priority: priority,
                    ports: if ports { vec![port(None, 80)] } else { Vec::new() },
                    durability: if live { Durability::Live } else { Durability::Durable },
                    ..daemon.ask(network)
                };
                let _ = daemon.connect(container(number), &ask);
            }
        }
        Step::Disconnect(number, network) => {
            if let Some(network) = id(&daemon, network) {
                let _ = daemon.run(|inner| inner.disconnect(container(number), network, true));
            }
        }
        Step::Close(number) => _ = daemon.run(|inner| inner.close_sandbox(container(number))),
        Step::Release(number) => {
            let container = container(number);
            if daemon.inner.state().sandbox(container).is_none() {
                let _ = daemon.run(|inner| inner.release(container));
            }
        }
        Step::Restart(adopted) => daemon = restart(daemon, adopted),
        Step::Fail(what, n) => {
            fuses(&daemon)[usize::from(what)].set(n);
            return daemon;
        }
    }
    // What fails while a failure is being undone may leave a record without its object, and a teardown goes on after
    // errors, so that nothing may lead out where the gateway left; the next daemon puts both right.
    let failures = fuses(&daemon).into_iter().filter(|fuse| fuse.is_burnt()).count();
    if failures > usize::from(!matches!(step, Step::Disconnect(..))) {
        return restart(daemon, u8::MAX);
    }
    disarm(&daemon);
    daemon
}

fn open(daemon: &Daemon, container: ContainerId) {
    if daemon.inner.state().sandbox(container).is_some() {
        return;
    }
    let ask = SandboxAsk {
        container,
        hostname: String::new(),
        dns: DnsSettings::default(),
        egress: None,
        traffic: Default::default(),
    };
    let _ = daemon.run(|inner| inner.open_sandbox(ask));
}

/// The daemon is killed; the next one adopts the containers of these bits.
fn restart(daemon: Daemon, adopted: u8) -> Daemon {
    disarm(&daemon);
    let daemon = daemon.restart();
    for container in (1..4_u8).filter(|number| adopted & 1 << number != 0).map(container) {
        let name = format!("pontoon-{}", container.short(12));
        if daemon.kernel.world().sandboxes.contains_key(&name) {
            let networks: Vec<_> =
                daemon.inner.state().endpoints_of(container).iter().map(|it| it.network).collect();
            daemon.adopt(container, &networks);
        }
    }
    daemon.run(Inner::settle).unwrap();
    daemon
}

fn fuses(daemon: &Daemon) -> [&fake::Fuse; 3] {
    [&daemon.kernel.fuse, &daemon.declared.fuse, &daemon.live.fuse]
}

fn disarm(daemon: &Daemon) {
    for fuse in fuses(daemon) {
        fuse.set(0);
    }
}

/// What must hold between any two requests.
fn check(daemon: &Daemon) {
    let (world, state) = (daemon.kernel.world(), daemon.inner.state());
    let known: BTreeSet<_> = state.networks().filter(|n| n.driver.attaches()).map(|n| n.id).collect();
    assert!(known.iter().all(|id| world.networks.contains_key(id)), "a network without its bridge");
    let all = || (1..4_u8).map(container);
    let leases: Vec<_> = all().flat_map(|c| state.leases_of(c)).collect();
    let addresses: BTreeSet<_> = leases.iter().map(|lease| (lease.network, lease.v4, lease.v6)).collect();
    assert_eq!(addresses.len(), leases.len(), "an address was leased twice");
    for container in all() {
        check_container(&state, &world, container);
    }
}

fn check_container(state: &State, world: &World, container: ContainerId) {
    let records = state.endpoints_of(container);
    let Some(sandbox) = state.sandbox(container) else {
        assert!(records.is_empty());
        return;
    };
    let inside = &world.sandboxes[&sandbox.name];
    assert_eq!(inside.keys().collect::<BTreeSet<_>>(), records.iter().map(|record| &record.id).collect());
    for record in &records {
        assert!(state.lease_of(container, record.network).is_some(), "an endpoint without a lease");
        let published = world.ports.get(&record.id).cloned().unwrap_or_default();
        assert_eq!(published, record.ports, "ports are not what is known of them");
    }
    for family in [Family::V4, Family::V6] {
        let leading: Vec<_> = records.iter().filter(|record| record.route().leads(family)).collect();
        assert!(leading.len() <= 1, "two gateways");
        let known = leading.first().map(|record| (record.id, record.route().only(family)));
        let route = world.routes.get(&(sandbox.name.clone(), family)).copied();
        assert_eq!(route, known, "the default route is not what is known of it");
    }
    let change = state.role_change(container, None);
    assert!(change.is_none(), "an endpoint has not the role that it is to have: {change:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn disk_memory_and_kernel_stay_in_step(steps in prop::collection::vec(step(), 1..40)) {
        let mut daemon = Daemon::new();
        daemon.kernel.world.lock().unwrap().ipv6 = true;
        let empty = daemon.everything();
        for step in steps {
            daemon = act(daemon, step);
            check(&daemon);
        }
        disarm(&daemon);
        for container in (1..4_u8).map(container) {
            daemon.run(|inner| inner.close_sandbox(container)).unwrap();
            daemon.run(|inner| inner.release(container)).unwrap();
        }
        for network in ["n0", "n1", "n2"] {
            let _ = daemon.run(|inner| inner.remove(network));
        }
        let daemon = daemon.restart();
        daemon.run(Inner::settle).unwrap();
        daemon.everything().is(&empty, "nothing is left");
    }
}
