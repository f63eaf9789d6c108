//! What may be kept and for how long, as a table; and bounds that hold whatever happens.

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RData, Record, rdata};
use proptest::prelude::*;

use super::*;
use crate::forward::{Question, Transport};

/// How long each reply is kept, in seconds; 0 for not at all.
#[test]
fn lifetimes() {
    use ResponseCode::{NXDomain, NoError, ServFail};
    use hickory_proto::op::ResponseCode;
    let (a, a_long, cname) = (address(60), address(200), alias(20));
    for (what, code, answers, authorities, expected) in [
        ("an answer", NoError, vec![a.clone()], vec![], 60),
        ("the shortest time of all", NoError, vec![a_long.clone(), a.clone()], vec![], 60),
        ("an alias with its address", NoError, vec![cname.clone(), a_long.clone()], vec![], 20),
        ("also of what comes beside", NoError, vec![a_long.clone()], vec![name_server(30)], 30),
        ("for this moment only", NoError, vec![address(0)], vec![], 0),
        ("no more than a day", NoError, vec![address(1 << 20)], vec![], 86_400),
        ("a number below zero", NoError, vec![address(u32::MAX)], vec![], 86_400),
        ("no such name", NXDomain, vec![], vec![soa(100, 40)], 40),
        ("no such name, by the time of the record", NXDomain, vec![], vec![soa(30, 40)], 30),
        ("an alias of no name", NXDomain, vec![cname.clone()], vec![soa(100, 40)], 20),
        ("no such type", NoError, vec![], vec![soa(100, 40)], 40),
        ("an alias without the type", NoError, vec![cname.clone()], vec![soa(100, 10)], 10),
        ("no denial for long", NXDomain, vec![], vec![soa(9_999, 9_999)], 300),
        ("an alias to nowhere", NoError, vec![cname], vec![], 0),
        ("a denial that doesn't say", NXDomain, vec![], vec![], 0),
        ("a hint where to ask", NoError, vec![], vec![name_server(60)], 0),
        ("a failure", ServFail, vec![a.clone()], vec![], 0),
    ] {
        let mut message = empty();
        message.metadata.response_code = code;
        message.answers = answers;
        message.authorities = authorities;
        assert_eq!(lifetime(&message), expected, "{what}");
    }
    let cut = change(|message| message.metadata.truncation = true);
    assert_eq!(lifetime(&cut), 0, "cut");
    let extended = change(|message| {
        message.edns = Some(Edns::new());
        message.metadata.response_code = ResponseCode::BADVERS;
        message.metadata.response_code = ResponseCode::from(message.metadata.response_code.high(), 0);
    });
    assert_eq!(lifetime(&extended), 0, "an error whose low bits are zero");
    let edns = change(|message| message.edns = Some(Edns::new()));
    assert_eq!(lifetime(&edns), 60, "the OPT record has no time");
}

#[test]
fn times_are_counted_down_and_the_asker_gets_its_own_letters() {
    let kept = Kept::new(&sample()).unwrap();
    let question = question("eXample.COM.", 99);
    let served = |age| {
        let mut out = vec![1, 2, 3];
        kept.write(age, &question, &mut out);
        Message::from_vec(&out).unwrap()
    };
    let ttls = |message: &Message| {
        let all = message.answers.iter().chain(&message.authorities);
        all.map(|record| record.ttl).collect::<Vec<_>>()
    };
    let fresh = served(Age::Fresh(Duration::from_millis(0)));
    assert_eq!(fresh.metadata.id, 99);
    assert_eq!(fresh.queries[0].name.to_string(), "eXample.COM.");
    assert_eq!(ttls(&fresh), [60, 90, 120]);
    assert_eq!(ttls(&served(Age::Fresh(Duration::from_millis(19_999)))), [41, 71, 101]);
    assert_eq!(ttls(&served(Age::Stale)), [30, 30, 30]);
}

#[test]
fn fresh_then_stale_then_gone() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut cache = Cache::new(1 << 20);
    let key = key(0);
    assert!(cache.find(&key, start).is_none());
    cache.keep(&key, Kept::new(&sample()).unwrap(), start);
    let ask_first =
        |cache: &mut Cache, seconds| cache.find(&key, at(seconds)).map(|hit| (hit.age, hit.ask_first));
    assert_eq!(ask_first(&mut cache, 59), Some((Age::Fresh(Duration::from_secs(59)), AskFirst::No)));
    assert_eq!(ask_first(&mut cache, 60), Some((Age::Stale, AskFirst::Yes)));
    cache.failed(&key, at(61));
    assert_eq!(ask_first(&mut cache, 70), Some((Age::Stale, AskFirst::No)));
    assert_eq!(ask_first(&mut cache, 71), Some((Age::Stale, AskFirst::Yes)));
    assert_eq!(ask_first(&mut cache, 60 + 86_399), Some((Age::Stale, AskFirst::Yes)));
    assert_eq!(ask_first(&mut cache, 60 + 86_400), None);
    cache.keep(&key, Kept::new(&sample()).unwrap(), at(90_000));
    assert_eq!(ask_first(&mut cache, 90_000), Some((Age::Fresh(Duration::ZERO), AskFirst::No)));
    assert_eq!(cache.len(), 1);
}

#[test]
fn equal_questions_have_one_key_and_others_none_or_another() {
    let plain = |change: fn(&mut Message)| {
        let mut message = query("a.example.", 1);
        change(&mut message);
        Question::new(&message.to_vec().unwrap(), Transport::Udp, 512).unwrap().key(1)
    };
    let edns = |size, dnssec_ok| {
        let mut edns = Edns::new();
        edns.set_max_payload(size).set_dnssec_ok(dnssec_ok);
        Some(edns)
    };
    let base = plain(|_| {}).unwrap();
    assert_eq!(plain(|m| m.metadata.id = 7), Some(base.clone()));
    assert_eq!(plain(|m| m.queries[0].name = Name::from_ascii("A.Example.").unwrap()), Some(base.clone()));
    let others = [
        plain(|m| m.queries[0].name = Name::from_ascii("b.example.").unwrap()),
        plain(|m| m.queries[0].query_type = "AAAA".parse().unwrap()),
        plain(|m| m.metadata.checking_disabled = true),
        plain(|m| m.metadata.recursion_desired = true),
        plain(|m| m.edns = Some(Edns::new())),
        question("a.example.", 1).key(2),
    ];
    for (i, other) in others.iter().enumerate() {
        assert!(other.as_ref().is_some_and(|other| *other != base), "{i}");
    }
    let with = |edns| {
        let mut message = query("a.example.", 1);
        message.edns = edns;
        Question::new(&message.to_vec().unwrap(), Transport::Tcp, 512).unwrap().key(1).unwrap()
    };
    assert_eq!(with(edns(512, false)), with(edns(4096, false)), "what is too long is cut for each");
    assert_ne!(with(edns(512, false)), with(edns(512, true)));
    assert_eq!(plain(|m| m.queries[0].query_type = 250.into()), None);
    assert!(plain(|m| m.queries[0].query_type = 255.into()).is_some());
    let with_options = |options: &[u8]| {
        let opt = [&b"\0\0\x29\x04\xd0\0\0\0\0\0"[..], &[options.len() as u8], options].concat();
        let mut message = [&query("a.example.", 1).to_vec().unwrap()[..], &opt].concat();
        message[11] = 1;
        Question::new(&message, Transport::Udp, 512).unwrap().key(1)
    };
    let edns = with(edns(4096, false));
    assert_eq!(with_options(b""), Some(edns.clone()));
    assert_eq!(with_options(b"\0\x0a\0\x0812345678"), Some(edns), "a cookie is not passed on");
    assert_eq!(with_options(b"\0\x08\0\x04\0\x01\0\0"), None, "a subnet is, and so the reply is for one");
}

#[test]
fn what_is_used_stays_when_others_must_go() {
    let now = Instant::now();
    let size = size(&key(0), &Kept::new(&sample()).unwrap());
    let mut cache = Cache::new(10 * size);
    cache.keep(&key(0), Kept::new(&sample()).unwrap(), now);
    for i in 1..200 {
        assert!(cache.find(&key(0), now).is_some(), "{i}");
        cache.keep(&key(i), Kept::new(&sample()).unwrap(), now);
    }
    assert_eq!((cache.len(), cache.bytes()), (10, 10 * size));
    assert!(cache.find(&key(1), now).is_none() && cache.find(&key(199), now).is_some());
    let mut small = Cache::new(size - 1);
    small.keep(&key(0), Kept::new(&sample()).unwrap(), now);
    assert_eq!((small.len(), small.bytes()), (0, 0), "what is larger than all is not taken");
}

#[derive(Clone, Debug)]
enum Step {
    Keep { key: u16, ttl: u32 },
    Find { key: u16 },
    Fail { key: u16 },
    Wait { seconds: u64 },
}

proptest! {
    /// Whatever happens: the bytes stay within the bound, the two tables agree, and nothing is served fresh beyond
    /// its time, with a longer time than is left of it, or at all a day later.
    #[test]
    fn bounds_hold(limit in 0..4_000usize, steps in proptest::collection::vec(step(), 0..300)) {
        let mut now = Instant::now();
        let mut cache = Cache::new(limit);
        let mut kept = HashMap::new();
        for step in steps {
            match step {
                Step::Wait { seconds } => now += Duration::from_secs(seconds),
                Step::Fail { key: i } => cache.failed(&key(i), now),
                Step::Keep { key: i, ttl } => {
                    if let Some(reply) = Kept::new(&replying(ttl)) {
                        cache.keep(&key(i), reply, now);
                        kept.insert(i, (now, ttl));
                    }
                }
                Step::Find { key: i } => if let Some(hit) = cache.find(&key(i), now) {
                    let (since, ttl) = kept[&i];
                    let age = now - since;
                    let mut out = Vec::new();
                    hit.kept.write(hit.age, &question("example.com.", 1), &mut out);
                    let served = Message::from_vec(&out).unwrap().answers[0].ttl;
                    match hit.age {
                        Age::Fresh(said) => {
                            prop_assert_eq!(said, age);
                            prop_assert_eq!(u64::from(served), u64::from(ttl.min(86_400)) - age.as_secs());
                            prop_assert!(served > 0);
                        }
                        Age::Stale => {
                            prop_assert_eq!(served, 30);
                            let since = age - Duration::from_secs(ttl.min(86_400).into());
                            prop_assert!(since < STALE);
                        }
                    }
                }
            }
            prop_assert!(cache.bytes <= limit);
            prop_assert_eq!(cache.order.len(), cache.entries.len());
            let sum: usize = cache.entries.iter().map(|(key, entry)| size(key, &entry.kept)).sum();
            prop_assert_eq!(sum, cache.bytes);
        }
    }

    /// A clock that seems to go back (threads read it before they wait for the lock) makes nothing younger than new.
    #[test]
    fn time_that_goes_back_is_no_time(back in 0..1_000u64) {
        let now = Instant::now() + Duration::from_secs(2_000);
        let mut cache = Cache::new(1 << 16);
        cache.keep(&key(0), Kept::new(&sample()).unwrap(), now);
        let hit = cache.find(&key(0), now - Duration::from_secs(back)).unwrap();
        prop_assert_eq!(hit.age, Age::Fresh(Duration::ZERO));
    }
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0..12u16;
    prop_oneof![
        4 => (key.clone(), prop_oneof![0..100u32, any::<u32>()]).prop_map(|(key, ttl)| Step::Keep { key, ttl }),
        4 => key.clone().prop_map(|key| Step::Find { key }),
        1 => key.prop_map(|key| Step::Fail { key }),
        2 => prop_oneof![4 => 0..60u64, 1 => 0..100_000u64].prop_map(|seconds| Step::Wait { seconds }),
    ]
}

fn lifetime(message: &Message) -> u64 {
    Kept::new(&message.to_vec().unwrap()).map_or(0, |kept| kept.lifetime().as_secs())
}

/// A reply with two addresses and a name server, each with its time.
pub(crate) fn sample() -> Vec<u8> {
    let mut message = empty();
    message.answers = vec![address(60), address(90)];
    message.authorities = vec![name_server(120)];
    message.to_vec().unwrap()
}

fn replying(ttl: u32) -> Vec<u8> {
    let mut message = empty();
    message.answers = vec![address(ttl)];
    message.to_vec().unwrap()
}

fn change(change: fn(&mut Message)) -> Message {
    let mut message = empty();
    message.answers = vec![address(60)];
    change(&mut message);
    message
}

fn empty() -> Message {
    let mut message = Message::response(1, OpCode::Query);
    message.add_query(Query::query(name(), "A".parse().unwrap()));
    message
}

fn address(ttl: u32) -> Record {
    Record::from_rdata(name(), ttl, RData::A(rdata::A::new(192, 0, 2, 1)))
}

fn alias(ttl: u32) -> Record {
    Record::from_rdata(name(), ttl, RData::CNAME(rdata::CNAME(name())))
}

fn name_server(ttl: u32) -> Record {
    Record::from_rdata(name(), ttl, RData::NS(rdata::NS(name())))
}

fn soa(ttl: u32, minimum: u32) -> Record {
    Record::from_rdata(name(), ttl, RData::SOA(rdata::SOA::new(name(), name(), 1, 2, 3, 4, minimum)))
}

fn name() -> Name {
    Name::from_ascii("example.com.").unwrap()
}

fn query(name: &str, id: u16) -> Message {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), "A".parse().unwrap()));
    message
}

fn question(name: &str, id: u16) -> Question {
    Question::new(&query(name, id).to_vec().unwrap(), Transport::Udp, 512).unwrap()
}

fn key(i: u16) -> Key {
    Arc::from(&i.to_be_bytes()[..])
}
