//! What happened in the engine, for `docker events` and for whoever waits. The last 256 events are kept, so that a
//! client may ask for what was; the rest goes to those who listen at the time.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use netd_api::event::{Actor, EventLine};
use tokio::sync::broadcast;

/// How many past events are kept; the number is Docker's.
const KEPT: usize = 256;

/// How far a listener may fall behind before it misses events.
const BACKLOG: usize = 1024;

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A container, or a process in it.
    Container,
    /// An image.
    Image,
    /// A network, or an endpoint in it.
    Network,
    /// A volume.
    Volume,
    /// The daemon itself.
    Daemon,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What it is about.
    pub kind: EventKind,
    /// What happened, in Docker's words: `create`, `start`, `die`, `connect`, ….
    pub action: String,
    /// The id of what it is about; for volumes its name.
    pub id: String,
    /// Name, labels, and what else Docker says of it.
    pub attributes: BTreeMap<String, String>,
    /// When.
    pub at: Timestamp,
}

/// Where events are published and listened to; clones are the same.
#[derive(Clone, Debug)]
pub struct Events(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    kept: Mutex<VecDeque<Arc<Event>>>,
    live: broadcast::Sender<Arc<Event>>,
}

/// The past, and the future: nothing is in both, nothing between them is lost.
#[derive(Debug)]
pub struct Subscription {
    /// What is still kept, oldest first.
    pub past: Vec<Arc<Event>>,
    /// What is to come.
    pub live: broadcast::Receiver<Arc<Event>>,
}

impl EventKind {
    /// Docker's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Image => "image",
            Self::Network => "network",
            Self::Volume => "volume",
            Self::Daemon => "daemon",
        }
    }
}

impl Event {
    /// An event without attributes.
    pub fn new(kind: EventKind, action: impl Into<String>, id: impl Into<String>, at: Timestamp) -> Self {
        Self { kind, action: action.into(), id: id.into(), attributes: BTreeMap::new(), at }
    }

    /// The event with one more attribute.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.insert(key.into(), value.into());
        self
    }

    /// The line that goes over the wire.
    pub fn line(&self) -> EventLine {
        let old = matches!(self.kind, EventKind::Container | EventKind::Image);
        let image = (self.kind == EventKind::Container).then(|| self.attributes.get("image").cloned());
        EventLine {
            status: old.then(|| self.action.clone()),
            id: old.then(|| self.id.clone()),
            from: image.flatten(),
            kind: self.kind.as_str().to_owned(),
            action: self.action.clone(),
            actor: Actor { id: self.id.clone(), attributes: self.attributes.clone() },
            scope: "local".to_owned(),
            time: self.at.as_second(),
            time_nano: i64::try_from(self.at.as_nanosecond()).unwrap_or(i64::MAX),
        }
    }
}

impl Default for Events {
    fn default() -> Self {
        Self::new()
    }
}

impl Events {
    /// Nothing happened yet, and nobody listens.
    pub fn new() -> Self {
        let (live, _) = broadcast::channel(BACKLOG);
        Self(Arc::new(Shared { kept: Mutex::new(VecDeque::with_capacity(KEPT)), live }))
    }

    /// Tells it to everybody who listens, and keeps it for those who come later.
    pub fn publish(&self, event: Event) {
        let event = Arc::new(event);
        let mut kept = self.kept();
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(event.clone());
        // Nobody listening is no failure. Sent under the lock, so that a subscriber finds each event exactly once.
        let _ = self.0.live.send(event);
    }

    /// Listens from now on, and looks back.
    pub fn subscribe(&self) -> Subscription {
        let kept = self.kept();
        Subscription { past: kept.iter().cloned().collect(), live: self.0.live.subscribe() }
    }

    /// How many listen.
    pub fn listeners(&self) -> usize {
        self.0.live.receiver_count()
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Arc<Event>>> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(second: i64) -> Event {
        let at = Timestamp::from_second(second).unwrap();
        Event::new(EventKind::Container, "start", "c0ffee", at).with("name", "web").with("image", "host")
    }

    #[test]
    fn a_subscriber_sees_past_and_future_once() {
        let events = Events::new();
        for second in 0..300 {
            events.publish(event(second));
        }
        let mut listener = events.subscribe();
        events.publish(event(300));
        assert_eq!(listener.past.len(), KEPT);
        assert_eq!(listener.past[0].at.as_second(), 300 - KEPT as i64);
        assert_eq!(listener.past[KEPT - 1].at.as_second(), 299);
        assert_eq!(listener.live.try_recv().unwrap().at.as_second(), 300);
        assert!(listener.live.try_recv().is_err());
    }

    #[test]
    fn old_clients_find_their_fields() {
        let line = event(1).line();
        assert_eq!(line.status.as_deref(), Some("start"));
        assert_eq!(line.id.as_deref(), Some("c0ffee"));
        assert_eq!(line.from.as_deref(), Some("host"));
        assert_eq!((line.time, line.time_nano), (1, 1_000_000_000));
        let network = Event::new(EventKind::Network, "create", "abc", Timestamp::UNIX_EPOCH).line();
        assert_eq!((network.status, network.id, network.from), (None, None, None));
    }
}
