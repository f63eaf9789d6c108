//! `pontoon network ls`.

use serde_json::Value;

use crate::args::NetworkLs;
use crate::client::query;
use crate::context::Context;
use crate::error::CliError;
use crate::format::containers::Long;
use crate::format::{list, natural, networks, text};
use crate::output;
use crate::resolve::filters;

pub(crate) async fn run(args: &NetworkLs, context: &Context<'_>) -> Result<(), CliError> {
    let filters = filters::query(&filters::parse(&args.filter));
    let answer = context.client()?.get(&format!("/networks{}", query(&[("filters", filters)]))).await?;
    let mut all: Vec<Value> = answer.as_array().cloned().unwrap_or_default();
    all.sort_by_key(|network| natural::key(text(network, "Name")));
    let zone = context.zone();
    let long = if args.no_trunc { Long::Whole } else { Long::Cut };
    let rows: Vec<_> = all.iter().map(|network| networks::row(network, long, &zone)).collect();
    output::data(
        &list::render(&networks::KIND, args.format.as_deref(), args.quiet, &rows)
            .map_err(CliError::ListTemplate)?,
    )
}
