//! What a user can write into names and see of them: static records, names of the host, questions asked by hand, the
//! log, the list, metrics.

use tests::{Lab, Machine, NetdOptions, eventually};

fn sleeper(machine: &Machine, name: &str, args: &[&str]) {
    machine.start(name, args, &["sleep", "1000"]);
}

fn dig(machine: &Machine, asker: &str, words: &[&str]) -> String {
    let line = [&["exec", asker, "dig", "+short", "+tries=1", "+time=3"], words].concat();
    machine.pontoon(line).ok()
}

#[test]
fn static_records_live_as_long_as_their_network() {
    let mut machine = Lab::new().machine("aa");
    machine.pontoon(["network", "create", "web"]).ok();
    sleeper(&machine, "cc", &["--network", "web"]);
    let add = |words: &[&str]| machine.pontoon([&["network", "record", "add", "web"], words].concat());
    add(&["db", "A", "10.99.0.1"]).ok();
    add(&["db", "A", "10.99.0.2", "--ttl", "60"]).ok();
    add(&["*.app", "aaaa", "FD00:0::7"]).ok();
    add(&["www.example.com", "CNAME", "cc"]).ok();
    add(&["_db._tcp.db", "SRV", "1", "2", "5432", "db"]).ok();
    add(&["note", "TXT", "v=spf1 -all"]).ok();

    let mut db: Vec<_> = dig(&machine, "cc", &["db"]).lines().map(str::to_owned).collect();
    db.sort();
    assert_eq!(db, ["10.99.0.1", "10.99.0.2"]);
    assert_eq!(dig(&machine, "cc", &["x.y.app.web", "AAAA"]), "fd00::7");
    assert!(dig(&machine, "cc", &["www.example.com"]).starts_with("cc.\n"));
    assert_eq!(dig(&machine, "cc", &["_db._tcp.db", "SRV"]), "1 2 5432 db.");
    assert_eq!(dig(&machine, "cc", &["note", "TXT"]), "\"v=spf1 -all\"");

    let refused = [
        (&["db", "A", "10.99.0.1"][..], "record db A 10.99.0.1 already exists in network web"),
        (&["db", "CNAME", "cc"], "a CNAME can't stand beside others"),
        (&["db", "A", "fd00::1"], "\"fd00::1\" is not an IPv4 address"),
        (&["db", "NS", "x"], "the type should be A, AAAA, CNAME, TXT, SRV or MX"),
    ];
    for (words, text) in refused {
        let said = add(words).fails(1);
        assert!(said.contains(text), "{said}");
    }
    let said = machine.pontoon(["network", "record", "add", "bridge", "x", "A", "10.0.0.1"]).fails(1);
    assert!(said.contains("network bridge has no names"), "{said}");
    let said = machine.pontoon(["network", "record", "rm", "web", "nobody"]).fails(1);
    assert!(said.contains("no record nobody in network web"), "{said}");

    machine.kill_netd();
    machine.start_netd();
    assert_eq!(dig(&machine, "cc", &["note", "TXT"]), "\"v=spf1 -all\"", "records are durable");
    let gone = machine.pontoon(["network", "record", "rm", "web", "DB", "A"]).ok();
    assert_eq!(gone, "db A 10.99.0.1\ndb A 10.99.0.2");
    assert_eq!(dig(&machine, "cc", &["db"]), "");
    let left = machine.pontoon(["network", "record", "ls", "web", "--format", "{{.Name}} {{.Type}}"]).ok();
    assert_eq!(left, "*.app AAAA\nwww.example.com CNAME\n_db._tcp.db SRV\nnote TXT");
}

#[test]
fn the_host_has_a_name_where_it_is_wanted() {
    let machine = Lab::new().machine("aa");
    let option = ["-o", "io.pontoon.dns.host-names=true"];
    machine.pontoon(["network", "create", option[0], option[1], "--subnet", "10.77.0.0/24", "web"]).ok();
    machine.pontoon(["network", "create", "plain"]).ok();
    sleeper(&machine, "aa", &["--network", "web"]);
    sleeper(&machine, "bb", &["--network", "plain"]);
    for name in ["host.docker.internal", "host.containers.internal"] {
        assert_eq!(dig(&machine, "aa", &[name]), "10.77.0.1");
        assert_eq!(dig(&machine, "bb", &[name]), "");
    }
    machine.pontoon(["exec", "aa", "ping", "-c1", "-W5", "host.docker.internal"]).ok();
    let said = machine.pontoon(["network", "create", "-o", "io.pontoon.dns.host-names=maybe", "x"]).fails(1);
    assert!(said.contains("failed to parse io.pontoon.dns.host-names value: maybe"), "{said}");
}

#[test]
fn services_are_found_whether_published_or_exposed() {
    let machine = Lab::new().machine("aa");
    machine.pontoon(["network", "create", "web"]).ok();
    sleeper(&machine, "aa", &["--network", "web", "--expose", "6379", "-p", "8080:80"]);
    assert_eq!(dig(&machine, "aa", &["_redis._tcp.aa", "SRV"]), "0 0 6379 aa.web.");
    assert_eq!(dig(&machine, "aa", &["_http._tcp.aa.web", "SRV"]), "0 0 80 aa.web.");
    assert_eq!(dig(&machine, "aa", &["_http._udp.aa", "SRV"]), "");
}

#[test]
fn a_container_s_view_can_be_asked_listed_and_followed() {
    let machine = Lab::new().machine("aa");
    machine.pontoon(["network", "create", "--subnet", "10.78.0.0/24", "web"]).ok();
    machine.pontoon(["network", "create", "other"]).ok();
    sleeper(&machine, "aa", &["--network", "web", "--ip", "10.78.0.9", "--net-alias", "search"]);
    sleeper(&machine, "bb", &["--network", "other"]);
    sleeper(&machine, "shares", &["--network", "container:aa"]);
    sleeper(&machine, "plain", &[]);

    let query = |words: &[&str]| machine.pontoon([&["dns", "query"], words].concat());
    let found = query(&["search", "--as", "aa"]);
    assert_eq!(found.stdout.trim_end(), "search.\t5\tIN\tA\t10.78.0.9");
    assert!(found.stderr.contains("NOERROR 1 record (local, "), "{}", found.stderr);
    assert_eq!(
        query(&["9.0.78.10.in-addr.arpa", "ptr", "--as", "shares"]).stdout.trim_end().rsplit('\t').next(),
        Some("aa.web.")
    );
    query(&["aa", "AAAA", "--as", "aa"]).ok();
    query(&["aa", "--as", "bb"]).fails(1);
    let said = query(&["aa", "--as", "plain"]).fails(1);
    assert!(said.contains("container plain has no name service"), "{said}");
    let said = query(&["aa", "BOGUS", "--as", "aa"]).fails(1);
    assert!(said.contains("BOGUS is not a type of DNS record"), "{said}");

    let seen =
        machine.pontoon(["dns", "ls", "--as", "bb", "--format", "{{.Network}} {{.Name}} {{.Source}}"]).ok();
    assert!(seen.lines().any(|line| line == "other bb bb"), "{seen}");
    assert!(!seen.contains("search"), "{seen}");
    let all = machine.pontoon(["dns", "ls"]).ok();
    assert!(all.starts_with("NETWORK ") && all.contains("10.78.0.9"), "{all}");

    let format = "{{.Type}} {{.Name}} {{.Outcome}}";
    let words = machine.pontoon_words(&["dns", "log", "aa", "--format", format]);
    let script = "exec \"$@\" > /run/lab/log";
    let _log = machine.spawn(["bash", "-c", script, "log"].map(str::to_owned).into_iter().chain(words));
    let seen = |line: &str| {
        let log = std::fs::read_to_string(machine.path("/run/lab/log")).unwrap_or_default();
        if log.lines().any(|seen| seen == line) { Ok(()) } else { Err(log) }
    };
    eventually("the log has begun", || {
        dig(&machine, "aa", &["search"]);
        seen("A search. answered")
    });
    dig(&machine, "aa", &["aa.WEB", "AAAA"]);
    eventually("the question is told", || seen("AAAA aa.WEB. empty"));
}

#[test]
fn metrics_are_for_prometheus_to_read() {
    let options = NetdOptions {
        args: vec!["--metrics-addr".into(), "127.0.0.1:9323".into()],
        ..NetdOptions::default()
    };
    let machine = Lab::new().machine_with("aa", options);
    machine.pontoon(["network", "create", "web"]).ok();
    sleeper(&machine, "aa", &["--network", "web"]);
    dig(&machine, "aa", &["aa"]);
    let page = machine.exec(["curl", "-sS", "--max-time", "5", "http://127.0.0.1:9323/metrics"]).ok();
    for line in [
        "pontoon_dns_answers_total{outcome=\"answered\"} 1",
        "pontoon_dns_queries_total{transport=\"udp\"} 1",
        "pontoon_dns_servers 1",
        "engine_daemon_container_states_containers{state=\"running\"} 1",
    ] {
        assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
    }
    let other = machine.exec([
        "curl",
        "-sS",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "http://127.0.0.1:9323/containers/json",
    ]);
    assert_eq!(other.ok(), "404", "nothing else is served there");
}
