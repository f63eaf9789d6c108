//! `pontoon network graph`.

use serde_json::Value;

use crate::args::NetworkGraph;
use crate::client::{Client, flag, query};
use crate::context::Context;
use crate::error::CliError;
use crate::format;
use crate::format::colour::Colour;
use crate::format::graph::{Answers, Graph, dot, svg, tree};
use crate::output;
use crate::resolve::Invalid;

pub(crate) async fn run(args: &NetworkGraph, context: &Context<'_>) -> Result<(), CliError> {
    let print = printer(args.format.as_deref().unwrap_or_default(), context)?;
    let client = context.client()?;
    let (networks, containers, namespaces) = (
        client.get("/networks").await?,
        client.get(&format!("/containers/json{}", query(&[("all", flag(args.all))]))).await?,
        namespaces(&client).await?,
    );
    let answers = Answers { networks: &networks, containers: &containers, namespaces: &namespaces };
    let graph =
        Graph::read(&answers, &args.networks).map_err(|name| Invalid(format!("network {name} not found")))?;
    output::data(&print(&graph))
}

/// Checked before the daemon is asked.
fn printer(format: &str, context: &Context<'_>) -> Result<fn(&Graph) -> String, Invalid> {
    Ok(match format {
        "" | "tree" if context.colour() == Colour::Plain => |graph| tree(graph, Colour::Plain),
        "" | "tree" => |graph| tree(graph, Colour::Ansi),
        "svg" => svg,
        "dot" => dot,
        "json" => |graph| format::inspect::pretty(&graph.json()) + "\n",
        other => return Err(Invalid(format!("unknown format {other:?}: use tree, svg, dot or json"))),
    })
}

/// Docker's own daemon knows no namespaces.
async fn namespaces(client: &Client) -> Result<Value, CliError> {
    match client.get("/pontoon/namespaces").await {
        Err(CliError::Daemon { status: 404, .. }) => Ok(Value::Null),
        other => other,
    }
}
