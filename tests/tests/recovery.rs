//! netd is killed, and nothing stops; a new one takes over.

use std::{io::Read, time::Duration};

use tests::{Lab, Machine, eventually, until};

#[test]
fn a_killed_netd_is_not_missed() {
    let lab = Lab::new();
    let mut machine = lab.machine("aa");
    let client = machine.lan("client");
    machine.pontoon(["network", "create", "web"]).ok();
    let says = "SYSTEM:echo c1 sees $SOCAT_PEERADDR";
    let server = ["socat", "TCP-LISTEN:8000,fork,reuseaddr", says];
    let id = machine.start("c1", &["--network", "web", "--net-alias", "search", "-p", "8080:8000"], &server);
    let second = machine.start("c2", &["--network", "web"], &["sleep", "1000"]);
    let address = |machine: &Machine, name: &str| {
        machine.pontoon(["inspect", "-f", "{{.NetworkSettings.Networks.web.IPAddress}}", name]).ok()
    };
    let addresses = [address(&machine, "c1"), address(&machine, "c2")];
    let there = format!("TCP:{}:8080,connect-timeout=2", client.gateway());
    let ask = || match client.exec(["socat", "-t3", "-", &there]) {
        answer if answer.stdout == format!("c1 sees {}", client.address()) => Ok(()),
        other => Err(other),
    };
    eventually("the server answers", ask);
    let inspected = machine.pontoon(["inspect", "-f", "{{json .NetworkSettings.Networks}}", "c1"]).ok();

    machine.kill_netd();
    ask().expect("the server answers without netd");
    let counted = |machine: &Machine| machine.sh("nft list map inet pontoon dnat4-any").ok();
    let before = counted(&machine);
    assert!(before.contains("counter packets"), "{before}");
    // Whichever of the two is adopted first must know the other.
    let dig = |id: &str, name: &str| {
        let namespace = format!("--net=/run/netns/pontoon-{}", &id[..12]);
        let words = ["nsenter", &namespace, "dig", "+short", "+tries=1", "+time=20", "@127.0.0.11", name];
        machine.spawn(words)
    };
    let waiting = [(dig(&id, "c2"), &addresses[1]), (dig(&second, "c1"), &addresses[0])];
    machine.start_netd();
    for (mut query, expected) in waiting {
        let ended = until(Duration::from_secs(25), "a query sent meanwhile ends", || {
            query.child.try_wait().unwrap().ok_or("still waiting")
        });
        let mut answer = String::new();
        query.child.stdout.take().unwrap().read_to_string(&mut answer).unwrap();
        assert!(ended.success());
        assert_eq!(answer.trim(), expected.as_str());
    }

    assert_eq!(counted(&machine), before, "a published port stays in the firewall");
    ask().expect("the server answers with a new netd");
    assert_eq!(
        machine.pontoon(["inspect", "-f", "{{json .NetworkSettings.Networks}}", "c1"]).ok(),
        inspected
    );
    machine.pontoon(["exec", "c2", "ping", "-c1", "-W5", "search"]).ok();
    let error = machine.pontoon(["run", "--rm", "-p", "8080:1", "host", "true"]).fails(125);
    assert!(error.contains("port is already allocated"), "{error}");
    machine.pontoon(["stop", "-t", "0", "c1"]).ok();
    machine.pontoon(["start", "c1"]).ok();
    eventually("the server answers again", ask);
}

#[test]
fn what_ended_without_netd_is_known_to_the_next() {
    let mut machine = Lab::new().machine("aa");
    let line = [
        "run",
        "-d",
        "--name",
        "cc",
        "host",
        "sh",
        "-c",
        "until [ -e /tmp/end ]; do sleep 0.05; done; exit 4",
    ];
    machine.pontoon(line).ok();
    machine.pontoon(["run", "-d", "--rm", "--name", "gone", "host", "sleep", "1000"]).ok();
    let pid = |name: &str| machine.pontoon(["inspect", "-f", "{{.State.Pid}}", name]).ok();
    let (first, second) = (pid("cc"), pid("gone"));
    machine.kill_netd();
    machine.exec(["nsenter", "-t", &first, "-m", "touch", "/tmp/end"]).ok();
    machine.exec(["kill", "-KILL", &second]).ok();
    for pid in [&first, &second] {
        eventually("the process has ended", || {
            match machine.sh(&format!("ps -o stat= -p {pid} | grep -v Z")).stdout {
                gone if gone.is_empty() => Ok(()),
                left => Err(left),
            }
        });
    }
    machine.start_netd();
    eventually("the exit is known", || {
        let seen = machine.pontoon(["inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "cc"]).ok();
        if seen == "exited 4" { Ok(()) } else { Err(seen) }
    });
    eventually("what --rm made is gone", || {
        let names = machine.pontoon(["ps", "-a", "--format", "{{.Names}}"]).ok();
        if names == "cc" { Ok(()) } else { Err(names) }
    });
}

#[test]
fn a_clean_stop_and_start_keeps_what_is_declared() {
    let mut machine = Lab::new().machine("aa");
    machine.pontoon(["network", "create", "--subnet", "192.168.9.0/24", "web"]).ok();
    machine.pontoon(["create", "--name", "cc", "--network", "web", "host", "sleep", "1000"]).ok();
    machine.stop_netd();
    machine.start_netd();
    let seen = machine.pontoon(["network", "inspect", "-f", "{{(index .IPAM.Config 0).Subnet}}", "web"]).ok();
    assert_eq!(seen, "192.168.9.0/24");
    machine.pontoon(["start", "cc"]).ok();
    machine.pontoon(["exec", "cc", "getent", "hosts", "cc"]).ok();
}
