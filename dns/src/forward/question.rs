//! A question as it travels: the client's own bytes, so that whatever it asked reaches the upstream, under an id
//! of ours and without its cookie; and the check that a reply belongs to it.

use hickory_proto::rr::Name;
use hickory_proto::serialize::binary::BinDecodable;

use crate::cache::Key;
use crate::wire::{self, HEADER};

/// What a client spoke. Its question goes on over the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Udp,
    Tcp,
}

#[derive(Clone, Debug)]
pub(crate) struct Question {
    bytes: Box<[u8]>,
    /// Where the question section ends.
    end: usize,
    pub(crate) transport: Transport,
    /// The most that the client takes in one message, and so the upstream sends.
    pub(crate) reply_size: usize,
}

/// The response codes that matter here (RFC 1035, 4.1.1).
const FORMERR: u8 = 1;
const SERVFAIL: u8 = 2;
const NOTIMP: u8 = 4;
const REFUSED: u8 = 5;

/// Types that are no records: TKEY, TSIG, transfers and their like (RFC 6895, 3.1). ANY, the last, is an answer.
const META: std::ops::RangeInclusive<u16> = 128..=254;

/// How a reply is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    Good,
    /// Good, but cut: all of it is to be had over TCP.
    Cut,
    /// The server can't or won't say.
    Unhelpful,
    /// Not a reply to this question: forged, or late.
    Foreign,
}

impl Question {
    /// `None` if the one question of the message is not written plainly.
    pub(crate) fn new(message: &[u8], transport: Transport, reply_size: usize) -> Option<Self> {
        let end = wire::question_end(message)?;
        let bytes = match wire::without_cookie(message, end) {
            Some(bytes) => bytes.into(),
            None => message.into(),
        };
        Some(Self { bytes, end, transport, reply_size })
    }

    /// The name that is asked for.
    pub(crate) fn name(&self) -> Option<Name> {
        Name::from_bytes(self.bytes.get(HEADER..self.end)?).ok()
    }

    /// The message under another id.
    pub(crate) fn under(&self, id: u16) -> Vec<u8> {
        let mut message = self.bytes.to_vec();
        message[..2].copy_from_slice(&id.to_be_bytes());
        message
    }

    /// Whether `reply` answers this question as it was asked under `id`.
    pub(crate) fn judge(&self, id: u16, reply: &[u8]) -> Judgement {
        let Some(header) = reply.first_chunk::<HEADER>() else {
            return Judgement::Foreign;
        };
        let code = header[3] & 0x0f;
        if wire::id(header) != id || !wire::is_reply(header) || !self.is_repeated_in(reply, code) {
            return Judgement::Foreign;
        }
        match code {
            SERVFAIL | REFUSED => Judgement::Unhelpful,
            _ if wire::is_cut(header) => Judgement::Cut,
            _ => Judgement::Good,
        }
    }

    /// The reply as the client expects it: under its id, with the letters of the name in its own case.
    pub(crate) fn restore(&self, mut reply: Vec<u8>) -> Vec<u8> {
        self.claim(&mut reply);
        reply
    }

    /// Makes a reply to an equal question one to this.
    pub(crate) fn claim(&self, reply: &mut [u8]) {
        reply[..2].copy_from_slice(&self.bytes[..2]);
        if wire::question_count(reply) == 1
            && let Some(place) = reply.get_mut(HEADER..self.end)
        {
            place.copy_from_slice(&self.bytes[HEADER..self.end]);
        }
    }

    /// What all questions have in common that one reply serves: among the upstreams of `lane`, the same name, type
    /// and class, flags, and way to use EDNS. Who takes how much doesn't matter, since what is too long is cut for
    /// each. `None` if there is more in the message than that, or the type is about the message itself.
    pub(crate) fn key(&self, lane: u64) -> Option<Key> {
        let kind = u16::from_be_bytes([self.bytes[self.end - 4], self.bytes[self.end - 3]]);
        let edns = self.plain_edns()?;
        if META.contains(&kind) {
            return None;
        }
        let mut key = Vec::with_capacity(8 + 2 + 2 + self.end - HEADER);
        key.extend(lane.to_be_bytes());
        key.extend(&self.bytes[2..4]);
        key.extend(edns);
        key.extend(self.bytes[HEADER..self.end].iter().map(u8::to_ascii_lowercase));
        Some(key.into())
    }

    /// The EDNS flags (RFC 6891, 6.1.4), or one that there is none of. `None` if anything else follows the question:
    /// options are between neighbours, and what is signed is for one.
    fn plain_edns(&self) -> Option<[u8; 2]> {
        const NO_EDNS: [u8; 2] = [0xff, 0xff];
        match (&self.bytes[4..HEADER], &self.bytes[self.end..]) {
            ([0, 1, 0, 0, 0, 0, 0, 0], []) => Some(NO_EDNS),
            ([0, 1, 0, 0, 0, 0, 0, 1], [0, 0, 41, _, _, 0, 0, high, low, 0, 0]) => Some([*high, *low]),
            _ => None,
        }
    }

    fn is_repeated_in(&self, reply: &[u8], code: u8) -> bool {
        match wire::question_count(reply) {
            1 => reply
                .get(HEADER..self.end)
                .is_some_and(|question| question.eq_ignore_ascii_case(&self.bytes[HEADER..self.end])),
            // Some servers complain with a bare header.
            0 => matches!(code, FORMERR | SERVFAIL | NOTIMP | REFUSED),
            _ => false,
        }
    }
}
