//! The event stream.

use serde_json::Value;
use tests::eventually;

use super::daemon::Daemon;

#[test]
fn events_are_told_when_they_happen_and_afterwards() {
    let daemon = Daemon::start(&[]);
    let mut live = daemon.open("/v1.44/events?filters=%7B%22type%22%3A%5B%22network%22%5D%7D");
    assert_eq!(live.head.status, 200, "the head comes before the first event");
    assert_eq!(live.head.header("Content-Type"), Some("application/json"));
    assert_eq!(daemon.post("/networks/create", r#"{"Name":"web","Labels":{"tier":"front"}}"#).status, 201);
    let event: Value = serde_json::from_str(&live.piece().unwrap()).unwrap();
    assert_eq!((&event["Type"], &event["Action"]), (&"network".into(), &"create".into()));
    assert_eq!(event["Actor"]["Attributes"]["name"], "web");
    assert_eq!(event["scope"], "local");
    assert_eq!(event["timeNano"].as_i64().unwrap() / 1_000_000_000, event["time"].as_i64().unwrap());

    let past = daemon.get(&format!("/events?since=0&until={}", event["time"].as_i64().unwrap() + 1));
    assert!(past.body.contains(event["Actor"]["ID"].as_str().unwrap()), "{past:?}");
}

#[test]
fn a_client_that_leaves_is_forgotten() {
    let daemon = Daemon::start(&[]);
    let listeners = || daemon.get("/info").json()["NEventsListener"].as_i64().unwrap();
    let streams: Vec<_> = (0..5).map(|_| daemon.open("/events")).collect();
    eventually("five listen", || if listeners() == 5 { Ok(()) } else { Err(listeners()) });
    drop(streams);
    eventually("nobody listens", || if listeners() == 0 { Ok(()) } else { Err(listeners()) });
}
