//! A question that is not ours: from the cache, from a flight under way, or from the upstreams.

use std::sync::Arc;
use std::time::Instant;

use hickory_proto::op::{Message, ResponseCode};
use tokio::time::timeout;

use super::alias::join;
use super::handle::Handler;
use crate::answer::{ForwardTo, reply};
use crate::cache::{Age, AskFirst, Hit, Kept, Key};
use crate::forward::{Question, Transport};
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
    ) -> Result<Option<Forwarding>, ResponseCode> {
        let lane = self.lane(to);
        let key = question.key(lane.number);
        let hit = key.as_ref().and_then(|key| self.shared.find(key, now()));
        let stale = match hit {
            Some(Hit { kept, age, ask_first: AskFirst::No }) => {
                self.serve(&kept, age, &question, out);
                self.fit(query, &question, behind, out);
                return Ok(None);
            }
            hit => hit.map(|hit| hit.kept),
        };
        match self.shared.place(&self.held, self.limits.forwards) {
            Some(place) => {
                let query = query.clone();
                Ok(Some(Forwarding { query, question, behind, lane, key, stale, _place: place }))
            }
            None => {
                self.counters.overloaded.one();
                Err(ResponseCode::Refused)
            }
        }
    }

    /// Asks the upstreams and gives the reply.
    pub(super) async fn forward(&self, forwarding: Forwarding) -> Vec<u8> {
        let Forwarding { query, question, behind, lane, key, stale, _place } = forwarding;
        let mut out = Vec::new();
        let said = match key {
            Some(key) => self.fly(&key, &question, &lane, stale.is_some()).await,
            None => self.forwarder.ask(&question, &lane.servers).await.map(Arc::from),
        };
        match (said, stale) {
            (Some(said), _) => {
                self.counters.forwarded.one();
                out.extend_from_slice(&said);
                question.claim(&mut out);
            }
            (None, Some(stale)) => self.serve(&stale, Age::Stale, &question, &mut out),
            (None, None) => {
                self.counters.failed.one();
                self.write(&reply(&query, ResponseCode::ServFail), question.reply_size, &mut out);
                return out;
            }
        }
        self.fit(&query, &question, behind, &mut out);
        out
    }

    /// With an equal question that is under way, or with this one. Who has something stale to say waits less long,
    /// and the flight goes on for those who come after.
    async fn fly(&self, key: &Key, question: &Question, lane: &Arc<Lane>, has_stale: bool) -> Reply {
        let (flight, boarding) = self.shared.fly(key, || {
            let (forwarder, question, lane) = (self.forwarder.clone(), question.clone(), lane.clone());
            async move { forwarder.ask(&question, &lane.servers).await }
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

    fn serve(&self, kept: &Kept, age: Age, question: &Question, out: &mut Vec<u8>) {
        match age {
            Age::Fresh(_) => self.counters.cached.one(),
            Age::Stale => self.counters.stale.one(),
        }
        kept.write(age, question, out);
    }

    /// A reply that is more than the client takes gets TC, and comes back over TCP; one that is cut and came over
    /// TCP is none.
    fn fit(&self, query: &Message, question: &Question, behind: Behind, out: &mut Vec<u8>) {
        if let Some(ours) = behind {
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

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
