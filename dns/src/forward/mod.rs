//! Questions that are not ours, asked of the upstreams.
//!
//! The servers are asked in order. The next one is asked when one fails (SERVFAIL, REFUSED, unreachable) or when it
//! has not answered for a while; a slow one is still listened to, and the first good answer wins. "No such name"
//! is a good answer. This is also where a cache of answers belongs: in front of [`ask`], by the question.

mod exchange;
mod question;

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{sleep, timeout};

pub(crate) use self::question::{Judgement, Question, Transport};
use crate::dial::Dial;
use crate::metrics::Counters;
use crate::server::Limits;
use crate::upstream::Upstream;

/// The reply of the first upstream that has a good one, as the client must get it; `None` if none has.
pub(crate) async fn ask(
    question: &Question,
    servers: &[Upstream],
    dial: &Arc<dyn Dial>,
    limits: &Limits,
    counters: &Counters,
) -> Option<Vec<u8>> {
    timeout(limits.deadline, race(question, servers, dial, limits, counters)).await.ok().flatten()
}

async fn race(
    question: &Question,
    servers: &[Upstream],
    dial: &Arc<dyn Dial>,
    limits: &Limits,
    counters: &Counters,
) -> Option<Vec<u8>> {
    let mut turns = turns(servers, question.transport);
    let mut asked = FuturesUnordered::new();
    loop {
        match turns.pop_front() {
            Some(server) => asked.push(async move { (server, exchange::ask(question, server, dial).await) }),
            None if asked.is_empty() => return None,
            None => {}
        }
        let next_turn =
            async { if turns.is_empty() { pending().await } else { sleep(limits.patience).await } };
        tokio::select! {
            Some((server, outcome)) = asked.next() => match outcome {
                Ok(reply) => return Some(reply),
                Err(error) => {
                    tracing::debug!(%error, upstream = %server.addr, "upstream failed");
                    turns.retain(|turn| *turn != server);
                }
            },
            () = next_turn => {}
        }
        counters.upstream_failures.one();
    }
}

/// Every server once, and over UDP those that stay silent once more: a lost datagram is no dead server.
fn turns(servers: &[Upstream], transport: Transport) -> VecDeque<Upstream> {
    let rounds = match transport {
        Transport::Udp => 2,
        Transport::Tcp => 1,
    };
    servers.iter().copied().cycle().take(servers.len() * rounds).collect()
}
