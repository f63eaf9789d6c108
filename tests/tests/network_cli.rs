//! `docker network …` and `pontoon network …`, given the same words on the same daemon: both write the same bytes and end
//! with the same code.

use tests::{Lab, Machine, Output};

/// Code, standard output, standard error.
type Said = (Option<i32>, String, String);

/// The name of the program is its own, and `docker network rm` ends with a line that says no more than its code.
fn said(output: Output) -> Said {
    let stderr = output.stderr.replace("pontoon", "docker").replace("\nexit status 1", "");
    (output.status.code(), output.stdout, stderr)
}

/// Runs every line with both, `between` after each; all differences at once.
fn compare(machine: &Machine, lines: &[&[&str]], between: impl Fn()) {
    let mut different = Vec::new();
    for line in lines {
        let words = ["network"].iter().chain(*line).copied();
        let docker = said(machine.docker(words.clone()));
        between();
        let pontoon = said(machine.pontoon(words));
        between();
        if docker != pontoon {
            different.push(format!("{line:?}\n  docker  {docker:?}\n  pontoon {pontoon:?}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

const SHOWN: &[&[&str]] = &[
    &["ls"],
    &["list", "--no-trunc"],
    &["ls", "-q"],
    &["ls", "-q", "--no-trunc"],
    &["ls", "--format", "{{.ID}}: {{.Name}} {{.Driver}} {{.Scope}} {{.IPv4}} {{.IPv6}} {{.Internal}}"],
    &["ls", "--format", "json"],
    &["ls", "--format", "{{json .}}"],
    &["ls", "--format", "raw"],
    &["ls", "--format", "table {{.Name}}\t{{.CreatedAt}}\t{{.Labels}}"],
    &["ls", "--format", "{{.Name}}={{.Label \"tier\"}}"],
    &["ls", "--format", "{{upper .Name}}"],
    &["ls", "--format", "{{"],
    &["ls", "-f", "driver=bridge"],
    &["ls", "-f", "driver=null", "-q"],
    &["ls", "-f", "type=custom"],
    &["ls", "-f", "type=builtin"],
    &["ls", "-f", "type=what"],
    &["ls", "-f", "dangling=true"],
    &["ls", "-f", "dangling=0"],
    &["ls", "-f", "dangling=perhaps"],
    &["ls", "-f", "label=tier"],
    &["ls", "-f", "label=tier=front"],
    &["ls", "-f", "name=n", "-f", "driver=bridge"],
    &["ls", "-f", "name=^web$"],
    &["ls", "-f", "scope=global"],
    &["ls", "-f", "colour=red"],
    &["ls", "-f", "colour"],
    &["inspect", "web"],
    &["inspect", "web", "n10", "cfg", "from", "bridge", "host", "none"],
    &["inspect", "-v", "web"],
    &["inspect", "nope"],
    &["inspect", "nope", "web", "never"],
    &["inspect", "-f", "{{.Name}} {{.Id}} {{.Internal}}", "web", "none"],
    &["inspect", "-f", "{{json .IPAM}}", "web", "cfg"],
    &["inspect", "-f", "{{range .IPAM.Config}}{{.Subnet}} {{.Gateway}}{{end}}", "web"],
    &["inspect", "-f", "{{range $id, $c := .Containers}}{{$c.Name}} {{$c.IPv4Address}}{{end}}", "web"],
    &["inspect", "-f", "{{index .Labels \"tier\"}}", "web"],
    &["inspect", "-f", "{{len .Containers}}", "web", "n2"],
    &["inspect", "-f", "json", "web"],
];

#[test]
fn what_is_shown_is_the_same() {
    let machine = Lab::new().machine("aa");
    machine
        .pontoon(
            ["network", "create", "--subnet", "192.168.7.0/24", "--ip-range", "192.168.7.128/25"]
                .iter()
                .chain(&[
                    "--gateway",
                    "192.168.7.1",
                    "--aux-address",
                    "router=192.168.7.2",
                    "--label",
                    "tier=front",
                    "web",
                ])
                .copied(),
        )
        .ok();
    machine
        .pontoon([
            "network",
            "create",
            "--ipv6",
            "--internal",
            "-o",
            "com.docker.network.bridge.enable_icc=false",
            "n10",
        ])
        .ok();
    machine.pontoon(["network", "create", "--attachable", "--scope", "global", "n2"]).ok();
    machine
        .pontoon([
            "network",
            "create",
            "--config-only",
            "--subnet",
            "10.9.0.0/24",
            "--label",
            "tier=back",
            "cfg",
        ])
        .ok();
    let id = machine.pontoon(["network", "create", "--config-from", "cfg", "from"]).ok();
    machine.start("c1", &["--network", "web"], &["sleep", "1000"]);
    let id_filter = format!("id={}", &id[..5]);
    compare(&machine, SHOWN, || ());
    compare(&machine, &[&["ls", "-f", &id_filter], &["inspect", &id[..12]]], || ());
}

const REFUSED: &[&[&str]] = &[
    &["create", "--gateway", "10.0.0.1", "x"],
    &["create", "--ip-range", "10.0.0.0/28", "x"],
    &["create", "--subnet", "10.0.0.0/24", "--subnet", "10.0.0.0/16", "x"],
    &["create", "--subnet", "10.0.0.0/24", "--gateway", "10.9.0.1", "x"],
    &["create", "--subnet", "10.0.0.0/24", "--ip-range", "10.9.0.0/28", "x"],
    &["create", "--subnet", "10.0.0.0/24", "--aux-address", "a=10.9.0.1", "x"],
    &["create", "--subnet", "10.0.0.0/24", "--subnet", "10.1.0.0/24", "--gateway", "10.0.0.1,10.0.0.2", "x"],
    &["create", "--subnet", "10.0.0.0/24,10.1.0.0/24", "--ip-range", "10.0.0.0/28,10.0.0.16/28", "x"],
    &["create", "--subnet", "10.0.0.0/24,nonsense", "x"],
    &["create", "--subnet", "10.0.0.0/24", "--ip-range", "nonsense", "x"],
    &["create", "--subnet", "10.0.0.0/24", "--gateway", "nonsense", "x"],
    &["create", "--subnet", "10.0.0.0/24,10.1.0.0/24", "x"],
    &["create", "--subnet", "nonsense", "x"],
    &["create", "--subnet", "10.0.0.1/24", "x"],
    &["create", "--subnet", "10.0.0.1/24", "--ip-range", "10.0.0.0/16", "x"],
    &["create", "--subnet", "10.0.0.0/24", "--gateway", "10.0.0.0", "x"],
    &["create", "--subnet", "10.0.0.0/24", "--aux-address", "a=10.0.0.255", "x"],
    &["create", "--subnet", "10.20.3.0/24", "x"],
    &["create", "--subnet", "fd00::1/64", "--ipv6", "x"],
    &["create", "--ipv4=false", "x"],
    &["create", "-d", "foo", "x"],
    &["create", "-d", "host", "x"],
    &["create", "-d", "null", "x"],
    &["create", "-d", "overlay", "x"],
    &["create", "--ipam-driver", "foo", "x"],
    &["create", "--scope", "swarm", "x"],
    &["create", "--ingress", "x"],
    &["create", "-o", "com.docker.network.enable_ipv6=what", "x"],
    &["create", "-o", "com.docker.network.driver.mtu=-1", "x"],
    &["create", "web"],
    &["create", "bridge"],
    &["create", " "],
    &["create", "--config-only", "--internal", "x"],
    &["create", "--config-only", "--scope", "local", "x"],
    &["create", "--config-only", "--config-from", "cfg", "x"],
    &["create", "--config-from", "nope", "x"],
    &["create", "--config-from", "cfg", "--subnet", "10.0.0.0/24", "x"],
    &["create", "--config-from", "cfg", "--label", "a=b", "x"],
    &["create", "--config-from", "cfg", "-o", "a=b", "x"],
    &["rm", "nope"],
    &["rm", "-f", "nope"],
    &["rm", "bridge", "nope", "host"],
    &["rm", "-f", "nope", "web"],
    &["rm", "cfg"],
    &["connect", "cfg", "c1"],
    &["connect", "nope", "c1"],
    &["prune", "-f", "--filter", "colour=red"],
    &["prune", "-f", "--filter", "until=yesterday-ish"],
    &["prune", "-f", "--filter", "until=1h", "--filter", "until=2h"],
];

#[test]
fn what_is_refused_is_refused_in_the_same_words() {
    let machine = Lab::new().machine("aa");
    machine.pontoon(["network", "create", "--subnet", "10.20.0.0/16", "web"]).ok();
    machine.pontoon(["network", "create", "--config-only", "cfg"]).ok();
    machine.pontoon(["network", "create", "--config-from", "cfg", "from"]).ok();
    machine.start("c1", &["--network", "web"], &["sleep", "1000"]);
    compare(&machine, REFUSED, || ());
    let names = machine.pontoon(["network", "ls", "--format", "{{.Name}}", "-f", "type=custom"]).ok();
    assert_eq!(names.lines().collect::<Vec<_>>(), ["cfg", "from", "web"], "nothing was made or removed");
}

#[test]
fn what_is_removed_is_told_in_the_same_words() {
    let machine = Lab::new().machine("aa");
    let make = || {
        let all = machine.pontoon(["network", "ls", "--format", "{{.Name}}"]).ok();
        for name in ["one", "two", "three"].iter().filter(|name| !all.lines().any(|line| line == **name)) {
            machine.pontoon(["network", "create", "--label", &format!("name={name}"), name]).ok();
        }
    };
    make();
    compare(
        &machine,
        &[
            &["rm", "one", "two"],
            &["remove", "nope", "one", "never"],
            &["rm", "-f", "nope", "two", "never"],
            &["prune", "-f", "--filter", "label=name=one"],
            &["prune", "-f", "--filter", "label!=name=one", "--filter", "label=name=two"],
            &["prune", "-f", "--filter", "label!=name"],
            &["prune", "--force", "--filter", "until=1h"],
        ],
        make,
    );
}
