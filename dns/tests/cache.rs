//! What upstreams said is said again: for whom, for how long, and what happens when they are gone.
#![allow(clippy::unwrap_used, clippy::expect_used)] // The lint knows test functions, not their helpers.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dns::hickory_proto::op::{Message, ResponseCode};
use dns::hickory_proto::rr::{Name, RData, Record, rdata};
use dns::{DialFrom, Forward, Limits, Shared, SharedLimits, Upstream, Upstreams, View};
use support::*;

#[tokio::test]
async fn the_same_question_is_asked_once() {
    let fake = Fake::saying(1);
    let served = serve(&[fake.host()], calm());
    for (id, name, over) in [
        (1, "example.com.", Over::Udp),
        (2, "example.com.", Over::Udp),
        (3, "EXAMPLE.com.", Over::Udp),
        (4, "example.com.", Over::Tcp),
    ] {
        let reply = ask(&served, over, query(name, id)).await;
        assert_eq!(reply.metadata.id, id);
        assert_eq!(reply.queries[0].name.to_string(), name);
        assert_eq!(addresses(&reply), ["192.0.2.1"]);
    }
    assert_eq!((fake.asked(), fake.asked_over_tcp()), (1, 0));
    let counts = served.server.counts();
    assert_eq!((counts.forwarded, counts.cached), (1, 3));
}

#[tokio::test]
async fn an_answer_ends_with_its_time() {
    let fake = Fake::new(|query, _| vec![lasting(query, 1, 1)]);
    let served = serve(&[fake.host()], calm());
    let started = Instant::now();
    while fake.asked() < 2 {
        let reply = ask_a(&served, "example.com.").await;
        assert_eq!(reply.answers[0].ttl, 1);
        assert!(started.elapsed() < Duration::from_secs(10), "it is never asked again");
    }
    assert!(started.elapsed() >= Duration::from_secs(1), "it is asked again too early");
}

#[tokio::test]
async fn what_must_not_be_kept_is_asked_again() {
    for (what, fake) in [
        ("for this moment only", Fake::new(|query, _| vec![lasting(query, 1, 0)])),
        ("a denial that doesn't say for how long", Fake::failing(ResponseCode::NXDomain)),
        ("a failure", Fake::failing(ResponseCode::ServFail)),
    ] {
        let served = serve(&[fake.host()], calm());
        for _ in 0..2 {
            ask_a(&served, "example.com.").await;
        }
        assert_eq!((fake.asked(), served.server.counts().cached), (2, 0), "{what}");
    }
}

#[tokio::test]
async fn a_denial_is_kept_as_long_as_it_says() {
    let fake = Fake::new(|query, _| {
        let mut reply = replying(query);
        reply.metadata.response_code = ResponseCode::NXDomain;
        let zone = Name::from_ascii("com.").unwrap();
        let soa = rdata::SOA::new(zone.clone(), zone.clone(), 1, 2, 3, 4, 60);
        reply.authorities.push(Record::from_rdata(zone, 900, RData::SOA(soa)));
        vec![reply]
    });
    let served = serve(&[fake.host()], calm());
    for _ in 0..3 {
        assert_eq!(code(&ask_a(&served, "nobody.com.").await), ResponseCode::NXDomain);
    }
    assert_eq!(fake.asked(), 1);
}

/// An upstream that can be switched off. What it says holds for a second.
fn mortal() -> (Fake, Arc<AtomicBool>) {
    let alive = Arc::new(AtomicBool::new(true));
    let lives = alive.clone();
    let fake = Fake::new(move |query, _| match lives.load(Ordering::SeqCst) {
        true => vec![lasting(query, 1, 1)],
        false => vec![],
    });
    (fake, alive)
}

#[tokio::test]
async fn when_nobody_answers_the_old_answer_is_better_than_none() {
    let (fake, alive) = mortal();
    let limits = Limits { stale_after: Duration::from_millis(100), ..quick() };
    let served = serve(&[fake.host()], limits);
    ask_a(&served, "example.com.").await;
    alive.store(false, Ordering::SeqCst);
    let started = Instant::now();
    while served.server.counts().stale < 2 {
        let reply = ask_a(&served, "example.com.").await;
        assert_eq!(addresses(&reply), ["192.0.2.1"]);
        assert!(started.elapsed() < Duration::from_secs(10));
    }
    assert_eq!(ask_a(&served, "example.com.").await.answers[0].ttl, 30);
    assert_eq!(code(&ask_a(&served, "another.com.").await), ResponseCode::ServFail);
    assert_eq!(served.server.counts().failed, 1);
}

#[tokio::test]
async fn after_a_failure_the_upstreams_are_left_alone_for_a_while() {
    let (fake, alive) = mortal();
    // The second datagram, after PATIENCE, is counted long before the failure.
    let served = serve(&[fake.host()], Limits { deadline: Duration::from_secs(1), ..quick() });
    ask_a(&served, "example.com.").await;
    alive.store(false, Ordering::SeqCst);
    let started = Instant::now();
    while served.server.counts().stale == 0 {
        ask_a(&served, "example.com.").await;
        assert!(started.elapsed() < Duration::from_secs(10));
    }
    let asked = fake.asked();
    let started = Instant::now();
    for _ in 0..20 {
        assert_eq!(addresses(&ask_a(&served, "example.com.").await), ["192.0.2.1"]);
    }
    assert!(started.elapsed() < Duration::from_secs(5), "nobody waits for the dead");
    assert_eq!(fake.asked(), asked);
}

#[tokio::test]
async fn equal_questions_under_way_become_one() {
    const CLIENTS: u16 = 20;
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let fake = Fake::new(move |query, _| {
        let _until_dropped = released.lock().unwrap().recv();
        vec![addressed(query, 1)]
    });
    let patient = Limits { patience: Duration::from_secs(60), ..Limits::default() };
    let shared = Shared::default();
    let served = ["a", "b"].map(|asker| serve_beside(asker, &[fake.host()], patient, &shared));
    let clients = served.each_ref().map(|served| client(served.addr));
    for id in 0..CLIENTS {
        let name = if id % 2 == 0 { "Example.com." } else { "eXAMPLE.com." };
        for client in &clients {
            client.send(&query(name, id).to_vec().unwrap()).unwrap();
        }
    }
    let started = Instant::now();
    let joined = || served.iter().map(|served| served.server.counts().joined).sum::<u64>();
    while joined() < u64::from(2 * CLIENTS - 1) {
        assert!(started.elapsed() < Duration::from_secs(10), "{} joined", joined());
        tokio::task::yield_now().await;
    }
    drop(release);
    let replies = tokio::task::spawn_blocking(move || {
        let receive =
            |client| (0..CLIENTS).map(|_| Message::from_vec(&receive(client)).unwrap()).collect::<Vec<_>>();
        clients.each_ref().map(receive)
    });
    for reply in replies.await.unwrap().iter().flatten() {
        let expected = if reply.metadata.id % 2 == 0 { "Example.com." } else { "eXAMPLE.com." };
        assert_eq!(reply.queries[0].name.to_string(), expected);
        assert_eq!(addresses(reply), ["192.0.2.1"]);
    }
    assert_eq!(fake.asked(), 1);
}

#[tokio::test]
async fn a_cache_belongs_to_its_upstreams() {
    let (first, second) = (Fake::saying(1), Fake::saying(2));
    let shared = Shared::default();
    let a = serve_beside("a", &[first.host()], calm(), &shared);
    let b = serve_beside("b", &[first.host()], calm(), &shared);
    let c = serve_beside("c", &[second.host()], calm(), &shared);
    assert_eq!(addresses(&ask_a(&a, "example.com.").await), ["192.0.2.1"]);
    assert_eq!(addresses(&ask_a(&b, "example.com.").await), ["192.0.2.1"]);
    assert_eq!(addresses(&ask_a(&c, "example.com.").await), ["192.0.2.2"]);
    assert_eq!((first.asked(), second.asked()), (1, 1));
    assert_eq!(shared.cache_size().entries, 2);
}

/// The same address is another server in another namespace.
#[tokio::test]
async fn what_was_asked_from_inside_stays_inside() {
    let fake = Fake::saying(1);
    let shared = Shared::default();
    for asker in ["a", "b"] {
        let served = serve_beside(asker, &[fake.container()], calm(), &shared);
        for _ in 0..2 {
            ask_a(&served, "example.com.").await;
        }
    }
    assert_eq!(fake.asked(), 2, "once for each");
}

#[tokio::test]
async fn internal_networks_never_see_what_the_host_was_told() {
    let fake = Fake::saying(1);
    let served = serve(&[fake.host()], calm());
    ask_a(&served, "example.com.").await;
    served.directory.update(|editor| {
        editor.set_view("a", View { zones: vec!["n".into()], forward: Forward::No, ..View::default() });
    });
    assert_eq!(code(&ask_a(&served, "example.com.").await), ResponseCode::ServFail);
    assert_eq!((fake.asked(), served.server.counts().cached), (1, 0));
}

#[tokio::test]
async fn new_upstreams_begin_anew() {
    let (before, after) = (Fake::saying(1), Fake::saying(2));
    let served = serve(&[before.host()], calm());
    ask_a(&served, "example.com.").await;
    served.upstreams.send_replace(Arc::new(Upstreams { servers: vec![before.host()] }));
    assert_eq!(addresses(&ask_a(&served, "example.com.").await), ["192.0.2.1"]);
    assert_eq!(before.asked(), 1, "the same list is the same cache");
    served.upstreams.send_replace(Arc::new(Upstreams { servers: vec![after.host()] }));
    assert_eq!(addresses(&ask_a(&served, "example.com.").await), ["192.0.2.2"]);
}

#[tokio::test]
async fn a_long_answer_from_the_cache_is_cut_for_each() {
    let fake = Fake::new(|query, over| {
        let mut reply = replying(query);
        for last in 0..60 {
            reply.answers.extend(addressed(query, last).answers);
        }
        if over == Over::Udp {
            reply.answers.clear();
            reply.metadata.truncation = true;
        }
        vec![reply]
    });
    let served = serve(&[fake.host()], calm());
    for _ in 0..2 {
        let cut = ask_a(&served, "example.com.").await;
        assert!(cut.metadata.truncation && cut.to_vec().unwrap().len() <= 512);
        assert_eq!(ask(&served, Over::Tcp, query("example.com.", 1)).await.answers.len(), 60);
    }
    assert_eq!((fake.asked(), fake.asked_over_tcp()), (1, 1));
}

#[tokio::test]
async fn the_cache_is_bounded() {
    let fake = Fake::saying(1);
    let shared = Shared::new(SharedLimits { cache_bytes: 32 << 10, ..SharedLimits::default() });
    let served = serve_beside("a", &[fake.host()], calm(), &shared);
    for i in 0..300 {
        ask_a(&served, &format!("n{i}.example.")).await;
    }
    let size = shared.cache_size();
    assert!(size.bytes <= 32 << 10 && size.entries > 20, "{size:?}");
}

/// A container that asks for all it can leaves places for the others, and the cache answers without one.
#[tokio::test]
async fn one_container_cannot_take_all_places() {
    let (silent, good) = (Fake::silent(), Fake::saying(1));
    let shared = Shared::new(SharedLimits { forwards: 8, ..SharedLimits::default() });
    let greedy = serve_beside("a", &[silent.host()], Limits::default(), &shared);
    let modest = serve_beside("b", &[good.host()], Limits::default(), &shared);
    let flood = client(greedy.addr);
    for i in 0..20 {
        flood.send(&query(&format!("n{i}.example."), i).to_vec().unwrap()).unwrap();
    }
    let started = Instant::now();
    while greedy.server.counts().overloaded < 16 {
        assert!(started.elapsed() < Duration::from_secs(10));
        tokio::task::yield_now().await;
    }
    assert_eq!(addresses(&ask_a(&modest, "example.com.").await), ["192.0.2.1"]);
    assert_eq!(modest.server.counts().overloaded, 0);
}

/// Upstreams at one address, dialled from both sides, are two lists.
#[tokio::test]
async fn where_a_server_is_dialled_from_matters() {
    let fake = Fake::saying(1);
    let shared = Shared::default();
    for from in [DialFrom::Host, DialFrom::Container] {
        let served = serve_beside("a", &[Upstream { addr: fake.addr, from }], calm(), &shared);
        ask_a(&served, "example.com.").await;
    }
    assert_eq!(fake.asked(), 2);
}
