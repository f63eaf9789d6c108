//! A client that we did not write: `dig`, which CI installs (bind9-dnsutils).
#![allow(clippy::unwrap_used, clippy::expect_used)] // The lint knows test functions, not their helpers.

mod support;

use std::process::Command;

use dns::Limits;
use support::*;

async fn dig(served: &Served, args: &'static str) -> String {
    let port = served.addr.port().to_string();
    tokio::task::spawn_blocking(move || {
        let output = Command::new("dig")
            .args(["@127.0.0.1", "-p", &port, "+time=5", "+tries=1"])
            .args(args.split(' '))
            .output()
            .expect("dig is installed (Debian: bind9-dnsutils)");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        let mut lines: Vec<_> =
            String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
        lines.sort();
        lines.join("\n")
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn dig_gets_what_it_asks_for() {
    let fake = Fake::saying(7);
    let served = serve(&[fake.host()], Limits::default());
    for (question, expected) in [
        ("+short web", "10.9.0.1\n10.9.0.2"),
        ("+short +tcp c1", "10.9.0.1"),
        ("+short C1.NET", "10.9.0.1"),
        ("+short AAAA c1", ""),
        ("+short -x 10.9.0.2", "c2.net."),
        ("+short example.com", "192.0.2.7"),
        ("+short +noedns +tcp example.com", "192.0.2.7"),
        ("+short +cookie=0123456789abcdef c2", "10.9.0.2"),
    ] {
        assert_eq!(dig(&served, question).await, expected, "{question}");
    }
}

#[tokio::test]
async fn dig_comes_back_over_tcp_for_a_cut_answer() {
    let served = serve(&[], Limits::default());
    assert_eq!(dig(&served, "+short +noedns many").await.lines().count(), 200);
    assert_eq!(served.server.counts().tcp_queries, 1);
}

#[tokio::test]
async fn dig_sees_no_fault_in_our_replies() {
    let served = serve(&[], Limits::default());
    for (question, status) in [
        ("c1", "NOERROR"),
        ("c1 MX", "NOERROR"),
        ("c1 +edns=1 +noednsnegotiation", "BADVERS"),
        ("version.bind CH TXT", "REFUSED"),
        ("+opcode=status +noedns c1", "NOTIMP"),
        ("nobody", "SERVFAIL"),
    ] {
        let text = dig(&served, question).await;
        assert!(text.contains(&format!("status: {status}")), "{question}: {text}");
        for complaint in ["WARNING", "mismatch", "malformed", "extra bytes"] {
            assert!(!text.contains(complaint), "{question}: {text}");
        }
    }
}
