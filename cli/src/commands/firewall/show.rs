//! `pontoon firewall show`: what the kernel has, as `nft` prints it, with a comment for each part. All of it is a file that
//! `nft` reads.

use serde_json::Value;

use crate::args::FirewallShow;
use crate::client::{Client, query};
use crate::context::Context;
use crate::error::CliError;
use crate::format::{firewall, inspect};
use crate::output;
use crate::resolve::Invalid;

pub(crate) async fn run(args: &FirewallShow, context: &Context<'_>) -> Result<(), CliError> {
    let report = report(&context.client()?, args.object.as_deref()).await?;
    match args.json {
        true => output::line(&inspect::pretty(&report)),
        false => output::data(&firewall::page(&report, context.colour())),
    }
}

/// Of a container of that name, else of a network.
async fn report(client: &Client, object: Option<&str>) -> Result<Value, CliError> {
    let Some(name) = object else { return client.get("/pontoon/firewall").await };
    let ask = |kind: &'static str| async move {
        let query = query(&[(kind, Some(name.to_owned()))]);
        client.get(&format!("/pontoon/firewall{query}")).await
    };
    match ask("container").await {
        Err(CliError::Daemon { status: 404, .. }) => {}
        other => return other,
    }
    match ask("network").await {
        Err(CliError::Daemon { status: 404, .. }) => {
            Err(Invalid(format!("no such container or network: {name}")).into())
        }
        other => other,
    }
}
