//! What the kernel has, as libnet lists it, against what the real `nft` lists: block for block, letter for letter.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test may")]

mod support;

use std::{collections::BTreeSet, time::Duration};

use libnet::{
    firewall::{Allowance, Concern, Listing},
    host::{EndpointSpec, Host},
    ports::{HostPort, PortRequest},
    types::{Egress, Port, Proto},
};
use support::{endpoint, network, open};
use tests::{Golden, Host as Machine, Lab};

/// The blocks of all tables (a set or chain each), with elements in order and without times, which run.
fn blocks(listing: &str) -> BTreeSet<String> {
    let mut blocks = BTreeSet::new();
    let (mut table, mut block) = (String::new(), String::new());
    for line in listing.lines() {
        if line.starts_with("table ") {
            line.clone_into(&mut table);
        }
        if !line.starts_with('\t') || line.starts_with("\tcomment") {
            continue;
        }
        block += &format!("{}\n", without_times(line));
        if line == "\t}" {
            blocks.insert(format!("{table}\n{}", in_order(&std::mem::take(&mut block))));
        }
    }
    blocks
}

fn without_times(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let kept =
        (0..words.len()).filter(|at| words[*at] != "expires" && (*at == 0 || words[at - 1] != "expires"));
    kept.map(|at| words[at]).collect::<Vec<_>>().join(" ")
}

/// `nft` breaks lines of elements as it likes and shows those of hashed sets in any order.
fn in_order(block: &str) -> String {
    let Some((before, after)) = block.split_once("elements = { ") else { return block.to_owned() };
    let (list, after) = after.split_once(" }").unwrap();
    let elements: BTreeSet<&str> = list.split(',').map(str::trim).collect();
    format!("{before}elements = {elements:?}{after}")
}

#[track_caller]
fn assert_listed(machine: &Machine, listing: &Listing, tables: &[&str]) {
    let all: String =
        tables.iter().map(|table| machine.sh(&format!("nft list table {table}")).ok() + "\n").collect();
    assert_eq!(blocks(&listing.to_string()), blocks(&all), "{listing}");
}

/// A host with networks of every kind, published ports and restricted endpoints.
fn everything() -> Host {
    let host = open();
    let publish = |host_ip: Option<&str>, number, container, proto| PortRequest {
        host_ip: host_ip.map(|ip| ip.parse().unwrap()),
        host: HostPort::Exactly(Port::new(number).unwrap()),
        container: Port::new(container).unwrap(),
        proto,
    };
    let net = network("web", "10.9.0.1/24", "fd09::1/64");
    host.create_network(&net).unwrap();
    host.create_network(&network("other", "10.10.0.1/24", "")).unwrap();
    let sandbox = host.open_sandbox("pontoon-000000000001").unwrap();
    let ports = vec![publish(None, 8080, 80, Proto::Tcp), publish(Some("127.0.0.1"), 5353, 53, Proto::Udp)];
    let denied = EndpointSpec { egress: Egress::Deny, ports, ..endpoint(&net, 2, "eth0") };
    host.attach(&sandbox, &denied).unwrap();
    let sandbox = host.open_sandbox("pontoon-000000000002").unwrap();
    host.attach(&sandbox, &EndpointSpec { egress: Egress::Learn, ..endpoint(&net, 3, "eth0") }).unwrap();
    let allowance = |to: &str, seconds: Option<u64>| Allowance {
        from: "10.9.0.2".parse().unwrap(),
        to: to.parse().unwrap(),
        at: seconds.map(|_| (Proto::Tcp, Port::new(443).unwrap())),
        time: seconds.map(Duration::from_secs),
    };
    host.allow(&[allowance("192.0.2.1", Some(3_700)), allowance("192.0.2.2", None)]).unwrap();
    host
}

const EGRESS_HEAD: &str = "# The table of egress by name

<!-- Written by libnet/tests/firewall_listing.rs from what the kernel holds; `just goldens` writes it anew. -->

It is there while a container is restricted. Of network `web` on bridge `br-web`, 10.9.0.2 may reach 192.0.2.2, and
192.0.2.1 at port 443 for 3,700 seconds more; what 10.9.0.3 reaches is noted. What elements last is left out. Why: [names](../dns.md).

```
";

const TABLES: [&str; 3] = ["inet pontoon", "inet pontoon-egress", "bridge pontoon"];

#[test]
fn all_of_ours_is_listed_as_nft_lists_it() {
    let lab = Lab::new();
    let machine = lab.host("a");
    machine.run(|| {
        let host = everything();
        let listing = host.listing().unwrap();
        assert_listed(&machine, &listing, &TABLES);
        // What a packet meets first comes first, and each part says what it is for.
        let tables: Vec<String> =
            listing.tables.iter().map(|table| format!("{} {}", table.family, table.name)).collect();
        assert_eq!(tables, ["bridge pontoon", "inet pontoon-egress", "inet pontoon"]);
        let chains: Vec<&str> = listing.tables[2].chains.iter().map(|chain| chain.name.as_str()).collect();
        assert_eq!(chains[..3], ["raw-prerouting", "nat-prerouting", "nat-output"]);
        assert_eq!(chains[4..6], ["filter-forward", "pontoon-user"]);
        for table in &listing.tables {
            assert!(!table.about.is_empty());
            assert!(table.sets.iter().all(|set| !set.about.is_empty()), "{table}");
            assert!(table.chains.iter().all(|chain| !chain.about.is_empty()), "{table}");
        }
        let egress = listing.tables[1].to_string();
        let egress: Vec<String> = egress.lines().map(without_times).collect();
        Golden::page("firewall/egress.md").assert(&format!("{EGRESS_HEAD}{}\n```\n", egress.join("\n")));

        // nft takes it, comments and counters included; but for what an old nft prints and can't read (`icmpv6 taddr`).
        let text = listing.to_string();
        let readable: Vec<&str> = text.lines().filter(|line| !line.contains("@th,64,128")).collect();
        std::fs::write("/run/listing.nft", readable.join("\n") + "\n").unwrap();
        machine.sh("nft -c -f /run/listing.nft").ok();

        host.clear().unwrap();
        assert_eq!(host.listing().unwrap(), Listing::default());
    });
}

#[test]
fn rules_of_the_user_s_own_are_listed_as_nft_lists_them() {
    let rules = [
        "ip saddr 192.0.2.9 drop",
        "ip saddr 10.0.0.0/8 accept",
        "ip saddr 10.16.0.0/12 counter accept",
        "ip daddr != 10.0.0.0/9 drop",
        "ip6 saddr fd00::/8 accept",
        "ip6 daddr 2001:db8::1 tcp dport 22 drop comment \"no ssh\"",
        "iifname \"eth*\" oifname \"br-web\" tcp dport 80 accept",
        "oifname != \"eth1\" udp sport 53 drop",
        "tcp dport { 22, 80-90 } accept",
        "tcp dport != 22 return",
        "udp dport 1000-2000 accept",
        "ct state established,related accept",
        "ct state invalid,new drop",
        "meta mark 0x00000001 accept",
        "ip saddr { 1.2.3.4, 10.0.0.0/8, 192.0.2.5-192.0.2.9 } drop",
        "ip saddr . tcp dport @mine accept",
        "iifname . oifname vmap { \"a\" . \"b\" : accept }",
        "limit rate 10/second accept",
        "limit rate over 400/minute burst 10 packets drop",
        "log prefix \"x \" level info",
        "tcp dport 23 log reject",
        "reject with icmpx admin-prohibited",
        "meta nfproto ipv6 drop",
        "meta l4proto sctp accept",
        "counter",
    ];
    let lab = Lab::new();
    let machine = lab.host("a");
    machine.run(|| {
        let host = open();
        host.create_network(&network("web", "10.9.0.1/24", "")).unwrap();
        machine.sh("nft 'add set inet pontoon mine { type ipv4_addr . inet_service; elements = { 192.0.2.1 . 80 }; }'").ok();
        for rule in &rules {
            machine.exec(["nft", &format!("add rule inet pontoon pontoon-user {rule}")]).ok();
        }
        assert_listed(&machine, &host.listing().unwrap(), &["inet pontoon", "bridge pontoon"]);

        // What is not known here says so, and is no obstacle.
        machine.exec(["nft", "add rule inet pontoon pontoon-user meta cpu 0 accept"]).ok();
        let listing = host.listing().unwrap();
        let user = listing.tables[1].chains.iter().find(|chain| chain.name == "pontoon-user").unwrap();
        assert_eq!(user.rules.iter().filter(|rule| rule.text.is_none()).count(), 1);
        assert!(user.block().contains("only nft can print it"));
    });
}

#[test]
fn a_listing_can_be_narrowed_to_whom_it_concerns() {
    let lab = Lab::new();
    let machine = lab.host("a");
    machine.run(|| {
        let host = everything();
        machine.sh("nft 'table ip filter { chain FORWARD { type filter hook forward priority 0; policy drop; }; }'").ok();
        let more = network("more", "10.11.0.1/24", "");
        host.create_network(&more).unwrap();
        let mut listing = host.listing().unwrap();
        let others = listing.tables.last().unwrap();
        assert_eq!(format!("{} {}", others.family, others.name), "ip filter");
        assert_eq!(others.chains[0].rules.len(), 6, "{others}");

        let net = network("web", "10.9.0.1/24", "fd09::1/64");
        listing.only(&Concern {
            ids: [endpoint(&net, 2, "eth0").id.to_string()].into(),
            addresses: ["10.9.0.2".parse().unwrap()].into(),
            links: [more.link.clone()].into(),
        });
        let text = listing.to_string();
        assert!(text.contains("tcp . 8080 counter") && text.contains("127.0.0.1 . udp . 5353"), "{text}");
        assert!(text.contains("10.9.0.2 . 192.0.2.1"), "{text}");
        assert!(text.contains("iifname \"br-more\"") && !text.contains("iifname \"br-web\""), "{text}");
        assert!(!text.contains("10.10.0.0/24") && !text.contains("set unprotected"), "{text}");
    });
}
