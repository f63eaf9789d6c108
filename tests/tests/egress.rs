//! Egress by name: a container reaches what it resolved and may reach, and nothing else.

use std::fs;

use tests::{Lab, Lan, Machine, Process, eventually, resolver};

fn listen(lan: &Lan, port: u16) -> Process {
    let process = lan.spawn(["socat", &format!("TCP-LISTEN:{port},fork,reuseaddr"), "/dev/null"]);
    eventually("the server listens", || lan.sh(&format!("ss -Htln sport = :{port} | grep .")).result());
    process
}

/// A host whose resolver is on its LAN, where TCP ports 443 and 80 listen.
fn stage(machine: &Machine) -> (Lan, [Process; 2]) {
    let lan = machine.lan("world");
    resolver(&lan);
    let servers = [443, 80].map(|port| listen(&lan, port));
    fs::write(machine.path("/run/lab/resolv.conf"), format!("nameserver {}\n", lan.address()))
        .expect("resolv.conf");
    (lan, servers)
}

fn connects(machine: &Machine, container: &str, name: &str, port: u16) -> bool {
    let line = format!("exec {container} nc -z -w2 {name} {port}");
    machine.pontoon(line.split(' ')).status.success()
}

const DENY: [&str; 4] =
    ["--label", "io.pontoon.egress=deny", "--label", "io.pontoon.egress.allow=Good.example:443,*.pypi.org"];

#[test]
fn only_allowed_names_are_reached() {
    let mut machine = Lab::new().machine("aa");
    let (lan, _servers) = stage(&machine);
    machine.pontoon(["network", "create", "web"]).ok();
    machine.start("free", &["--network", "web"], &["sleep", "1000"]);
    machine.start("cc", &[&["--network", "web"], &DENY[..]].concat(), &["sleep", "1000"]);
    machine.start("plain", &DENY, &["sleep", "1000"]);

    let far = lan.address();
    assert!(connects(&machine, "free", "anything.example", 80), "who is not restricted is not touched");
    for container in ["cc", "plain"] {
        assert!(!connects(&machine, container, &far, 443), "an address alone gets nowhere");
        assert!(connects(&machine, container, "good.example", 443), "{}", machine.log());
        assert!(!connects(&machine, container, "good.example", 80), "at this port alone");
        let denied = machine.pontoon(["exec", container, "dig", "+tries=1", "secret.evil.example"]).ok();
        assert!(denied.contains("status: NXDOMAIN"), "{denied}");
        let other = format!("exec {container} dig +tries=1 +time=1 @{far} good.example");
        machine.pontoon(other.split(' ')).fails(9);
        assert!(connects(&machine, container, "files.pypi.org", 80), "a wildcard, at all ports");
    }
    assert!(
        connects(&machine, "free", "cc", 1)
            || machine.pontoon(["exec", "cc", "ping", "-c1", "free"]).status.success()
    );

    let report = machine.pontoon(["dns", "egress", "cc"]).ok();
    let row = |words: &[&str]| report.lines().any(|line| line.split_whitespace().eq(words.iter().copied()));
    assert!(row(&["files.pypi.org", &far, "53/udp", "dropped"]), "{report}");
    assert!(row(&["secret.evil.example", "-", "-", "name", "denied", "(1)"]), "{report}");
    assert!(machine.log().contains("name denied"), "{}", machine.log());
    refusals_are_told(&machine, &far);

    // Whoever keeps the rules need not be there, and takes over what is allowed.
    machine.kill_netd();
    machine.start_netd();
    assert!(connects(&machine, "cc", "good.example", 443) && !connects(&machine, "cc", "good.example", 8080));
    assert!(!connects(&machine, "cc", "other.example", 443));
}

/// Each in the log and as an event, with the name that was asked, once.
fn refusals_are_told(machine: &Machine, far: &str) {
    let words = ["events", "--since", "10m", "--until", "0s", "--filter", "event=refuse", "--format"];
    let told = "{{.Actor.Attributes.name}} {{.Actor.Attributes.destination}} {{.Actor.Attributes.address}} {{.Actor.Attributes.port}}";
    let events = machine.docker(words.iter().copied().chain([told])).ok();
    for container in ["cc", "plain"] {
        let line = format!("{container} good.example {far} 80/tcp");
        assert_eq!(events.lines().filter(|event| *event == line).count(), 1, "{line}: {events}");
    }
    assert!(!events.contains("free "), "{events}");
    let log = machine.log();
    let is_it = |line: &&str| line.contains("connection refused") && line.contains("good.example");
    assert!(log.lines().any(|line| is_it(&line) && line.contains("80/tcp")), "{log}");
}

#[test]
fn a_network_can_keep_all_its_containers_in() {
    let machine = Lab::new().machine("aa");
    let (lan, _servers) = stage(&machine);
    let options = ["-o", "io.pontoon.egress=deny", "-o", "io.pontoon.egress.allow=good.example:443/tcp"];
    machine.pontoon([&["network", "create"], &options[..], &["kept"]].concat()).ok();
    machine.pontoon(["network", "create", "open"]).ok();
    machine.start(
        "cc",
        &["--network", "kept", "-p", "8080:80"],
        &["socat", "TCP-LISTEN:80,fork,reuseaddr", "EXEC:true"],
    );
    assert!(connects(&machine, "cc", "good.example", 443));
    assert!(!connects(&machine, "cc", "good.example", 80));
    assert!(!connects(&machine, "cc", "other.example", 443));
    // Answers to who comes in are no egress.
    eventually("a published port is reached", || {
        lan.sh(&format!("nc -z -w2 {} 8080", lan.gateway())).result()
    });

    let refused = |words: &[&str]| machine.pontoon([&["network", "create"], words, &["x"]].concat()).fails(1);
    let said = refused(&["-o", "io.pontoon.egress=maybe"]);
    assert!(said.contains("invalid value \"maybe\" of io.pontoon.egress"), "{said}");
    let said = machine.pontoon([
        "run",
        "--rm",
        "--network",
        "host",
        "--label",
        "io.pontoon.egress=deny",
        "host",
        "true",
    ]);
    let said = said.fails(125);
    assert!(said.contains("conflicting options: io.pontoon.egress and the network mode"), "{said}");
}

#[test]
fn a_run_that_learns_says_what_it_needs() {
    let machine = Lab::new().machine("aa");
    let (lan, _servers) = stage(&machine);
    machine.pontoon(["network", "create", "web"]).ok();
    let script = format!("nc -z -w5 good.example 443; nc -z -w5 {} 80", lan.address());
    let learn = ["run", "--name", "ll", "--network", "web", "--label", "io.pontoon.egress=learn", "host"];
    machine.pontoon([&learn[..], &["bash", "-c", &script]].concat()).ok();
    // The same address twice: the name that it was told for stands for both.
    let needed = machine.pontoon(["dns", "egress", "-q", "ll"]).ok();
    assert_eq!(needed, "good.example:443/tcp,good.example:80/tcp", "{}", machine.log());
    assert!(machine.log().contains("egress of a run"), "{}", machine.log());
    let said = machine.pontoon(["dns", "egress", "nobody"]).fails(1);
    assert!(said.contains("No such container: nobody"), "{said}");
}

/// As it happens, with the name that was asked: what is refused stands between the questions.
#[test]
fn the_log_of_a_containers_names_has_what_it_is_refused() {
    let machine = Lab::new().machine("aa");
    let (lan, _servers) = stage(&machine);
    machine.pontoon(["network", "create", "web"]).ok();
    machine.start("cc", &[&["--network", "web"], &DENY[..]].concat(), &["sleep", "1000"]);
    let words = machine.pontoon_words(&["dns", "log", "cc"]);
    let script = "exec \"$@\" > /run/lab/log";
    let _log = machine.spawn(["bash", "-c", script, "log"].map(str::to_owned).into_iter().chain(words));
    // Without the time at its beginning and, of a question, what it took.
    let seen = |line: &str| {
        let log = fs::read_to_string(machine.path("/run/lab/log")).unwrap_or_default();
        let is_it = |seen: &str| seen.split_once(' ').is_some_and(|(_, rest)| rest.starts_with(line));
        if log.lines().any(is_it) { Ok(()) } else { Err(log) }
    };
    eventually("the log has begun", || {
        machine.pontoon(["exec", "cc", "dig", "+tries=1", "cc"]).ok();
        seen("A cc. answered")
    });

    let far = lan.address();
    assert!(!connects(&machine, "cc", &far, 443));
    eventually("an address alone", || seen(&format!("443/tcp - dropped {far}")));
    assert!(connects(&machine, "cc", "good.example", 443) && !connects(&machine, "cc", "good.example", 80));
    eventually("a port that is not allowed", || seen(&format!("80/tcp good.example. dropped {far}")));
    let other = format!("exec cc dig +tries=1 +time=1 @{far} good.example");
    machine.pontoon(other.split(' ')).fails(9);
    eventually("another resolver", || seen(&format!("53/udp good.example. dropped {far}")));
    machine.pontoon(["exec", "cc", "dig", "+tries=1", "evil.example"]).ok();
    eventually("a name", || seen("A evil.example. denied"));
    assert!(seen(&format!("443/tcp good.example. dropped {far}")).is_err(), "what passes is no line");
}
