//! What can be seen of a server from outside: who asked what, and what became of it.
#![allow(clippy::unwrap_used, clippy::expect_used)] // The lint knows test functions, not their helpers.

mod support;

use std::time::{Duration, Instant};

use dns::hickory_proto::op::{OpCode, ResponseCode};
use dns::{Outcome, Shared};
use support::*;

#[tokio::test]
async fn a_follower_is_told_what_became_of_each_question() {
    let fake = Fake::new(|query, _| match query.queries[0].name.to_string().as_str() {
        "bad." => {
            let mut reply = replying(query);
            reply.metadata.response_code = ResponseCode::ServFail;
            vec![reply]
        }
        _ => vec![addressed(query, 1)],
    });
    let served = serve(&[fake.host()], calm());
    let before = Instant::now();
    ask_a(&served, "c1.").await;
    let mut log = served.server.follow(100);
    for name in ["C1.", "example.com.", "example.com.", "bad."] {
        ask_a(&served, name).await;
    }
    let mut status = query("c1.", 1);
    status.metadata.op_code = OpCode::Status;
    ask(&served, Over::Tcp, status).await;
    let mut seen = Vec::new();
    while let Ok(asked) = log.try_recv() {
        assert!(asked.at >= before && asked.at <= Instant::now());
        assert!(asked.outcome == Outcome::Forwarded || asked.took < Duration::from_secs(5));
        seen.push((asked.name, asked.kind.to_string(), asked.outcome));
    }
    let expected = [
        ("C1.", "A", Outcome::Answered),
        ("example.com.", "A", Outcome::Forwarded),
        ("example.com.", "A", Outcome::Cached),
        ("bad.", "A", Outcome::Failed),
        ("", "ZERO", Outcome::Refused),
    ];
    assert_eq!(seen, expected.map(|(name, kind, outcome)| (name.to_owned(), kind.to_owned(), outcome)));
}

#[tokio::test]
async fn counts_outlive_their_server() {
    let fake = Fake::saying(1);
    let shared = Shared::default();
    for asker in ["a", "b"] {
        let served = serve_beside(asker, &[fake.host()], calm(), &shared);
        for name in ["c1.", "example.com.", "example.com."] {
            ask_a(&served, name).await;
        }
        assert_eq!(served.server.counts().upstream_latency.count(), u64::from(asker == "a"));
    }
    let all = shared.ended_counts();
    assert_eq!((all.udp_queries, all.answered, all.forwarded, all.cached), (6, 2, 1, 3));
    assert_eq!(all.upstream_latency.count(), 1);
}
