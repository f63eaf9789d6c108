//! `pontoon dns ls`.

use serde_json::Value;

use crate::args::DnsLs;
use crate::client::query;
use crate::context::Context;
use crate::error::CliError;
use crate::format::{list, names};
use crate::output;

pub(crate) async fn run(args: &DnsLs, context: &Context<'_>) -> Result<(), CliError> {
    let query = query(&[("container", args.asker.clone()), ("network", args.in_network.clone())]);
    let answer = context.client()?.get(&format!("/dns{query}")).await?;
    let all: Vec<Value> = answer.as_array().cloned().unwrap_or_default();
    let rows: Vec<_> = all.iter().map(names::row).collect();
    let text = list::render(&names::KIND, args.format.as_deref(), args.quiet, &rows);
    output::data(&text.map_err(CliError::ListTemplate)?)
}
