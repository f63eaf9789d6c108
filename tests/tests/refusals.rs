//! Daemons and clients that can't work say why, and leave nothing.

use tests::{Lab, NetdOptions};

#[test]
fn a_second_netd_of_one_host_is_refused() {
    let machine = Lab::new().machine("a");
    let output = machine.exec(machine.netd_command());
    assert!(!output.status.success());
    assert!(output.stderr.contains("/run/pontoon"), "{output:?}");
    machine.pontoon(["network", "ls"]).ok();
}

#[test]
fn a_configuration_that_can_not_be_meant_is_refused() {
    let machine = Lab::new().machine("a");
    for (config, text) in [
        ("{", "EOF"),
        (r#"{"bipp": "10.0.0.1/8"}"#, "bipp"),
        (r#"{"bip": "10.0.0.0.1/8"}"#, "10.0.0.0.1/8"),
        (r#"{"mtu": -5}"#, "-5"),
    ] {
        std::fs::write(machine.path("/run/lab/bad.json"), config).unwrap();
        let mut command = machine.netd_command();
        command.extend(
            ["--exec-root", "/run/lab/exec", "--config-file", "/run/lab/bad.json"].map(str::to_owned),
        );
        let output = machine.exec(command);
        assert!(!output.status.success() && output.stderr.contains(text), "{config}: {output:?}");
    }
}

#[test]
fn a_data_root_that_can_not_be_written_is_refused() {
    let machine = Lab::new().machine("a");
    machine.sh("mkdir /run/lab/ro && mount -t tmpfs -o ro tmpfs /run/lab/ro").ok();
    let netd = &machine.netd_command()[0];
    let roots =
        ["--data-root", "/run/lab/ro", "--exec-root", "/run/lab/exec", "-H", "unix:///run/lab/other.sock"];
    let output = machine.exec([netd.as_str()].iter().chain(&roots));
    assert!(!output.status.success());
    assert!(output.stderr.contains("/run/lab/ro") && output.stderr.contains("ead-only"), "{output:?}");
    machine.sh("umount /run/lab/ro && rm -r /run/lab/ro").ok();
}

#[test]
fn a_socket_that_is_not_ours_is_left_alone() {
    let machine = Lab::new().machine("a");
    machine.sh("echo precious > /run/lab/file").ok();
    let netd = &machine.netd_command()[0];
    let roots =
        ["--data-root", "/run/lab/data2", "--exec-root", "/run/lab/exec2", "-H", "unix:///run/lab/file"];
    let output = machine.exec([netd.as_str()].iter().chain(&roots));
    assert!(!output.status.success() && output.stderr.contains("/run/lab/file"), "{output:?}");
    assert_eq!(machine.sh("cat /run/lab/file").ok(), "precious");
}

#[test]
fn without_a_daemon_the_client_says_how_to_start_one() {
    let host = Lab::new().machine("a");
    let words = host.pontoon_words(&["-H", "unix:///run/lab/nobody.sock", "ps"]);
    let error = host.exec(words).fails(1);
    assert!(error.contains("pontoon daemon start") && error.contains("/run/lab/nobody.sock"), "{error}");
    let words = host.pontoon_words(&["-H", "unix:///run/lab/nobody.sock", "run", "host", "true"]);
    host.exec(words).fails(125);
}

#[test]
fn a_log_that_can_not_be_written_stops_nothing() {
    let machine = Lab::new().machine("aa");
    let netd = machine.netd_command()[0].clone();
    let other = "--data-root /run/lab/data2 --exec-root /run/lab/exec2 -H unix:///run/lab/other.sock -b none";
    let line = format!("{netd} {other} -D 2>/dev/full");
    let mut daemon = machine.spawn(["bash", "-c", &format!("exec {line}")]);
    tests::eventually("it answers", || {
        assert!(daemon.child.try_wait().unwrap().is_none(), "it has ended");
        machine.exec(["curl", "-sS", "--unix-socket", "/run/lab/other.sock", "http://netd/_ping"]).result()
    });
    machine.exec(["pkill", "-TERM", "-f", "/run/lab/data2"]).ok();
    assert!(tests::eventually("it has stopped", || daemon.child.try_wait().unwrap().ok_or(())).success());
}

#[test]
fn netd_needs_root() {
    let machine = Lab::new().machine("a");
    let netd = machine.netd_command();
    let words = ["setpriv", "--reuid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"];
    machine.sh(&format!("cp {} /run/lab/netd && chmod 755 /run/lab/netd", netd[0])).ok();
    let output = machine.exec(words.iter().chain(&["/run/lab/netd"]));
    assert!(!output.status.success() && output.stderr.contains("root"), "{output:?}");
}

#[test]
fn a_start_that_fails_at_any_step_leaves_nothing() {
    let lab = Lab::new();
    let machine = lab.machine_with("a", NetdOptions::default());
    machine.pontoon(["network", "create", "--subnet", "192.168.5.0/24", "web"]).ok();
    let objects = || {
        let look = "ip -o link | wc -l; ls /run/netns | grep -v pool; nft list ruleset | grep -v counter; ls /run/pontoon/containers";
        machine.sh(look).stdout
    };
    let before = objects();
    for (args, code) in [
        (&["--user", "nobody-of-that-name", "host", "true"][..], 125),
        (
            &[
                "-v",
                "/run/lab/does-not-exist/x:/x:ro",
                "--mount",
                "type=bind,src=/nowhere,dst=/y",
                "host",
                "true",
            ],
            125,
        ),
        (&["-p", "1.2.3.4:80:80", "host", "true"], 125),
        (&["--sysctl", "net.no.such=1", "host", "true"], 125),
        (&["--ip", "192.168.6.1", "host", "true"], 125),
        (&["--runtime", "no-such-runtime", "host", "true"], 125),
        (&["-w", "/etc/hostname", "host", "true"], 125),
        (&["--rootfs", "/nowhere", "true"], 125),
        (&["host", "/nowhere"], 127),
    ] {
        let line = ["run", "--rm", "--network", "web"].iter().chain(args);
        let output = machine.pontoon(line.copied());
        let acceptable = [Some(code), Some(126), Some(127)];
        assert!(acceptable.contains(&output.status.code()), "{args:?}: {output:?}");
        assert!(!output.stderr.is_empty(), "{args:?}");
        tests::eventually("nothing is left", || {
            let now = objects();
            if now == before { Ok(()) } else { Err(format!("{args:?}\n{now}\nbefore:\n{before}")) }
        });
    }
    assert_eq!(machine.pontoon(["ps", "-aq"]).ok(), "");
}

#[test]
fn a_container_can_t_be_called_as_an_attached_namespace() {
    let machine = Lab::new().machine("aa");
    machine.pontoon(["network", "create", "web"]).ok();
    machine.sh("mkdir -p /run/lab/ns; ip netns add blue && touch /run/lab/ns/blue").ok();
    machine.sh("mount --bind /run/netns/blue /run/lab/ns/blue && ip netns del blue").ok();
    machine.pontoon(["netns", "attach", "--name", "azure", "/run/lab/ns/blue", "web"]).ok();
    let id = machine.curl("/pontoon/namespaces").json()[0]["Id"].as_str().unwrap().to_owned();
    let conflict = format!(
        "Conflict. The container name \"/azure\" is already in use by container \"{id}\". You have to remove (or rename) that container to be able to reuse that name."
    );
    let said = machine.docker(["create", "--name", "azure", "host", "true"]).fails(1);
    assert_eq!(said, format!("Error response from daemon: {conflict}"));
    machine.docker(["create", "--name", "c1", "host", "true"]).ok();
    let said = machine.docker(["rename", "c1", "azure"]).fails(1);
    assert!(said.starts_with(&format!("Error response from daemon: {conflict}")), "{said}");
    let said = machine.pontoon(["netns", "attach", "--name", "c1", "/run/lab/ns/blue", "bridge"]).fails(1);
    assert!(said.contains("The container name \"/c1\" is already in use by container"), "{said}");

    machine.pontoon(["netns", "detach", "/run/lab/ns/blue", "web"]).ok();
    machine.docker(["rename", "c1", "azure"]).ok();
    machine.sh("umount /run/lab/ns/blue").ok();
}
