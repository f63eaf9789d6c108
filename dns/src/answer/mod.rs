//! What a question is answered with: a pure function of the snapshot, the asker and the question. Nothing here
//! knows a socket or a clock, and the order of addresses comes from randomness that is handed in.

mod lookup;
mod reply;

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, RData, Record, RecordType, rdata};
use rand::Rng;
use rand::seq::SliceRandom;

use self::lookup::{Found, Hosts};
pub(crate) use self::reply::{MAX_UDP, reply};
use crate::snapshot::{Addresses, AskerView, Snapshot};
use crate::types::{AskerId, BareNames, Forward};

/// How long clients may keep what we say, in seconds. A question to us costs microseconds, so a cache saves
/// nothing, while a container that was replaced keeps its name and changes its address: clients must follow.
/// Zero would say just that, but some client caches take it for "use the default" (30 s and more).
pub const LOCAL_TTL: u32 = 5;

/// What to do with a question.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Send this.
    Reply(Message),
    /// It is not ours: ask these upstreams.
    Forward(ForwardTo),
    /// Say nothing: it is itself a reply.
    Ignore,
}

/// Which upstreams may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardTo {
    /// All of them.
    Every,
    /// Those dialled from the container; the asker has internal networks only, and the host is no way out.
    ContainerOnly,
}

/// Answers one question, or says who can.
pub fn answer(snapshot: &Snapshot, asker: &AskerId, query: &Message, shuffle: &mut impl Rng) -> Verdict {
    if query.metadata.message_type == MessageType::Response {
        return Verdict::Ignore;
    }
    match refuse(query) {
        Err(code) => Verdict::Reply(reply(query, code)),
        Ok(question) => match snapshot.view(asker) {
            Some(view) => find(snapshot, view, query, question, shuffle),
            None => Verdict::Reply(reply(query, ResponseCode::ServFail)),
        },
    }
}

/// The one question of an ordinary query, or the code that turns everything else away.
fn refuse(query: &Message) -> Result<&Query, ResponseCode> {
    if query.metadata.op_code != OpCode::Query {
        return Err(ResponseCode::NotImp);
    }
    let [question] = &query.queries[..] else {
        return Err(ResponseCode::FormErr);
    };
    if query.version() > 0 {
        return Err(ResponseCode::BADVERS);
    }
    // Whole zones are not handed out, and `version.bind` of class CHAOS is nobody's business.
    let transfer = matches!(question.query_type, RecordType::AXFR | RecordType::IXFR);
    if question.query_class != DNSClass::IN || transfer {
        return Err(ResponseCode::Refused);
    }
    Ok(question)
}

fn find(
    snapshot: &Snapshot,
    view: &AskerView,
    query: &Message,
    question: &Query,
    shuffle: &mut impl Rng,
) -> Verdict {
    let records = match lookup::find(snapshot, view, &question.name) {
        Found::Hosts(hosts) => address_records(question, hosts, shuffle),
        Found::Reverse(name) => reverse_records(question, name),
        Found::Unknown { bare } => {
            let address = matches!(question.query_type, RecordType::A | RecordType::AAAA);
            if !(bare && address && view.bare_names == BareNames::Keep) {
                return Verdict::Forward(match view.forward {
                    Forward::Yes => ForwardTo::Every,
                    Forward::No => ForwardTo::ContainerOnly,
                });
            }
            Vec::new()
        }
    };
    let mut message = reply(query, ResponseCode::NoError);
    message.metadata.authoritative = true;
    message.answers = records;
    Verdict::Reply(message)
}

/// The addresses of the asked family, networks in order, shuffled within each. A name that is ours is ours for
/// every type: one without records is empty rather than unknown, since "unknown" denies the name as a whole
/// (RFC 8020) and a cache in the container would then lose its addresses too.
fn address_records(question: &Query, hosts: Hosts<'_>, shuffle: &mut impl Rng) -> Vec<Record> {
    let mut records = Vec::with_capacity(hosts.iter().map(|zone| zone.len()).sum());
    for zone in hosts {
        let start = records.len();
        for host in zone {
            push_addresses(question, host, &mut records);
        }
        records[start..].shuffle(shuffle);
    }
    records
}

fn push_addresses(question: &Query, host: &Addresses, records: &mut Vec<Record>) {
    let any = question.query_type == RecordType::ANY;
    let mut push = |data| records.push(Record::from_rdata(question.name.clone(), LOCAL_TTL, data));
    if let Some(v4) = host.v4.filter(|_| any || question.query_type == RecordType::A) {
        push(RData::A(rdata::A(v4)));
    }
    if let Some(v6) = host.v6.filter(|_| any || question.query_type == RecordType::AAAA) {
        push(RData::AAAA(rdata::AAAA(v6)));
    }
}

fn reverse_records(question: &Query, name: hickory_proto::rr::Name) -> Vec<Record> {
    match question.query_type {
        RecordType::PTR | RecordType::ANY => {
            vec![Record::from_rdata(question.name.clone(), LOCAL_TTL, RData::PTR(rdata::PTR(name)))]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
