//! `pontoon dns log`: what a container asks, and what it is refused. There is no past to show: while nobody watches, nothing is kept.

use hyper::Method;
use serde_json::Value;

use crate::args::DnsLog;
use crate::client::query_escape;
use crate::context::Context;
use crate::error::CliError;
use crate::format::{human, inspect, text};
use crate::output;

pub(crate) async fn run(args: &DnsLog, context: &Context<'_>) -> Result<(), CliError> {
    let path = format!("/containers/{}/dns/log", query_escape(&args.container));
    let mut lines = context.client()?.json_lines(Method::GET, &path).await?;
    while let Some(asked) = lines.next().await? {
        match args.format.as_deref().filter(|format| !format.is_empty()) {
            Some(format) => output::line(&inspect::one(&asked, format).map_err(CliError::Template)?)?,
            None => {
                if let Some(lost) = asked.get("Lost").and_then(Value::as_u64) {
                    output::talk(&format!("{lost} lines were lost: they came faster than they were read"));
                }
                output::line(&line(&asked))?;
            }
        }
    }
    Ok(())
}

/// `2026-11-21T02:35:56.123456789Z A example.com. forwarded 12.3ms`, and of a connection
/// `2026-11-21T02:35:56.223456789Z 80/tcp example.com. dropped 192.0.2.1`.
fn line(asked: &Value) -> String {
    let part = |key| text(asked, key);
    let name = Some(part("Name")).filter(|name| !name.is_empty()).unwrap_or("-");
    let last = match part("Address") {
        "" => human::micros(asked.get("Micros").and_then(Value::as_u64).unwrap_or(0)),
        address => address.to_owned(),
    };
    format!("{} {} {name} {} {last}", part("Time"), part("Type"), part("Outcome"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_question_is_a_line() {
        let asked = json!({
            "Time": "2026-11-21T02:35:56.1Z", "Type": "A", "Name": "example.com.", "Outcome": "forwarded",
            "Micros": 12_340,
        });
        assert_eq!(line(&asked), "2026-11-21T02:35:56.1Z A example.com. forwarded 12.3ms");
    }

    #[test]
    fn so_is_a_refused_connection() {
        let mut refused = json!({
            "Time": "2026-11-21T02:35:56.2Z", "Type": "80/tcp", "Name": "example.com.", "Outcome": "dropped",
            "Micros": 0, "Address": "192.0.2.1",
        });
        assert_eq!(line(&refused), "2026-11-21T02:35:56.2Z 80/tcp example.com. dropped 192.0.2.1");
        refused["Name"] = "".into();
        assert_eq!(line(&refused), "2026-11-21T02:35:56.2Z 80/tcp - dropped 192.0.2.1");
    }
}
