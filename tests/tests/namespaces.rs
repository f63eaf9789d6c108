//! `pontoon netns`: namespaces of anybody, looked at, made, entered.

use tests::{Lab, Machine, Process, eventually};

/// A process that sleeps in a namespace, once it is there.
fn sleeper(machine: &Machine, name: &str) -> (Process, String) {
    let words = machine.pontoon_words(&["netns", "exec", name, "sleep", "1000"]);
    let process = machine.spawn(&words);
    let pid = eventually("it sleeps in the namespace", || {
        let seen = machine.pontoon(["netns", "ls", "--format", "{{.Name}} {{.Pids}}"]).ok();
        let pid = seen.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        pid.filter(|pid| !pid.is_empty()).map(str::to_owned).ok_or(seen)
    });
    (process, pid)
}

#[test]
fn without_a_daemon_namespaces_are_made_and_entered() {
    let mut machine = Lab::new().machine("aa");
    machine.stop_netd();
    assert_eq!(machine.pontoon(["netns", "add", "blue", "red"]).ok(), "blue\nred");
    assert_eq!(machine.exec(["ip", "netns", "list"]).ok().lines().count(), 2);
    machine.exec(["ip", "link", "add", "hv", "type", "veth", "peer", "name", "eth0", "netns", "red"]).ok();
    machine.exec(["ip", "-n", "red", "address", "add", "10.1.1.2/24", "dev", "eth0"]).ok();

    let exec = |words: &[&str]| machine.pontoon([&["netns", "exec"], words].concat());
    let links = exec(&["red", "ls", "/sys/class/net"]).ok();
    assert_eq!(links.split_whitespace().collect::<Vec<_>>(), ["eth0", "lo"]);
    exec(&["blue", "ping", "-c1", "-W1", "127.0.0.1"]).ok();
    let (mut sleeping, pid) = sleeper(&machine, "red");
    for reference in ["red", "/run/netns/red", &pid] {
        assert!(exec(&[reference, "ip", "-br", "address"]).ok().contains("10.1.1.2/24"), "{reference}");
    }
    exec(&["blue", "sh", "-c", "exit 7"]).fails(7);
    assert_eq!(exec(&["blue", "nosuch"]).fails(127), "exec \"nosuch\": executable file not found in $PATH");
    assert_eq!(exec(&["blue", "/etc"]).fails(126), "exec \"/etc\": permission denied");
    assert!(exec(&["green", "true"]).fails(125).starts_with("network namespace green not found"));

    let table = machine.pontoon(["netns", "ls"]).ok();
    assert!(table.starts_with("NAME "), "{table}");
    assert_eq!(machine.pontoon(["netns", "ls", "-q"]).ok(), "blue\nred");
    let row = machine.pontoon(["netns", "ls", "--format", "{{.Links}} {{.Addresses}} {{.Processes}}"]).ok();
    assert_eq!(row, "lo  0\nlo,eth0 10.1.1.2/24 1");
    let all = machine.pontoon(["netns", "ls", "-a", "--format", "{{.Container}}"]).ok();
    assert!(all.lines().any(|line| line == "(this host)"), "{all}");
    let red = machine.pontoon(["netns", "inspect", "red"]).json();
    assert_eq!(red[0]["Processes"][0]["Name"], "sleep");
    assert_eq!(red[0]["Links"][1]["HostLink"]["Name"], "hv");
    assert_eq!(red[0]["Links"][1]["Addresses"][0], "10.1.1.2/24");

    let error = machine.pontoon(["netns", "rm", "red"]).fails(1);
    assert!(error.contains(&format!("red is in use by {pid} (sleep): end it")), "{error}");
    machine.exec(["kill", &pid]).ok();
    sleeping.child.wait().unwrap();
    assert_eq!(machine.pontoon(["netns", "rm", "blue", "red"]).ok(), "blue\nred");
    machine.exec(["ip", "link", "delete", "hv"]);
    machine.start_netd();
}

#[test]
fn bad_input_about_namespaces_is_refused() {
    let machine = Lab::new().machine("aa");
    machine.pontoon(["netns", "add", "blue"]).ok();
    let table: [(&[&str], &str); 10] = [
        (&["add", "blue"], "network namespace blue already exists"),
        (&["add", "/run/netns/x"], "is a path: give a name"),
        (&["add", "a b"], "\"a b\" is no name of a namespace"),
        (&["inspect", "green"], "network namespace green not found"),
        (&["inspect", "4194304"], "network namespace of process 4194304 not found"),
        (&["inspect", "/etc/passwd"], "/etc/passwd is not a network namespace"),
        (&["inspect", "/proc/self/ns/mnt"], "/proc/self/ns/mnt is not a network namespace"),
        (&["rm", "green"], "network namespace green not found"),
        (&["rm", "1"], "it ends with its last process"),
        (&["ls", "--format", "{{.Nope}}"], "can't evaluate field Nope"),
    ];
    for (args, text) in table {
        let error = machine.pontoon([&["netns"], args].concat()).fails(1);
        assert!(error.contains(text), "{args:?}: {error}");
    }
    machine.pontoon(["netns", "rm", "-f", "green"]).ok();
    machine.pontoon(["netns", "rm", "blue"]).ok();
}

#[test]
fn a_container_is_found_in_its_namespace() {
    let machine = Lab::new().machine("aa");
    machine.pontoon(["network", "create", "web"]).ok();
    let id = machine.start("c1", &["--network", "web"], &["sleep", "1000"]);
    let name = format!("pontoon-{}", &id[..12]);
    let row = machine.pontoon(["netns", "ls", "--format", "{{.Name}} {{.Container}} {{.Networks}}"]).ok();
    assert_eq!(row, format!("{name} c1 web"));
    let seen = machine.pontoon(["netns", "inspect", &name]).json();
    let link = &seen[0]["Links"][1];
    assert_eq!((&link["Name"], &link["Kind"]), (&"eth0".into(), &"veth".into()));
    assert_eq!((&link["Endpoint"]["Container"], &link["Endpoint"]["Network"]), (&"c1".into(), &"web".into()));
    assert!(link["HostLink"]["Bridge"].as_str().unwrap().starts_with("br-"), "{link}");
    assert_eq!(seen[0]["Tables"], serde_json::json!(["ip pontoon-dns"]));
    let error = machine.pontoon(["netns", "rm", &name]).fails(1);
    assert!(error.contains("is in use by"), "{error}");
}
