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

/// While netd was down a program took one port of a container, and the address of another was taken off the host.
#[test]
fn a_port_that_is_lost_meanwhile_costs_a_container_nothing_else() {
    let mut machine = Lab::new().machine("aa");
    machine.pontoon(["network", "create", "-o", "com.docker.network.bridge.name=br-n1", "n1"]).ok();
    machine.pontoon(["network", "create", "n2"]).ok();
    machine.exec(["ip", "address", "add", "10.77.0.1/32", "dev", "lo"]).ok();
    let server = ["socat", "TCP-LISTEN:80,fork,reuseaddr", "SYSTEM:echo w1"];
    let ports = ["-p", "9000:80", "-p", "[::1]:9003:80", "-p", "10.77.0.1:9004:80"];
    machine.start("w1", &[&["--network", "n1"][..], &ports].concat(), &server);
    let ask = |machine: &Machine, to: &str| {
        let answer = machine.exec(["socat", "-t3", "-", &format!("TCP:{to},connect-timeout=2")]);
        if answer.stdout == "w1" { Ok(()) } else { Err(answer) }
    };
    let listed = |machine: &Machine| machine.docker(["port", "w1"]).ok();
    let before = listed(&machine);
    machine.kill_netd();
    machine.exec(["ip", "address", "del", "10.77.0.1/32", "dev", "lo"]).ok();
    let _thief = machine.spawn(["socat", "TCP4-LISTEN:9000,fork", "EXEC:true"]);
    eventually("the program listens", || machine.sh("ss -Hltn sport = :9000 | grep .").result());
    machine.start_netd();

    let log = machine.log();
    assert!(log.contains("9000/tcp: address already in use (by socat, pid "), "{log}");
    assert!(log.contains("10.77.0.1:9004/tcp: cannot assign requested address"), "{log}");
    for to in ["127.0.0.1:9000", "[::1]:9000", "[::1]:9003"] {
        eventually(to, || ask(&machine, to));
    }
    assert_eq!(listed(&machine), before);
    let error = machine.docker(["run", "--rm", "-p", "9000:80", "host", "true"]).fails(125);
    assert!(error.contains("Bind for 0.0.0.0:9000 failed: port is already allocated"), "{error}");
    machine.pontoon(["port", "add", "w1", "9005:80"]).ok();
    eventually("a port is added", || ask(&machine, "127.0.0.1:9005"));

    machine.exec(["pkill", "-f", "^socat TCP4-LISTEN:9000"]).ok();
    machine.exec(["ip", "address", "add", "10.77.0.1/32", "dev", "lo"]).ok();
    // Whatever makes netd look at the host, which it does every half minute anyway.
    machine.exec(["ip", "link", "set", "br-n1", "mtu", "1400"]).ok();
    for (ip, port) in [("0.0.0.0", 9000), ("10.77.0.1", 9004)] {
        eventually("the port is held again", || {
            let log = machine.log();
            if log.contains(&format!("repaired object=\"port {ip}:{port}/tcp\"")) { Ok(()) } else { Err(log) }
        });
        let other = format!("TCP4-LISTEN:{port},bind={ip}");
        let refused = machine.exec(["timeout", "2", "socat", &other, "EXEC:true"]);
        assert!(refused.stderr.contains("Address already in use"), "{refused:?}");
    }
    machine.docker(["network", "connect", "n2", "w1"]).ok();
    machine.docker(["network", "disconnect", "n1", "w1"]).ok();
    machine.pontoon(["port", "rm", "w1", "10.77.0.1:9004:80"]).ok();
    for to in ["127.0.0.1:9000", "[::1]:9000", "[::1]:9003"] {
        eventually(to, || ask(&machine, to));
    }
    machine.exec(["ip", "address", "del", "10.77.0.1/32", "dev", "lo"]).ok();
}
