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
    let client = context.client()?;
    if !args.no_stream {
        return live(&client, args).await;
    }
    let names = wanted(&client, args).await?;
    once(&client, args, &names).await
}

/// The containers that were named, or all that are there now.
async fn wanted(client: &Client, args: &Stats) -> Result<Vec<String>, CliError> {
    if args.containers.is_empty() { running(client, args.all).await } else { Ok(args.containers.clone()) }
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

/// Every container's readings arrive on their own; the last of each is what is drawn. Without names, containers come
/// and go with the table open.
async fn live(client: &Client, args: &Stats) -> Result<(), CliError> {
    let (sender, mut receiver) = mpsc::channel::<(String, Value)>(64);
    let mut last: BTreeMap<String, Option<Value>> = BTreeMap::new();
    let mut tick = tokio::time::interval(TICK);
    let clear = std::io::stdout().is_terminal();
    loop {
        tokio::select! {
            Some((name, reading)) = receiver.recv() => { last.insert(name, Some(reading)); }
            _ = tick.tick() => {
                let names = wanted(client, args).await?;
                last.retain(|name, _| names.contains(name));
                for name in &names {
                    if !last.contains_key(name) {
                        follow(client, name, sender.clone()).await?;
                        last.insert(name.clone(), None);
                    }
                }
                let reading = |name: &String| last.get(name).and_then(Option::as_ref);
                let rows: Vec<Row> = names.iter().map(|n| stats::row(n, reading(n), long(args))).collect();
                if clear {
                    output::data("\x1b[2J\x1b[H")?;
                }
                draw(args, &rows)?;
            }
        }
    }
}

/// Hands on the readings of one container until there are no more.
async fn follow(client: &Client, name: &str, sender: mpsc::Sender<(String, Value)>) -> Result<(), CliError> {
    let path = format!("/containers/{}/stats?stream=1", query_escape(name));
    let mut readings = client.json_lines(Method::GET, &path).await?;
    let name = name.to_owned();
    tokio::spawn(async move {
        while let Ok(Some(reading)) = readings.next().await {
            if sender.send((name.clone(), reading)).await.is_err() {
                return;
            }
        }
    });
    Ok(())
}

fn draw(args: &Stats, rows: &[Row]) -> Result<(), CliError> {
    output::data(
        &list::render(&stats::KIND, args.format.as_deref(), false, rows).map_err(CliError::ListTemplate)?,
    )
}

fn long(args: &Stats) -> Long {
    if args.no_trunc { Long::Whole } else { Long::Cut }
}
