//! `--link` on the default bridge: lines in /etc/hosts, variables, and holes where its containers are kept apart.

use tests::{Lab, Machine, NetdOptions, eventually};

/// A host whose containers are named by the test, with a network `web` of 192.168.0.0/24.
fn machine() -> Machine {
    let machine = Lab::new().machine("aa");
    machine.docker(["network", "create", "--subnet", "192.168.0.0/24", "web"]).ok();
    machine
}

#[test]
fn links_on_the_default_bridge_are_lines_in_hosts() {
    let machine = machine();
    machine.run("db", &["--hostname", "dbhost"]).ok();
    machine.run("other", &["--network", "web"]).ok();
    machine.run("c1", &["--link", "db:database"]).ok();
    let hosts = machine.within("c1", &["cat", "/etc/hosts"]);
    assert!(hosts.contains("\tdatabase dbhost db\n"), "{hosts}");
    machine.within("c1", &["ping", "-c1", "-W5", "database"]);
    assert_eq!(
        machine.docker(["inspect", "-f", "{{json .HostConfig.Links}}", "c1"]).ok(),
        "[\"/db:/c1/database\"]"
    );
    assert!(!machine.within("c1", &["env"]).contains("DATABASE"));

    let daemon = |text: &str| {
        format!("docker: Error response from daemon: {text}\n\nRun 'docker run --help' for more information")
    };
    let error = machine.run("c2", &["--link", "nobody"]).fails(125);
    assert_eq!(error, daemon("could not get container for nobody: No such container: nobody"));
    let error = machine.run("c3", &["--link", "other"]).fails(125);
    assert!(error.contains("Cannot link to /other, as it does not belong to the default network"), "{error}");
    machine.docker(["stop", "-t", "0", "db"]).ok();
    let error = machine.run("c4", &["--link", "db"]).fails(125);
    assert!(error.contains("Cannot link to a non running container: /db AS /c4/db"), "{error}");
    machine.docker(["rm", "c3", "c4"]).ok();

    // In a network of one's own a link is a name that its container alone sees, whether or not the other one is there.
    machine.run("c5", &["--network", "web", "--link", "other:peer", "--link", "later"]).ok();
    machine.within("c5", &["ping", "-c1", "-W5", "peer"]);
}

/// A default bridge of both families that keeps its containers apart.
const APART: &str = r#"{"icc": false, "bip": "10.94.0.1/24", "ipv6": true, "bip6": "fd94::1/64"}"#;

/// Serves two ports, of which one is exposed.
fn serve(machine: &Machine, name: &str) {
    let listen =
        |port: u16| format!("socat TCP6-LISTEN:{port},fork,reuseaddr,ipv6only=0 SYSTEM:'echo {name}'");
    let line = format!("{} & exec {}", listen(8000), listen(9000));
    machine.start(name, &["--expose", "8000"], &["sh", "-c", &line]);
}

/// Whether the server of that name answers.
fn answers(machine: &Machine, from: &str, to: &str, name: &str) -> bool {
    let there = format!("TCP:{to},connect-timeout=1");
    machine.docker(["exec", from, "socat", "-t2", "-", &there]).stdout == name
}

fn addresses(machine: &Machine, name: &str) -> [String; 2] {
    ["IPAddress", "GlobalIPv6Address"].map(|field| {
        machine.docker(["inspect", "-f", &format!("{{{{.NetworkSettings.{field}}}}}"), name]).ok()
    })
}

fn holes(machine: &Machine) -> String {
    machine.sh("nft list set inet pontoon links4; nft list set inet pontoon links6").ok()
}

fn reached(machine: &Machine, from: &str, [v4, v6]: &[String; 2]) {
    for to in [format!("{v4}:8000"), format!("[{v6}]:8000")] {
        eventually("a linked container is answered", || {
            if answers(machine, from, &to, "db") { Ok(()) } else { Err(format!("{to}\n{}", holes(machine))) }
        });
    }
}

/// The bridge has no port that is up, for as long as the kernel takes to notice it.
fn without_carrier(machine: &Machine) {
    let all = |state: &str| {
        let each = "for port in /sys/class/net/pontoon0/brif/*; do ip link set ${port##*/}";
        machine.sh(&format!("{each} {state}; done")).ok();
        eventually(&format!("the bridge is {state}"), || {
            let seen = machine.sh("cat /sys/class/net/pontoon0/operstate").ok();
            if seen == state { Ok(()) } else { Err(seen) }
        });
    };
    all("down");
    all("up");
}

#[test]
fn links_open_exposed_ports_where_containers_are_kept_apart() {
    let options = NetdOptions { config: Some(APART.to_owned()), ..NetdOptions::default() };
    let mut machine = Lab::new().machine_with("aa", options);
    serve(&machine, "db");
    serve(&machine, "stranger");
    machine.run("c1", &["--link", "db:database"]).ok();
    machine.run("c2", &[]).ok();
    let db = addresses(&machine, "db");
    reached(&machine, "c1", &db);
    assert!(
        answers(&machine, "c1", "database:8000", "db"),
        "{}",
        machine.within("c1", &["cat", "/etc/hosts"])
    );
    let [v4, v6] = &db;
    assert!(!answers(&machine, "c1", &format!("{v4}:9000"), "db"), "only what is exposed");
    for to in [format!("{v4}:8000"), format!("[{v6}]:8000")] {
        assert!(!answers(&machine, "c2", &to, "db"), "only who is linked: {to}");
    }
    assert!(!answers(&machine, "db", &format!("{}:8000", addresses(&machine, "stranger")[0]), "stranger"));
    machine.within("c2", &["sh", "-c", "! ping -c1 -W1 10.94.0.2"]);

    // The hole is the kernel's, and a new daemon's.
    machine.kill_netd();
    let holder = machine.sh("nft list set inet pontoon links4").ok();
    assert!(holder.contains(&format!(". {v4} . tcp . 8000")), "{holder}");
    without_carrier(&machine);
    assert!(machine.sh("ip -6 neigh show proxy").ok().contains(&format!("{v6} dev pontoon0")));
    machine.start_netd();
    reached(&machine, "c1", &db);
    machine.sh("nft flush ruleset").ok();
    reached(&machine, "c1", &db);
}

#[test]
fn a_link_follows_its_container_to_another_address() {
    let options = NetdOptions { config: Some(APART.to_owned()), ..NetdOptions::default() };
    let machine = Lab::new().machine_with("aa", options);
    serve(&machine, "db");
    machine.run("c1", &["--link", "db:database"]).ok();
    machine.within("c1", &["sh", "-c", "echo 10.1.1.1 mine >> /etc/hosts"]);
    let before = addresses(&machine, "db");
    reached(&machine, "c1", &before);

    machine.docker(["stop", "-t", "0", "db"]).ok();
    assert!(!holes(&machine).contains("8000"), "{}", holes(&machine));
    machine.docker(["network", "disconnect", "bridge", "db"]).ok();
    machine.docker(["network", "connect", "bridge", "db"]).ok();
    machine.docker(["start", "db"]).ok();
    let after = addresses(&machine, "db");
    assert_ne!(after, before);
    reached(&machine, "c1", &after);
    let hosts = || machine.within("c1", &["cat", "/etc/hosts"]);
    eventually("the hosts file is rewritten", || {
        let text = hosts();
        let there = |[v4, v6]: &[String; 2]| {
            [v4, v6].map(|ip| text.lines().any(|line| line.starts_with(&format!("{ip}\tdatabase "))))
        };
        if (there(&after), there(&before)) == ([true; 2], [false; 2]) { Ok(()) } else { Err(text.clone()) }
    });
    assert!(hosts().contains("10.1.1.1 mine"), "{}", hosts());
    // While it runs, too.
    machine.docker(["network", "disconnect", "bridge", "db"]).ok();
    assert!(!holes(&machine).contains("8000"), "{}", holes(&machine));
    machine.docker(["network", "connect", "bridge", "db"]).ok();
    reached(&machine, "c1", &addresses(&machine, "db"));
    eventually("the name leads there", || {
        if answers(&machine, "c1", "database:8000", "db") { Ok(()) } else { Err(hosts()) }
    });
}

#[test]
fn a_link_follows_its_container_to_another_name() {
    let options = NetdOptions { config: Some(APART.to_owned()), ..NetdOptions::default() };
    let mut machine = Lab::new().machine_with("aa", options);
    serve(&machine, "db");
    machine.run("c1", &["--link", "db:database", "--link", "db"]).ok();
    let links = |machine: &Machine, name: &str| {
        machine.docker(["inspect", "-f", "{{json .HostConfig.Links}}", name]).ok()
    };
    machine.docker(["rename", "db", "store"]).ok();
    assert_eq!(links(&machine, "c1"), r#"["/store:/c1/database","/store:/c1/db"]"#);
    reached(&machine, "c1", &addresses(&machine, "store"));
    // Until its next start it knows the names that it was told, and where they lead.
    machine.docker(["network", "disconnect", "bridge", "store"]).ok();
    machine.docker(["network", "connect", "bridge", "store"]).ok();
    reached(&machine, "c1", &addresses(&machine, "store"));
    eventually("the old name leads there", || {
        if answers(&machine, "c1", "db:8000", "db") { Ok(()) } else { Err("not yet") }
    });
    machine.docker(["rename", "c1", "c2"]).ok();
    machine.docker(["restart", "-t", "0", "c2"]).ok();
    assert_eq!(links(&machine, "c2"), r#"["/store:/c2/database","/store:/c2/db"]"#);
    let hosts = machine.within("c2", &["cat", "/etc/hosts"]);
    assert!(hosts.lines().any(|line| line.contains("\tdatabase ") && line.ends_with(" store")), "{hosts}");

    // Another container of its old name is another container.
    serve(&machine, "db");
    machine.docker(["rename", "store", "shop"]).ok();
    machine.kill_netd();
    machine.start_netd();
    machine.docker(["restart", "-t", "0", "c2"]).ok();
    assert_eq!(links(&machine, "c2"), r#"["/shop:/c2/database","/shop:/c2/db"]"#);
    reached(&machine, "c2", &addresses(&machine, "shop"));
    assert!(!answers(&machine, "c2", &format!("{}:8000", addresses(&machine, "db")[0]), "db"));
    machine.docker(["rm", "-f", "shop"]).ok();
    let said = machine.docker(["restart", "-t", "0", "c2"]).fails(1);
    assert!(said.contains("Cannot link to a non running container: /shop AS /c2/database"), "{said}");
    assert_eq!(links(&machine, "c2"), r#"["/shop:/c2/database","/shop:/c2/db"]"#);
}

#[test]
fn a_link_to_a_shared_network_leads_to_its_owner() {
    let machine = machine();
    machine.run("db", &[]).ok();
    machine.run("helper", &["--network", "container:db"]).ok();
    machine.run("c1", &["--link", "helper:database", "--link", "db:database"]).ok();
    machine.within("c1", &["ping", "-c1", "-W2", "database"]);
    let shown = machine.docker(["inspect", "-f", "{{json .HostConfig.Links}}", "c1"]).ok();
    assert_eq!(shown, "[\"/db:/c1/database\"]");
}

#[test]
fn a_link_in_a_network_of_ones_own_is_an_alias_for_a_name() {
    let machine = machine();
    machine.run("db", &["--network", "web"]).ok();
    machine.run("c1", &["--network", "web", "--link", "db:database"]).ok();
    machine.docker(["rename", "db", "store"]).ok();
    let leads = |name: &str| machine.docker(["exec", "c1", "ping", "-c1", "-W2", name]).status.success();
    assert!(leads("store") && !leads("database"));
    machine.docker(["restart", "-t", "0", "c1"]).ok();
    let shown = "{{json .HostConfig.Links}} {{json .NetworkSettings.Networks.web.Links}}";
    assert_eq!(machine.docker(["inspect", "-f", shown, "c1"]).ok(), r#"null ["db:database"]"#);
    machine.docker(["rename", "store", "db"]).ok();
    assert!(leads("database"));
}

#[test]
fn a_link_can_be_removed_and_both_containers_stay() {
    let options = NetdOptions { config: Some(APART.to_owned()), ..NetdOptions::default() };
    let machine = Lab::new().machine_with("aa", options);
    serve(&machine, "db");
    machine.run("c1", &["--link", "db:database", "--link", "db"]).ok();
    let db = addresses(&machine, "db");
    reached(&machine, "c1", &db);
    let links = || machine.docker(["inspect", "-f", "{{json .HostConfig.Links}}", "c1"]).ok();

    assert_eq!(machine.docker(["rm", "--link", "/c1/database"]).ok(), "/c1/database");
    assert_eq!(links(), "[\"/db:/c1/db\"]");
    let hosts = machine.within("c1", &["cat", "/etc/hosts"]);
    assert!(!hosts.contains("database") && hosts.contains("\tdb "), "{hosts}");
    reached(&machine, "c1", &db);
    assert_eq!(machine.pontoon(["rm", "--link", "c1/db"]).ok(), "c1/db");
    assert_eq!(links(), "null");
    assert!(!machine.within("c1", &["cat", "/etc/hosts"]).contains("\tdb "));
    assert!(!holes(&machine).contains("8000"), "{}", holes(&machine));
    assert!(!answers(&machine, "c1", &format!("{}:8000", db[0]), "db"));

    for (path, text) in [
        ("c1/database", "No such container: c1/database"),
        ("nobody/db", "No such container: nobody/db"),
        ("db", "Conflict, cannot remove the default link name of the container"),
    ] {
        let said = machine.docker(["rm", "--link", path]).fails(1);
        assert!(said.ends_with(text), "{path}: {said}");
    }
    // It is gone for good, and one of a stopped container goes as well.
    machine.docker(["restart", "-t", "0", "c1"]).ok();
    assert_eq!(links(), "null");
    assert!(!machine.within("c1", &["cat", "/etc/hosts"]).contains("\tdb "));
    machine.docker(["create", "--name", "c2", "--link", "db", "host", "true"]).ok();
    machine.docker(["rm", "--link", "c2/db"]).ok();
    machine.docker(["stop", "-t", "0", "db"]).ok();
    machine.docker(["start", "-a", "c2"]).ok();
}

#[test]
fn links_are_in_the_environment_if_the_daemon_is_told_so() {
    let environment = vec!["DOCKER_KEEP_DEPRECATED_LEGACY_LINKS_ENV_VARS=1".to_owned()];
    let machine = Lab::new().machine_with("aa", NetdOptions { environment, ..NetdOptions::default() });
    machine.run("db", &["--expose", "5432", "-e", "PASSWORD=secret"]).ok();
    let [v4, _] = addresses(&machine, "db");
    let args = ["run", "-d", "--name", "c1", "--link", "db:my-db", "-e", "MY_DB_NAME=own", "host"];
    machine.docker(args.iter().copied().chain(["sh", "-c", "env; exec sleep 1000"])).ok();
    let logs = eventually("it says its environment", || {
        let logs = machine.docker(["logs", "c1"]).ok();
        if logs.contains("PATH=") { Ok(logs) } else { Err(logs) }
    });
    let there = format!("MY_DB_PORT_5432_TCP=tcp://{v4}:5432");
    let all = [&*there, "MY_DB_ENV_PASSWORD=secret", "MY_DB_NAME=own", "MY_DB_PORT_5432_TCP_PROTO=tcp"];
    for variable in all {
        assert!(logs.lines().any(|line| line == variable), "{variable}: {logs}");
    }
    assert!(machine.within("c1", &["env"]).contains(&there));
}
