//! What a question is answered with: a pure function of the snapshot, the asker and the question. Nothing here
//! knows a socket or a clock, and the order of addresses comes from randomness that is handed in.

mod lookup;
mod records;
mod reply;

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, Record, RecordType};
use rand::Rng;
use rand::seq::SliceRandom;

use self::lookup::Found;
pub(crate) use self::reply::{MAX_UDP, reply};
use crate::snapshot::{AskerView, Snapshot};
use crate::types::{AskerId, BareNames, Forward};

/// How long clients may keep what we say, in seconds. A question to us costs microseconds, so a cache saves
/// nothing, while a container that was replaced keeps its name and changes its address: clients must follow.
/// Zero would say just that, but some client caches take it for "use the default" (30 s and more).
pub const LOCAL_TTL: u32 = 5;

/// Aliases that are followed in a row; more are a circle.
const ALIASES: usize = 8;

/// What to do with a question.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Send this.
    Reply(Message),
    /// It is not ours: ask these upstreams.
    Forward(ForwardTo),
    /// It is ours, and another name for one that is not: ask these upstreams for that.
    Alias {
        /// The reply as far as it goes.
        so_far: Box<Message>,
        /// What to ask for, with the type that was asked for.
        target: Name,
        /// Whom.
        to: ForwardTo,
    },
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

/// What the name has here, or whose it is. An alias is followed as far as it leads among ours.
fn find(
    snapshot: &Snapshot,
    view: &AskerView,
    query: &Message,
    question: &Query,
    shuffle: &mut impl Rng,
) -> Verdict {
    let kind = question.query_type;
    let any_or = |one: RecordType| kind == one || kind == RecordType::ANY;
    let mut name = question.name.clone();
    let (mut records, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..ALIASES {
        match lookup::find(snapshot, view, &name) {
            Found::Names(all) => {
                let before = records.len();
                records::push_named(&name, kind, &all, &mut records, shuffle);
                if records.len() > before || any_or(RecordType::CNAME) {
                    break;
                }
                let Some((record, target)) = records::alias(&name, &all) else { break };
                records.push(record);
                name = target;
                continue;
            }
            Found::Services(mut all) if any_or(RecordType::SRV) => {
                all.shuffle(shuffle);
                let (services, addresses) = records::services(&name, &all);
                records.extend(services);
                beside = addresses;
            }
            Found::Reverse(host) if any_or(RecordType::PTR) => records.push(records::reverse(&name, host)),
            Found::Services(_) | Found::Reverse(_) => {}
            Found::Unknown { .. } if !records.is_empty() => {
                let so_far = Box::new(with(query, records, beside));
                return Verdict::Alias { so_far, target: name, to: way_out(view) };
            }
            Found::Unknown { bare } => {
                let address = matches!(kind, RecordType::A | RecordType::AAAA);
                if !(bare && address && view.bare_names == BareNames::Keep) {
                    return Verdict::Forward(way_out(view));
                }
            }
        }
        break;
    }
    Verdict::Reply(with(query, records, beside))
}

fn with(query: &Message, records: Vec<Record>, beside: Vec<Record>) -> Message {
    let mut message = reply(query, ResponseCode::NoError);
    message.metadata.authoritative = true;
    message.answers = records;
    message.additionals = beside;
    message
}

fn way_out(view: &AskerView) -> ForwardTo {
    match view.forward {
        Forward::Yes => ForwardTo::Every,
        Forward::No => ForwardTo::ContainerOnly,
    }
}

#[cfg(test)]
mod tests;
