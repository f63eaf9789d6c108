//! `pontoon network prune`.

use bollard::query_parameters::PruneNetworksOptions;

use crate::args::Prune;
use crate::client::Client;
use crate::commands::prompt;
use crate::context::Context;
use crate::error::CliError;
use crate::output;
use crate::resolve::filters::{self, Filters};

pub(crate) async fn run(args: &Prune, context: &Context<'_>) -> Result<(), CliError> {
    let filters = filters::parse(&args.filter);
    let client = context.client()?;
    if !args.force {
        prompt::confirm("WARNING! This will remove all custom networks not used by at least one container.")?;
    }
    let text = prune(&client, filters).await?;
    output::data(&text)
}

/// What was removed, ready to print; empty if nothing was.
pub(crate) async fn prune(client: &Client, filters: Filters) -> Result<String, CliError> {
    let options = PruneNetworksOptions { filters: Some(filters) };
    let removed =
        client.docker().await?.prune_networks(Some(options)).await?.networks_deleted.unwrap_or_default();
    if removed.is_empty() {
        return Ok(String::new());
    }
    Ok(format!("Deleted Networks:\n{}\n\n", removed.join("\n")))
}
