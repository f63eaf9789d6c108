//! Bytes to messages and back, and the few things that are done to bytes alone: what is forwarded passes through
//! as it came, so that options and record types that we don't know survive.

mod records;
mod reply;

pub(crate) use self::records::{RecordAt, Section, records};
pub(crate) use self::reply::{Written, write_reply};

use hickory_proto::op::{Message, OpCode, ResponseCode};

/// The fixed part of every message (RFC 1035, 4.1.1).
pub(crate) const HEADER: usize = 12;

/// What follows the name of a question.
const TYPE_AND_CLASS: usize = 4;

/// What can't be read as a query.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// There is a header, so the sender can be told.
    Reply(Box<Message>),
    /// There is none, or it is itself a reply (replying to replies is how loops begin).
    Ignore,
}

/// Reads a query. What the header alone decides is decided first: a hostile count never makes the decoder work.
pub(crate) fn read_query(bytes: &[u8]) -> Result<Message, Unreadable> {
    let Some(header) = bytes.first_chunk::<HEADER>() else {
        return Err(Unreadable::Ignore);
    };
    if is_reply(header) {
        return Err(Unreadable::Ignore);
    }
    let op_code = OpCode::from_u8((header[2] >> 3) & 0x0f);
    if op_code != OpCode::Query {
        return Err(complain(header, op_code, ResponseCode::NotImp));
    }
    let questions = u16::from_be_bytes([header[4], header[5]]);
    match Message::from_vec(bytes) {
        Ok(message) if questions == 1 => Ok(message),
        _ => Err(complain(header, op_code, ResponseCode::FormErr)),
    }
}

fn complain(header: &[u8; HEADER], op_code: OpCode, code: ResponseCode) -> Unreadable {
    let mut message = Message::error_msg(id(header), op_code, code);
    message.metadata.recursion_desired = header[2] & 1 != 0;
    message.metadata.recursion_available = true;
    Unreadable::Reply(Box::new(message))
}

/// What a reply says about itself. The part of the code that EDNS carries is not looked at.
pub(crate) fn code(message: &[u8]) -> ResponseCode {
    ResponseCode::from_low(message.get(3).map_or(0, |flags| flags & 0x0f))
}

/// Whether a reply says that it is not all (TC).
pub(crate) fn is_cut(message: &[u8]) -> bool {
    message.get(2).is_some_and(|flags| flags & 0x02 != 0)
}

/// The type that the first question asks for.
pub(crate) fn question_type(message: &[u8]) -> Option<u16> {
    let at = question_end(message)? - TYPE_AND_CLASS;
    Some(u16::from_be_bytes([message[at], message[at + 1]]))
}

/// How many questions a message says it has.
pub(crate) fn question_count(message: &[u8]) -> u16 {
    match message.get(4..6) {
        Some(&[high, low]) => u16::from_be_bytes([high, low]),
        _ => 0,
    }
}

/// Where the first question ends. `None` if it is cut short or its name uses compression, which has nothing to
/// point at there.
pub(crate) fn question_end(message: &[u8]) -> Option<usize> {
    const LABEL_MAX: u8 = 63;
    let mut at = HEADER;
    loop {
        match *message.get(at)? {
            0 => break,
            len @ 1..=LABEL_MAX => at += 1 + usize::from(len),
            _ => return None,
        }
    }
    let end = at + 1 + TYPE_AND_CLASS;
    (end <= message.len()).then_some(end)
}

/// The message, whose question ends at `end`, without its DNS cookie, if that is all that EDNS has in it. A cookie
/// is between neighbours (RFC 7873), and the client's neighbour is us; many clients send one with every question.
pub(crate) fn without_cookie(message: &[u8], end: usize) -> Option<Vec<u8>> {
    const OPT_FIXED: usize = 9;
    let [0, 0, 41, _, _, _, _, _, _, len_high, len_low, 0, 10, data_high, data_low, data @ ..] =
        message.get(end..)?
    else {
        return None;
    };
    let len = |high, low| usize::from(u16::from_be_bytes([high, low]));
    let alone = message.get(6..HEADER)? == [0, 0, 0, 0, 0, 1]
        && len(*data_high, *data_low) == data.len()
        && len(*len_high, *len_low) == data.len() + 4;
    alone.then(|| [&message[..end + OPT_FIXED], &[0, 0]].concat())
}

pub(crate) fn id(message: &[u8; HEADER]) -> u16 {
    u16::from_be_bytes([message[0], message[1]])
}

pub(crate) fn is_reply(header: &[u8; HEADER]) -> bool {
    header[2] & 0x80 != 0
}
