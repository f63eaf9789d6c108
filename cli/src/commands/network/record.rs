//! `pontoon network record`.

use serde_json::{Value, json};

use crate::args::{RecordAdd, RecordCommand, RecordLs, RecordRm};
use crate::client::{Body, query, query_escape};
use crate::context::Context;
use crate::error::CliError;
use crate::format::{list, names};
use crate::output;

pub(crate) async fn run(command: &RecordCommand, context: &Context<'_>) -> Result<(), CliError> {
    match command {
        RecordCommand::Add(args) => add(args, context).await,
        RecordCommand::Ls(args) => ls(args, context).await,
        RecordCommand::Rm(args) => rm(args, context).await,
    }
}

fn path(network: &str) -> String {
    format!("/dns/records/{}", query_escape(network))
}

async fn add(args: &RecordAdd, context: &Context<'_>) -> Result<(), CliError> {
    let mut record = json!({"Name": args.name, "Type": args.kind, "Value": args.value.join(" ")});
    if let Some(ttl) = args.ttl {
        record["TTL"] = ttl.into();
    }
    context.client()?.post(&path(&args.network), Body::Json(&record)).await.map(drop)
}

async fn ls(args: &RecordLs, context: &Context<'_>) -> Result<(), CliError> {
    let answer = context.client()?.get(&path(&args.network)).await?;
    let all: Vec<Value> = answer.as_array().cloned().unwrap_or_default();
    let rows: Vec<_> = all.iter().map(names::row).collect();
    let text = list::render(&names::RECORD, args.format.as_deref(), args.quiet, &rows);
    output::data(&text.map_err(CliError::ListTemplate)?)
}

/// Prints what is gone.
async fn rm(args: &RecordRm, context: &Context<'_>) -> Result<(), CliError> {
    let value = (!args.value.is_empty()).then(|| args.value.join(" "));
    let query = query(&[("name", Some(args.name.clone())), ("type", args.kind.clone()), ("value", value)]);
    let gone = context.client()?.delete(&format!("{}{query}", path(&args.network))).await?;
    let rows: Vec<_> = gone.as_array().into_iter().flatten().map(names::row).collect();
    let text = list::render(&names::RECORD, Some("{{.Name}} {{.Type}} {{.Value}}"), false, &rows);
    output::data(&text.map_err(CliError::ListTemplate)?)
}
