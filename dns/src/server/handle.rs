//! One question, from its bytes to the bytes of the reply or to the upstreams. What UDP and TCP share.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use hickory_proto::op::{Message, ResponseCode};
use tokio::sync::watch;

use super::alias::onward;
use super::lanes::OwnLanes;
use super::limits::Limits;
use super::outward::Forwarding;
use crate::answer::{Verdict, answer, reply};
use crate::forward::{Forwarder, Question, Transport};
use crate::metrics::Counters;
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
}

impl Handler {
    /// Writes the reply into `out`, which stays empty if there is none (yet).
    pub(super) fn handle(&self, bytes: &[u8], transport: Transport, out: &mut Vec<u8>) -> Option<Forwarding> {
        out.clear();
        match wire::read_query(bytes) {
            Ok(query) => self.decide(&query, bytes, transport, out),
            Err(Unreadable::Reply(complaint)) => {
                self.counters.refused.one();
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
        self.count(&reply);
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

    fn count(&self, reply: &Message) {
        let counters = &self.counters;
        match reply.metadata.response_code {
            ResponseCode::NoError if reply.answers.is_empty() => counters.empty.one(),
            ResponseCode::NoError => counters.answered.one(),
            ResponseCode::ServFail => counters.failed.one(),
            _ => counters.refused.one(),
        }
    }
}

/// The most that one UDP datagram over IPv4 carries.
const DATAGRAM: usize = 65_507;

fn reply_limit(query: &Message, transport: Transport) -> usize {
    match transport {
        Transport::Udp => usize::from(query.max_payload()).min(DATAGRAM),
        Transport::Tcp => usize::from(u16::MAX),
    }
}
