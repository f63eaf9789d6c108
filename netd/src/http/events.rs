//! `GET /events`: what happened since, and what happens until; a line of JSON each.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderValue, header},
    response::Response,
    routing::get,
};
use bytes::Bytes;
use futures_util::stream;
use netd_api::{Filters, time::parse_timestamp};
use serde::Deserialize;
use tokio::{
    sync::broadcast::error::RecvError,
    time::{Instant, sleep_until},
};

use super::{Api, body::Query, status::Answer};
use crate::events::{Event, EventKind, Subscription};

/// The filters that events have; all but the first five are names or ids of what the event is about.
const FILTERS: [&str; 12] = [
    "type",
    "event",
    "label",
    "scope",
    "image",
    "container",
    "network",
    "volume",
    "daemon",
    "plugin",
    "service",
    "node",
];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    since: Option<String>,
    until: Option<String>,
    filters: Option<String>,
}

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new().route("/events", get(events))
}

async fn events(State(api): State<Arc<Api>>, Query(asked): Query<Asked>) -> Answer<Response> {
    let now = (api.engine.clock)();
    let time = |text: Option<&String>| {
        text.filter(|text| !text.is_empty()).map(|text| parse_timestamp(text, now)).transpose()
    };
    let (since, until) = (time(asked.since.as_ref())?, time(asked.until.as_ref())?);
    let filters = Filters::parse(asked.filters.as_deref())?.only(&FILTERS)?;
    let mut listener = api.engine.events.subscribe();
    listener.past.retain(|event| {
        since.is_some_and(|since| event.at >= since) && until.is_none_or(|until| event.at <= until)
    });
    let end = until.map(|until| {
        let left = until.duration_since(now).unsigned_abs();
        if until > now { Instant::now() + left } else { Instant::now() }
    });
    Ok(stream_of(listener, filters, end))
}

fn stream_of(listener: Subscription, filters: Filters, end: Option<Instant>) -> Response {
    let past: Vec<Bytes> =
        listener.past.iter().filter(|event| passes(&filters, event)).map(|event| line(event)).collect();
    let live = stream::unfold((listener.live, filters), move |(mut live, filters)| async move {
        loop {
            let next = async { live.recv().await };
            let event = match end {
                Some(end) => tokio::select! { event = next => event, () = sleep_until(end) => return None },
                None => next.await,
            };
            match event {
                Ok(event) if passes(&filters, &event) => return Some((line(&event), (live, filters))),
                // A client that is too slow misses events; Docker's does too.
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    });
    let lines = futures_util::StreamExt::chain(stream::iter(past), live);
    let lines = futures_util::StreamExt::map(lines, Ok::<_, Infallible>);
    let mut response = Response::new(Body::from_stream(lines));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn line(event: &Event) -> Bytes {
    let mut line = serde_json::to_vec(&event.line()).unwrap_or_default();
    line.push(b'\n');
    line.into()
}

/// Whether a client that filters like this wants to hear of it.
fn passes(filters: &Filters, event: &Event) -> bool {
    let attribute = |name: &str| event.attributes.get(name).map(String::as_str);
    let about = |key: &str, kind: EventKind| {
        let named = |value: &str| {
            let is = event.kind == kind
                && (event.id == value
                    || attribute("name") == Some(value)
                    || (value.len() >= 4 && event.id.starts_with(value)));
            // What happens to an endpoint is told of the network, with the container's id beside it.
            is || attribute(key).is_some_and(|id| id == value || (value.len() >= 12 && id.starts_with(value)))
        };
        filters.any(key, named)
    };
    let action = event.action.split(':').next().unwrap_or_default();
    filters.exact("type", event.kind.as_str())
        && filters.any("event", |wanted| wanted == event.action || wanted == action)
        && filters.exact("scope", "local")
        && filters.labels("label", attribute)
        && about("container", EventKind::Container)
        && about("network", EventKind::Network)
        && about("volume", EventKind::Volume)
        && about("daemon", EventKind::Daemon)
        && about("image", EventKind::Image)
        && ["plugin", "service", "node"].iter().all(|key| !filters.contains(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn event() -> Event {
        Event::new(EventKind::Container, "exec_create: ls", "c0ffee00c0ffee00", Timestamp::UNIX_EPOCH)
            .with("name", "web")
            .with("image", "host")
            .with("tier", "front")
    }

    fn wanted(json: &str) -> bool {
        passes(&Filters::parse(Some(json)).unwrap(), &event())
    }

    #[test]
    fn filters_narrow() {
        for yes in [
            "{}",
            r#"{"type":["container"],"event":["exec_create"]}"#,
            r#"{"container":["web"]}"#,
            r#"{"container":["c0ffee00c0ff"]}"#,
            r#"{"label":["tier=front"]}"#,
            r#"{"image":["host"]}"#,
        ] {
            assert!(wanted(yes), "{yes}");
        }
        for no in [
            r#"{"type":["network"]}"#,
            r#"{"event":["start"]}"#,
            r#"{"container":["db"]}"#,
            r#"{"label":["tier=back"]}"#,
            r#"{"network":["web"]}"#,
            r#"{"scope":["swarm"]}"#,
        ] {
            assert!(!wanted(no), "{no}");
        }
    }

    #[test]
    fn an_endpoints_event_belongs_to_its_container_too() {
        let connect = Event::new(EventKind::Network, "connect", "beef", Timestamp::UNIX_EPOCH)
            .with("name", "lan")
            .with("container", "c0ffee00c0ffee00");
        let filters = Filters::default().with("container", "c0ffee00c0ff");
        assert!(passes(&filters, &connect));
    }
}
