//! Writes the replies that we make ourselves. They are of one shape, which a general encoder takes ten times as
//! long for: the question, then records that nearly all belong to its name, then the OPT record.

use hickory_proto::op::{Edns, Message, MessageType, Query};
use hickory_proto::rr::{Name, RData, Record};
use thiserror::Error;

use super::HEADER;

/// Whether all of a reply was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Whole,
    /// Some answers did not fit, and TC says so.
    Cut,
}

/// A reply that is not of our making.
#[derive(Debug, Error)]
#[error("a reply of ours has no authority section, and only records that it can make itself")]
pub(crate) struct Foreign;

/// A pointer (RFC 1035, 4.1.4) to the name right behind the header.
const TO_QUESTION: [u8; 2] = [0xc0, HEADER as u8];

/// An OPT record without options (RFC 6891, 6.1.2): root, type, size, extended code and flags, no data.
const OPT_LEN: usize = 11;

/// Writes `reply` into `out`, at most `limit` bytes of it. As many answers as fit are kept, and the OPT record,
/// which belongs to the conversation and not to the answer, always.
pub(crate) fn write_reply(reply: &Message, limit: usize, out: &mut Vec<u8>) -> Result<Written, Foreign> {
    if !reply.authorities.is_empty() {
        return Err(Foreign);
    }
    out.clear();
    out.resize(HEADER, 0);
    for question in &reply.queries {
        push_question(question, out);
    }
    let room = limit.saturating_sub(if reply.edns.is_some() { OPT_LEN } else { 0 });
    let written = push_records(&reply.answers, reply, room, out)?;
    let cut = written < reply.answers.len();
    // What is only beside the answer can be asked for, so the reply is whole without (RFC 2181, 9).
    let beside = if cut { 0 } else { push_records(&reply.additionals, reply, room, out)? };
    if let Some(edns) = &reply.edns {
        push_opt(edns, reply, out);
    }
    let header = header(reply, written, beside, cut);
    out[..HEADER].copy_from_slice(&header);
    Ok(if cut { Written::Cut } else { Written::Whole })
}

fn header(reply: &Message, answers: usize, beside: usize, cut: bool) -> [u8; HEADER] {
    let metadata = &reply.metadata;
    let bit = |set: bool, place: u8| u8::from(set) << place;
    let first = bit(metadata.message_type == MessageType::Response, 7)
        | u8::from(metadata.op_code) << 3
        | bit(metadata.authoritative, 2)
        | bit(metadata.truncation || cut, 1)
        | bit(metadata.recursion_desired, 0);
    let second = bit(metadata.recursion_available, 7)
        | bit(metadata.authentic_data, 5)
        | bit(metadata.checking_disabled, 4)
        | metadata.response_code.low();
    let [id_high, id_low] = metadata.id.to_be_bytes();
    let [questions_high, questions_low] = (reply.queries.len() as u16).to_be_bytes();
    let [answers_high, answers_low] = (answers as u16).to_be_bytes();
    let [beside_high, beside_low] = (beside as u16 + u16::from(reply.edns.is_some())).to_be_bytes();
    let counts = [questions_high, questions_low, answers_high, answers_low, 0, 0, beside_high, beside_low];
    let mut header = [id_high, id_low, first, second, 0, 0, 0, 0, 0, 0, 0, 0];
    header[4..].copy_from_slice(&counts);
    header
}

fn push_question(question: &Query, out: &mut Vec<u8>) {
    push_name(&question.name, out);
    out.extend(u16::from(question.query_type).to_be_bytes());
    out.extend(u16::from(question.query_class).to_be_bytes());
}

/// As many as there is room for.
fn push_records(
    records: &[Record],
    reply: &Message,
    room: usize,
    out: &mut Vec<u8>,
) -> Result<usize, Foreign> {
    for (written, record) in records.iter().enumerate() {
        let before = out.len();
        push_record(record, reply, out)?;
        if out.len() > room {
            out.truncate(before);
            return Ok(written);
        }
    }
    Ok(records.len())
}

fn push_record(record: &Record, reply: &Message, out: &mut Vec<u8>) -> Result<(), Foreign> {
    match &reply.queries[..] {
        [question] if record.name == question.name => out.extend(TO_QUESTION),
        _ => push_name(&record.name, out),
    }
    out.extend(u16::from(record.record_type()).to_be_bytes());
    out.extend(u16::from(record.dns_class).to_be_bytes());
    out.extend(record.ttl.to_be_bytes());
    let len_at = out.len();
    out.extend([0, 0]);
    match &record.data {
        RData::A(a) => out.extend(a.octets()),
        RData::AAAA(aaaa) => out.extend(aaaa.octets()),
        RData::PTR(name) => push_name(name, out),
        RData::CNAME(name) => push_name(name, out),
        RData::TXT(texts) => {
            for text in &texts.txt_data {
                out.push(text.len() as u8);
                out.extend(text);
            }
        }
        RData::MX(mx) => {
            out.extend(mx.preference.to_be_bytes());
            push_name(&mx.exchange, out);
        }
        RData::SRV(srv) => {
            for number in [srv.priority, srv.weight, srv.port] {
                out.extend(number.to_be_bytes());
            }
            push_name(&srv.target, out);
        }
        _ => return Err(Foreign),
    }
    let len = (out.len() - len_at - 2) as u16;
    out[len_at..len_at + 2].copy_from_slice(&len.to_be_bytes());
    Ok(())
}

fn push_name(name: &Name, out: &mut Vec<u8>) {
    for label in name {
        out.push(label.len() as u8);
        out.extend(label);
    }
    out.push(0);
}

fn push_opt(edns: &Edns, reply: &Message, out: &mut Vec<u8>) {
    const OPT: u16 = 41;
    out.push(0);
    out.extend(OPT.to_be_bytes());
    out.extend(edns.max_payload().to_be_bytes());
    out.extend([reply.metadata.response_code.high(), edns.version()]);
    out.extend(u16::from(*edns.flags()).to_be_bytes());
    out.extend([0, 0]);
}
