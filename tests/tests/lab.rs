//! The lab itself: its hosts are apart from the machine and reach each other by their cables only.

use std::{fs, mem, thread};

use tests::{Lab, eventually};

#[test]
fn a_host_has_its_own_links_and_run() {
    let lab = Lab::new();
    let host = lab.host("a");
    assert!(host.exec(["ip", "-o", "link"]).ok().starts_with("1: lo"));
    assert_eq!(host.exec(["ls", "/run/netns"]).ok(), "");
    assert_eq!(host.sh("ls /sys/class/net").ok(), "lo");
}

#[test]
fn a_closure_runs_in_the_host() {
    let lab = Lab::new();
    let host = lab.host("a");
    let (outside, inside) = (links(), host.run(links));
    assert_ne!(outside, inside);
    std::fs::write(host.path("/run/seen"), "yes").unwrap();
    assert_eq!(host.run(|| std::fs::read_to_string("/run/seen").unwrap()), "yes");
}

fn links() -> String {
    std::fs::read_link("/proc/thread-self/ns/net").unwrap().display().to_string()
}

#[test]
fn lan_hosts_reach_their_host_and_each_other_only_if_it_forwards() {
    let lab = Lab::new();
    let host = lab.host("a");
    let (one, two) = (host.lan("one"), host.lan("two"));
    one.exec(["ping", "-c1", "-W5", &one.gateway()]).ok();
    one.exec(["ping", "-c1", "-W5", &one.gateway6()]).ok();
    one.exec(["ping", "-c1", "-W1", &two.address()]).fails(1);
    host.sh("echo 1 > /proc/sys/net/ipv4/ip_forward").ok();
    one.exec(["ping", "-c1", "-W5", &two.address()]).ok();
}

#[test]
fn a_program_ends_with_whoever_started_it() {
    let lab = Lab::new();
    let host = lab.host("a");
    let started = || {
        let process = host.spawn(["sleep", "1000"]);
        let id = process.child.id();
        eventually("it sleeps", || match fs::read_to_string(format!("/proc/{id}/comm")) {
            Ok(name) if name == "sleep\n" => Ok(()),
            other => Err(format!("{other:?}")),
        });
        // As if it were killed: nothing is dropped.
        mem::forget(process);
        id
    };
    let id = thread::scope(|scope| scope.spawn(started).join().unwrap());
    eventually("it has ended", || match fs::read_to_string(format!("/proc/{id}/stat")) {
        Ok(stat) if !stat.contains(") Z ") => Err(stat),
        _ => Ok(()),
    });
}
