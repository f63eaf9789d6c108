//! `pontoon dns log`. There is no past to show: while nobody watches, nothing is kept.

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
                    output::talk(&format!(
                        "{lost} questions were lost: they came faster than they were read"
                    ));
                }
                output::line(&line(&asked))?;
            }
        }
    }
    Ok(())
}

/// `2026-11-21T02:35:56.123456789Z A example.com. forwarded 12.3ms`.
fn line(asked: &Value) -> String {
    let micros = asked.get("Micros").and_then(Value::as_u64).unwrap_or(0);
    let part = |key| text(asked, key);
    format!(
        "{} {} {} {} {}",
        part("Time"),
        part("Type"),
        part("Name"),
        part("Outcome"),
        human::micros(micros)
    )
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
}
