//! A netd that is killed in the middle of a request: the next one finishes it or undoes it, and nothing contradicts itself.

use std::{fs, thread, time::Instant};

use tests::{Lab, Machine, eventually};

/// Begins a request, and kills netd in the moment that the network devices of a process are so; the next netd starts.
fn kill_during(machine: &mut Machine, request: &[&str], pid: &str, so: impl Fn(&str) -> bool) {
    let devices = machine.path(&format!("/proc/{pid}/net/dev"));
    let mut client =
        machine.spawn([&["docker", "-H", "unix:///run/pontoon/pontoon.sock"][..], request].concat());
    let begun = Instant::now();
    while !so(&fs::read_to_string(&devices).unwrap()) {
        assert!(begun.elapsed().as_secs() < 20, "{request:?} does nothing");
        thread::yield_now();
    }
    machine.kill_netd();
    client.child.wait().unwrap();
    machine.start_netd();
}

/// Whether container `cc` is in network `web`, of which both say the same.
fn is_in_web(machine: &Machine) -> bool {
    let format = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}";
    let container = machine.docker(["inspect", "-f", format, "cc"]).ok();
    let network =
        machine.docker(["network", "inspect", "-f", "{{range .Containers}}{{.Name}}{{end}}", "web"]).ok();
    let inside = container.split_whitespace().any(|name| name == "web");
    assert_eq!(inside, network == "cc", "the container is in {container:?}, in the network is {network:?}");
    inside
}

#[test]
fn a_connect_or_disconnect_that_was_cut_short_can_be_repeated() {
    let mut machine = Lab::new().machine("aa");
    machine.docker(["network", "create", "web"]).ok();
    machine.start("cc", &["-p", "8080:80"], &["sleep", "1000"]);
    let pid = machine.docker(["inspect", "-f", "{{.State.Pid}}", "cc"]).ok();
    for _ in 0..3 {
        let connect = ["network", "connect", "--gw-priority", "1", "web", "cc"];
        kill_during(&mut machine, &connect, &pid, |devices| devices.contains("eth1"));
        if !is_in_web(&machine) {
            machine.docker(["network", "connect", "web", "cc"]).ok();
        }
        assert!(machine.within("cc", &["ip", "-4", "route"]).contains("default via"));
        machine.pontoon(["doctor"]).ok();
        let disconnect = ["network", "disconnect", "web", "cc"];
        kill_during(&mut machine, &disconnect, &pid, |devices| !devices.contains("eth1"));
        if is_in_web_by_the_container(&machine) {
            machine.docker(disconnect).ok();
        }
        assert!(!is_in_web(&machine));
        assert_eq!(machine.docker(["port", "cc", "80"]).ok().lines().next(), Some("0.0.0.0:8080"));
        machine.pontoon(["doctor"]).ok();
    }
    machine.docker(["network", "rm", "web"]).ok();
}

/// As it is after a disconnect that was cut short: the next start would join it again.
fn is_in_web_by_the_container(machine: &Machine) -> bool {
    machine.docker(["inspect", "-f", "{{json .NetworkSettings.Networks}}", "cc"]).ok().contains("\"web\"")
}

#[test]
fn what_ended_without_netd_leaves_no_port_open() {
    let mut machine = Lab::new().machine("aa");
    let client = machine.lan("client");
    machine.docker(["network", "create", "--subnet", "10.77.0.0/24", "web"]).ok();
    let options = ["--network", "web", "--ip", "10.77.0.3"];
    machine.start("cc", &[&options[..], &["-p", "8001:80"]].concat(), &["sleep", "1000"]);
    let pid = machine.docker(["inspect", "-f", "{{.State.Pid}}", "cc"]).ok();
    machine.kill_netd();
    machine.exec(["kill", "-KILL", &pid]).ok();
    machine.start_netd();
    eventually("netd knows", || {
        let state = machine.docker(["inspect", "-f", "{{.State.Status}}", "cc"]).ok();
        if state == "exited" { Ok(()) } else { Err(state) }
    });
    let rules = machine.sh("nft list ruleset").ok();
    assert!(!rules.contains("10.77.0.3"), "{rules}");
    machine.docker(["rm", "cc"]).ok();
    // Whoever has the address next publishes nothing.
    machine.start("next", &options, &["nc", "-lk", "80"]);
    eventually("it listens", || machine.docker(["exec", "next", "nc", "-z", "127.0.0.1", "80"]).result());
    client.exec(["nc", "-z", "-w1", &client.gateway(), "8001"]).fails(1);
    machine.start("other", &["-p", "8001:80"], &["sleep", "1000"]);
}
