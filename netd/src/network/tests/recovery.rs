//! A daemon dies at any moment; the next one goes on.

use super::*;

#[test]
fn running_containers_are_adopted() {
    let daemon = Daemon::new();
    let web = daemon.network("web", "");
    let c1 = daemon.sandbox(1);
    let ask = EndpointAsk { ports: vec![port(None, 80)], ..daemon.ask(web) };
    let before = daemon.connect(c1, &ask).unwrap();
    let world = daemon.kernel.world();
    let daemon = daemon.restart();
    daemon.adopt(c1, &[web]);
    daemon.run(Inner::settle).unwrap();
    assert_eq!(daemon.kernel.world(), world);
    assert_eq!(daemon.inner.state().views(c1), [before]);
    let next = daemon.connect(daemon.sandbox(2), &daemon.ask(web)).unwrap();
    assert_eq!(next.v4.unwrap().ip().octets()[3], 3);
}

#[test]
fn an_endpoint_without_its_interface_is_forgotten_and_another_leads_out() {
    let daemon = Daemon::new();
    let (a, b) = (daemon.network("a", ""), daemon.network("b", ""));
    let c1 = daemon.sandbox(1);
    let ask = EndpointAsk { ports: vec![port(None, 80)], ..daemon.ask(a) };
    let lost = daemon.connect(c1, &ask).unwrap();
    daemon.connect(c1, &daemon.ask(b)).unwrap();
    daemon
        .kernel
        .call(|world| {
            world.sandboxes.values_mut().for_each(|inside| _ = inside.remove(&lost.endpoint));
            world.ports.clear();
            world.routes.clear();
            Ok(())
        })
        .unwrap();
    let daemon = daemon.restart();
    daemon.adopt(c1, &[a, b]);
    let views = daemon.inner.state().views(c1);
    let networks: Vec<_> =
        views.iter().map(|view| (view.network, view.is_gateway, view.ports.len())).collect();
    assert_eq!(networks, [(b, true, 1)]);
    assert_eq!(daemon.live.list(ENDPOINTS).unwrap().len(), 1);
    assert_eq!(daemon.connect(c1, &daemon.ask(a)).unwrap().v4, lost.v4);
}

#[test]
fn a_connect_that_the_container_does_not_know_of_is_undone() {
    let daemon = Daemon::new();
    let (a, b) = (daemon.network("a", ""), daemon.network("b", ""));
    let c1 = daemon.sandbox(1);
    let ask = EndpointAsk { ports: vec![port(None, 80)], ..daemon.ask(a) };
    daemon.connect(c1, &ask).unwrap();
    let (world, leases) = (daemon.kernel.world(), daemon.declared.list(LEASES).unwrap());
    let first = EndpointAsk { gw_priority: 1, ports: ask.ports.clone(), ..daemon.ask(b) };
    assert!(daemon.connect(c1, &first).unwrap().is_gateway);
    let daemon = daemon.restart();
    daemon.adopt(c1, &[a]);
    daemon.run(Inner::settle).unwrap();
    let views = daemon.inner.state().views(c1);
    let networks: Vec<_> =
        views.iter().map(|view| (view.network, view.is_gateway, view.ports.len())).collect();
    assert_eq!(networks, [(a, true, 1)]);
    assert_eq!(daemon.kernel.world(), world);
    assert_eq!(daemon.live.list(ENDPOINTS).unwrap().len(), 1);
    assert_eq!(daemon.declared.list(LEASES).unwrap(), leases);
    daemon.connect(c1, &daemon.ask(b)).unwrap();
}

#[test]
fn a_name_that_the_container_does_not_know_of_is_undone() {
    let daemon = Daemon::new();
    let web = daemon.network("web", "");
    let c1 = daemon.sandbox(1);
    let before = daemon.connect(c1, &daemon.ask(web)).unwrap();
    daemon.run(|inner| inner.rename(c1, "c2")).unwrap();
    assert_ne!(daemon.inner.state().views(c1), std::slice::from_ref(&before));
    let daemon = daemon.restart();
    daemon.adopt(c1, &[web]);
    assert_eq!(daemon.inner.state().views(c1), [before]);
}

#[test]
fn the_ports_of_what_ended_without_a_daemon_are_free() {
    let daemon = Daemon::new();
    let web = daemon.network("web", "");
    let (dead, alive) = (daemon.sandbox(1), daemon.sandbox(2));
    let ask = EndpointAsk { ports: vec![port(Some(8_080), 80)], ..daemon.ask(web) };
    daemon.connect(dead, &ask).unwrap();
    daemon.connect(alive, &daemon.ask(web)).unwrap();
    let daemon = daemon.restart();
    daemon.adopt(alive, &[web]);
    daemon.run(|inner| inner.close_sandbox(dead)).unwrap();
    daemon.run(Inner::settle).unwrap();
    assert!(daemon.kernel.world().ports.is_empty());
    daemon.connect(daemon.sandbox(3), &EndpointAsk { ports: ask.ports, ..daemon.ask(web) }).unwrap();
}

#[test]
fn what_nobody_adopts_goes_and_leases_stay() {
    let daemon = Daemon::new();
    let web = daemon.network("web", "");
    let (dead, gone) = (daemon.sandbox(1), daemon.sandbox(2));
    let before = daemon.connect(dead, &daemon.ask(web)).unwrap();
    let live = EndpointAsk { durability: Durability::Live, ..daemon.ask(web) };
    daemon.connect(gone, &live).unwrap();
    let daemon = daemon.restart();
    daemon.run(Inner::settle).unwrap();
    assert!(daemon.kernel.world().sandboxes.is_empty());
    assert_eq!(daemon.live.list(ENDPOINTS).unwrap(), []);
    assert_eq!(daemon.live.list(SANDBOXES).unwrap(), []);
    assert!(!daemon.inner.state().in_use(web));
    daemon.sandbox(1);
    let again = daemon.connect(dead, &daemon.ask(web)).unwrap();
    assert_eq!((again.v4, again.mac), (before.v4, before.mac));
}

#[test]
fn a_reboot_leaves_networks_and_leases() {
    let daemon = Daemon::new();
    let web = daemon.network("web", "");
    let c1 = daemon.sandbox(1);
    let before = daemon.connect(c1, &daemon.ask(web)).unwrap();
    let networks = daemon.kernel.world().networks;
    let config = config();
    let daemon = Daemon::start(
        FakeKernel::default(),
        daemon.declared.clone(),
        Arc::default(),
        daemon.ids.clone(),
        config,
    );
    assert_eq!(daemon.kernel.world().networks, networks);
    daemon.sandbox(1);
    assert_eq!(daemon.connect(c1, &daemon.ask(web)).unwrap().v4, before.v4);
}

#[test]
fn a_default_bridge_that_is_configured_anew_is_made_anew() {
    let daemon = Daemon::new();
    let id = |daemon: &Daemon| daemon.inner.state().resolve("bridge").unwrap().id;
    let first = id(&daemon);
    let daemon = daemon.restart();
    assert_eq!(id(&daemon), first);
    let mut other = config();
    other.defaults.bridge.as_mut().unwrap().bip = "10.20.0.1/16".parse().ok();
    let daemon = daemon.restart_as(other.clone());
    assert_eq!(id(&daemon), first, "stopped containers find it");
    let net = daemon.inner.state().resolve("bridge").unwrap().v4.clone().unwrap().net;
    assert_eq!(net.to_string(), "10.20.0.0/16");
    other.defaults.bridge = None;
    let daemon = daemon.restart_as(other);
    assert!(daemon.inner.state().resolve("bridge").is_err());
    assert!(daemon.kernel.world().networks.is_empty());
    let daemon = daemon.restart_as(config());
    assert_eq!(id(&daemon), first, "as they were before it was turned off");
    assert_eq!(daemon.kernel.world().networks.len(), 1);
}

#[test]
fn a_default_bridge_with_running_containers_stays() {
    let daemon = Daemon::new();
    let bridge = daemon.inner.state().resolve("bridge").unwrap().clone();
    let c1 = daemon.sandbox(1);
    daemon.connect(c1, &daemon.ask(bridge.id)).unwrap();
    let mut other = config();
    other.defaults.bridge.as_mut().unwrap().bip = "10.20.0.1/16".parse().ok();
    let daemon = daemon.restart_as(other);
    assert_eq!(*daemon.inner.state().resolve("bridge").unwrap(), bridge);
}

#[test]
fn an_automatic_default_bridge_keeps_its_subnet() {
    let mut auto = config();
    auto.defaults.bridge.as_mut().unwrap().bip = None;
    let daemon =
        Daemon::start(FakeKernel::default(), Arc::default(), Arc::default(), Arc::default(), auto.clone());
    let record = daemon.inner.state().resolve("bridge").unwrap().clone();
    let daemon = daemon.restart_as(auto);
    assert_eq!(*daemon.inner.state().resolve("bridge").unwrap(), record);
}
