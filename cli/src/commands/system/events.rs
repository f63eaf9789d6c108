//! `pontoon events`.

use hyper::Method;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::args::Events;
use crate::client::query;
use crate::context::Context;
use crate::error::CliError;
use crate::format::{inspect, text};
use crate::output;
use crate::resolve::filters;
use crate::resolve::times::moment;

pub(crate) async fn run(args: &Events, context: &Context<'_>) -> Result<(), CliError> {
    let now = context.world.now;
    let query = query(&[
        ("since", moment("since", args.since.as_deref(), now)?),
        ("until", moment("until", args.until.as_deref(), now)?),
        ("filters", filters::query(&filters::parse(&args.filter))),
    ]);
    let mut events = context.client()?.json_lines(Method::GET, &format!("/events{query}")).await?;
    let zone = context.zone();
    while let Some(event) = events.next().await? {
        match args.format.as_deref().filter(|format| !format.is_empty()) {
            Some(format) => output::line(&inspect::one(&event, format).map_err(CliError::Template)?)?,
            None => output::line(&line(&event, &zone))?,
        }
    }
    Ok(())
}

/// `2026-11-21T02:35:56.123456789Z container start <id> (image=host, name=c1)`.
fn line(event: &Value, zone: &TimeZone) -> String {
    let nanos = event.get("timeNano").and_then(Value::as_i64).unwrap_or(0);
    let nanos = if nanos == 0 { event["time"].as_i64().unwrap_or(0) * 1_000_000_000 } else { nanos };
    let at = Timestamp::from_nanosecond(nanos.into()).unwrap_or_default().to_zoned(zone.clone());
    let offset = if at.offset().seconds() == 0 { "Z".to_owned() } else { at.strftime("%:z").to_string() };
    let time = format!("{}{offset}", at.strftime("%Y-%m-%dT%H:%M:%S.%9f"));
    let actor = &event["Actor"];
    let mut out = format!("{time} {} {} {}", text(event, "Type"), text(event, "Action"), text(actor, "ID"));
    let mut attributes: Vec<String> = actor["Attributes"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    attributes.sort();
    if !attributes.is_empty() {
        out.push_str(&format!(" ({})", attributes.join(", ")));
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_a_line() {
        let event = json!({
            "Type": "container", "Action": "start", "timeNano": 1_500_000_001_i64,
            "Actor": {"ID": "abc", "Attributes": {"name": "c1", "image": "host"}},
        });
        assert_eq!(
            line(&event, &TimeZone::UTC),
            "1970-01-01T00:00:01.500000001Z container start abc (image=host, name=c1)"
        );
    }
}
