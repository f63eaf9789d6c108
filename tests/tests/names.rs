//! Names and aliases on user networks, as programs in containers see them.

use tests::{Lab, Machine};

fn sleeper(machine: &Machine, name: &str, args: &[&str]) {
    machine.start(name, args, &["sleep", "1000"]);
}

fn dig(machine: &Machine, asker: &str, words: &[&str]) -> Vec<String> {
    let line = [&["exec", asker, "dig", "+short", "+tries=1", "+time=3"], words].concat();
    let mut answers: Vec<_> = machine.pontoon(line).ok().lines().map(str::to_owned).collect();
    answers.sort();
    answers
}

#[test]
fn names_aliases_and_reverse() {
    let machine = Lab::new().machine("aa");
    machine.pontoon(["network", "create", "--subnet", "192.168.0.0/24", "monreseau0"]).ok();
    for name in ["c1", "c2"] {
        sleeper(&machine, name, &["--network", "monreseau0", "--net-alias", "search"]);
    }
    sleeper(&machine, "c3", &["--network", "monreseau0"]);

    let (one, two) = (dig(&machine, "c3", &["c1"]), dig(&machine, "c3", &["c2"]));
    assert_eq!((one.len(), two.len()), (1, 1), "{one:?} {two:?}");
    let mut both = [one.clone(), two].concat();
    both.sort();
    assert_eq!(dig(&machine, "c3", &["search"]), both);
    assert_eq!(dig(&machine, "c3", &["SEARCH.monreseau0"]), both, "case and network name do not matter");
    assert_eq!(dig(&machine, "c3", &["+tcp", "c1"]), one);
    assert_eq!(dig(&machine, "c3", &["-x", &one[0]]), ["c1.monreseau0."]);
    let short = machine.pontoon(["inspect", "-f", "{{.Id}}", "c1"]).ok()[..12].to_owned();
    assert_eq!(dig(&machine, "c3", &[&short]), one);
    assert!(machine.pontoon(["exec", "c3", "ping", "-c1", "c1"]).ok().contains("from c1.monreseau0 ("));
    let other_family = machine.pontoon(["exec", "c3", "dig", "c1", "AAAA"]).ok();
    assert!(other_family.contains("status: NOERROR") && other_family.contains("ANSWER: 0"), "{other_family}");
}

#[test]
fn names_come_and_go_with_their_containers() {
    let machine = Lab::new().machine("aa");
    machine.pontoon(["network", "create", "web"]).ok();
    sleeper(&machine, "asker", &["--network", "web"]);
    assert!(dig(&machine, "asker", &["late"]).is_empty());
    sleeper(&machine, "late", &["--network", "web"]);
    assert_eq!(dig(&machine, "asker", &["late"]).len(), 1);
    machine.pontoon(["rename", "late", "later"]).ok();
    assert_eq!(dig(&machine, "asker", &["later"]).len(), 1);
    assert!(dig(&machine, "asker", &["late"]).is_empty());
    machine.pontoon(["rm", "-f", "later"]).ok();
    assert!(dig(&machine, "asker", &["later"]).is_empty());
}

#[test]
fn an_asker_sees_its_own_networks_only() {
    let machine = Lab::new().machine("aa");
    machine.pontoon(["network", "create", "one"]).ok();
    machine.pontoon(["network", "create", "two"]).ok();
    sleeper(&machine, "aa", &["--network", "one"]);
    sleeper(&machine, "bb", &["--network", "two"]);
    sleeper(&machine, "plain", &[]);
    assert!(dig(&machine, "aa", &["bb"]).is_empty());
    machine.pontoon(["exec", "plain", "getent", "hosts", "aa"]).fails(2);
    machine.pontoon(["network", "connect", "two", "aa"]).ok();
    assert_eq!(dig(&machine, "aa", &["bb"]).len(), 1);
    assert_eq!(dig(&machine, "bb", &["aa"]).len(), 1);
}

#[test]
fn a_container_runs_its_own_server_on_port_53() {
    let machine = Lab::new().machine("aa");
    machine.pontoon(["network", "create", "web"]).ok();
    machine.start("dns", &["--network", "web"], &["socat", "UDP-LISTEN:53,fork", "EXEC:true"]);
    assert_eq!(dig(&machine, "dns", &["dns"]).len(), 1);
    assert_eq!(machine.pontoon(["inspect", "-f", "{{.State.Running}}", "dns"]).ok(), "true");
}

#[test]
fn what_is_not_ours_is_asked_of_the_hosts_server() {
    let machine = Lab::new().machine("aa");
    let lan = machine.lan("dns");
    // The other party answers every question with the bytes it got, as a response with RCODE 0: enough to see who asked.
    let _server = lan.spawn(["socat", "-u", "UDP-RECV:53", "CREATE:/run/asked"]);
    tests::eventually("the server listens", || lan.sh("ss -Hlun sport = :53 | grep .").result());
    std::fs::write(machine.path("/run/lab/resolv.conf"), format!("nameserver {}\n", lan.address())).unwrap();
    machine.pontoon(["network", "create", "web"]).ok();
    sleeper(&machine, "cc", &["--network", "web"]);
    machine.pontoon(["exec", "cc", "dig", "+tries=1", "+time=1", "far.example"]);
    tests::eventually("the question has arrived", || {
        let asked = std::fs::read(lan.path("/run/asked")).map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&asked).into_owned();
        if text.contains("far") && text.contains("example") { Ok(()) } else { Err(text) }
    });
}

/// The answers to one question in the order in which they came, with the name as it was repeated.
fn answers(machine: &Machine, asker: &str, words: &[&str]) -> Vec<(String, String)> {
    let line = [&["exec", asker, "dig", "+noall", "+answer", "+tries=1", "+time=3"], words].concat();
    let said = machine.pontoon(line).ok();
    let ends = |line: &str| {
        Some((line.split_whitespace().next()?.to_owned(), line.split_whitespace().last()?.to_owned()))
    };
    said.lines().filter_map(ends).collect()
}

#[test]
fn a_container_is_found_by_all_its_names_in_both_families() {
    let machine = Lab::new().machine("aa");
    let subnets = ["--ipv6", "--subnet", "10.81.0.0/24", "--subnet", "fd81::/64"];
    machine.pontoon([&["network", "create"], &subnets[..], &["web"]].concat()).ok();
    let names = ["--hostname", "hosted", "--net-alias", "search", "--net-alias", "*.wild"];
    let addresses = ["--network", "web", "--ip", "10.81.0.9", "--ip6", "fd81::9"];
    sleeper(&machine, "cc", &[&addresses[..], &names[..]].concat());
    sleeper(&machine, "asker", &["--network", "web", "--link", "cc:linked"]);

    for name in
        ["cc", "hosted", "SeArCh", "linked", "any.at.all.wild", "hosted.WEB", "linked.web", "x.wild.web"]
    {
        for (kind, address) in [("A", "10.81.0.9"), ("AAAA", "fd81::9")] {
            let expected = [(format!("{name}."), address.to_owned())];
            assert_eq!(answers(&machine, "asker", &[name, kind]), expected, "{name} {kind}");
        }
    }
    assert_eq!(dig(&machine, "asker", &["-x", "fd81::9"]), ["cc.web."]);
    assert_eq!(dig(&machine, "asker", &["-x", "10.81.0.9"]), ["cc.web."]);
    assert!(dig(&machine, "cc", &["linked"]).is_empty(), "a link is the asker's own");
}

#[test]
fn the_network_of_the_gateway_comes_first() {
    let machine = Lab::new().machine("aa");
    for (network, subnet) in [("one", "10.82.1.0/24"), ("two", "10.82.2.0/24")] {
        machine.pontoon(["network", "create", "--subnet", subnet, network]).ok();
    }
    for (name, ends) in [("peer", "9"), ("asker", "8")] {
        sleeper(&machine, name, &["--network", "one", "--ip", &format!("10.82.1.{ends}")]);
        machine.pontoon(["network", "connect", "--ip", &format!("10.82.2.{ends}"), "two", name]).ok();
    }
    let order =
        || -> Vec<String> { answers(&machine, "asker", &["peer"]).into_iter().map(|(_, to)| to).collect() };
    assert_eq!(order(), ["10.82.1.9", "10.82.2.9"]);
    machine.pontoon(["network", "disconnect", "two", "asker"]).ok();
    machine.pontoon(["network", "connect", "--gw-priority", "9", "two", "asker"]).ok();
    assert_eq!(order(), ["10.82.2.9", "10.82.1.9"]);
}
