//! `pontoon images`.

use serde_json::Value;

use crate::args::ImageLs;
use crate::client::{flag, query};
use crate::context::Context;
use crate::error::CliError;
use crate::format::containers::Long;
use crate::format::{images, list};
use crate::output;
use crate::resolve::filters;

pub(crate) async fn run(args: &ImageLs, context: &Context<'_>) -> Result<(), CliError> {
    let mut filters = filters::parse(&args.filter);
    if let Some(reference) = &args.reference {
        filters.entry("reference".to_owned()).or_default().push(reference.clone());
    }
    let query = query(&[("all", flag(args.all)), ("filters", filters::query(&filters))]);
    let answer = context.client()?.get(&format!("/images/json{query}")).await?;
    let mut all: Vec<Value> = answer.as_array().cloned().unwrap_or_default();
    all.sort_by_key(|image| std::cmp::Reverse(image.get("Created").and_then(Value::as_i64)));
    let (now, zone) = (context.now(), context.zone());
    let long = if args.no_trunc { Long::Whole } else { Long::Cut };
    let rows: Vec<_> = all.iter().flat_map(|image| images::rows(image, long, now, &zone)).collect();
    let kind = if args.digests { &images::WITH_DIGESTS } else { &images::KIND };
    output::data(
        &list::render(kind, args.format.as_deref(), args.quiet, &rows).map_err(CliError::ListTemplate)?,
    )
}
