//! One reply as the cache keeps it: its bytes, and where in them the times to live are.

use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RecordType;

use crate::forward::Question;
use crate::wire::{self, RecordAt, Section};

/// No answer is kept for longer. RFC 8767 has seven days; a daemon on a laptop sees many networks in a week.
const LONGEST: u32 = 86_400;

/// No denial is kept for longer. RFC 2308 has three hours as the most; who has just made the name that is missing
/// waits in front of a screen.
const LONGEST_DENIAL: u32 = 300;

/// What a client may keep of something stale (RFC 8767, section 5).
const STALE_TTL: u32 = 30;

#[derive(Debug)]
pub(crate) struct Kept {
    bytes: Box<[u8]>,
    ttls_at: Box<[u16]>,
    lifetime: u32,
}

/// How old a reply is when it is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Age {
    Fresh(Duration),
    Stale,
}

impl Kept {
    /// `None` if the reply may not be kept: it is cut, is no answer, is a denial that doesn't say for how long, holds
    /// for this moment only, or would say something else with other times.
    pub(crate) fn new(reply: &[u8]) -> Option<Self> {
        let code = wire::code(reply);
        if wire::is_cut(reply) || !matches!(code, ResponseCode::NoError | ResponseCode::NXDomain) {
            return None;
        }
        let asked = wire::question_type(reply)?;
        let records = wire::records(reply)?;
        let lifetime = lifetime(reply, code, asked, &records)?;
        let at = |record: &RecordAt| u16::try_from(record.ttl_at).ok();
        let ttls_at = records.iter().filter(|record| record.has_ttl()).map(at).collect::<Option<_>>()?;
        let kept = Self { bytes: reply.into(), ttls_at, lifetime };
        (lifetime > 0 && kept.is_the_same_with_other_times()).then_some(kept)
    }

    /// A pointer of a name may lead to any place before it (RFC 1035, 4.1.4), also to where a time to live is, of which
    /// every bit is another one here.
    fn is_the_same_with_other_times(&self) -> bool {
        let mut others = self.bytes.to_vec();
        self.ttls_at
            .iter()
            .for_each(|&at| others[usize::from(at)..][..4].iter_mut().for_each(|byte| *byte = !*byte));
        let (Ok(said), Ok(other)) = (Message::from_vec(&self.bytes), Message::from_vec(&others)) else {
            return false;
        };
        let records = |message: &Message| {
            let all = message.answers.iter().chain(&message.authorities).chain(&message.additionals);
            all.map(|record| (record.name.clone(), record.data.clone())).collect::<Vec<_>>()
        };
        records(&said) == records(&other)
    }

    pub(crate) fn lifetime(&self) -> Duration {
        Duration::from_secs(self.lifetime.into())
    }

    pub(super) fn size(&self) -> usize {
        self.bytes.len() + 2 * self.ttls_at.len()
    }

    /// Writes the reply as it is to be served to who asked `question`.
    pub(crate) fn write(&self, age: Age, question: &Question, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(&self.bytes);
        for &at in &self.ttls_at {
            if let Some(place) = out[usize::from(at)..].first_chunk_mut() {
                let left = match age {
                    Age::Fresh(age) => left(u32::from_be_bytes(*place), age),
                    Age::Stale => STALE_TTL,
                };
                *place = left.to_be_bytes();
            }
        }
        question.claim(out);
    }
}

fn left(ttl: u32, age: Duration) -> u32 {
    let age = u32::try_from(age.as_secs()).unwrap_or(u32::MAX);
    ttl.min(LONGEST).saturating_sub(age)
}

/// The shortest time of all records: the reply is served whole or not at all. For a denial the SOA record says how
/// long it holds (RFC 2308, section 5); without one nobody knows.
fn lifetime(reply: &[u8], code: ResponseCode, asked: u16, records: &[RecordAt]) -> Option<u32> {
    let mut shortest = LONGEST;
    let mut denial_for = None;
    let mut answered = false;
    for record in records {
        if record.kind == u16::from(RecordType::OPT) {
            // The high bits of the response code: what looks like NOERROR is BADVERS or worse.
            if reply[record.ttl_at] != 0 {
                return None;
            }
            continue;
        }
        shortest = shortest.min(record.ttl(reply));
        let any = asked == u16::from(RecordType::ANY);
        answered |= record.section == Section::Answer && (any || record.kind == asked);
        if record.section == Section::Authority && record.kind == u16::from(RecordType::SOA) {
            denial_for = Some(record.ttl(reply).min(record.soa_minimum(reply)?));
        }
    }
    if answered && code == ResponseCode::NoError {
        return Some(shortest);
    }
    Some(shortest.min(denial_for?).min(LONGEST_DENIAL))
}
