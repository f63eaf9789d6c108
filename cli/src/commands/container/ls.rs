//! `pontoon ps`.

use serde_json::Value;

use crate::args::Ps;
use crate::client::{flag, query};
use crate::context::Context;
use crate::error::CliError;
use crate::format::containers::{self, Long};
use crate::format::list;
use crate::output;
use crate::resolve::filters;

pub(crate) async fn run(args: &Ps, context: &Context<'_>) -> Result<(), CliError> {
    let filters = filters::query(&filters::parse(&args.filter));
    let last = if args.latest { 1 } else { args.last };
    let sized = args.size || args.format.as_deref().is_some_and(|format| format.contains(".Size"));
    let query = query(&[
        ("all", flag(args.all || last > 0)),
        ("limit", (last > 0).then(|| last.to_string())),
        ("size", flag(sized)),
        ("filters", filters),
    ]);
    let answer = context.client()?.get(&format!("/containers/json{query}")).await?;
    let all: Vec<Value> = answer.as_array().cloned().unwrap_or_default();
    let (now, zone) = (context.now(), context.zone());
    let long = if args.no_trunc { Long::Whole } else { Long::Cut };
    let rows: Vec<_> = all.iter().map(|container| containers::row(container, long, now, &zone)).collect();
    let kind = if args.size { &containers::SIZED } else { &containers::KIND };
    output::data(
        &list::render(kind, args.format.as_deref(), args.quiet, &rows).map_err(CliError::ListTemplate)?,
    )
}
