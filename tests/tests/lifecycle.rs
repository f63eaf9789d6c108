//! A container's life, driven by `pontoon`.

use std::{
    io::{Read, Write},
    time::{Duration, Instant},
};

use tests::{Lab, Machine, Output, eventually};

fn state(machine: &Machine, container: &str) -> String {
    machine.pontoon(["inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", container]).ok()
}

#[test]
fn exit_codes_are_the_processes_or_say_who_failed() {
    let machine = Lab::new().machine("aa");
    machine.pontoon(["run", "--rm", "host", "true"]).ok();
    machine.pontoon(["run", "--rm", "host", "sh", "-c", "exit 7"]).fails(7);
    machine.pontoon(["run", "--rm", "host", "sh", "-c", "sh -c 'kill -TERM $$'"]).fails(143);
    let error = machine.pontoon(["run", "--rm", "host", "no-such-command"]).fails(127);
    assert!(error.contains("executable file not found"), "{error}");
    let error = machine.pontoon(["run", "--rm", "host", "/etc/hostname"]).fails(126);
    assert!(error.contains("permission denied"), "{error}");
    let error = machine.pontoon(["run", "--rm", "--network", "nowhere", "host", "true"]).fails(125);
    assert!(error.contains("network nowhere not found"), "{error}");
    machine.pontoon(["run", "--no-such-flag", "host"]).fails(125);
    let error = machine.pontoon(["run", "--rm", "busybox", "true"]).fails(125);
    assert!(error.contains("busybox"), "{error}");
    assert_eq!(machine.pontoon(["ps", "-aq"]).ok(), "");
}

#[test]
fn output_is_passed_on_stream_by_stream() {
    let machine = Lab::new().machine("aa");
    let output = machine.pontoon(["run", "--rm", "host", "sh", "-c", "echo out; echo err >&2"]);
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("out", "err"));
    let mut cat = machine.spawn(machine.pontoon_words(&["run", "-i", "--rm", "host", "cat"]));
    cat.child.stdin.take().unwrap().write_all(b"through\n").unwrap();
    let mut text = String::new();
    cat.child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "through\n");
    assert!(cat.child.wait().unwrap().success());
}

#[test]
fn stop_start_restart_kill_wait_rm() {
    let machine = Lab::new().machine("aa");
    machine.pontoon(["network", "create", "web"]).ok();
    let line = [
        "run",
        "-d",
        "--name",
        "web-1",
        "--network",
        "web",
        "host",
        "sh",
        "-c",
        "trap 'exit 5' TERM; while :; do sleep 0.1; done",
    ];
    let id = machine.pontoon(line).ok();
    assert_eq!(id.len(), 64);
    let address =
        || machine.pontoon(["inspect", "-f", "{{.NetworkSettings.Networks.web.IPAddress}}", "web-1"]).ok();
    let first = address();
    assert_eq!(state(&machine, "web-1"), "running 0");
    eventually("the trap is set", || machine.pontoon(["exec", "web-1", "pgrep", "sleep"]).result());
    machine.pontoon(["stop", "web-1"]).ok();
    assert_eq!(state(&machine, "web-1"), "exited 5");
    assert!(machine.pontoon(["ps", "-a"]).ok().contains("Exited (5)"));
    assert_eq!(machine.pontoon(["ps", "-q"]).ok(), "");

    machine.start("greedy", &["--network", "web"], &["sleep", "1000"]);
    assert_eq!(machine.pontoon(["start", "web-1"]).ok(), "web-1");
    assert_eq!(address(), first, "an address stays with its container");
    machine.pontoon(["restart", "-t", "0", "web-1"]).ok();
    assert_eq!((state(&machine, "web-1").as_str(), address()), ("running 0", first));

    let error = machine.pontoon(["rm", "web-1"]).fails(1);
    assert!(
        error.contains("container is running: stop the container before removing or force remove"),
        "{error}"
    );
    machine.pontoon(["kill", "web-1"]).ok();
    assert_eq!(machine.pontoon(["wait", "web-1"]).ok(), "137");
    machine.pontoon(["rm", "web-1"]).ok();
    let error = machine.pontoon(["inspect", "web-1"]).fails(1);
    assert!(error.to_lowercase().contains("no such"), "{error}");
    let error = machine.pontoon(["start", "web-1"]).fails(1);
    assert!(error.contains("No such container: web-1"), "{error}");
}

#[test]
fn requests_that_wait_for_an_end_hear_what_became_of_the_container() {
    let machine = Lab::new().machine("aa");
    let stubborn = ["sh", "-c", "trap 'echo told' TERM; echo set; while :; do sleep 0.1; done"];
    let start = |name: &str| {
        machine.start(name, &[], &stubborn);
        logged(&machine, name, "set");
    };
    let ask = |args: &[&str]| machine.spawn(machine.pontoon_words(args));
    start("c1");
    let mut restarts = [ask(&["restart", "-t", "1", "c1"]), ask(&["restart", "-t", "1", "c1"])];
    for restart in &mut restarts {
        assert!(restart.child.wait().unwrap().success());
    }
    assert_eq!(state(&machine, "c1"), "running 0");

    start("c2");
    let mut restart = ask(&["restart", "-t", "600", "c2"]);
    logged(&machine, "c2", "told");
    machine.pontoon(["rm", "-f", "c2"]).ok();
    let mut text = String::new();
    restart.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(text.contains("No such container: c2"), "{text}");
}

fn logged(machine: &Machine, container: &str, line: &str) {
    eventually("it has said so", || {
        let logs = machine.pontoon(["logs", container]).ok();
        if logs.lines().any(|said| said == line) { Ok(()) } else { Err(logs) }
    });
}

#[test]
fn exec_with_and_without_a_terminal() {
    let machine = Lab::new().machine("aa");
    machine.start("cc", &[], &["sleep", "1000"]);
    assert_eq!(
        machine.pontoon(["exec", "-e", "A=b", "-w", "/usr", "cc", "sh", "-c", "echo $A $PWD"]).ok(),
        "b /usr"
    );
    machine.pontoon(["exec", "cc", "sh", "-c", "exit 9"]).fails(9);
    // As with Docker, the reason comes on the stream that the process would have written to.
    let output = machine.pontoon(["exec", "cc", "no-such-command"]);
    assert!(output.stdout.contains("executable file not found"), "{output:?}");
    output.fails(127);
    let pontoon = machine.pontoon_words(&["exec", "-it", "cc"]).join(" ");
    let line = format!("stty rows 33 cols 99; {pontoon} sh -c 'tty; stty size'");
    // Its standard input stays open: at the end of it, script types an end of file into the terminal.
    let mut script = machine.spawn(["script", "-qec", &line, "/dev/null"]);
    let mut seen = String::new();
    script.child.stdout.take().unwrap().read_to_string(&mut seen).unwrap();
    assert!(seen.contains("/dev/pts/") && seen.contains("33 99"), "{seen}");
}

#[test]
fn logs_are_kept_and_followed() {
    let machine = Lab::new().machine("aa");
    let line = [
        "run",
        "-d",
        "--name",
        "cc",
        "host",
        "sh",
        "-c",
        "echo one; echo two >&2; read x < /proc/self/fd/0; sleep 1000",
    ];
    machine.pontoon(line).ok();
    eventually("both lines are logged", || {
        let logs = machine.pontoon(["logs", "cc"]);
        if (logs.stdout.as_str(), logs.stderr.as_str()) == ("one", "two") { Ok(()) } else { Err(logs) }
    });
    assert_eq!(machine.pontoon(["logs", "--tail", "0", "cc"]).ok(), "");
    assert!(machine.pontoon(["logs", "-t", "cc"]).ok().starts_with("20"), "a time stands before the line");
    let mut follow = machine.spawn(machine.pontoon_words(&["logs", "-f", "cc"]));
    machine.pontoon(["kill", "cc"]).ok();
    let ended = eventually("following ends with the container", || {
        follow.child.try_wait().unwrap().ok_or("still there")
    });
    assert!(ended.success());
}

#[test]
fn names_are_unique_and_legal() {
    let machine = Lab::new().machine("aa");
    machine.pontoon(["create", "--name", "cc", "host", "true"]).ok();
    let error = machine.pontoon(["create", "--name", "cc", "host", "true"]).fails(1);
    assert!(error.contains("The container name \"/cc\" is already in use by container"), "{error}");
    let error = machine.pontoon(["run", "--name", "-bad/", "host", "true"]).fails(125);
    assert!(error.to_lowercase().contains("invalid container name"), "{error}");
    assert_eq!(state(&machine, "cc"), "created 0");
}

#[test]
fn a_failing_container_is_started_again_as_its_policy_says() {
    let machine = Lab::new().machine("aa");
    machine.start("cc", &["--restart", "on-failure:2"], &["false"]);
    eventually("it was tried three times", || {
        let seen = machine.pontoon(["inspect", "-f", "{{.RestartCount}} {{.State.Status}}", "cc"]).ok();
        if seen == "2 exited" { Ok(()) } else { Err(seen) }
    });
}

fn kill_shim(machine: &Machine, id: &str) -> Output {
    let state = format!("/run/pontoon/containers/{id}/state.json");
    machine.sh(&format!(r#"kill -9 $(sed 's/.*"shim_pid":\([0-9]*\).*/\1/' {state})"#))
}

#[test]
fn a_container_ends_with_its_shim_and_starts_again() {
    let machine = Lab::new().machine("aa");
    machine.pontoon(["network", "create", "web"]).ok();
    let namespaces = || machine.sh("ls /run/netns | grep -v pool; ip -br link | grep -c veth").stdout;
    let nothing = namespaces();
    // Processes that don't end by themselves with the shim: of an OCI runtime, in the machine's pid namespace, frozen.
    let kinds = [
        ("c1", &["--network", "web"][..]),
        ("c2", &["--pid", "host"]),
        ("c3", &["--runtime", "runc"]),
        ("c4", &["--runtime", "runc"]),
        ("c5", &[]),
    ];
    let line = ["sh", "-c", "sleep 1234 & exec sleep 1234"];
    let all = kinds.map(|(name, args)| (name, machine.start(name, args, &line)));
    machine.pontoon(["pause", "c4", "c5"]).ok();
    for (name, id) in &all {
        kill_shim(&machine, id).ok();
        assert_eq!(machine.pontoon(["wait", name]).ok(), "137");
        assert_eq!(state(&machine, name), "exited 137");
    }
    assert_eq!(machine.sh("pgrep -fx 'sleep 1234'").stdout, "", "a process outlives its shim");
    assert_eq!(namespaces(), nothing);
    for (name, _) in &all {
        machine.pontoon(["start", name]).ok();
        assert_eq!(state(&machine, name), "running 0");
    }

    // Whatever is asked for while it ends is done.
    for (request, (name, id)) in [&["stop"][..], &["restart", "-t", "0"], &["rm", "-f"]].iter().zip(&all) {
        kill_shim(&machine, id).ok();
        machine.pontoon(request.iter().copied().chain([*name])).ok();
    }
    assert_eq!((state(&machine, "c1").as_str(), state(&machine, "c2").as_str()), ("exited 137", "running 0"));
    let id = machine.start("c6", &["--restart", "on-failure"], &["sleep", "1000"]);
    let mut wait = machine.spawn(machine.pontoon_words(&["wait", "c6"]));
    // Again and again: whoever waits may come late, and then hears of the next end.
    eventually("the end is told", || {
        let killed = kill_shim(&machine, &id);
        wait.child.try_wait().unwrap().ok_or(killed)
    });
    eventually("its policy starts it again", || {
        let seen = state(&machine, "c6");
        if seen == "running 0" { Ok(()) } else { Err(seen) }
    });
    kill_shim(&machine, &machine.start("c7", &["--rm"], &["sleep", "1000"])).ok();
    eventually("what --rm made is gone", || {
        let names = machine.pontoon(["ps", "-a", "--format", "{{.Names}}"]).ok();
        if names.contains("c7") { Err(names) } else { Ok(()) }
    });
}

#[test]
fn the_host_image_hides_the_machines_secrets() {
    let machine = Lab::new().machine("aa");
    let seen =
        machine.pontoon(["run", "--rm", "host", "sh", "-c", "ls -A /root; ls /run/pontoon; cat /etc/shadow"]);
    assert_eq!(seen.stdout, "", "{seen:?}");
    let line = ["run", "--rm", "host", "sh", "-c", "touch /etc/mine && rm /etc/passwd && ls /etc/mine"];
    assert_eq!(machine.pontoon(line).ok(), "/etc/mine");
    assert!(machine.exec(["test", "-e", "/etc/passwd"]).status.success());
    assert!(!machine.exec(["test", "-e", "/etc/mine"]).status.success());
}

#[test]
fn a_root_folder_instead_of_an_image() {
    let machine = Lab::new().machine("aa");
    machine.sh("mkdir -p /run/lab/root/bin && cp $(command -v busybox) /run/lab/root/bin/sh").ok();
    let seen = machine.pontoon(["run", "--rm", "--rootfs", "/run/lab/root", "sh", "-c", "echo /*"]).ok();
    assert!(seen.contains("/bin") && !seen.contains("/home"), "{seen}");
    let error = machine.pontoon(["run", "--rm", "--rootfs", "/run/lab/nothing", "sh"]).fails(125);
    assert!(error.contains("/run/lab/nothing"), "{error}");
}

#[test]
fn an_oci_runtime_by_name_runs_the_same_bundle() {
    let machine = Lab::new().machine("aa");
    machine.pontoon(["network", "create", "web"]).ok();
    let line = [
        "run",
        "--rm",
        "--runtime",
        "runc",
        "--network",
        "web",
        "host",
        "sh",
        "-c",
        "ip -o -4 address show eth0; exit 3",
    ];
    let output = machine.pontoon(line);
    assert!(output.stdout.contains("eth0"), "{output:?}");
    assert_eq!(output.status.code(), Some(3));
}

/// It ran for long before: that it ran says nothing about starts that fail since.
#[test]
fn a_start_that_fails_is_tried_again_less_and_less_often() {
    let machine = Lab::new().machine("aa");
    machine.exec(["ip", "address", "add", "10.77.0.1/32", "dev", "lo"]).ok();
    machine.start("cc", &["--restart", "always", "-p", "10.77.0.1:9402:80"], &["sleep", "10.5"]);
    machine.exec(["ip", "address", "del", "10.77.0.1/32", "dev", "lo"]).ok();
    let tries = || machine.pontoon(["inspect", "-f", "{{.RestartCount}}", "cc"]).ok().parse::<u32>().unwrap();
    let at_least = |wanted| {
        eventually("it is tried again", || match tries() {
            enough if enough >= wanted => Ok(enough),
            so_far => Err(so_far),
        })
    };
    let first = at_least(1);
    let begun = Instant::now();
    at_least(5);
    // Waits of 0.2, 0.4, 0.8 and 1.6 seconds lie between; a busy machine makes them longer only.
    let took = begun.elapsed();
    assert!(first < 5 && took >= Duration::from_secs(1), "tries {first} to 5 within {took:?}");
}
