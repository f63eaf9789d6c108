//! What is not ours: whom we ask, in which order, and what comes back.
#![allow(clippy::unwrap_used, clippy::expect_used)] // The lint knows test functions, not their helpers.

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use dns::hickory_proto::op::{Message, MessageType, ResponseCode};
use dns::hickory_proto::rr::Name;
use dns::{Forward, Limits, StaticData, StaticRecord, Upstreams, View};
use support::*;

#[tokio::test]
async fn an_unknown_name_is_forwarded_over_what_the_client_speaks() {
    let fake = Fake::saying(1);
    let served = serve(&[fake.host()], calm());
    let reply = ask(&served, Over::Udp, query("Example.COM.", 4242)).await;
    assert_eq!(reply.metadata.id, 4242);
    assert_eq!(reply.queries[0].name.to_string(), "Example.COM.");
    assert_eq!(addresses(&reply), ["192.0.2.1"]);
    assert_eq!((fake.asked(), fake.asked_over_tcp()), (1, 0));
    let reply = ask(&served, Over::Tcp, query("example.org.", 4243)).await;
    assert_eq!((reply.metadata.id, addresses(&reply)), (4243, vec!["192.0.2.1".to_owned()]));
    assert_eq!((fake.asked(), fake.asked_over_tcp()), (1, 1));
    assert_eq!(served.server.counts().forwarded, 2);
}

#[tokio::test]
async fn the_next_server_is_asked_when_one_fails() {
    let good = Fake::saying(1);
    for bad in [ResponseCode::ServFail, ResponseCode::Refused] {
        let bad = Fake::failing(bad);
        for over in [Over::Udp, Over::Tcp] {
            // Nobody would be asked for another reason.
            let served = serve(&[bad.host(), good.host()], calm());
            assert_eq!(addresses(&ask(&served, over, query("example.com.", 1)).await), ["192.0.2.1"]);
        }
    }
    for over in [Over::Udp, Over::Tcp] {
        let served = serve(&[nobody(), good.host()], calm());
        assert_eq!(addresses(&ask(&served, over, query("example.com.", 1)).await), ["192.0.2.1"]);
        assert_eq!(served.server.counts().upstream_failures, 1);
    }
}

#[tokio::test]
async fn a_silent_server_costs_no_more_than_patience() {
    let (silent, good) = (Fake::silent(), Fake::saying(1));
    let served = serve(&[silent.host(), good.host()], Limits { hedge: PATIENCE, ..calm() });
    let started = Instant::now();
    assert_eq!(addresses(&ask_a(&served, "example.com.").await), ["192.0.2.1"]);
    assert!(started.elapsed() >= PATIENCE);
}

#[tokio::test]
async fn a_lost_datagram_is_sent_again() {
    let count = std::sync::atomic::AtomicUsize::new(0);
    let forgetful =
        Fake::new(move |query, _| match count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => Vec::new(),
            _ => vec![addressed(query, 1)],
        });
    let served = serve(&[forgetful.host()], Limits { patience: PATIENCE, ..calm() });
    assert_eq!(addresses(&ask_a(&served, "example.com.").await), ["192.0.2.1"]);
    assert_eq!(forgetful.asked(), 2);
}

#[tokio::test]
async fn no_such_name_is_an_answer() {
    let (first, second) = (Fake::failing(ResponseCode::NXDomain), Fake::saying(1));
    let served = serve(&[first.host(), second.host()], calm());
    assert_eq!(code(&ask_a(&served, "nobody.").await), ResponseCode::NXDomain);
    assert_eq!(second.asked(), 0);
}

#[tokio::test]
async fn a_slow_answer_holds_up_no_other_on_its_connection() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let fake = Fake::new(move |query, _| {
        let _until_dropped = released.lock().unwrap().recv();
        vec![addressed(query, 1)]
    });
    let served = serve(&[fake.host()], Limits::default());
    let addr = served.addr;
    tokio::task::spawn_blocking(move || {
        let mut stream = connect(addr);
        write_framed(&mut stream, &query("example.com.", 1).to_vec().unwrap());
        write_framed(&mut stream, &query("c1.", 2).to_vec().unwrap());
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut next =
            || read_framed(&mut stream).map(|reply| Message::from_vec(&reply).unwrap().metadata.id);
        assert_eq!(next(), Some(2));
        drop(release);
        assert_eq!(next(), Some(1), "also after the client has said its last");
        assert_eq!(next(), None);
    })
    .await
    .unwrap();
}

/// The first of the list may know names of a company's own, which the second denies.
#[tokio::test]
async fn a_slow_first_server_is_not_overruled() {
    let (tell, told) = std::sync::mpsc::channel();
    let told = std::sync::Mutex::new(told);
    let second = Fake::new(move |query, _| {
        tell.send(()).unwrap();
        let mut reply = replying(query);
        reply.metadata.response_code = ResponseCode::NXDomain;
        vec![reply]
    });
    let slow = Fake::new(move |query, _| {
        told.lock().unwrap().recv().unwrap();
        vec![addressed(query, 1)]
    });
    let served = serve(&[slow.host(), second.host()], Limits { hedge: PATIENCE, ..calm() });
    assert_eq!(addresses(&ask_a(&served, "intranet.example.").await), ["192.0.2.1"]);
    assert_eq!(second.asked(), 1);
}

#[tokio::test]
async fn a_slow_server_is_not_waited_for_when_another_is_there() {
    let (slow, good) = (Fake::silent(), Fake::saying(1));
    let limits = Limits { patience: Duration::from_secs(60), ..Limits::default() };
    let served = serve(&[slow.host(), good.host()], limits);
    let started = Instant::now();
    assert_eq!(addresses(&ask_a(&served, "example.com.").await), ["192.0.2.1"]);
    assert!(started.elapsed() >= limits.hedge);
    assert_eq!((slow.asked(), good.asked()), (1, 1));
}

/// A server that was down and is back is the first again, even if the next is always quicker.
#[tokio::test]
async fn a_server_that_is_back_is_first_again() {
    let up = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (is_up, good) = (up.clone(), Fake::saying(1));
    let first = Fake::new(move |query, _| match is_up.load(std::sync::atomic::Ordering::SeqCst) {
        true => vec![addressed(query, 9)],
        false => vec![],
    });
    let limits = Limits { hedge: PATIENCE, patience: GIVE_UP, ..Limits::default() };
    let served = serve(&[first.host(), good.host()], limits);
    for i in 0..5 {
        ask_a(&served, &format!("n{i}.example.")).await;
    }
    up.store(true, std::sync::atomic::Ordering::SeqCst);
    let started = Instant::now();
    for i in 5.. {
        if addresses(&ask_a(&served, &format!("n{i}.example.")).await) == ["192.0.2.9"] {
            break;
        }
        assert!(started.elapsed() < GIVE_UP);
    }
}

/// Only the first few questions wait for a server that is down; it is asked all the same, so its return is seen.
#[tokio::test]
async fn a_server_that_is_down_is_soon_no_more_waited_for() {
    let (down, good) = (Fake::silent(), Fake::saying(1));
    let limits = Limits { hedge: Duration::from_millis(100), patience: GIVE_UP, ..Limits::default() };
    let served = serve(&[down.host(), good.host()], limits);
    let mut waited = 0;
    for i in 0..40 {
        let before = Instant::now();
        assert_eq!(addresses(&ask_a(&served, &format!("n{i}.example.")).await), ["192.0.2.1"]);
        waited += u32::from(before.elapsed() >= limits.hedge);
    }
    assert!((3..20).contains(&waited), "{waited}");
    // Both are asked in the same moment: the other may have answered before this one counts.
    let started = Instant::now();
    while down.asked() < 40 {
        assert!(started.elapsed() < GIVE_UP, "asked {} times", down.asked());
        tokio::task::yield_now().await;
    }
    assert_eq!(down.asked(), 40);
}

#[tokio::test]
async fn servfail_when_nobody_knows() {
    let (silent, bad) = (Fake::silent(), Fake::failing(ResponseCode::ServFail));
    for servers in [vec![], vec![nobody()], vec![bad.host(), nobody()], vec![silent.host(), bad.host()]] {
        let served = serve(&servers, quick());
        let reply = ask(&served, Over::Udp, with_edns(query("Example.com.", 5), 1232)).await;
        assert_eq!((code(&reply), reply.metadata.id), (ResponseCode::ServFail, 5));
        assert_eq!(reply.queries[0].name.to_string(), "Example.com.");
        assert!(reply.edns.is_some());
        assert_eq!(served.server.counts().failed, 1);
    }
}

#[tokio::test]
async fn forged_replies_are_passed_over() {
    let fake = Fake::new(|query, _| {
        let mut other_id = addressed(query, 66);
        other_id.metadata.id ^= 1;
        let mut other_question = addressed(query, 67);
        other_question.queries[0].name = Name::from_ascii("examplf.com.").unwrap();
        let mut no_question = addressed(query, 68);
        no_question.queries.clear();
        let mut no_reply = addressed(query, 69);
        no_reply.metadata.message_type = MessageType::Query;
        vec![other_id, other_question, no_question, no_reply, addressed(query, 1)]
    });
    let served = serve(&[fake.host()], calm());
    assert_eq!(addresses(&ask_a(&served, "example.com.").await), ["192.0.2.1"]);
}

#[tokio::test]
async fn ids_are_not_the_clients() {
    let seen = Arc::new(std::sync::Mutex::new(std::collections::BTreeSet::new()));
    let ids = seen.clone();
    let fake = Fake::new(move |query, _| {
        ids.lock().unwrap().insert(query.metadata.id);
        vec![addressed(query, 1)]
    });
    let served = serve(&[fake.host()], calm());
    for i in 0..8 {
        assert_eq!(ask(&served, Over::Udp, query(&format!("n{i}.example.com."), 7)).await.metadata.id, 7);
    }
    assert!(seen.lock().unwrap().len() > 6, "eight questions, eight ids");
}

#[tokio::test]
async fn a_reply_keeps_the_case_of_the_question_even_if_the_server_does_not() {
    let fake = Fake::new(|query, _| {
        let mut reply = addressed(query, 1);
        reply.queries[0].name = reply.queries[0].name.to_lowercase();
        vec![reply]
    });
    let served = serve(&[fake.host()], calm());
    let reply = ask_a(&served, "ExAmPlE.cOm.").await;
    assert_eq!(reply.queries[0].name.to_string(), "ExAmPlE.cOm.");
}

/// An upstream whose answer takes 60 addresses, and which cuts it over UDP as the client's size demands.
fn long_winded() -> Fake {
    Fake::new(|query, over| {
        let mut reply = replying(query);
        for last in 0..60 {
            reply.answers.extend(addressed(query, last).answers);
        }
        if over == Over::Udp && usize::from(query.max_payload()) < reply.to_vec().unwrap().len() {
            reply.answers.clear();
            reply.metadata.truncation = true;
        }
        vec![reply]
    })
}

#[tokio::test]
async fn long_replies_come_whole_where_the_client_takes_them() {
    let fake = long_winded();
    let served = serve(&[fake.host()], calm());
    let cut = ask_a(&served, "example.com.").await;
    assert!(cut.metadata.truncation && cut.to_vec().unwrap().len() <= 512);
    let whole = ask(&served, Over::Udp, with_edns(query("example.com.", 1), 4096)).await;
    assert!(!whole.metadata.truncation);
    assert_eq!(whole.answers.len(), 60);
    assert_eq!(ask(&served, Over::Tcp, query("example.com.", 1)).await.answers.len(), 60);
}

/// Some servers cut although the client would take all: then TCP has it.
#[tokio::test]
async fn a_cut_reply_is_fetched_over_tcp() {
    let fake = Fake::new(|query, over| {
        let mut reply = addressed(query, 1);
        if over == Over::Udp {
            reply.answers.clear();
            reply.metadata.truncation = true;
        }
        vec![reply]
    });
    let served = serve(&[fake.host()], calm());
    let reply = ask_a(&served, "example.com.").await;
    assert_eq!(addresses(&reply), ["192.0.2.1"]);
    assert!(!reply.metadata.truncation);
    assert_eq!((fake.asked(), fake.asked_over_tcp()), (1, 1));
}

/// A record of ours that points out into the world.
#[tokio::test]
async fn an_alias_of_the_worlds_names_is_followed() {
    let fake = Fake::new(|query, _| match query.queries[0].name.to_string().as_str() {
        "example.com." => vec![addressed(query, 1)],
        "long.example." => {
            let mut reply = addressed(query, 0);
            (1..60).for_each(|last| reply.answers.extend(addressed(query, last).answers));
            vec![reply]
        }
        _ => {
            let mut reply = replying(query);
            reply.metadata.response_code = ResponseCode::NXDomain;
            vec![reply]
        }
    });
    let served = serve(&[fake.host()], calm());
    let alias = |name: &str, target: &str| StaticRecord {
        name: name.to_owned(),
        ttl: None,
        data: StaticData::Cname(target.to_owned()),
    };
    let records =
        [alias("out", "example.com"), alias("gone", "nobody.example"), alias("long", "long.example")];
    served.directory.update(|editor| editor.set_records(&"n".into(), &records));
    for _from_the_cache_too in 0..2 {
        for over in [Over::Udp, Over::Tcp] {
            let reply = ask(&served, over, query("OUT.net.", 8)).await;
            assert_eq!((reply.metadata.id, code(&reply)), (8, ResponseCode::NoError));
            assert_eq!(reply.queries[0].name.to_string(), "OUT.net.");
            assert_eq!(addresses(&reply), ["192.0.2.1", "example.com."]);
            assert_eq!(reply.answers[1].name.to_string(), "example.com.");
        }
    }
    assert_eq!((fake.asked(), fake.asked_over_tcp()), (1, 0));
    let gone = ask_a(&served, "gone.").await;
    assert_eq!((code(&gone), addresses(&gone)), (ResponseCode::NXDomain, vec!["nobody.example.".to_owned()]));
    let whole = ask(&served, Over::Tcp, query("long.", 1)).await;
    assert_eq!(whole.answers.len(), 61);
    let cut = ask_a(&served, "long.").await;
    assert!(cut.metadata.truncation && cut.to_vec().unwrap().len() <= 512);
    assert_eq!(cut.queries[0].name.to_string(), "long.");
    served.upstreams.send_replace(Arc::new(Upstreams::default()));
    assert_eq!(code(&ask_a(&served, "out.").await), ResponseCode::ServFail);
}

#[tokio::test]
async fn internal_networks_do_not_leave_through_the_host() {
    let (host, own) = (Fake::saying(1), Fake::saying(2));
    let served = serve(&[host.host()], calm());
    served.directory.update(|editor| {
        editor.set_view("a", View { zones: vec!["n".into()], forward: Forward::No, ..View::default() });
    });
    assert_eq!(code(&ask_a(&served, "example.com.").await), ResponseCode::ServFail);
    assert_eq!(addresses(&ask_a(&served, "c1.").await), ["10.9.0.1"]);
    served.upstreams.send_replace(Arc::new(Upstreams { servers: vec![host.host(), own.container()] }));
    assert_eq!(addresses(&ask_a(&served, "example.com.").await), ["192.0.2.2"]);
    assert_eq!(host.asked(), 0);
}

#[tokio::test]
async fn upstreams_change_while_the_server_runs() {
    let (before, after) = (Fake::saying(1), Fake::saying(2));
    let served = serve(&[before.host()], calm());
    assert_eq!(addresses(&ask_a(&served, "example.com.").await), ["192.0.2.1"]);
    served.upstreams.send_replace(Arc::new(Upstreams { servers: vec![after.container()] }));
    assert_eq!(addresses(&ask_a(&served, "example.com.").await), ["192.0.2.2"]);
}

#[tokio::test]
async fn too_many_forwards_are_refused_and_names_of_ours_still_answered() {
    let silent = Fake::silent();
    let served = serve(&[silent.host()], Limits { forwards: 3, ..quick() });
    let client = client(served.addr);
    for id in 0..4 {
        client.send(&query("example.com.", id).to_vec().unwrap()).unwrap();
    }
    client.send(&query("c1.", 9).to_vec().unwrap()).unwrap();
    let replies = tokio::task::spawn_blocking(move || {
        [(); 5].map(|()| {
            let reply = Message::from_vec(&receive(&client)).unwrap();
            (reply.metadata.id, code(&reply))
        })
    })
    .await
    .unwrap();
    assert_eq!(replies[..2], [(3, ResponseCode::Refused), (9, ResponseCode::NoError)]);
    assert!(replies[2..].iter().all(|(_, code)| *code == ResponseCode::ServFail));
    assert_eq!(served.server.counts().overloaded, 1);
    let good = Fake::saying(1);
    served.upstreams.send_replace(Arc::new(Upstreams { servers: vec![good.host()] }));
    assert_eq!(
        addresses(&ask_a(&served, "example.com.").await),
        ["192.0.2.1"],
        "their places are free again"
    );
}

#[tokio::test]
async fn each_server_is_dialled_from_its_own_side() {
    let (host, own) = (Fake::failing(ResponseCode::Refused), Fake::saying(2));
    let dial = Arc::new(Remembering::default());
    let (udp, tcp) = sockets();
    let addr = udp.local_addr().unwrap();
    let servers = vec![host.host(), own.container()];
    let (_sender, upstreams) = tokio::sync::watch::channel(Arc::new(Upstreams { servers }));
    let _server = dns::Server::start(dns::ServerConfig {
        udp,
        tcp,
        asker: "a".into(),
        directory: world(),
        upstreams,
        dial: dial.clone(),
        limits: Limits { deadline: Duration::from_secs(5), ..Limits::default() },
        shared: dns::Shared::default(),
        gate: Arc::new(dns::OpenGate),
    })
    .unwrap();
    let client = client(addr);
    client.send(&query("example.com.", 1).to_vec().unwrap()).unwrap();
    let reply = tokio::task::spawn_blocking(move || receive(&client)).await.unwrap();
    assert_eq!(addresses(&Message::from_vec(&reply).unwrap()), ["192.0.2.2"]);
    let seen = dial.0.lock().unwrap().clone();
    assert_eq!(seen, [host.host(), own.container()].map(|server| (server.addr, server.from)).into());
}
