//! Answers of our own, over real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used)] // The lint knows test functions, not their helpers.

mod support;

use std::time::Duration;

use dns::hickory_proto::op::{Message, ResponseCode};
use dns::{Limits, View};
use support::*;

#[tokio::test]
async fn a_name_over_udp_and_tcp() {
    let served = serve(&[], Limits::default());
    for over in [Over::Udp, Over::Tcp] {
        let reply = ask(&served, over, query("C1.", 77)).await;
        assert_eq!(reply.metadata.id, 77);
        assert_eq!(reply.queries[0].name.to_string(), "C1.");
        assert_eq!(addresses(&reply), ["10.9.0.1"]);
    }
    let counts = served.server.counts();
    assert_eq!((counts.udp_queries, counts.tcp_queries, counts.answered), (1, 1, 2));
}

#[tokio::test]
async fn a_change_is_seen_by_the_next_question() {
    let served = serve(&[], Limits::default());
    served.directory.update(|editor| editor.remove_host(&"n".into(), &"e1".into()));
    assert_eq!(addresses(&ask_a(&served, "web.").await), ["10.9.0.2"]);
}

#[tokio::test]
async fn long_answers_are_cut_to_what_the_client_takes() {
    let served = serve(&[], Limits::default());
    for (over, edns, size) in [
        (Over::Udp, None, 512),
        (Over::Udp, Some(100), 512),
        (Over::Udp, Some(1232), 1232),
        (Over::Udp, Some(4096), 4096),
        (Over::Tcp, None, 65_535),
    ] {
        let mut question = query("many.", 1);
        if let Some(edns) = edns {
            question = with_edns(question, edns);
        }
        let reply = ask(&served, over, question).await;
        let whole = size >= 4096;
        assert_eq!(reply.metadata.truncation, !whole, "{over:?} {edns:?}");
        assert_eq!(reply.edns.is_some(), edns.is_some());
        let len = 12 + 10 + 11 * usize::from(edns.is_some()) + 16 * reply.answers.len();
        assert!(len <= size, "{len} bytes");
        // Each takes 16 bytes.
        assert!(whole || len > size - 16, "{len} bytes leave room for another address");
        assert_eq!(reply.answers.len() == 200, whole);
    }
    assert_eq!(served.server.counts().truncated, 3);
}

#[tokio::test]
async fn nonsense_gets_an_error_or_silence() {
    let served = serve(&[], Limits::default());
    let addr = served.addr;
    let replies = tokio::task::spawn_blocking(move || {
        let client = client(addr);
        let mut question = query("c1.", 9).to_vec().unwrap();
        let good = question.clone();
        client.send(b"").unwrap();
        client.send(b"short").unwrap();
        client.send(&[0xff; 5000]).unwrap();
        question[2] |= 0x80;
        client.send(&question).unwrap();
        client.send(&good[..good.len() - 3]).unwrap();
        client.send(&[&[0, 8, 0x28, 0][..], &good[4..]].concat()).unwrap();
        client.send(&good).unwrap();
        [(); 3].map(|()| Message::from_vec(&receive(&client)).unwrap())
    })
    .await
    .unwrap();
    let seen = replies.each_ref().map(|reply| (reply.metadata.id, code(reply)));
    assert_eq!(seen, [(9, ResponseCode::FormErr), (8, ResponseCode::NotImp), (9, ResponseCode::NoError)]);
    assert_eq!(served.server.counts().ignored, 4);
}

#[tokio::test]
async fn a_burst_is_answered_whole() {
    const COUNT: u16 = 200;
    let served = serve(&[], Limits::default());
    let addr = served.addr;
    let ids = tokio::task::spawn_blocking(move || {
        let client = client(addr);
        for id in 0..COUNT {
            client.send(&query("c2.", id).to_vec().unwrap()).unwrap();
        }
        let mut ids: Vec<u16> =
            (0..COUNT).map(|_| Message::from_vec(&receive(&client)).unwrap().metadata.id).collect();
        ids.sort_unstable();
        ids
    })
    .await
    .unwrap();
    assert_eq!(ids, (0..COUNT).collect::<Vec<_>>());
}

#[tokio::test]
async fn one_connection_carries_many_questions_and_is_closed_when_idle() {
    let served = serve(&[], Limits { idle: Duration::from_secs(1), ..Limits::default() });
    let addr = served.addr;
    tokio::task::spawn_blocking(move || {
        let mut stream = connect(addr);
        for id in 0..5 {
            write_framed(&mut stream, &query("c1.", id).to_vec().unwrap());
        }
        for id in 0..5 {
            let reply = Message::from_vec(&read_framed(&mut stream).unwrap()).unwrap();
            assert_eq!(reply.metadata.id, id);
        }
        assert_eq!(read_framed(&mut stream), None, "the server closes");
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_their_turn() {
    let served = serve(&[], Limits { connections: 1, idle: Duration::from_secs(1), ..Limits::default() });
    let addr = served.addr;
    let held = tokio::task::spawn_blocking(move || connect(addr)).await.unwrap();
    let reply = ask(&served, Over::Tcp, query("c1.", 1)).await;
    assert_eq!(addresses(&reply), ["10.9.0.1"]);
    drop(held);
}

/// What a daemon's restart looks like: someone else keeps the sockets, and the next server answers what has come in
/// the meantime.
#[tokio::test]
async fn a_question_waits_for_the_next_server() {
    let first = serve(&[], Limits::default());
    let (udp, tcp) = (first.udp.try_clone().unwrap(), first.tcp.try_clone().unwrap());
    let addr = first.addr;
    drop(first);
    tokio::task::yield_now().await;
    let client = client(addr);
    client.send(&query("c1.", 3).to_vec().unwrap()).unwrap();
    let second = serve_on(udp, tcp, &[], Limits::default(), world());
    let reply = tokio::task::spawn_blocking(move || receive(&client)).await.unwrap();
    assert_eq!(addresses(&Message::from_vec(&reply).unwrap()), ["10.9.0.1"]);
    assert_eq!(second.server.counts().answered, 1);
}

/// What a daemon's restart looks like that was announced: what is with upstreams is answered, the rest waits.
#[tokio::test]
async fn who_finishes_answers_what_it_has_read() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let fake = Fake::new(move |query, _| {
        let _until_dropped = released.lock().unwrap().recv();
        vec![addressed(query, 1)]
    });
    let patient = Limits { patience: GIVE_UP, hedge: GIVE_UP, ..Limits::default() };
    let mut first = serve(&[fake.host()], patient);
    let (udp, tcp) = (first.udp.try_clone().unwrap(), first.tcp.try_clone().unwrap());
    let client = client(first.addr);
    client.send(&query("example.com.", 1).to_vec().unwrap()).unwrap();
    let started = std::time::Instant::now();
    while fake.asked() == 0 {
        assert!(started.elapsed() < GIVE_UP, "the upstream is asked");
        tokio::task::yield_now().await;
    }
    let finishing = first.server.finish();
    tokio::task::yield_now().await;
    client.send(&query("c1.", 2).to_vec().unwrap()).unwrap();
    drop(release);
    finishing.await;
    let counts = first.server.counts();
    assert_eq!((counts.forwarded, counts.answered), (1, 0));
    drop(first);
    let _second = serve_on(udp, tcp, &[], Limits::default(), world());
    let replies = tokio::task::spawn_blocking(move || [(); 2].map(|()| receive(&client))).await.unwrap();
    let replies = replies.map(|reply| Message::from_vec(&reply).unwrap());
    let seen = replies.each_ref().map(|reply| (reply.metadata.id, addresses(reply).concat()));
    assert_eq!(seen, [(1, "192.0.2.1".to_owned()), (2, "10.9.0.1".to_owned())]);
}

#[tokio::test]
async fn a_dropped_server_closes_its_sockets() {
    let served = serve(&[], Limits::default());
    let Served { server, addr, udp, tcp, .. } = served;
    drop((server, udp, tcp));
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    while std::net::UdpSocket::bind(addr).is_err() || std::net::TcpListener::bind(addr).is_err() {
        assert!(tokio::time::Instant::now() < deadline, "the port is still held");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_asker_without_a_view_is_told_to_try_again() {
    let served = serve(&[], Limits::default());
    served.directory.update(|editor| editor.remove_view(&"a".into()));
    assert_eq!(code(&ask_a(&served, "c1.").await), ResponseCode::ServFail);
    served.directory.update(|editor| {
        editor.set_view("a", View { zones: vec!["n".into()], ..View::default() });
    });
    assert_eq!(code(&ask_a(&served, "c1.").await), ResponseCode::NoError);
}
