//! `pontoon top`.

use serde_json::Value;

use crate::args::Top;
use crate::client::{query, query_escape};
use crate::context::Context;
use crate::error::CliError;
use crate::output;

/// Blanks between columns: here Docker's tabwriter has other settings than in lists.
const NARROWEST: usize = 20;

pub(crate) async fn run(args: &Top, context: &Context<'_>) -> Result<(), CliError> {
    let Some((container, options)) = args.words.split_first() else { return Ok(()) };
    let options = (!options.is_empty()).then(|| options.join(" "));
    let path = format!("/containers/{}/top{}", query_escape(container), query(&[("ps_args", options)]));
    let answer = context.client()?.get(&path).await?;
    output::data(&table(&answer))
}

fn table(answer: &Value) -> String {
    let cells = |row: &Value| -> Vec<String> {
        row.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut rows = vec![cells(&answer["Titles"])];
    rows.extend(answer["Processes"].as_array().into_iter().flatten().map(cells));
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let widest = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count() + 3).max();
        widest.unwrap_or(0).max(NARROWEST)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<String>().trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}
