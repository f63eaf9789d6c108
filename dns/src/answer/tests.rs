//! The rules of names, as a table of questions to one small world, and what holds for every question.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use hickory_proto::op::Edns;
use hickory_proto::rr::{Name, RData};
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::SmallRng;

use super::*;
use crate::snapshot::Directory;
use crate::types::{Host, Protocol, Service, StaticData, StaticRecord, View, ZoneId};

#[test]
fn names_of_every_kind() {
    let world = world();
    for (question, expected) in [
        ("c1 A", "10.0.1.1"),
        ("C1 A", "10.0.1.1"),
        ("c1 AAAA", "fd00::1"),
        ("c1 ANY", "10.0.1.1 fd00::1"),
        ("alias A", "10.0.1.1"),
        ("0123456789ab A", "10.0.1.1"),
        ("both A", "10.0.1.1 10.0.1.2 10.0.2.3"),
        ("c2 AAAA", "empty"),
        ("c1 MX", "empty"),
        ("c1 TXT", "empty"),
        ("c1 HTTPS", "empty"),
        ("c1.front A", "10.0.1.1"),
        ("c1.FRONT A", "10.0.1.1"),
        ("c1.back.end A", "forward"),
        ("c3.back.end A", "10.0.2.3"),
        ("both.back.end A", "10.0.2.3"),
        ("both.front A", "10.0.1.1 10.0.1.2"),
        ("dotted.name A", "10.0.2.3"),
        ("dotted.name.back.end A", "10.0.2.3"),
        ("other A", "forward"),
        ("other.hidden A", "forward"),
        ("front A", "forward"),
        ("nobody A", "forward"),
        ("nobody.front A", "forward"),
        ("example.com A", "forward"),
        ("example.com TXT", "forward"),
        (". A", "forward"),
        (". NS", "forward"),
        (r"dotted\.name A", "forward"),
    ] {
        assert_eq!(ask(&world, "asker", question), expected, "{question}");
    }
}

#[test]
fn a_star_stands_for_names_that_nobody_has() {
    let world = world();
    let zone = ZoneId::from("n1");
    world.update(|editor| {
        editor.set_host(&zone, "e5", host(&["*.apps", "proxy", "*"], [10, 0, 1, 5], None));
        editor.set_host(&zone, "e6", host(&["*.big.apps", "one.apps"], [10, 0, 1, 6], None));
        editor.set_host(&"n2".into(), "e7", host(&["*.Apps"], [10, 0, 2, 7], None));
    });
    for (question, expected) in [
        ("two.apps A", "10.0.1.5 10.0.2.7"),
        ("TWO.apps A", "10.0.1.5 10.0.2.7"),
        ("a.b.c.apps A", "10.0.1.5 10.0.2.7"),
        ("one.apps A", "10.0.1.6"),
        ("x.big.apps A", "10.0.1.6 10.0.2.7"),
        ("x.one.apps A", "10.0.1.5 10.0.2.7"),
        ("*.apps A", "10.0.1.5 10.0.2.7"),
        ("two.apps.front A", "10.0.1.5"),
        ("two.apps AAAA", "empty"),
        ("apps A", "forward"),
        ("two.papps A", "forward"),
        ("example.com A", "forward"),
        ("* A", "10.0.1.5"),
        ("5.1.0.10.in-addr.arpa PTR", "proxy.front."),
        ("6.1.0.10.in-addr.arpa PTR", "one.apps.front."),
        ("7.2.0.10.in-addr.arpa PTR", "forward"),
    ] {
        assert_eq!(ask(&world, "asker", question), expected, "{question}");
    }
    world.update(|editor| {
        editor.remove_host(&zone, &"e5".into());
        editor.remove_host(&"n2".into(), &"e7".into());
    });
    assert_eq!(ask(&world, "asker", "two.apps A"), "forward");
    assert_eq!(ask(&world, "asker", "x.big.apps A"), "10.0.1.6");
}

#[test]
fn services_are_found_by_name_and_number() {
    let world = world();
    let service =
        |port, protocol, name: Option<&str>| Service { port, protocol, name: name.map(str::to_owned) };
    world.update(|editor| {
        let (zone, tcp) = (ZoneId::from("n1"), Protocol::Tcp);
        let mut web = host(&["w1", "web", "*.web"], [10, 0, 1, 8], None);
        web.services =
            vec![service(80, tcp, None), service(80, tcp, None), service(9_000, tcp, Some("Metrics"))];
        editor.set_host(&zone, "e8", web.clone());
        web.names = vec!["w2".to_owned(), "web".to_owned()];
        web.services =
            vec![service(80, tcp, None), service(53, Protocol::Udp, None), service(443, tcp, Some("h3"))];
        editor.set_host(&zone, "e9", web);
    });
    for (question, expected) in [
        ("_http._tcp.web SRV", "0 0 80 w1.front. 0 0 80 w2.front."),
        ("_HTTP._tcp.w2.FRONT SRV", "0 0 80 w2.front."),
        ("_80._tcp.w1 SRV", "0 0 80 w1.front."),
        ("_metrics._tcp.web SRV", "0 0 9000 w1.front."),
        ("_metrics._tcp.any.web SRV", "0 0 9000 w1.front."),
        ("_domain._udp.web SRV", "0 0 53 w2.front."),
        ("_domain._tcp.web SRV", "empty"),
        ("_https._tcp.web SRV", "empty"),
        ("_http._tcp.web A", "empty"),
        ("_http._tcp.c1 SRV", "empty"),
        ("_http._tcp.nobody SRV", "forward"),
        ("_http._http.w2 SRV", "forward"),
        ("_http._http.web SRV", "empty"),
        ("_ldap._tcp.example.com SRV", "forward"),
    ] {
        assert_eq!(ask(&world, "asker", question), expected, "{question}");
    }
    let Verdict::Reply(reply) = put(&world, "asker", &query("_http._tcp.web", "SRV"), 1) else { panic!() };
    assert_eq!(reply.additionals.len(), 2, "the addresses come along");
}

#[test]
fn records_that_someone_wrote() {
    let world = world();
    let record = |name: &str, data| StaticRecord { name: name.to_owned(), ttl: None, data };
    let alias = |name, target: &str| record(name, StaticData::Cname(target.to_owned()));
    let records = [
        record("c1", StaticData::A([10, 9, 9, 9].into())),
        record("Vip", StaticData::A([10, 9, 9, 1].into())),
        record("vip", StaticData::Txt(vec!["v=1".to_owned()])),
        record("vip", StaticData::Mx { preference: 5, exchange: "mail.example.com".to_owned() }),
        record("_ldap._tcp", StaticData::Srv { priority: 1, weight: 2, port: 389, target: "c1".to_owned() }),
        record("*.wild", StaticData::A([10, 9, 9, 2].into())),
        alias("www", "c1"),
        alias("far", "www.front"),
        alias("out", "example.com"),
        alias("outer", "out"),
        alias("round", "Round"),
        alias("bad..name", "c1"),
        record("bad", StaticData::Txt(vec!["x".repeat(256)])),
    ];
    assert_eq!(records.iter().filter(|record| record.check().is_err()).count(), 2);
    world.update(|editor| editor.set_records(&"n1".into(), &records));
    for (question, expected) in [
        ("c1 A", "10.0.1.1 10.9.9.9"),
        ("vip A", "10.9.9.1"),
        ("vip.front TXT", "v=1"),
        ("vip MX", "5 mail.example.com."),
        ("vip AAAA", "empty"),
        ("_ldap._tcp SRV", "1 2 389 c1."),
        ("any.wild A", "10.9.9.2"),
        ("www A", "10.0.1.1 10.9.9.9 c1."),
        ("www CNAME", "c1."),
        ("www ANY", "c1."),
        ("www TXT", "c1."),
        ("far AAAA", "c1. fd00::1 www.front."),
        ("out A", "1 alias of example.com."),
        ("outer MX", "2 alias of example.com."),
        ("outer CNAME", "out."),
        ("round A", "Round."),
        ("bad A", "forward"),
    ] {
        assert_eq!(ask(&world, "asker", question), expected, "{question}");
    }
    world.update(|editor| editor.set_records(&"n1".into(), &[]));
    assert_eq!(ask(&world, "asker", "vip A"), "forward");
    assert_eq!(ask(&world, "asker", "c1 A"), "10.0.1.1");
}

#[test]
fn reverse_questions() {
    let world = world();
    for (question, expected) in [
        ("1.1.0.10.in-addr.arpa PTR", "c1.front."),
        ("3.2.0.10.IN-ADDR.arpa PTR", "c3.Back.End."),
        ("1.1.0.10.in-addr.arpa TXT", "empty"),
        ("9.9.0.10.in-addr.arpa PTR", "forward"),
        ("1.0.10.in-addr.arpa PTR", "forward"),
        ("1.1.0.10.0.in-addr.arpa PTR", "forward"),
        ("300.1.0.10.in-addr.arpa PTR", "forward"),
        ("4.3.0.10.in-addr.arpa PTR", "forward"),
        ("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa PTR", "c1.front."),
        ("d.f.ip6.arpa PTR", "forward"),
        ("arpa PTR", "forward"),
    ] {
        assert_eq!(ask(&world, "asker", question), expected, "{question}");
    }
}

#[test]
fn link_aliases_belong_to_the_asker_and_win() {
    let world = world();
    for (question, expected) in [
        ("db A", "10.0.1.2"),
        ("DB A", "10.0.1.2"),
        ("db.front A", "10.0.1.2"),
        ("c3 A", "10.0.1.1"),
        ("cluster A", "10.0.1.1 10.0.1.2"),
        ("far A", "10.0.2.3"),
        ("gone A", "forward"),
        ("c1 A", "10.0.1.1"),
    ] {
        assert_eq!(ask(&world, "linked", question), expected, "{question}");
    }
    assert_eq!(ask(&world, "asker", "db A"), "forward");
}

#[test]
fn views_decide_what_leaves() {
    let world = world();
    assert_eq!(ask(&world, "internal", "example.com A"), "forward to the container's");
    assert_eq!(ask(&world, "internal", "c3 A"), "10.0.2.3");
    assert_eq!(ask(&world, "ndots", "nobody A"), "empty");
    assert_eq!(ask(&world, "ndots", "nobody AAAA"), "empty");
    assert_eq!(ask(&world, "ndots", "nobody MX"), "forward");
    assert_eq!(ask(&world, "ndots", "nobody.at.all A"), "forward");
    assert_eq!(ask(&world, "stranger", "c1 A"), "Server Failure");
}

#[test]
fn networks_keep_their_order_and_addresses_are_shuffled_within() {
    let world = world();
    let mut orders = BTreeSet::new();
    for seed in 0..64 {
        let Verdict::Reply(reply) = put(&world, "asker", &query("both", "A"), seed) else { panic!() };
        let order: Vec<String> = reply.answers.iter().map(|record| record.data.to_string()).collect();
        assert_eq!(order[2], "10.0.2.3", "the second network comes last");
        orders.insert(order);
    }
    assert_eq!(orders.len(), 2, "both orders of the first network's two are seen");
}

#[test]
fn changes_are_seen_at_once_and_only_later() {
    let world = world();
    let before = world.load();
    let zone = ZoneId::from("n1");
    world.update(|editor| {
        editor.remove_host(&zone, &"e1".into());
        editor.set_host(&zone, "e2", host(&["c2", "new"], [10, 0, 1, 1], None));
    });
    assert_eq!(ask(&world, "asker", "c1 A"), "forward");
    assert_eq!(ask(&world, "asker", "new A"), "10.0.1.1");
    assert_eq!(ask(&world, "asker", "1.1.0.10.in-addr.arpa PTR"), "c2.front.");
    assert_eq!(describe(&answer(&before, &"asker".into(), &query("c1", "A"), &mut rng(1))), "10.0.1.1");
    world.update(|editor| editor.set_zone("n1", "renamed"));
    assert_eq!(ask(&world, "asker", "new.renamed A"), "10.0.1.1");
    world.update(|editor| editor.remove_zone(&zone));
    assert_eq!(ask(&world, "asker", "new A"), "forward");
    world.update(|editor| editor.remove_view(&"asker".into()));
    assert_eq!(ask(&world, "asker", "c3 A"), "Server Failure");
}

#[test]
fn what_is_no_plain_question_is_turned_away() {
    let world = world();
    let change = |change: fn(&mut Message)| {
        let mut message = query("c1", "A");
        change(&mut message);
        describe(&put(&world, "asker", &message, 1))
    };
    assert_eq!(change(|m| m.metadata.op_code = OpCode::Status), "Not Implemented");
    assert_eq!(change(|m| m.metadata.op_code = OpCode::Unknown(9)), "Not Implemented");
    assert_eq!(change(|m| m.metadata.message_type = MessageType::Response), "ignore");
    assert_eq!(change(|m| m.queries.clear()), "Form Error");
    assert_eq!(change(|m| m.queries.extend(m.queries.clone())), "Form Error");
    assert_eq!(change(|m| m.queries[0].query_class = DNSClass::CH), "Query Refused");
    assert_eq!(change(|m| m.queries[0].query_class = DNSClass::ANY), "Query Refused");
    assert_eq!(change(|m| m.queries[0].query_type = RecordType::AXFR), "Query Refused");
    let newer_edns = change(|m| {
        let mut edns = Edns::new();
        edns.set_version(1);
        m.edns = Some(edns);
    });
    assert_eq!(newer_edns, "Bad option versions");
}

#[test]
fn the_frame_of_a_reply() {
    let world = world();
    let mut query = query("c1", "A");
    query.queries[0].name = Name::from_ascii("C1.fRONT.").unwrap();
    query.metadata.recursion_desired = true;
    let mut edns = Edns::new();
    edns.set_max_payload(1232).set_dnssec_ok(true);
    query.edns = Some(edns);
    let Verdict::Reply(reply) = put(&world, "asker", &query, 1) else { panic!() };
    assert_eq!(reply.metadata.id, query.metadata.id);
    assert!(reply.metadata.recursion_available && reply.metadata.recursion_desired);
    assert!(reply.metadata.authoritative && !reply.metadata.truncation);
    assert!(reply.queries[0].name.eq_case(&query.queries[0].name));
    assert!(reply.answers[0].name.eq_case(&query.queries[0].name));
    assert_eq!(reply.answers[0].ttl, LOCAL_TTL);
    let edns = reply.edns.unwrap();
    assert!(edns.flags().dnssec_ok && edns.version() == 0);
}

proptest! {
    /// What a name means does not depend on the case of its letters, and the reply repeats them as they were.
    #[test]
    fn case_never_matters(name in "(c1|both|alias|dotted\\.name|c3\\.back\\.end|nobody)", flips in any::<u32>()) {
        let world = world();
        let flipped: String = name
            .chars()
            .enumerate()
            .map(|(i, c)| if flips >> (i % 32) & 1 == 1 { c.to_ascii_uppercase() } else { c })
            .collect();
        prop_assert_eq!(ask(&world, "asker", &format!("{name} A")), ask(&world, "asker", &format!("{flipped} A")));
        if let Verdict::Reply(reply) = put(&world, "asker", &query(&flipped, "A"), 3) {
            prop_assert_eq!(reply.queries[0].name.to_string(), format!("{flipped}."));
        }
    }

    /// A name gives exactly the addresses of the hosts that bear it in the asker's networks, whatever was added and
    /// removed before.
    #[test]
    fn an_answer_is_the_set_of_bearers(steps in proptest::collection::vec(step(), 0..40), asked in 0..NAMES) {
        let directory = Directory::new();
        let mut bearers = std::collections::BTreeMap::new();
        directory.update(|editor| {
            for zone in ["z0", "z1", "z2"] {
                editor.set_zone(zone, zone);
            }
            editor.set_view("a", View { zones: vec!["z1".into(), "z0".into()], ..View::default() });
        });
        for (zone, id, names) in steps {
            let zone_id = ZoneId(format!("z{zone}"));
            let v4 = Ipv4Addr::new(10, zone, 0, id);
            directory.update(|editor| match &names {
                Some(names) => {
                    let names = names.iter().map(|name| format!("h{name}")).collect();
                    editor.set_host(&zone_id, id.to_string(), Host { names, v4: Some(v4), v6: None, ..Host::default() });
                }
                None => editor.remove_host(&zone_id, &id.to_string().into()),
            });
            match names {
                Some(names) => bearers.insert((zone, id), names),
                None => bearers.remove(&(zone, id)),
            };
        }
        let expected: BTreeSet<Ipv4Addr> = bearers
            .iter()
            .filter(|((zone, _), names)| *zone < 2 && names.contains(&asked))
            .map(|((zone, id), _)| Ipv4Addr::new(10, *zone, 0, *id))
            .collect();
        match put(&directory, "a", &query(&format!("H{asked}"), "A"), 7) {
            Verdict::Reply(reply) => {
                let found: Vec<_> = reply.answers.iter().map(|record| match record.data {
                    RData::A(a) => a.0,
                    _ => panic!("not an address"),
                }).collect();
                prop_assert_eq!(found.len(), expected.len());
                prop_assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
            }
            other => {
                prop_assert_eq!(other, Verdict::Forward(ForwardTo::Every));
                prop_assert!(expected.is_empty());
            }
        }
    }
}

const NAMES: u8 = 4;

fn step() -> impl Strategy<Value = (u8, u8, Option<Vec<u8>>)> {
    (0..3u8, 0..6u8, proptest::option::weighted(0.7, proptest::collection::vec(0..NAMES, 0..4)))
}

/// Networks `front` (n1), `back.end` (n2) and `hidden` (n3).
fn world() -> Directory {
    let directory = Directory::new();
    directory.update(|editor| {
        for (zone, name) in [("n1", "front"), ("n2", "Back.End"), ("n3", "hidden")] {
            editor.set_zone(zone, name);
        }
        let v6 = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
        let c1 = host(&["c1", "alias", "0123456789ab", "both", "C1"], [10, 0, 1, 1], Some(v6));
        editor.set_host(&"n1".into(), "e1", c1);
        editor.set_host(&"n1".into(), "e2", host(&["c2", "Both"], [10, 0, 1, 2], None));
        editor.set_host(&"n2".into(), "e3", host(&["c3", "both", "Dotted.Name"], [10, 0, 2, 3], None));
        editor.set_host(&"n3".into(), "e4", host(&["other"], [10, 0, 3, 4], None));
        let zones = vec![ZoneId::from("n1"), ZoneId::from("n2")];
        let plain = View { zones, ..View::default() };
        let links = [("DB", "c2"), ("c3", "C1"), ("cluster", "c1"), ("cluster", "c2")];
        let more_links = [("far", "c3.back.end"), ("gone", "nobody")];
        let links =
            links.iter().chain(&more_links).map(|(a, n)| ((*a).to_owned(), (*n).to_owned())).collect();
        editor.set_view("asker", plain.clone());
        editor.set_view("linked", View { links, ..plain.clone() });
        editor.set_view("ndots", View { bare_names: BareNames::Keep, ..plain });
        let zones = vec![ZoneId::from("n2"), ZoneId::from("not there")];
        editor.set_view("internal", View { zones, forward: Forward::No, ..View::default() });
    });
    directory
}

fn host(names: &[&str], v4: [u8; 4], v6: Option<Ipv6Addr>) -> Host {
    Host {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        v4: Some(v4.into()),
        v6,
        ..Host::default()
    }
}

fn query(name: &str, kind: &str) -> Message {
    let mut message = Message::new(0x1234, MessageType::Query, OpCode::Query);
    let name = Name::from_ascii(name).unwrap().append_domain(&Name::root()).unwrap();
    message.add_query(Query::query(name, kind.parse().unwrap()));
    message
}

fn put(world: &Directory, asker: &str, query: &Message, seed: u64) -> Verdict {
    answer(&world.load(), &asker.into(), query, &mut rng(seed))
}

fn ask(world: &Directory, asker: &str, question: &str) -> String {
    let (name, kind) = question.split_once(' ').unwrap();
    describe(&put(world, asker, &query(name, kind), 1))
}

fn describe(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Ignore => "ignore".to_owned(),
        Verdict::Forward(ForwardTo::Every) => "forward".to_owned(),
        Verdict::Forward(ForwardTo::ContainerOnly) => "forward to the container's".to_owned(),
        Verdict::Alias { so_far, target, .. } => format!("{} alias of {target}", so_far.answers.len()),
        Verdict::Reply(reply) if reply.metadata.response_code != ResponseCode::NoError => {
            reply.metadata.response_code.to_string()
        }
        Verdict::Reply(reply) if reply.answers.is_empty() => "empty".to_owned(),
        Verdict::Reply(reply) => {
            let records: BTreeSet<_> = reply.answers.iter().map(|record| record.data.to_string()).collect();
            records.into_iter().collect::<Vec<_>>().join(" ")
        }
    }
}

fn rng(seed: u64) -> SmallRng {
    SmallRng::seed_from_u64(seed)
}
