//! `pontoon stats`: two readings once, or a table that renews itself.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;

use hyper::Method;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::args::Stats;
use crate::client::{Client, flag, query, query_escape};
use crate::context::Context;
use crate::error::CliError;
use crate::format::containers::Long;
use crate::format::list::{self, Row};
use crate::format::{stats, text};
use crate::output;

/// How often the table is drawn, as in Docker.
const TICK: Duration = Duration::from_millis(500);

pub(crate) async fn run(args: &Stats, context: &Context<'_>) -> Result<(), CliError> {
    let client = context.client().await?;
    let names = match args.containers.is_empty() {
        true => running(&client, args.all).await?,
        false => args.containers.clone(),
    };
    if args.no_stream { once(&client, args, &names).await } else { live(&client, args, names).await }
}

async fn running(client: &Client, all: bool) -> Result<Vec<String>, CliError> {
    let answer = client.get(&format!("/containers/json{}", query(&[("all", flag(all))]))).await?;
    Ok(answer.as_array().into_iter().flatten().map(|c| text(c, "Id").to_owned()).collect())
}

async fn once(client: &Client, args: &Stats, names: &[String]) -> Result<(), CliError> {
    let readings = names.iter().map(|name| async move {
        client.get(&format!("/containers/{}/stats?stream=0", query_escape(name))).await
    });
    let readings = futures_util::future::join_all(readings).await;
    let mut rows = Vec::new();
    for (name, reading) in names.iter().zip(readings) {
        rows.push(stats::row(name, Some(&reading?), long(args)));
    }
    draw(args, &rows)
}

/// Every container's readings arrive on their own; the last of each is what is drawn.
async fn live(client: &Client, args: &Stats, names: Vec<String>) -> Result<(), CliError> {
    let (sender, mut receiver) = mpsc::channel::<(String, Value)>(64);
    for name in &names {
        let path = format!("/containers/{}/stats?stream=1", query_escape(name));
        let mut readings = client.json_lines(Method::GET, &path).await?;
        let (name, sender) = (name.clone(), sender.clone());
        tokio::spawn(async move {
            while let Ok(Some(reading)) = readings.next().await {
                if sender.send((name.clone(), reading)).await.is_err() {
                    return;
                }
            }
        });
    }
    drop(sender);
    let mut last: BTreeMap<String, Value> = BTreeMap::new();
    let mut tick = tokio::time::interval(TICK);
    let clear = std::io::stdout().is_terminal();
    loop {
        tokio::select! {
            reading = receiver.recv() => match reading {
                Some((name, reading)) => { last.insert(name, reading); }
                None => return Ok(()),
            },
            _ = tick.tick() => {
                let rows: Vec<Row> = names.iter().map(|n| stats::row(n, last.get(n), long(args))).collect();
                if clear {
                    output::data("\x1b[2J\x1b[H")?;
                }
                draw(args, &rows)?;
            }
        }
    }
}

fn draw(args: &Stats, rows: &[Row]) -> Result<(), CliError> {
    output::data(
        &list::render(&stats::KIND, args.format.as_deref(), false, rows).map_err(CliError::ListTemplate)?,
    )
}

fn long(args: &Stats) -> Long {
    if args.no_trunc { Long::Whole } else { Long::Cut }
}
