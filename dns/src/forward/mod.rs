//! Questions that are not ours, asked of the upstreams.
//!
//! The servers are asked in order; what decides between them is in [`race`]. Before [`Forwarder::ask`] comes the
//! cache, in [`Shared`](crate::Shared).

mod exchange;
mod question;
mod race;

use std::error::Error;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hickory_proto::op::ResponseCode;
use tokio::time::{Instant, sleep, timeout};

use self::exchange::UpstreamError;
pub(crate) use self::question::{Judgement, Question, Transport};
use self::race::{Place, Race, Wait};
use crate::dial::Dial;
use crate::metrics::Counters;
use crate::shared::Lane;
use crate::upstream::Upstream;
use crate::wire;

/// Asks upstreams on behalf of one sandbox.
pub(crate) struct Forwarder {
    pub(crate) dial: Arc<dyn Dial>,
    /// How long to wait for one server before the next is asked beside it.
    pub(crate) hedge: Duration,
    /// How long to wait before a server is asked again, or an earlier one is overruled.
    pub(crate) patience: Duration,
    /// How long to wait for all.
    pub(crate) deadline: Duration,
    pub(crate) counters: Arc<Counters>,
}

impl Forwarder {
    /// The reply of the first upstream that has a good one, as the client must get it; `None` if none has.
    pub(crate) async fn ask(&self, question: &Question, lane: &Lane) -> Option<Vec<u8>> {
        let race = Race::new(lane.servers.len(), rounds(question.transport));
        timeout(self.deadline, self.run(race, question, lane)).await.ok().flatten()
    }

    async fn run(&self, mut race: Race<Vec<u8>>, question: &Question, lane: &Lane) -> Option<Vec<u8>> {
        let mut asked = FuturesUnordered::new();
        let mut last = 0;
        loop {
            if let Some(place) = race.next() {
                let server = *lane.servers.get(place)?;
                last = place;
                asked.push(async move { (place, self.timed(question, server).await) });
            }
            if race.is_over() {
                return None;
            }
            let patience = async {
                match race.wait() {
                    Some(Wait::ToHedge) if lane.is_silent(last) => {}
                    Some(Wait::ToHedge) => sleep(self.hedge).await,
                    Some(Wait::Patiently) => sleep(self.patience).await,
                    None => pending().await,
                }
            };
            let decided = tokio::select! {
                Some((place, outcome)) = asked.next() => {
                    lane.spoke(place);
                    self.hear(&mut race, place, outcome)
                }
                () = patience => {
                    self.counters.upstream_failures.one();
                    lane.stayed_silent(last);
                    race.patience_ended()
                }
            };
            if decided.is_some() {
                return decided;
            }
        }
    }

    async fn timed(&self, question: &Question, server: Upstream) -> Result<Vec<u8>, UpstreamError> {
        let started = Instant::now();
        let reply = exchange::ask(question, server, &self.dial).await?;
        self.counters.upstream_latency.took(started.elapsed());
        Ok(reply)
    }

    fn hear(
        &self,
        race: &mut Race<Vec<u8>>,
        place: Place,
        outcome: Result<Vec<u8>, UpstreamError>,
    ) -> Option<Vec<u8>> {
        match outcome {
            Ok(reply) if wire::code(&reply) == ResponseCode::NXDomain => race.denied(place, reply),
            Ok(reply) => Some(reply),
            Err(error) => {
                tracing::debug!(error = &error as &dyn Error, "upstream failed");
                self.counters.upstream_failures.one();
                race.failed(place)
            }
        }
    }
}

/// Over UDP whoever stays silent is asked once more: a lost datagram is no dead server.
fn rounds(transport: Transport) -> usize {
    match transport {
        Transport::Udp => 2,
        Transport::Tcp => 1,
    }
}
