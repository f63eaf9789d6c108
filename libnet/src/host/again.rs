//! Endpoints that come again while what was left of them goes.

use std::{
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use tests::Lab;

use super::{
    EndpointSpec,
    cut::{endpoint, network, open},
    effects::Effects,
    host_link,
};
use crate::{
    bridge::names::CONDEMNED,
    link,
    types::{Rate, Rates},
};

#[test]
fn what_has_gone_between_two_looks_is_in_nobody_s_way() {
    Lab::new().host("again").run(|| {
        let host = open();
        let name = host_link(&endpoint().id);
        let mut effects = Effects::on(&host.inner).unwrap();
        // Who makes a link is refused since there is one; the janitor deletes it; then it is looked for.
        assert!(effects.is_leaving(&name).unwrap());
        let made = Command::new("ip").args(["link", "add", name.as_str(), "type", "veth"]).status();
        assert!(made.unwrap().success());
        assert!(!effects.is_leaving(&name).unwrap(), "what is somebody's stays in the way");
        drop(effects);
        host.inner.send(vec![link::condemn(&name, CONDEMNED)]).unwrap();
        assert!(Effects::on(&host.inner).unwrap().is_leaving(&name).unwrap());
    });
}

#[test]
fn an_endpoint_comes_again_at_once_while_links_are_deleted() {
    Lab::new().host("again").run(|| {
        let host = open();
        host.create_network(&network()).unwrap();
        let sandbox = host.open_sandbox("pontoon-0123456789ab").unwrap();
        let rate = "50mbit".parse::<Rate>().ok();
        let ep = EndpointSpec { rates: Rates { into: rate, out: rate }, ports: Vec::new(), ..endpoint() };
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    host.inner.janitor.sweep();
                }
            });
            let come_and_go = || {
                host.attach(&sandbox, &ep)?;
                host.detach(&sandbox, ep.id)
            };
            let all: Result<(), _> = (0..25).try_for_each(|_| come_and_go());
            done.store(true, Ordering::Relaxed);
            all.unwrap();
        });
    });
}
