//! `pontoon netns`: namespaces of anybody, looked at, made, entered.

use tests::{Lab, Lan, Machine, OwnEtc, Process, eventually};

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
    exec(&["blue", "ping", "-c1", "-W5", "127.0.0.1"]).ok();
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

#[test]
fn a_namespace_is_attached_like_a_container() {
    let lab = Lab::new();
    let machine = lab.machine("aa");
    let client = machine.lan("client");
    let etc = OwnEtc::lay(&machine);
    let blue = |words: &[&str]| machine.pontoon([&["netns", "exec", "blue"], words].concat());
    machine.pontoon(["network", "create", "--subnet", "192.168.7.0/24", "--ipv6", "web"]).ok();
    machine.start("c1", &["--network", "web"], &["sleep", "1000"]);
    machine.exec(["ip", "netns", "add", "blue"]).ok();
    let line = ["netns", "attach", "--ip", "192.168.7.77", "--mac-address", "02:00:00:00:00:77"];
    let rest = ["--alias", "azure", "-p", "8080:80", "--interface", "up0", "blue", "web"];
    let addresses = machine.pontoon([&line[..], &rest].concat()).ok();
    let (v4, v6) = addresses.split_once('\n').expect("an address of each family");
    assert_eq!(v4, "192.168.7.77");

    // What is inside is a container's.
    let link = blue(&["ip", "-o", "link", "show", "up0"]).ok();
    assert!(link.contains("02:00:00:00:00:77") && link.contains("state UP"), "{link}");
    assert!(blue(&["ip", "-6", "-o", "address", "show", "up0", "scope", "global"]).ok().contains(v6));
    assert!(blue(&["ip", "route"]).ok().starts_with("default via 192.168.7.1 dev up0"));
    blue(&["ping", "-c1", "-W5", &client.address()]).ok();

    // It finds and is found.
    for name in ["blue", "azure"] {
        machine.pontoon(["exec", "c1", "ping", "-c1", "-W5", name]).ok();
    }
    blue(&["ping", "-c1", "-W5", "c1"]).ok();
    machine.exec(["ip", "netns", "exec", "blue", "getent", "hosts", "c1"]).ok();
    blue(&["sh", "-c", "dig +short +tcp c1 @127.0.0.11 | grep 192.168.7."]).ok();
    assert_eq!(
        machine.pontoon(["exec", "c1", "getent", "ahostsv6", "blue"]).ok().split(' ').next(),
        Some(v6)
    );

    // A published port leads into it, from the LAN too.
    let mut server = serve_from_inside(&machine, &client);
    is_told_to_who_asks(&machine);

    // Detached, nothing of it is left inside nor outside.
    machine.exec(["pkill", "-f", "TCP-LISTEN:80"]).ok();
    server.child.wait().unwrap();
    machine.pontoon(["netns", "detach", "blue", "web"]).ok();
    eventually("the interface is gone", || match blue(&["ip", "-br", "link"]).ok() {
        links if links.lines().count() == 1 => Ok(()),
        links => Err(links),
    });
    assert_eq!(blue(&["nft", "list", "ruleset"]).ok(), "");
    assert_eq!(machine.sh("ls -A /run/lab/etc/netns").stdout, "");
    machine.pontoon(["exec", "c1", "getent", "hosts", "blue"]).fails(2);
    let error = machine.pontoon(["netns", "detach", "blue", "web"]).fails(1);
    assert!(error.contains("network namespace blue is not attached to the network web"), "{error}");

    machine.pontoon(["netns", "rm", "blue"]).ok();
    etc.lift();
}

/// A server in namespace `blue`, once it is reached by the port that is published for it.
fn serve_from_inside(machine: &Machine, client: &Lan) -> Process {
    let server = machine.spawn(machine.pontoon_words(&[
        "netns",
        "exec",
        "blue",
        "socat",
        "TCP-LISTEN:80,fork,reuseaddr",
        "SYSTEM:echo blue sees $SOCAT_PEERADDR",
    ]));
    let there = format!("TCP:{}:8080,connect-timeout=2", client.gateway());
    eventually("the server answers", || match client.exec(["socat", "-t3", "-", &there]) {
        answer if answer.stdout == format!("blue sees {}", client.address()) => Ok(()),
        other => Err(other),
    });
    server
}

/// The API, `docker` and `pontoon` know that `blue` is in `web`.
fn is_told_to_who_asks(machine: &Machine) {
    let ends = machine
        .docker([
            "network",
            "inspect",
            "-f",
            "{{range $k, $v := .Containers}}{{$k}} {{$v.Name}}\n{{end}}",
            "web",
        ])
        .ok();
    assert!(ends.lines().any(|end| end.starts_with("ep-") && end.ends_with(" blue")), "{ends}");
    let error = machine.pontoon(["network", "rm", "web"]).fails(1);
    assert!(
        error.contains("network web has active endpoints (") && error.contains("name:\"blue\""),
        "{error}"
    );
    let seen = machine.pontoon(["netns", "inspect", "blue"]).json();
    assert_eq!(seen[0]["Links"][1]["Endpoint"]["Container"], "blue");
    assert!(
        seen[0]["Listening"].as_array().unwrap().iter().any(|socket| socket == "0.0.0.0:80/tcp"),
        "{seen}"
    );
    let listed = machine.curl("/pontoon/namespaces").json();
    assert_eq!(listed[0]["Networks"]["web"]["IPAddress"], "192.168.7.77");
}

#[test]
fn the_namespace_of_a_process_is_attached_and_forced_out() {
    let machine = Lab::new().machine("aa");
    machine.pontoon(["network", "create", "web"]).ok();
    machine.start("c1", &["--network", "web"], &["sleep", "1000"]);
    machine.pontoon(["netns", "add", "blue"]).ok();
    let mut sleeping = sleeper(&machine, "blue");
    machine.pontoon(["netns", "attach", "--name", "sleeper", &sleeping.1, "web"]).ok();
    machine.pontoon(["exec", "c1", "ping", "-c1", "-W5", "sleeper"]).ok();
    machine.docker(["network", "disconnect", "-f", "web", "sleeper"]).ok();
    assert_eq!(machine.curl("/pontoon/namespaces").ok(), "[]");
    machine.exec(["kill", &sleeping.1]).ok();
    sleeping.0.child.wait().unwrap();
    machine.pontoon(["netns", "rm", "blue"]).ok();
}

#[test]
fn an_attached_namespace_survives_netd_and_is_forgotten_when_it_ends() {
    let mut machine = Lab::new().machine("aa");
    machine.pontoon(["network", "create", "web"]).ok();
    machine.start("c1", &["--network", "web", "--net-alias", "search"], &["sleep", "1000"]);
    // A path of its own, so that no file below /etc is written.
    machine.sh("ip netns add blue && mkdir -p /run/lab/ns && touch /run/lab/ns/blue").ok();
    machine.sh("mount --bind /run/netns/blue /run/lab/ns/blue && ip netns del blue").ok();
    let blue = "/run/lab/ns/blue";
    let exec =
        |machine: &Machine, words: &[&str]| machine.pontoon([&["netns", "exec", blue], words].concat());
    let server = ["socat", "TCP-LISTEN:80,fork,reuseaddr", "SYSTEM:echo here"];
    machine.pontoon(["netns", "attach", blue, "web", "-p", "8080:80"]).ok();
    let mut serving = machine.spawn(machine.pontoon_words(&[&["netns", "exec", blue], &server[..]].concat()));
    let ask = |machine: &Machine| match machine.exec(["socat", "-t3", "-", "TCP:127.0.0.1:8080"]) {
        answer if answer.stdout == "here" => Ok(()),
        other => Err(other),
    };
    eventually("the server answers", || ask(&machine));
    let before = machine.curl("/pontoon/namespaces").json();

    machine.kill_netd();
    ask(&machine).expect("the server answers without netd");
    machine.start_netd();
    ask(&machine).expect("the server answers with a new netd");
    assert_eq!(machine.curl("/pontoon/namespaces").json(), before);
    assert!(exec(&machine, &["dig", "+short", "search", "@127.0.0.11"]).ok().starts_with("172."));
    machine.pontoon(["exec", "c1", "ping", "-c1", "-W5", "blue"]).ok();

    // The name goes, and a process stays; then that ends as well.
    machine.sh("umount /run/lab/ns/blue").ok();
    ask(&machine).expect("a process keeps the namespace");
    assert_ne!(machine.curl("/pontoon/namespaces").ok(), "[]");
    machine.exec(["pkill", "-f", "TCP-LISTEN:80"]).ok();
    serving.child.wait().unwrap();
    eventually("the namespace is forgotten", || match machine.curl("/pontoon/namespaces").ok() {
        none if none == "[]" => Ok(()),
        some => Err(some),
    });
    machine.pontoon(["exec", "c1", "getent", "hosts", "blue"]).fails(2);
    // Its port is free again.
    machine.pontoon(["run", "--rm", "-p", "8080:1", "host", "true"]).ok();
}

#[test]
fn what_can_not_be_attached_is_refused() {
    let machine = Lab::new().machine("aa");
    machine.pontoon(["network", "create", "--subnet", "192.168.7.0/24", "web"]).ok();
    let id = machine.start("c1", &["--network", "web", "-p", "8080:80"], &["sleep", "1000"]);
    let container = format!("/run/netns/pontoon-{}", &id[..12]);
    machine.sh("ip netns add red && ip -n red link add br0 type bridge && ip -n red link set br0 up").ok();
    machine.sh("ip -n red address add 10.9.9.1/24 dev br0 && ip -n red route add default via 10.9.9.2").ok();
    machine.sh("ip netns add blue").ok();
    let before = machine.sh("ip -o link; nft list ruleset; ip -n blue -o link; ip -n red -o link").ok();
    let table: [(&[&str], &str); 14] = [
        (&["green", "web"], "network namespace green not found"),
        (&["blue", "nonet"], "network nonet not found"),
        (&["blue", "host"], "can't be attached to network host: its driver is host"),
        (&["blue", "none"], "can't be attached to network none: its driver is null"),
        (&["/proc/1/ns/net", "web"], "is the host's own"),
        (&[&container, "web"], "is that of container c1: use \"pontoon network connect NETWORK c1\""),
        (&["/etc/passwd", "web"], "/etc/passwd is not a network namespace"),
        (&["--name", "c1", "blue", "web"], "The container name \"/c1\" is already in use"),
        (&["--name", "a b", "blue", "web"], "Invalid container name (a b)"),
        (&["--ip", "192.168.8.9", "blue", "web"], "no configured subnet or ip-range contain the IP address"),
        (&["--ip", "192.168.7.2", "blue", "web"], "Address already in use"),
        (&["-p", "8080:80", "blue", "web"], "Bind for 0.0.0.0:8080 failed: port is already allocated"),
        (&["--interface", "lo", "blue", "web"], "lo is the loopback interface"),
        (&["red", "web"], "red has a default route already (default via 10.9.9.2 dev br0)"),
    ];
    for (args, text) in table {
        let error = machine.pontoon([&["netns", "attach"], args].concat()).fails(1);
        assert!(error.contains(text), "{args:?}: {error}");
    }
    let error = machine.pontoon(["netns", "attach", "--interface", "br0", "red", "web"]).fails(1);
    assert!(error.contains("default route already") || error.contains("br0 exists"), "{error}");
    eventually("nothing was made", || {
        match machine.sh("ip -o link; nft list ruleset; ip -n blue -o link; ip -n red -o link").ok() {
            // Loopback is raised for names, and stays so.
            now if without_loopback(&now) == without_loopback(&before) => Ok(()),
            now => Err(now),
        }
    });
    let nowhere = ["-H", "unix:///run/lab/nobody.sock", "netns", "attach", "blue", "web"];
    let error = machine.pontoon(nowhere).fails(1);
    assert!(error.contains("Start it with: pontoon daemon start"), "{error}");
    machine.sh("ip netns del red; ip netns del blue").ok();
}

fn without_loopback(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.contains(": lo:")).collect()
}

/// Commands of a page, each with the output that the page shows for it.
fn commands(page: &str) -> Vec<(String, Vec<String>)> {
    let blocks = page.split("```console\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut all: Vec<(String, Vec<String>)> = Vec::new();
    for line in blocks.flat_map(str::lines) {
        match (line.strip_prefix("$ "), all.last_mut()) {
            (Some(command), _) => all.push((command.to_owned(), Vec::new())),
            (None, Some((_, output))) => output.push(line.to_owned()),
            (None, None) => panic!("a block of the page begins with output: {line}"),
        }
    }
    all
}

/// Whether a line is what the page shows: `…` there is anything.
fn is_shown(line: &str, shown: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        let at = if parts.peek().is_none() {
            rest.ends_with(part).then(|| rest.len() - part.len())
        } else {
            rest.find(part)
        };
        let Some(at) = at else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty()
}

#[test]
fn the_page_about_namespaces_tells_the_truth() {
    let machine = Lab::new().machine("aa");
    let etc = OwnEtc::lay(&machine);
    let program = machine.pontoon_words(&[]).remove(0);
    let folder = std::path::Path::new(&program).parent().unwrap().display().to_string();
    for (command, shown) in commands(include_str!("../../docs/netns.md")) {
        let output = machine.sh(&format!("export PATH={folder}:$PATH; {{ {command}\n}} 2>&1")).ok();
        let lines: Vec<&str> = output.lines().map(str::trim_end).collect();
        let shown: Vec<&str> = shown.iter().map(|line| line.trim_end()).collect();
        let shown = shown.strip_suffix(&[""]).unwrap_or(&shown);
        let same =
            lines.len() == shown.len() && lines.iter().zip(shown).all(|(line, shown)| is_shown(line, shown));
        assert!(same, "{command}\nprints:\n{}\nand not:\n{}", lines.join("\n"), shown.join("\n"));
    }
    etc.lift();
}

#[test]
fn the_graph_is_drawn_from_the_api() {
    let machine = Lab::new().machine("aa");
    machine.pontoon(["network", "create", "--internal", "--subnet", "10.1.0.0/16", "db"]).ok();
    machine.pontoon(["network", "create", "--subnet", "192.168.7.0/24", "web"]).ok();
    machine.start("shop", &["--network", "web", "-p", "127.0.0.1:8080:80"], &["sleep", "1000"]);
    machine.pontoon(["network", "connect", "db", "shop"]).ok();
    machine.pontoon(["create", "--name", "later", "--network", "db", "host", "true"]).ok();
    let graph = |args: &[&str]| machine.pontoon([&["network", "graph"], args].concat());
    let db = "db  bridge  internal  10.1.0.0/16\n└─ shop  10.1.0.2  127.0.0.1:8080 → 80/tcp  (also in web)";
    let web = "web  bridge  192.168.7.0/24\n└─ shop  192.168.7.2  127.0.0.1:8080 → 80/tcp  (also in db)";
    assert_eq!(graph(&["web", "db"]).ok(), format!("{db}\n{web}"));
    assert!(graph(&["-a", "db"]).ok().contains("├─ later            (created)"));
    let json = graph(&["--format", "json", "web"]).json();
    assert_eq!(json[0]["Members"][0]["Addresses"][0], "192.168.7.2");
    assert!(graph(&["--format", "dot"]).ok().starts_with("graph pontoon {"));
    let picture = graph(&["--format", "svg"]).ok();
    assert_eq!(picture, graph(&["--format", "svg"]).ok());
    let parse = "import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.stdin)";
    let program = machine.pontoon_words(&[]).remove(0);
    machine.sh(&format!("{program} network graph --format svg | python3 -c '{parse}'")).ok();
    assert!(
        graph(&["--format", "png"]).fails(1).contains("unknown format \"png\": use tree, svg, dot or json")
    );
    assert!(graph(&["nope"]).fails(1).contains("network nope not found"));
}
