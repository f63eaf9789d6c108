//! Networks that follow the MTU of the way out of the host.

use std::{sync::mpsc, thread, time::Duration};

use libnet::{host::NetworkSpec, types::Mtu};

use super::*;
use crate::network::options;

fn mtu(bytes: u32) -> Mtu {
    bytes.try_into().unwrap()
}

/// A network with this option about its MTU.
fn with_mtu(daemon: &Daemon, name: &str, value: &str) -> NetworkId {
    let options = Some([(options::MTU.to_owned(), value.to_owned())].into());
    let ask = models::NetworkCreateRequest { options, ..network(name, "") };
    daemon.run(|inner| inner.create(ask)).unwrap()
}

fn follow(daemon: &Daemon, bytes: u32) {
    daemon.inner.follow(mtu(bytes));
}

/// What the kernel has: of a network, and of the endpoints in it.
fn kernel(daemon: &Daemon, id: NetworkId) -> Vec<u32> {
    let world = daemon.kernel.world();
    let NetworkSpec::Bridge(net) = &world.networks[&id] else { panic!("{world:?}") };
    let endpoints = world.sandboxes.values().flat_map(BTreeMap::values);
    let within = endpoints.filter(|spec| spec.network == id).map(|spec| spec.mtu.bytes());
    std::iter::once(net.mtu.bytes()).chain(within).collect()
}

#[test]
fn who_was_given_no_mtu_follows_over_restarts() {
    let daemon = Daemon::new();
    let web = daemon.network("web", "");
    let (own, none) = (with_mtu(&daemon, "own", "1300"), with_mtu(&daemon, "none-given", "0"));
    let six = models::NetworkCreateRequest { enable_ipv6: Some(true), ..network("six", "") };
    let six = daemon.run(|inner| inner.create(six)).unwrap();
    let container = daemon.sandbox(1);
    daemon.connect(container, &daemon.ask(web)).unwrap();
    daemon.connect(container, &daemon.ask(own)).unwrap();
    assert_eq!(kernel(&daemon, web), [1400, 1400]);
    follow(&daemon, 1200);
    let followed = |daemon: &Daemon| {
        assert_eq!(kernel(daemon, web), [1200, 1200]);
        assert_eq!(kernel(daemon, none), [1200]);
        assert_eq!(kernel(daemon, six), [1280]);
        assert_eq!(kernel(daemon, own), [1300, 1300]);
        let stored = daemon.everything().stored;
        assert_eq!(stored.iter().filter(|record| record.contains("\"mtu\":1400")).count(), 0, "{stored:#?}");
    };
    followed(&daemon);
    let daemon = daemon.restart();
    followed(&daemon);
}

#[test]
fn what_can_t_be_written_down_is_not_done() {
    let daemon = Daemon::new();
    let web = daemon.network("web", "");
    daemon.connect(daemon.sandbox(1), &daemon.ask(web)).unwrap();
    let default = daemon.inner.state().resolve("bridge").unwrap().id;
    let before = daemon.everything();
    // Only `web` has something in the live store; the declared one refuses the first of the two.
    for (store, refused) in [(&daemon.live, vec![web]), (&daemon.declared, vec![web, default])] {
        store.fuse.set(1);
        follow(&daemon, 1200);
        assert!(store.fuse.is_burnt());
        let same = |id: &NetworkId| kernel(&daemon, *id).iter().all(|mtu| *mtu == 1400);
        let unchanged: Vec<NetworkId> = [web, default].into_iter().filter(same).collect();
        assert!(unchanged.len() == 1 && refused.contains(&unchanged[0]), "{unchanged:?}");
        follow(&daemon, 1400);
        daemon.everything().is(&before, "what failed left nothing");
    }
}

#[test]
fn who_is_killed_in_between_follows_anew() {
    let daemon = Daemon::new();
    let web = daemon.network("web", "");
    daemon.connect(daemon.sandbox(1), &daemon.ask(web)).unwrap();
    // Neither is the new one written down, nor does the kernel take the former one back.
    daemon.declared.fuse.set(1);
    daemon.kernel.fuse.set(2);
    daemon.inner.resize(web, mtu(1200)).unwrap_err();
    assert!(daemon.kernel.fuse.is_burnt());
    assert_eq!(kernel(&daemon, web), [1200, 1200]);
    let daemon = daemon.restart();
    assert_eq!(daemon.inner.state().network(web).unwrap().mtu(), mtu(1400));
    follow(&daemon, 1200);
    assert_eq!(kernel(&daemon, web), [1200, 1200]);
    assert_eq!(daemon.inner.state().network(web).unwrap().mtu(), mtu(1200));
}

#[test]
fn a_network_that_is_made_when_the_way_out_changes_follows() {
    let daemon = Daemon::new();
    let ((entered, begun), (go_on, may_go_on)) = (mpsc::channel(), mpsc::channel());
    let meanwhile = move || {
        entered.send(()).unwrap();
        may_go_on.recv().unwrap();
    };
    *daemon.kernel.meanwhile.lock().unwrap() = Some(Box::new(meanwhile));
    let daemon = &daemon;
    let web = thread::scope(|scope| {
        let making = scope.spawn(|| daemon.run(|inner| inner.create(network("web", ""))));
        begun.recv().unwrap();
        let (ended, end) = mpsc::channel();
        scope.spawn(move || {
            follow(daemon, 1200);
            // Who has waited long enough does not listen any more.
            let _ = ended.send(());
        });
        // Who does not wait for the network is done by then.
        let _ = end.recv_timeout(Duration::from_millis(200));
        go_on.send(()).unwrap();
        making.join().unwrap().unwrap()
    });
    assert_eq!(kernel(daemon, web), [1200]);
    assert_eq!(daemon.inner.state().network(web).unwrap().mtu(), mtu(1200));
}
