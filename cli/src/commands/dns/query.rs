//! `pontoon dns query`: an answer on stdout, as a zone file has it; where it is from on stderr. A name that is not there,
//! or that nobody answers for, makes the exit code 1.

use serde_json::Value;

use crate::args::DnsQuery;
use crate::client::{query, query_escape};
use crate::context::Context;
use crate::error::CliError;
use crate::format::{human, inspect, text};
use crate::output;

pub(crate) async fn run(args: &DnsQuery, context: &Context<'_>) -> Result<(), CliError> {
    let query = query(&[("name", Some(args.name.clone())), ("type", args.kind.clone())]);
    let path = format!("/containers/{}/dns{query}", query_escape(&args.asker));
    let reply = context.client()?.get(&path).await?;
    match args.format.as_deref().filter(|format| !format.is_empty()) {
        Some(format) => output::line(&inspect::one(&reply, format).map_err(CliError::Template)?)?,
        None => show(&reply)?,
    }
    match text(&reply, "Status") {
        "NOERROR" => Ok(()),
        _ => Err(CliError::Exit(1)),
    }
}

fn show(reply: &Value) -> Result<(), CliError> {
    let answers: Vec<String> = reply["Answers"].as_array().into_iter().flatten().map(line).collect();
    answers.iter().try_for_each(|line| output::line(line))?;
    let micros = reply.get("Micros").and_then(Value::as_u64).unwrap_or(0);
    let count = match answers.len() {
        0 => "no records".to_owned(),
        1 => "1 record".to_owned(),
        count => format!("{count} records"),
    };
    let from = text(reply, "Source");
    output::talk(&format!("{} {count} ({from}, {})", text(reply, "Status"), human::micros(micros)));
    Ok(())
}

fn line(answer: &Value) -> String {
    let ttl = answer.get("TTL").and_then(Value::as_u64).unwrap_or(0);
    let part = |key| text(answer, key);
    format!("{}\t{ttl}\tIN\t{}\t{}", part("Name"), part("Type"), part("Value"))
}
