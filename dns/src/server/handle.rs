//! One question, from its bytes to the bytes of the reply or to the upstreams. What UDP and TCP share.

use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwapOption;
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RecordType;
use tokio::sync::watch;

use super::alias::onward;
use super::lanes::OwnLanes;
use super::limits::Limits;
use super::outward::Forwarding;
use crate::answer::{Verdict, answer, reply};
use crate::forward::{Forwarder, Question, Transport};
use crate::metrics::Counters;
use crate::query_log::{Asked, Outcome, QueryLog};
use crate::shared::{Held, Shared};
use crate::snapshot::Directory;
use crate::types::AskerId;
use crate::upstream::Upstreams;
use crate::wire::{self, Unreadable, Written};

pub(super) struct Handler {
    pub(super) asker: AskerId,
    pub(super) directory: Directory,
    pub(super) upstreams: watch::Receiver<Arc<Upstreams>>,
    pub(super) lanes: ArcSwapOption<OwnLanes>,
    pub(super) forwarder: Arc<Forwarder>,
    pub(super) shared: Shared,
    /// Its places for forwards.
    pub(super) held: Held,
    pub(super) limits: Limits,
    pub(super) counters: Arc<Counters>,
    pub(super) log: Arc<QueryLog>,
}

impl Handler {
    /// Writes the reply into `out`, which stays empty if there is none (yet).
    pub(super) fn handle(&self, bytes: &[u8], transport: Transport, out: &mut Vec<u8>) -> Option<Forwarding> {
        out.clear();
        match wire::read_query(bytes) {
            Ok(query) => self.decide(&query, bytes, transport, out),
            Err(Unreadable::Reply(complaint)) => {
                self.done(&complaint, Outcome::Refused, None);
                self.write(&complaint, usize::from(u16::MAX), out);
                None
            }
            Err(Unreadable::Ignore) => {
                self.counters.ignored.one();
                None
            }
        }
    }

    fn decide(
        &self,
        query: &Message,
        bytes: &[u8],
        transport: Transport,
        out: &mut Vec<u8>,
    ) -> Option<Forwarding> {
        let limit = reply_limit(query, transport);
        let reply = match answer(&self.directory.peek(), &self.asker, query, &mut rand::rng()) {
            Verdict::Reply(reply) => reply,
            Verdict::Forward(to) => {
                let question = Question::new(bytes, transport, limit).ok_or(ResponseCode::FormErr);
                match question.and_then(|question| self.outward(query, question, None, to, out)) {
                    Ok(forwarding) => return forwarding,
                    Err(code) => reply(query, code),
                }
            }
            Verdict::Alias { so_far, target, to } => {
                let question = onward(query, &target, transport, limit).ok_or(ResponseCode::ServFail);
                match question.and_then(|question| self.outward(query, question, Some(so_far), to, out)) {
                    Ok(forwarding) => return forwarding,
                    Err(code) => reply(query, code),
                }
            }
            Verdict::Ignore => {
                self.counters.ignored.one();
                return None;
            }
        };
        self.done(query, outcome(&reply), None);
        self.write(&reply, limit, out);
        None
    }

    pub(super) fn write(&self, reply: &Message, limit: usize, out: &mut Vec<u8>) {
        let id = reply.metadata.id;
        match wire::write_reply(reply, limit, out) {
            Ok(Written::Whole) => {}
            Ok(Written::Cut) => self.counters.truncated.one(),
            Err(error) => {
                tracing::debug!(%error, query.id = id, "could not write a dns reply");
                out.clear();
            }
        }
    }

    /// Counts a question that is done with and tells who follows.
    pub(super) fn done(&self, query: &Message, outcome: Outcome, since: Option<Instant>) {
        let counters = &self.counters;
        match outcome {
            Outcome::Answered => counters.answered.one(),
            Outcome::Empty => counters.empty.one(),
            Outcome::Cached => counters.cached.one(),
            Outcome::Forwarded => counters.forwarded.one(),
            Outcome::Stale => counters.stale.one(),
            Outcome::Failed => counters.failed.one(),
            Outcome::Refused => counters.refused.one(),
        }
        self.log.tell(|| {
            let (now, question) = (now(), query.queries.first());
            let at = since.unwrap_or(now);
            Asked {
                at,
                took: now.saturating_duration_since(at),
                name: question.map(|question| question.name.to_string()).unwrap_or_default(),
                kind: question.map_or(RecordType::ZERO, |question| question.query_type),
                outcome,
            }
        });
    }
}

fn outcome(reply: &Message) -> Outcome {
    match reply.metadata.response_code {
        ResponseCode::NoError if reply.answers.is_empty() => Outcome::Empty,
        ResponseCode::NoError => Outcome::Answered,
        ResponseCode::ServFail => Outcome::Failed,
        _ => Outcome::Refused,
    }
}

/// The clock that waiting goes by too.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The most that one UDP datagram over IPv4 carries.
const DATAGRAM: usize = 65_507;

fn reply_limit(query: &Message, transport: Transport) -> usize {
    match transport {
        Transport::Udp => usize::from(query.max_payload()).min(DATAGRAM),
        Transport::Tcp => usize::from(u16::MAX),
    }
}
