//! A question that is not ours: from the cache, from a flight under way, or from the upstreams.

use std::sync::Arc;
use std::time::Instant;

use hickory_proto::op::{Message, ResponseCode};
use tokio::time::timeout;

use super::alias::join;
use super::handle::{Handled, Handler, now};
use crate::answer::{ForwardTo, reply};
use crate::cache::{Age, AskFirst, Hit, Kept, Key};
use crate::forward::{Question, Transport};
use crate::gate::addresses;
use crate::query_log::Outcome;
use crate::shared::{Boarding, Lane, Place, Reply};
use crate::wire;

/// The reply of ours, where the question is what its name is another name for.
type Behind = Option<Box<Message>>;

/// A question on its way to the upstreams. It holds its place among the forwards that are allowed.
pub(super) struct Forwarding {
    query: Message,
    question: Question,
    behind: Behind,
    lane: Arc<Lane>,
    /// Without one it is asked for itself alone.
    key: Option<Key>,
    /// What to say if nobody answers.
    stale: Option<Arc<Kept>>,
    since: Instant,
    _place: Place,
}

impl Handler {
    /// Replies from the cache, or gives what has to be asked; an error is the code that turns the question away.
    pub(super) fn outward(
        &self,
        query: &Message,
        question: Question,
        behind: Behind,
        to: ForwardTo,
        out: &mut Vec<u8>,
    ) -> Result<Handled, ResponseCode> {
        let (lane, since) = (self.lane(to), now());
        let key = question.key(lane.number);
        let hit = key.as_ref().and_then(|key| self.shared.find(key, since));
        let stale = match hit {
            Some(Hit { kept, age, ask_first: AskFirst::No }) => {
                kept.write(age, &question, out);
                self.fit(query, &question, behind, out);
                let outcome = served(age);
                self.done(query, outcome, Some(since));
                return Ok(Handled::Replied(outcome));
            }
            hit => hit.map(|hit| hit.kept),
        };
        match self.shared.place(&self.held, self.limits.forwards) {
            Some(place) => {
                let query = query.clone();
                let forwarding =
                    Forwarding { query, question, behind, lane, key, stale, since, _place: place };
                Ok(Handled::Forward(Box::new(forwarding)))
            }
            None => {
                self.counters.overloaded.one();
                Err(ResponseCode::Refused)
            }
        }
    }

    /// Asks the upstreams and gives the reply.
    pub(super) async fn forward(&self, forwarding: Forwarding) -> (Vec<u8>, Outcome) {
        let Forwarding { query, question, behind, lane, key, stale, since, _place } = forwarding;
        let mut out = Vec::new();
        let said = match key {
            Some(key) => self.fly(&key, &question, &lane, stale.is_some()).await,
            None => self.forwarder.ask(&question, &lane).await.map(Arc::from),
        };
        let outcome = match (said, stale) {
            (Some(said), _) => {
                out.extend_from_slice(&said);
                question.claim(&mut out);
                Outcome::Forwarded
            }
            (None, Some(stale)) => {
                stale.write(Age::Stale, &question, &mut out);
                Outcome::Stale
            }
            (None, None) => Outcome::Failed,
        };
        self.fit(&query, &question, behind, &mut out);
        self.done(&query, outcome, Some(since));
        (out, outcome)
    }

    /// With an equal question that is under way, or with this one. Who has something stale to say waits less long,
    /// and the flight goes on for those who come after.
    async fn fly(&self, key: &Key, question: &Question, lane: &Arc<Lane>, has_stale: bool) -> Reply {
        let (flight, boarding) = self.shared.fly(key, || {
            let (forwarder, question, lane) = (self.forwarder.clone(), question.clone(), lane.clone());
            async move { forwarder.ask(&question, &lane).await }
        });
        if boarding == Boarding::Joined {
            self.counters.joined.one();
        }
        if !has_stale {
            return flight.await;
        }
        timeout(self.limits.stale_after, flight.clone()).await.unwrap_or_else(|_late| {
            tokio::spawn(flight);
            None
        })
    }

    /// A reply that is more than the client takes gets TC, and comes back over TCP. One that is cut and came over
    /// TCP is none, and none is SERVFAIL.
    fn fit(&self, query: &Message, question: &Question, behind: Behind, out: &mut Vec<u8>) {
        let target = behind.is_some().then(|| question.name()).flatten();
        self.tell_gate(query, target.as_ref(), || {
            Message::from_vec(out).map(|reply| addresses(&reply)).unwrap_or_default()
        });
        if let Some(ours) = behind.filter(|_| !out.is_empty()) {
            *out = join(*ours, out).unwrap_or_default();
        }
        let short = if out.len() > question.reply_size {
            self.counters.truncated.one();
            let mut short = reply(query, wire::code(out));
            short.metadata.truncation = true;
            short
        } else if out.is_empty() || wire::is_cut(out) && question.transport == Transport::Tcp {
            reply(query, ResponseCode::ServFail)
        } else {
            return;
        };
        self.write(&short, question.reply_size, out);
    }
}

fn served(age: Age) -> Outcome {
    match age {
        Age::Fresh(_) => Outcome::Cached,
        Age::Stale => Outcome::Stale,
    }
}
