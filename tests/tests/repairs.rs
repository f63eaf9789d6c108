//! What others do to networks is put right, told as an event and counted.

use std::{
    io::{BufRead, BufReader},
    sync::mpsc,
    thread,
};

use tests::{Lab, Machine, NetdOptions, eventually};

fn counted(machine: &Machine) -> usize {
    let page = machine.exec(["curl", "-sS", "--max-time", "5", "http://127.0.0.1:9323/metrics"]).ok();
    let count = page.lines().find_map(|line| line.strip_prefix("pontoon_repairs_total "));
    count.expect("the metric").parse().expect("a number")
}

/// What a follower of the daemon's events hears, from now on.
fn follow(machine: &Machine) -> mpsc::Receiver<String> {
    let since = machine.sh("date +%s").ok();
    let socket = "unix:///run/pontoon/pontoon.sock";
    let told = "{{.Type}} {{.Action}} {{.Actor.Attributes.object}}";
    let words =
        ["docker", "-H", socket, "events", "--since", &since, "--filter", "type=daemon", "--format", told];
    let mut following = machine.spawn(words);
    let lines = BufReader::new(following.child.stdout.take().expect("piped")).lines();
    let (tell, hear) = mpsc::channel();
    thread::spawn(move || {
        let _following = following;
        lines.map_while(Result::ok).try_for_each(|line| tell.send(line))
    });
    hear
}

#[test]
fn a_repair_is_an_event_and_counts() {
    let args = vec!["--metrics-addr".to_owned(), "127.0.0.1:9323".to_owned()];
    let machine = Lab::new().machine_with("aa", NetdOptions { args, ..NetdOptions::default() });
    machine.pontoon(["network", "create", "--subnet", "10.60.0.0/24", "web"]).ok();
    machine.start("c1", &["--network", "web", "--ip", "10.60.0.9"], &["sleep", "1000"]);
    machine.start("c2", &["--network", "web"], &["sleep", "1000"]);
    assert_eq!(counted(&machine), 0);

    let events = follow(&machine);
    let mut heard = Vec::new();
    let mut hears = |object: &str| {
        let told = format!("daemon repair {object}");
        eventually("the repair is told", || {
            heard.extend(events.try_iter());
            if heard.contains(&told) { Ok(()) } else { Err(format!("{told}: {heard:?}")) }
        });
    };
    let id = machine.docker(["network", "inspect", "-f", "{{.Id}}", "web"]).ok();
    let bridge = format!("br-{}", &id[..12]);
    machine.exec(["nft", "delete", "table", "inet", "pontoon"]).ok();
    hears("table inet pontoon");
    machine.exec(["sysctl", "-qw", "net.ipv4.ip_forward=0"]).ok();
    hears("setting net/ipv4/ip_forward");
    machine.exec(["ip", "link", "delete", &bridge]).ok();
    hears(&format!("network web ({bridge})"));
    machine.pontoon(["exec", "c2", "ping", "-c1", "-W5", "10.60.0.9"]).ok();

    eventually("each event counts", || {
        heard.extend(events.try_iter());
        let counted = counted(&machine);
        if counted >= 4 && counted == heard.len() { Ok(()) } else { Err((counted, heard.clone())) }
    });
    machine.exec(["pkill", "-x", "docker"]).ok();
}
