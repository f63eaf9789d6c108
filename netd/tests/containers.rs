//! Starts that fail in every phase, and daemons that are killed at any moment: nothing is left, and what runs goes on.

use std::time::{Duration, Instant};

use tests::{Lab, Machine, NetdOptions, Output, eventually, until};

/// What a start makes: links, namespaces, shims, mounts.
fn objects(machine: &Machine) -> String {
    let look = "ip -o link | wc -l; ls /run/netns | grep -v pool; ls /run/pontoon/containers; \
                nft list ruleset | grep -v counter; awk '{print $5}' /proc/self/mountinfo | sort";
    machine.sh(look).stdout
}

fn nothing_new(machine: &Machine, before: &str) {
    eventually("nothing is left", || {
        let now = objects(machine);
        if now == before { Ok(()) } else { Err(format!("{now}\nbefore:\n{before}")) }
    });
}

fn run(machine: &Machine, args: &[&str]) -> Output {
    machine.docker(["run", "--rm", "--network", "web"].iter().chain(args).copied())
}

fn with_network(options: NetdOptions) -> Machine {
    let machine = Lab::new().machine_with("a", options);
    machine.docker(["network", "create", "--subnet", "192.168.5.0/24", "web"]).ok();
    machine
}

#[test]
fn a_start_that_fails_in_any_phase_leaves_nothing() {
    let machine = with_network(NetdOptions::default());
    let _held = machine.spawn(["socat", "TCP-LISTEN:7777,bind=0.0.0.0", "-"]);
    eventually("the port is held", || machine.sh("ss -ltn | grep :7777").result());
    machine.sh("echo file > /run/lab/file").ok();
    let before = objects(&machine);
    for (args, code, text) in [
        // The network: a port of somebody else, an address that can't be, a network that is not there.
        (&["-p", "7777:80", "host", "true"][..], 125, "address already in use"),
        (&["-p", "203.0.113.1:80:80", "host", "true"], 125, "203.0.113.1"),
        (&["--ip", "192.168.6.1", "host", "true"], 125, "192.168.6.1"),
        // The root: sources that are not there or can't be made.
        (
            &["--mount", "type=bind,src=/nowhere,dst=/y", "host", "true"],
            125,
            "bind source path does not exist",
        ),
        (&["-v", "/run/lab/file/below:/x", "host", "true"], 125, "/run/lab/file"),
        // Between the two and the process: what the runtime finds out.
        (&["--user", "nobody-of-that-name", "host", "true"], 125, "nobody-of-that-name"),
        (&["-w", "/etc/hostname", "host", "true"], 125, "/etc/hostname"),
        (&["--runtime", "no-such-runtime", "host", "true"], 125, "no-such-runtime"),
        (&["-m", "1k", "host", "true"], 125, "Minimum memory limit allowed is 6MB"),
        // The process itself.
        (&["host", "no-such-command"], 127, "executable file not found"),
        (&["host", "/nowhere"], 127, "no such file or directory"),
        (&["host", "/etc/hostname"], 126, "permission denied"),
    ] {
        let error = run(&machine, args).fails(code);
        assert!(error.contains(text), "{args:?}: {error}");
        nothing_new(&machine, &before);
        assert_eq!(machine.docker(["ps", "-aq"]).ok(), "", "{args:?}");
    }
    assert!(!machine.exec(["test", "-e", "/nowhere"]).status.success());
    machine.exec(["pkill", "-x", "socat"]).ok();
}

#[test]
fn what_failed_can_be_tried_again() {
    let machine = with_network(NetdOptions::default());
    let _held = machine.spawn(["socat", "TCP-LISTEN:7777,bind=0.0.0.0", "-"]);
    eventually("the port is held", || machine.sh("ss -ltn | grep :7777").result());
    let line = ["run", "-d", "--name", "c1", "--network", "web", "-p", "7777:80", "host", "sleep", "1000"];
    let before = objects(&machine);
    machine.docker(line).fails(125);
    nothing_new(&machine, &before);
    let state = "{{.State.Status}} {{.State.Running}}";
    assert_eq!(machine.docker(["inspect", "-f", state, "c1"]).ok(), "created false");
    assert!(machine.docker(["inspect", "-f", "{{.State.Error}}", "c1"]).ok().contains("7777"));
    machine.exec(["pkill", "-x", "socat"]).ok();
    eventually("the port is free", || {
        let held = machine.sh("ss -ltn | grep :7777").stdout;
        if held.is_empty() { Ok(()) } else { Err(held) }
    });
    machine.docker(["start", "c1"]).ok();
    assert_eq!(machine.docker(["inspect", "-f", "{{.State.Status}}{{.State.Error}}", "c1"]).ok(), "running");
    machine.docker(["rm", "-f", "c1"]).ok();
    nothing_new(&machine, &before);
}

#[test]
fn a_data_root_that_became_read_only_is_said_so() {
    let machine = with_network(NetdOptions::default());
    machine.docker(["create", "--name", "c1", "--network", "web", "host", "true"]).ok();
    let before = objects(&machine);
    let dir = "/run/lab/data/containers";
    machine.sh(&format!("mount --bind {dir} {dir} && mount -o remount,bind,ro {dir}")).ok();
    let error = run(&machine, &["host", "true"]).fails(125);
    assert!(error.contains("Read-only file system") && error.contains(dir), "{error}");
    let error = machine.docker(["start", "c1"]).fails(1);
    assert!(error.contains("Read-only file system"), "{error}");
    machine.sh(&format!("umount {dir}")).ok();
    nothing_new(&machine, &before);
    machine.docker(["start", "c1"]).ok();
    assert_eq!(machine.docker(["wait", "c1"]).ok(), "0");
}

#[test]
fn a_shim_that_dies_at_once_is_said_so() {
    let args = ["--shim", "/bin/false"].map(str::to_owned).to_vec();
    let machine = with_network(NetdOptions { args, ..NetdOptions::default() });
    let before = objects(&machine);
    let error = run(&machine, &["host", "true"]).fails(125);
    assert!(error.contains("shim"), "{error}");
    nothing_new(&machine, &before);
    assert_eq!(machine.docker(["ps", "-aq"]).ok(), "");
}

#[test]
fn a_daemon_killed_at_any_moment_leaves_nothing() {
    let mut machine = with_network(NetdOptions::default());
    machine.docker(["run", "-d", "--name", "steady", "--network", "web", "host", "sleep", "1000"]).ok();
    for round in 0..6_u64 {
        let line = "for i in 1 2 3; do docker -H unix:///run/pontoon/pontoon.sock run --rm --network web -p 80$i:80 \
                    host true & done; wait";
        let mut clients = machine.spawn(["bash", "-c", line]);
        let begun = Instant::now();
        // Not a wait for something: a moment that differs from round to round.
        let moment = Duration::from_millis(20 + 35 * round);
        while begun.elapsed() < moment {
            std::thread::yield_now();
        }
        machine.kill_netd();
        let _ = until(Duration::from_secs(20), "the clients have given up", || {
            clients.child.try_wait().unwrap().ok_or("still there")
        });
        machine.start_netd();
        eventually("only the steady one is left", || {
            let names = machine.docker(["ps", "-a", "--format", "{{.Names}} {{.State}}"]).ok();
            let kept: Vec<_> = names.lines().filter(|line| !line.ends_with(" created")).collect();
            if kept == ["steady running"] { Ok(()) } else { Err(names) }
        });
        // Containers that were made and never started are declared, and stay until somebody removes them.
        let made = machine.docker(["ps", "-aq", "--filter", "status=created"]).ok();
        if !made.is_empty() {
            machine.docker(["rm"].into_iter().chain(made.lines())).ok();
        }
        machine.docker(["exec", "steady", "true"]).ok();
        eventually("one namespace, one shim", || {
            let seen = machine.sh("ls /run/netns | grep -vc pool; ls /run/pontoon/containers | wc -l").stdout;
            if seen == "1\n1" { Ok(()) } else { Err(seen) }
        });
    }
}

/// Name and state of all containers, by name.
fn states(machine: &Machine) -> Vec<String> {
    let mut all: Vec<_> = machine
        .docker(["ps", "-a", "--format", "{{.Names}} {{.State}}"])
        .ok()
        .lines()
        .map(str::to_owned)
        .collect();
    all.sort_unstable();
    all
}

#[test]
fn a_new_daemon_goes_on_where_the_old_one_was() {
    let mut machine = with_network(NetdOptions::default());
    // A process that ends when it is told to: the first of a pid namespace has no default signal handlers.
    let patient = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"];
    let run = |args: &[&str]| {
        machine.docker([&["run", "-d"], args, &["host"], &patient].concat()).ok();
    };
    run(&["--name", "always", "--restart", "always"]);
    run(&["--name", "frozen", "--network", "web"]);
    run(&["--name", "plain", "--network", "host"]);
    run(&["--name", "shares", "--network", "container:plain"]);
    run(&["--name", "stopped", "--restart", "unless-stopped"]);
    run(&["--name", "unless", "--restart", "unless-stopped"]);
    run(&["--rm", "--name", "vanishes"]);
    machine.docker(["create", "--rm", "--name", "waits", "host", "true"]).ok();
    machine.docker(["pause", "frozen"]).ok();
    machine.docker(["stop", "-t", "0", "stopped"]).ok();

    machine.kill_netd();
    machine.start_netd();
    let expected = [
        "always running",
        "frozen paused",
        "plain running",
        "shares running",
        "stopped exited",
        "unless running",
        "vanishes running",
        "waits created",
    ];
    assert_eq!(states(&machine), expected);
    machine.docker(["unpause", "frozen"]).ok();
    machine.docker(["exec", "frozen", "true"]).ok();

    // A clean stop ends them all; what is to run runs again, what was to vanish has vanished.
    machine.stop_netd();
    machine.start_netd();
    let expected = [
        "always running",
        "frozen exited",
        "plain exited",
        "shares exited",
        "stopped exited",
        "unless running",
        "waits created",
    ];
    eventually("policies apply", || {
        let now = states(&machine);
        if now == expected { Ok(()) } else { Err(now) }
    });
}
