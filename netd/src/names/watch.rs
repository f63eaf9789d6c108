//! What can be seen of the name service from outside: what a container gets to a question, what it asks, and what all
//! servers have done.

use dns::{
    Asked, CacheSize, Counts, Outcome, Replied, Server,
    hickory_proto::{
        op::ResponseCode,
        rr::{Name, Record, RecordType},
    },
};
use libnet::types::ContainerId;
use netd_api::dns::{DnsAnswer, DnsReply};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::{Names, gate::Refused};

/// Questions, and refused connections, that are kept for a reader of the log that is slow.
const BEHIND: usize = 1_024;

/// What the name service has done since the daemon started.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) counts: Counts,
    pub(crate) cache: CacheSize,
    /// Servers that run.
    pub(crate) servers: usize,
}

impl Names {
    /// What a container gets to a question; `None` if it has no name service.
    pub(crate) fn ask(
        &self,
        container: ContainerId,
        name: Name,
        kind: RecordType,
    ) -> Option<impl Future<Output = Replied> + Send + use<>> {
        self.with_server(container, |server| server.ask(name, kind))
    }

    /// What a container asks and is refused from now on; `None` if it has no name service.
    pub(crate) fn follow(&self, container: ContainerId) -> Option<Followed> {
        let sandboxes = self.sandboxes();
        let sandbox = sandboxes.get(&container)?;
        let asked = sandbox.server.as_ref()?.server.follow(BEHIND);
        Some(Followed { asked, refused: sandbox.gate.follow(BEHIND), lost: 0 })
    }

    /// What all servers have done, those included that are no more.
    pub(crate) fn totals(&self) -> Totals {
        let mut totals = Totals { cache: self.shared.cache_size(), ..Totals::default() };
        let sandboxes = self.sandboxes();
        for server in sandboxes.values().filter_map(|sandbox| sandbox.server.as_ref()) {
            totals.counts += server.server.counts();
            totals.servers += 1;
        }
        // Under the same lock: a server that ends is counted once.
        totals.counts += self.shared.ended_counts();
        totals
    }

    fn with_server<T>(&self, container: ContainerId, use_it: impl FnOnce(&Server) -> T) -> Option<T> {
        let sandboxes = self.sandboxes();
        let running = sandboxes.get(&container)?.server.as_ref()?;
        Some(use_it(&running.server))
    }
}

/// What one container asks and is refused, as it happens.
pub(crate) struct Followed {
    asked: Receiver<Asked>,
    refused: Receiver<Refused>,
    lost: u64,
}

/// One thing of it.
pub(crate) enum Seen {
    /// A question.
    Asked(Asked),
    /// A connection that was refused.
    Refused(Refused),
}

impl Followed {
    /// The next thing, and how many were lost before it since they came faster than this was called; nothing once the
    /// container's name service has ended.
    pub(crate) async fn next(&mut self) -> Option<(Seen, u64)> {
        loop {
            let seen = tokio::select! {
                asked = self.asked.recv() => asked.map(Seen::Asked),
                refused = self.refused.recv() => refused.map(Seen::Refused),
            };
            match seen {
                Ok(seen) => return Some((seen, std::mem::take(&mut self.lost))),
                Err(RecvError::Lagged(more)) => self.lost += more,
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

/// A reply as the API shows it.
pub(crate) fn shown(name: &Name, kind: RecordType, replied: &Replied, micros: u64) -> DnsReply {
    let message = replied.message.as_ref();
    let code = message.map_or(ResponseCode::ServFail, |message| message.metadata.response_code);
    DnsReply {
        name: name.to_string(),
        kind: kind.to_string(),
        status: status(code),
        source: source(replied.outcome).to_owned(),
        micros,
        answers: message.into_iter().flat_map(|message| &message.answers).map(answer).collect(),
    }
}

fn answer(record: &Record) -> DnsAnswer {
    DnsAnswer {
        name: record.name.to_string(),
        kind: record.record_type().to_string(),
        ttl: record.ttl,
        value: record.data.to_string(),
    }
}

/// The words of `dig`.
fn status(code: ResponseCode) -> String {
    match code {
        ResponseCode::NoError => "NOERROR".to_owned(),
        ResponseCode::FormErr => "FORMERR".to_owned(),
        ResponseCode::ServFail => "SERVFAIL".to_owned(),
        ResponseCode::NXDomain => "NXDOMAIN".to_owned(),
        ResponseCode::NotImp => "NOTIMP".to_owned(),
        ResponseCode::Refused => "REFUSED".to_owned(),
        other => format!("RCODE{}", u16::from(other)),
    }
}

const fn source(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Answered | Outcome::Empty => "local",
        Outcome::Cached => "cache",
        Outcome::Stale => "stale",
        Outcome::Forwarded => "upstream",
        Outcome::Failed => "none",
        Outcome::Refused => "refused",
        Outcome::Denied => "denied",
    }
}

/// What became of a question, as the log says it.
pub(crate) const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Answered => "answered",
        Outcome::Empty => "empty",
        Outcome::Cached => "cached",
        Outcome::Forwarded => "forwarded",
        Outcome::Stale => "stale",
        Outcome::Failed => "failed",
        Outcome::Refused => "refused",
        Outcome::Denied => "denied",
    }
}
