//! `pontoon container prune`.

use bollard::query_parameters::PruneContainersOptions;

use crate::args::Prune;
use crate::client::Client;
use crate::commands::prompt;
use crate::context::Context;
use crate::error::CliError;
use crate::format::human;
use crate::output;
use crate::resolve::filters::{self, Filters};

pub(crate) async fn run(args: &Prune, context: &Context<'_>) -> Result<(), CliError> {
    let filters = filters::parse(&args.filter);
    let client = context.client()?;
    if !args.force {
        prompt::confirm("WARNING! This will remove all stopped containers.")?;
    }
    let (text, reclaimed) = prune(&client, filters).await?;
    output::data(&text)?;
    output::line(&format!("Total reclaimed space: {}", human::size(reclaimed as f64)))
}

/// What was removed, ready to print, and how many bytes that gave back.
pub(crate) async fn prune(client: &Client, filters: Filters) -> Result<(String, i64), CliError> {
    let options = PruneContainersOptions { filters: Some(filters) };
    let answer = client.docker().await?.prune_containers(Some(options)).await?;
    let removed = answer.containers_deleted.unwrap_or_default();
    let text = if removed.is_empty() {
        String::new()
    } else {
        format!("Deleted Containers:\n{}\n\n", removed.join("\n"))
    };
    Ok((text, answer.space_reclaimed.unwrap_or(0)))
}
