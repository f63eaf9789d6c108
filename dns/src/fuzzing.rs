//! The entry of the fuzz target (dns/fuzz), also run over its corpus by a normal test: bytes from anywhere go
//! through everything that a server does with them short of its sockets, and what must always hold is checked.

use std::net::Ipv4Addr;
use std::sync::LazyLock;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, ResponseCode};
use rand::SeedableRng;
use rand::rngs::SmallRng;

use crate::answer::{Verdict, answer, reply};
use crate::cache::{Age, Kept};
use crate::forward::{Judgement, Question, Transport};
use crate::resolv_conf::{self, Overrides, ResolvConf};
use crate::snapshot::Directory;
use crate::types::{Host, Protocol, Service, StaticData, StaticRecord, View};
use crate::wire::{self, Unreadable, Written};

static WORLD: LazyLock<Directory> = LazyLock::new(world);

/// Panics if something that must hold does not.
pub fn one(data: &[u8]) {
    query(data);
    upstream_reply(data);
    if let Ok(text) = std::str::from_utf8(data) {
        host_file(text);
    }
}

fn query(data: &[u8]) {
    let query = match wire::read_query(data) {
        Ok(query) => query,
        Err(Unreadable::Reply(complaint)) => return written(&complaint, data),
        Err(Unreadable::Ignore) => return,
    };
    let mut shuffle = SmallRng::seed_from_u64(data.len() as u64);
    match answer(&WORLD.load(), &"asker".into(), &query, &mut shuffle) {
        Verdict::Reply(reply) => written(&reply, data),
        Verdict::Ignore => {}
        Verdict::Alias { so_far, .. } => written(&so_far, data),
        Verdict::Forward(_) => {
            written(&reply(&query, ResponseCode::ServFail), data);
            if let Some(question) = Question::new(data, Transport::Udp, 512) {
                let sent = question.under(7);
                let same = sent.len() == data.len();
                assert!(same || sent.len() + 4 <= data.len(), "nothing is added");
                let end = if same { data.len() } else { sent.len() - 2 };
                assert_eq!(
                    sent[2..end],
                    data[2..end],
                    "only the id changes on the way out, or the cookie goes"
                );
                assert!(Message::from_vec(&sent).is_ok());
            }
        }
    }
}

fn written(reply: &Message, query: &[u8]) {
    for limit in [512, 4096, 65_535] {
        let mut out = Vec::new();
        let written = wire::write_reply(reply, limit, &mut out);
        assert!(out.len() <= limit, "{} bytes where {limit} are allowed", out.len());
        let read = Message::from_vec(&out).unwrap_or_else(|error| panic!("unreadable reply: {error}"));
        assert_eq!(read.metadata.message_type, MessageType::Response);
        assert_eq!(out[..2], query[..2], "the id is the query's");
        // Another's decoder reads what was meant.
        assert_eq!(read.metadata.response_code.low(), reply.metadata.response_code.low());
        assert_eq!(read.queries, reply.queries);
        assert_eq!(read.edns.as_ref().map(Edns::flags), reply.edns.as_ref().map(Edns::flags));
        assert_eq!(read.answers[..], reply.answers[..read.answers.len()]);
        assert_eq!(read.additionals[..], reply.additionals[..read.additionals.len()]);
        match written {
            Ok(Written::Whole) => assert_eq!(read.answers.len(), reply.answers.len()),
            Ok(Written::Cut) => assert!(read.metadata.truncation),
            Err(error) => panic!("{error}"),
        }
    }
}

/// The first byte says how much of the data is the question; the rest is what an upstream says.
fn upstream_reply(data: &[u8]) {
    let Some((&len, data)) = data.split_first() else { return };
    let Some((asked, said)) = data.split_at_checked(usize::from(len)) else { return };
    let Some(question) = Question::new(asked, Transport::Udp, 512) else { return };
    let id = u16::from_be_bytes([asked[0], asked[1]]);
    if question.judge(id, said) != Judgement::Foreign {
        let restored = question.restore(said.to_vec());
        assert_eq!(restored.len(), said.len());
        assert_ne!(question.judge(id, &restored), Judgement::Foreign);
        kept(&restored, &question);
    }
}

/// What the cache serves is what came but for the times, and no time is longer than it was.
fn kept(reply: &[u8], question: &Question) {
    let Some(kept) = Kept::new(reply) else { return };
    let mut out = Vec::new();
    kept.write(Age::Fresh(Duration::from_secs(1)), question, &mut out);
    assert_eq!(out.len(), reply.len());
    let read = |bytes: &[u8]| {
        Message::from_vec(bytes).unwrap_or_else(|error| panic!("kept and unreadable: {error}"))
    };
    let (said, served) = (read(reply), read(&out));
    assert_eq!((said.metadata, &said.queries), (served.metadata, &served.queries));
    let records = |message: &Message| [message.answers.clone(), message.authorities.clone()].concat();
    for (said, served) in records(&said).iter().zip(records(&served)) {
        assert_eq!((&said.name, &said.data), (&served.name, &served.data));
        assert!(served.ttl < said.ttl);
    }
}

fn host_file(text: &str) {
    let host = ResolvConf::parse(text);
    let made = resolv_conf::internal(&host, "/etc/resolv.conf", &Overrides::default(), |_| Some(1));
    let read = ResolvConf::parse(&made.text);
    assert_eq!(read.nameservers, [resolv_conf::INTERNAL.into()], "one server, ours");
    assert!(read.invalid.is_empty());
}

fn world() -> Directory {
    let directory = Directory::new();
    directory.update(|editor| {
        editor.set_zone("n", "net");
        for i in 0..200 {
            let names = vec![format!("c{i}"), "all".to_owned(), "x.y".to_owned()];
            let v6 = Some(Ipv4Addr::new(10, 0, 0, i).to_ipv6_mapped());
            let host = Host { names, v4: Some([10, 0, 0, i].into()), v6, services: vec![service()] };
            editor.set_host(&"n".into(), format!("e{i}"), host);
        }
        let names = vec!["*.w".to_owned()];
        editor.set_host(&"n".into(), "w", Host { names, v4: Some([10, 0, 1, 0].into()), ..Host::default() });
        editor.set_records(&"n".into(), &records());
        let links = vec![("l".to_owned(), "c1".to_owned())];
        editor.set_view("asker", View { zones: vec!["n".into()], links, ..View::default() });
    });
    directory
}

fn service() -> Service {
    Service { port: 80, protocol: Protocol::Tcp, name: None }
}

/// One of every type, and aliases: to ours, to the world's, to itself.
fn records() -> Vec<StaticRecord> {
    let record = |name: &str, data| StaticRecord { name: name.to_owned(), ttl: None, data };
    let alias = |name, target: &str| record(name, StaticData::Cname(target.to_owned()));
    vec![
        record("r", StaticData::A([10, 0, 2, 1].into())),
        record("r", StaticData::Aaaa(Ipv4Addr::new(10, 0, 2, 1).to_ipv6_mapped())),
        record("r", StaticData::Txt(vec!["a".to_owned(), "b".repeat(255)])),
        record("r", StaticData::Mx { preference: 1, exchange: "c1".to_owned() }),
        record("r", StaticData::Srv { priority: 1, weight: 2, port: 3, target: "c1.net".to_owned() }),
        alias("*.v", "r"),
        alias("o", "example.com"),
        alias("s", "s"),
    ]
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_corpus_holds() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/message");
        let mut seeds = 0;
        for entry in fs::read_dir(corpus).expect("the seed corpus is in the repository") {
            one(&fs::read(entry.unwrap().path()).unwrap());
            seeds += 1;
        }
        assert!(seeds >= 20, "{seeds} seeds");
    }

    proptest! {
        #[test]
        fn any_bytes(data in proptest::collection::vec(any::<u8>(), 0..600)) {
            one(&data);
        }

        /// Plausible headers get further than noise.
        #[test]
        fn nearly_queries(
            counts in proptest::array::uniform4(0..3u8),
            tail in proptest::collection::vec(prop_oneof![3 => 0..4u8, 1 => any::<u8>()], 0..80),
        ) {
            let [qd, an, ns, ar] = counts;
            let mut data = vec![1, 2, 1, 0, 0, qd, 0, an, 0, ns, 0, ar];
            data.extend(tail);
            one(&data);
        }

        /// Every damage to a good query.
        #[test]
        fn damaged_queries(seed in 0..4usize, at in 0..60usize, with in any::<u8>(), cut in 0..80usize) {
            let mut data = seeds()[seed].clone();
            let at = at % data.len();
            data[at] = with;
            data.truncate(cut.max(1));
            one(&data);
        }
    }

    fn seeds() -> [Vec<u8>; 4] {
        let head = |ar| vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, ar];
        let opt = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];
        [
            [&head(0)[..], b"\x02c1\0\0\x01\0\x01"].concat(),
            [&head(1)[..], b"\x03all\x03net\0\0\xff\0\x01", &opt].concat(),
            [&head(1)[..], b"\x01x\x01y\0\0\x1c\0\x01", &opt].concat(),
            [&head(0)[..], b"\x011\x010\x010\x0210\x07in-addr\x04arpa\0\0\x0c\0\x01"].concat(),
        ]
    }
}
