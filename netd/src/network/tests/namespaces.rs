//! Namespaces that somebody else made.

use libnet::netns::Reference;

use super::*;
use crate::{
    error::Kind,
    network::{Attached, NamespaceAsk, inspect},
};

fn reference(name: &str) -> Reference {
    Reference::Path(PathBuf::from("/lab").join(name))
}

impl Daemon {
    fn attach(&self, name: &str, ask: EndpointAsk) -> Result<Attached, NetworkError> {
        let endpoint = EndpointAsk { name: name.to_owned(), durability: Durability::Live, ..ask };
        self.run(|inner| inner.attach_namespace(NamespaceAsk { reference: reference(name), endpoint }))
    }

    fn detach(&self, name: &str, network: NetworkId) -> Result<(), NetworkError> {
        self.run(|inner| inner.detach_namespace(&reference(name), network))
    }
}

#[test]
fn a_namespace_is_in_a_network_like_a_container() {
    let daemon = Daemon::new();
    let (web, db) = (daemon.network("web", "192.168.0.0/24"), daemon.network("db", ""));
    let before = daemon.everything();
    let ask = EndpointAsk { ports: vec![port(Some(8080), 80)], ..daemon.ask(web) };
    let (seen, warnings) = daemon.attach("blue", ask).unwrap();
    let end = &seen.endpoints[0];
    assert_eq!(end.v4.unwrap().to_string(), "192.168.0.2/24");
    assert_eq!((end.ifname.as_ref().unwrap().as_str(), end.is_gateway, end.ports.len()), ("eth0", true, 1));
    assert_eq!(warnings, [""; 0]);
    // The same namespace, by whatever name it has in another network.
    let (seen, _) = daemon.attach("blue", daemon.ask(db)).unwrap();
    assert_eq!(seen.endpoints.len(), 2);
    assert_eq!(daemon.run(|inner| Ok(inner.namespaces())).unwrap(), std::slice::from_ref(&seen));

    let containers = {
        let state = daemon.inner.state();
        inspect::network(state.network(web).unwrap(), &state).containers.unwrap()
    };
    let key = format!("ep-{}", seen.endpoints.iter().find(|end| end.network == web).unwrap().endpoint);
    assert_eq!(containers[&key].name.as_deref(), Some("blue"));
    let error = daemon.run(|inner| inner.remove("web")).unwrap_err();
    assert!(error.to_string().contains("has active endpoints (name:\"blue\""), "{error}");

    daemon.detach("blue", web).unwrap();
    assert!(daemon.run(|inner| inner.detach_named("blue", db)).unwrap());
    assert!(!daemon.run(|inner| inner.detach_named("blue", db)).unwrap());
    let after = daemon.everything();
    assert_eq!((after.world, after.stored), (before.world, before.stored));
}

#[test]
fn what_a_namespace_can_not_have_is_refused() {
    let daemon = Daemon::new();
    let web = daemon.network("web", "");
    let host = daemon.inner.state().resolve("host").unwrap().id;
    daemon.attach("blue", daemon.ask(web)).unwrap();
    let before = daemon.everything();
    let refused = |done: Result<Attached, NetworkError>| {
        let error = done.unwrap_err();
        daemon.everything().is(&before, &error.to_string());
        (error.kind(), error.to_string())
    };
    let text = "a network namespace can't be attached to network host: its driver is host";
    assert_eq!(refused(daemon.attach("red", daemon.ask(host))), (Kind::Forbidden, text.to_owned()));
    let text = "endpoint with name blue already exists in network web";
    assert_eq!(refused(daemon.attach("blue", daemon.ask(web))), (Kind::Forbidden, text.to_owned()));
    let error = daemon.detach("red", web).unwrap_err();
    let text = "network namespace /lab/red is not attached to the network web";
    assert_eq!((error.kind(), error.to_string()), (Kind::NotFound, text.to_owned()));
}

#[test]
fn a_failure_at_any_point_of_attach_leaves_nothing_behind() {
    let daemon = Daemon::new();
    let web = daemon.network("web", "");
    for fuse in [&daemon.kernel.fuse, &daemon.declared.fuse, &daemon.live.fuse] {
        let before = daemon.everything();
        for n in 1.. {
            fuse.set(n);
            let ask = EndpointAsk { ports: vec![port(Some(8080), 80)], ..daemon.ask(web) };
            let attached = daemon.attach("blue", ask);
            if fuse.is_unburnt() {
                fuse.set(0);
                attached.unwrap();
                break;
            }
            assert!(attached.is_err(), "call {n}");
            daemon.everything().is(&before, &format!("call {n}"));
        }
        daemon.detach("blue", web).unwrap();
        daemon.everything().is(&before, "detached");
    }
}

#[test]
fn the_next_daemon_takes_namespaces_over() {
    let daemon = Daemon::new();
    let web = daemon.network("web", "");
    let ask = EndpointAsk { ports: vec![port(None, 80)], ..daemon.ask(web) };
    let (before, _) = daemon.attach("blue", ask).unwrap();
    daemon.attach("red", daemon.ask(web)).unwrap();
    // The one has ended meanwhile: its interface is gone with it.
    let red = daemon.inner.state().sandboxes().find(|record| record.hostname == "red").unwrap().name.clone();
    daemon.kernel.world.lock().unwrap().sandboxes.insert(red, BTreeMap::new());
    let daemon = daemon.restart();
    daemon.run(Inner::settle).unwrap();
    assert_eq!(daemon.run(|inner| Ok(inner.namespaces())).unwrap(), [before]);
    assert_eq!(daemon.kernel.world().borrowed.len(), 1);
    daemon.detach("blue", web).unwrap();
    assert_eq!(daemon.live.list(LEASES).unwrap(), []);
}
