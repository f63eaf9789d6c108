//! `pontoon dns egress`: what a container of restricted egress tried to reach, a row each. With `--quiet` the list that a
//! run would have needed, to be put behind `--label io.pontoon.egress.allow=`.

use serde_json::Value;

use crate::args::DnsEgress;
use crate::client::query_escape;
use crate::context::Context;
use crate::error::CliError;
use crate::format::{inspect, table, text};
use crate::output;

pub(crate) async fn run(args: &DnsEgress, context: &Context<'_>) -> Result<(), CliError> {
    let path = format!("/containers/{}/egress", query_escape(&args.container));
    let report = context.client()?.get(&path).await?;
    match args.format.as_deref().filter(|format| !format.is_empty()) {
        Some(format) => output::line(&inspect::one(&report, format).map_err(CliError::Template)?),
        None if args.quiet => output::line(&needed(&report)),
        None => output::data(&rows(&report)),
    }
}

fn needed(report: &Value) -> String {
    let entries = report["Needed"].as_array().into_iter().flatten().filter_map(Value::as_str);
    entries.collect::<Vec<_>>().join(",")
}

fn rows(report: &Value) -> String {
    let attempts = report["Attempts"].as_array().into_iter().flatten().map(|attempt| {
        let verdict = if attempt["Dropped"] == true { "dropped" } else { "passed" };
        let name = Some(text(attempt, "Name")).filter(|name| !name.is_empty()).unwrap_or("-");
        let port = attempt["Port"].as_u64().unwrap_or(0);
        format!("{name}\t{}\t{port}/{}\t{verdict}\n", text(attempt, "Address"), text(attempt, "Protocol"))
    });
    let denied = report["DeniedNames"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, count)| format!("{name}\t-\t-\tname denied ({count})\n"));
    let all: String = attempts.chain(denied).collect();
    table::columns(&format!("NAME\tADDRESS\tPORT\tVERDICT\n{all}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn attempts_and_denied_names_are_rows() {
        let report = json!({
            "Attempts": [
                {"Name": "github.com", "Address": "192.0.2.7", "Port": 22, "Protocol": "tcp", "Dropped": true},
                {"Name": "", "Address": "192.0.2.8", "Port": 53, "Protocol": "udp", "Dropped": false},
            ],
            "DeniedNames": {"evil.example": 3},
            "Needed": ["192.0.2.8:53/udp", "github.com:22/tcp"],
        });
        let shown = rows(&report);
        let lines: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1], ["github.com", "192.0.2.7", "22/tcp", "dropped"]);
        assert_eq!(lines[2], ["-", "192.0.2.8", "53/udp", "passed"]);
        assert_eq!(lines[3], ["evil.example", "-", "-", "name", "denied", "(3)"]);
        assert_eq!(needed(&report), "192.0.2.8:53/udp,github.com:22/tcp");
    }
}
