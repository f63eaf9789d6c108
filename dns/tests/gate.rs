//! A gate between a server and the world: what it denies is never asked, and what it watches it hears of first.
#![allow(clippy::unwrap_used, clippy::expect_used)] // The lint knows test functions, not their helpers.

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use dns::hickory_proto::op::{Message, ResponseCode};
use dns::hickory_proto::rr::{Name, RecordType};
use dns::{Gate, Judged, Outcome, StaticData, StaticRecord, Told};
use support::*;

/// Lets `*.good.` pass.
#[derive(Default)]
struct Doorman(Mutex<Vec<String>>);

impl Doorman {
    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Gate for Doorman {
    fn judge(&self, name: &Name) -> Judged {
        let good = name.to_string().to_ascii_lowercase().ends_with(".good.");
        if good { Judged::Watched } else { Judged::Denied }
    }

    fn told(&self, name: &Name, addresses: &[Told]) {
        let texts = addresses.iter().map(|told| format!("{name} {} {}", told.ip, told.ttl.as_secs()));
        self.0.lock().unwrap().extend(texts);
    }

    fn denied(&self, name: &Name) {
        self.0.lock().unwrap().push(format!("{name} denied"));
    }
}

#[tokio::test]
async fn what_is_denied_is_not_asked_and_what_is_watched_is_told_first() {
    let doorman = Arc::new(Doorman::default());
    let (gate, asked) = (doorman.clone(), Arc::new(Mutex::new(0)));
    let count = asked.clone();
    let fake = Fake::new(move |query, _| {
        *count.lock().unwrap() += 1;
        vec![addressed(query, 7)]
    });
    let served = serve_gated(&[fake.host()], gate);

    let denied = ask_a(&served, "secret.evil.").await;
    assert_eq!(denied.metadata.response_code, ResponseCode::NXDomain);
    assert_eq!((doorman.heard(), *asked.lock().unwrap()), (vec!["secret.evil. denied".to_owned()], 0));

    let addresses = |message: &Message| message.answers.len();
    for (round, outcome) in [(1, Outcome::Forwarded), (2, Outcome::Cached)] {
        let replied = served.server.ask(Name::from_ascii("www.Good.").unwrap(), RecordType::A).await;
        assert_eq!(replied.outcome, outcome);
        assert_eq!(addresses(&replied.message.unwrap()), 1);
        let heard = doorman.heard();
        assert_eq!((heard.len(), *asked.lock().unwrap()), (1, 1), "round {round}: {heard:?}");
        assert!(heard[0].starts_with("www.Good. 192.0.2.7 "), "{heard:?}");
    }
    assert_eq!(ask_a(&served, "c1.").await.answers.len(), 1, "names of ours are nobody's business");
    assert_eq!(doorman.heard(), Vec::<String>::new());
    assert_eq!(served.server.counts().denied, 1);
}

/// A gate with a bug.
struct Trap;

impl Gate for Trap {
    fn judge(&self, name: &Name) -> Judged {
        assert_ne!(name.to_string(), "trap.", "as a bug would");
        Judged::Free
    }

    fn told(&self, _: &Name, _: &[Told]) {}

    fn denied(&self, _: &Name) {}
}

/// Questions wait in the socket for their answer; one that none can come to must not be there for the next server.
#[tokio::test]
async fn a_question_that_makes_us_panic_costs_itself_alone() {
    let first = serve_gated(&[], Arc::new(Trap));
    let (udp, tcp) = (first.udp.try_clone().unwrap(), first.tcp.try_clone().unwrap());
    let client = client(first.addr);
    for (name, id) in [("c1.", 1), ("trap.", 2), ("c2.", 3)] {
        client.send(&query(name, id).to_vec().unwrap()).unwrap();
    }
    let next_two = |client: std::net::UdpSocket| {
        let two =
            move || ([(); 2].map(|()| Message::from_vec(&receive(&client)).unwrap().metadata.id), client);
        async { tokio::task::spawn_blocking(two).await.unwrap() }
    };
    let (ids, client) = next_two(client).await;
    assert_eq!(ids, [1, 3]);
    client.send(&query("c1.", 4).to_vec().unwrap()).unwrap();
    client.send(&query("c2.", 5).to_vec().unwrap()).unwrap();
    assert_eq!(next_two(client).await.0, [4, 5], "and it goes on");
    assert_eq!(first.server.counts().ignored, 1);
    drop(first);
    let second = serve_on(udp, tcp, &[], calm(), world());
    assert_eq!(addresses(&ask_a(&second, "c1.").await), ["10.9.0.1"]);
    assert_eq!(second.server.counts().udp_queries, 1);
}

#[tokio::test]
async fn an_alias_passes_by_either_name() {
    let doorman = Arc::new(Doorman::default());
    let fake = Fake::new(|query, _| vec![addressed(query, 7)]);
    let served = serve_gated(&[fake.host()], doorman.clone());
    let alias = |name: &str, to: &str| StaticRecord {
        name: name.to_owned(),
        ttl: None,
        data: StaticData::Cname(to.to_owned()),
    };
    served.directory.update(|editor| {
        editor.set_records(&"n".into(), &[alias("mirror", "www.good"), alias("leak", "www.evil")]);
    });
    let reply = ask_a(&served, "mirror.").await;
    assert_eq!(reply.answers.len(), 2, "{reply:?}");
    let ttl = Duration::from_secs(reply.answers[1].ttl.into()).as_secs();
    assert_eq!(doorman.heard(), [format!("www.good. 192.0.2.7 {ttl}")]);
    assert_eq!(ask_a(&served, "leak.").await.metadata.response_code, ResponseCode::NXDomain);
    assert_eq!(doorman.heard(), ["www.evil. denied"]);
}
