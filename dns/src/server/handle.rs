//! One question, from its bytes to the bytes of the reply or to the upstreams. What UDP and TCP share.

use std::sync::Arc;

use hickory_proto::op::{Message, ResponseCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::limits::Limits;
use crate::answer::{ForwardTo, Verdict, answer, reply};
use crate::forward::{Forwarder, Question, Transport};
use crate::metrics::Counters;
use crate::snapshot::Directory;
use crate::types::AskerId;
use crate::upstream::{DialFrom, Upstream, Upstreams};
use crate::wire::{self, Unreadable, Written};

pub(super) struct Handler {
    pub(super) asker: AskerId,
    pub(super) directory: Directory,
    pub(super) upstreams: watch::Receiver<Arc<Upstreams>>,
    pub(super) forwarder: Forwarder,
    /// Places for forwards.
    pub(super) forwards: Arc<Semaphore>,
    pub(super) limits: Limits,
    pub(super) counters: Arc<Counters>,
}

/// A question on its way to the upstreams. It holds its place among the forwards that are allowed.
pub(super) struct Forwarding {
    query: Message,
    question: Question,
    to: ForwardTo,
    _place: OwnedSemaphorePermit,
}

impl Handler {
    /// Writes the reply into `out`, which stays empty if there is none (yet).
    pub(super) fn handle(&self, bytes: &[u8], transport: Transport, out: &mut Vec<u8>) -> Option<Forwarding> {
        out.clear();
        match wire::read_query(bytes) {
            Ok(query) => self.decide(query, bytes, transport, out),
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
        query: Message,
        bytes: &[u8],
        transport: Transport,
        out: &mut Vec<u8>,
    ) -> Option<Forwarding> {
        let limit = reply_limit(&query, transport);
        let reply = match answer(&self.directory.peek(), &self.asker, &query, &mut rand::rng()) {
            Verdict::Reply(reply) => reply,
            Verdict::Forward(to) => match self.admit(bytes, transport, limit) {
                Ok((question, place)) => return Some(Forwarding { query, question, to, _place: place }),
                Err(code) => reply(&query, code),
            },
            Verdict::Ignore => {
                self.counters.ignored.one();
                return None;
            }
        };
        self.count(&reply);
        self.write(&reply, limit, out);
        None
    }

    /// The question for the upstreams and a place among the forwards, or the code that turns it away.
    fn admit(
        &self,
        bytes: &[u8],
        transport: Transport,
        limit: usize,
    ) -> Result<(Question, OwnedSemaphorePermit), ResponseCode> {
        let question = Question::new(bytes, transport, limit).ok_or(ResponseCode::FormErr)?;
        match self.forwards.clone().try_acquire_owned() {
            Ok(place) => Ok((question, place)),
            Err(_) => {
                self.counters.overloaded.one();
                Err(ResponseCode::Refused)
            }
        }
    }

    /// Asks the upstreams and gives the reply.
    pub(super) async fn forward(&self, forwarding: Forwarding) -> Vec<u8> {
        let Forwarding { query, question, to, _place } = forwarding;
        let limit = question.reply_size;
        let servers = self.servers(to);
        let mut out = Vec::new();
        match self.forwarder.ask(&question, &servers).await {
            Some(reply) if reply.len() <= limit => {
                self.counters.forwarded.one();
                out = reply;
            }
            Some(reply) => {
                self.counters.forwarded.one();
                self.cut(&query, &reply, limit, &mut out);
            }
            None => {
                self.counters.failed.one();
                self.write(&reply(&query, ResponseCode::ServFail), limit, &mut out);
            }
        }
        out
    }

    fn servers(&self, to: ForwardTo) -> Vec<Upstream> {
        let upstreams = self.upstreams.borrow();
        let allowed = |server: &&Upstream| to == ForwardTo::Every || server.from == DialFrom::Container;
        upstreams.servers.iter().filter(allowed).copied().collect()
    }

    /// An upstream's reply that is more than the client takes: it gets TC, and comes back over TCP.
    fn cut(&self, query: &Message, bytes: &[u8], limit: usize, out: &mut Vec<u8>) {
        self.counters.truncated.one();
        let mut short = reply(query, wire::code(bytes));
        short.metadata.truncation = true;
        self.write(&short, limit, out);
    }

    fn write(&self, reply: &Message, limit: usize, out: &mut Vec<u8>) {
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
