//! Links of a default bridge that keeps its containers apart: what is open follows from who is there.

use super::*;

/// A daemon whose default bridge keeps containers apart, and that bridge.
fn apart() -> (Daemon, NetworkId) {
    let mut config = config();
    config.defaults.bridge.as_mut().unwrap().icc = false;
    let daemon = Daemon::start(FakeKernel::default(), Arc::default(), Arc::default(), Arc::default(), config);
    let bridge = daemon.inner.state().resolve("bridge").unwrap().id;
    (daemon, bridge)
}

fn open(daemon: &Daemon) -> Vec<String> {
    let openings = daemon.kernel.world().openings.into_values().flatten();
    let shown = |it: libnet::firewall::Opening| format!("{} {} {}/{}", it.from, it.to, it.at.1, it.at.0);
    openings.map(shown).collect()
}

fn named(daemon: &Daemon, network: NetworkId, name: &str, links: &[(&str, &str)]) -> EndpointAsk {
    let links = links.iter().map(|(alias, name)| ((*alias).to_owned(), (*name).to_owned()));
    let exposed = vec![(Port::new(80).unwrap(), Proto::Tcp)];
    EndpointAsk { name: name.to_owned(), links: links.collect(), exposed, ..daemon.ask(network) }
}

#[test]
fn what_is_open_follows_both_containers() {
    let (daemon, bridge) = apart();
    let (web, db) = (daemon.sandbox(1), daemon.sandbox(2));
    daemon.connect(web, &named(&daemon, bridge, "web", &[("d", "db"), ("e", "nobody")])).unwrap();
    assert_eq!(open(&daemon), Vec::<String>::new(), "nobody is there");
    daemon.connect(db, &named(&daemon, bridge, "db", &[])).unwrap();
    let hole = ["10.10.0.2 10.10.0.3 80/tcp"];
    assert_eq!(open(&daemon), hole);

    daemon.run(|inner| inner.rename(db, "other")).unwrap();
    assert_eq!(open(&daemon), Vec::<String>::new(), "it is not called so");
    daemon.run(|inner| inner.rename(db, "db")).unwrap();
    daemon.run(|inner| inner.set_ports(db, &[port(None, 81)])).unwrap();
    assert_eq!(open(&daemon), [hole[0], "10.10.0.2 10.10.0.3 81/tcp"], "what is published is offered");
    daemon.run(|inner| inner.set_ports(db, &[])).unwrap();

    daemon.run(|inner| inner.set_links(web, bridge, Vec::new())).unwrap();
    assert_eq!(open(&daemon), Vec::<String>::new());
    daemon.run(|inner| inner.set_links(web, bridge, vec![("d".to_owned(), db.to_string())])).unwrap();
    assert_eq!(open(&daemon), hole, "by its id");
    daemon.run(|inner| inner.close_sandbox(db)).unwrap();
    assert_eq!(open(&daemon), Vec::<String>::new());
    daemon.sandbox(2);
    daemon.connect(db, &named(&daemon, bridge, "db", &[])).unwrap();
    assert_eq!(open(&daemon), hole);
    daemon.run(|inner| inner.disconnect(web, bridge, false)).unwrap();
    assert_eq!(open(&daemon), Vec::<String>::new());
}

#[test]
fn links_open_nothing_where_neighbours_talk_or_have_names() {
    let daemon = Daemon::new();
    let bridge = daemon.inner.state().resolve("bridge").unwrap().id;
    daemon.connect(daemon.sandbox(1), &named(&daemon, bridge, "web", &[("d", "db")])).unwrap();
    daemon.connect(daemon.sandbox(2), &named(&daemon, bridge, "db", &[])).unwrap();
    assert_eq!(open(&daemon), Vec::<String>::new());
}
