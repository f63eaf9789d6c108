//! One question, from its bytes to the bytes of the reply or to the upstreams. What UDP and TCP share.

use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwapOption;
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use tokio::sync::watch;

use super::alias::onward;
use super::lanes::OwnLanes;
use super::limits::Limits;
use super::outward::Forwarding;
use crate::answer::{Verdict, answer, reply};
use crate::forward::{Forwarder, Question, Transport};
use crate::gate::{Gate, Judged, Told, addresses};
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
    pub(super) gate: Arc<dyn Gate>,
    pub(super) counters: Arc<Counters>,
    pub(super) log: Arc<QueryLog>,
}

/// What became of a message.
pub(super) enum Handled {
    /// It is worth no reply.
    Ignored,
    /// The reply is written.
    Replied(Outcome),
    /// It has to be asked of the upstreams.
    Forward(Box<Forwarding>),
}

impl Handler {
    /// Writes the reply into `out`, which stays empty if there is none (yet).
    pub(super) fn handle(&self, bytes: &[u8], transport: Transport, out: &mut Vec<u8>) -> Handled {
        out.clear();
        match wire::read_query(bytes) {
            Ok(query) => self.decide(&query, bytes, transport, out),
            Err(Unreadable::Reply(complaint)) => {
                self.done(&complaint, Outcome::Refused, None);
                self.write(&complaint, usize::from(u16::MAX), out);
                Handled::Replied(Outcome::Refused)
            }
            Err(Unreadable::Ignore) => self.ignored(),
        }
    }

    fn decide(&self, query: &Message, bytes: &[u8], transport: Transport, out: &mut Vec<u8>) -> Handled {
        let limit = reply_limit(query, transport);
        let outward = match answer(&self.directory.peek(), &self.asker, query, &mut rand::rng()) {
            Verdict::Reply(reply) => {
                let outcome = outcome(&reply);
                return self.reply(query, &reply, outcome, limit, out);
            }
            Verdict::Ignore => return self.ignored(),
            Verdict::Forward(to) => self.forwardable(query, None).and_then(|()| {
                let question = Question::new(bytes, transport, limit).ok_or(ResponseCode::FormErr)?;
                self.outward(query, question, None, to, out)
            }),
            Verdict::Alias { so_far, target, to } => self.forwardable(query, Some(&target)).and_then(|()| {
                let question = onward(query, &target, transport, limit).ok_or(ResponseCode::ServFail)?;
                self.outward(query, question, Some(so_far), to, out)
            }),
        };
        match outward {
            Ok(handled) => handled,
            Err(ResponseCode::NXDomain) => {
                self.reply(query, &reply(query, ResponseCode::NXDomain), Outcome::Denied, limit, out)
            }
            Err(code) => {
                let reply = reply(query, code);
                let outcome = outcome(&reply);
                self.reply(query, &reply, outcome, limit, out)
            }
        }
    }

    /// Whether the gate lets the question through; one for an alias passes by either name.
    fn forwardable(&self, query: &Message, target: Option<&Name>) -> Result<(), ResponseCode> {
        let Some(asked) = name(query) else { return Ok(()) };
        if [Some(asked), target].into_iter().flatten().any(|name| self.gate.judge(name) != Judged::Denied) {
            return Ok(());
        }
        self.gate.denied(target.unwrap_or(asked));
        Err(ResponseCode::NXDomain)
    }

    fn reply(
        &self,
        query: &Message,
        reply: &Message,
        outcome: Outcome,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Handled {
        self.tell_gate(query, None, || addresses(reply));
        self.done(query, outcome, None);
        self.write(reply, limit, out);
        Handled::Replied(outcome)
    }

    /// Tells the gate what the asker will be told next.
    pub(super) fn tell_gate(&self, query: &Message, target: Option<&Name>, told: impl FnOnce() -> Vec<Told>) {
        let names = [name(query), target].into_iter().flatten();
        let Some(watched) = names.into_iter().find(|name| self.gate.judge(name) == Judged::Watched) else {
            return;
        };
        let told = told();
        if !told.is_empty() {
            self.gate.told(watched, &told);
        }
    }

    fn ignored(&self) -> Handled {
        self.counters.ignored.one();
        Handled::Ignored
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
            Outcome::Denied => counters.denied.one(),
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

fn name(query: &Message) -> Option<&Name> {
    query.queries.first().map(|question| &question.name)
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
