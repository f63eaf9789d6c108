//! `pontoon system prune`.

use crate::args::SystemPrune;
use crate::commands::{container, network, prompt};
use crate::context::Context;
use crate::error::CliError;
use crate::format::human;
use crate::output;
use crate::resolve::filters;

pub(crate) async fn run(args: &SystemPrune, context: &Context<'_>) -> Result<(), CliError> {
    let filters = filters::parse(&args.filter);
    let client = context.client()?;
    if !args.force {
        prompt::confirm(
            "WARNING! This will remove:\n  - all stopped containers\n  - all networks not used by at least one container\n",
        )?;
    }
    let (containers, reclaimed) = container::prune::prune(&client, filters.clone()).await?;
    let networks = network::prune::prune(&client, filters).await?;
    output::data(&format!("{containers}{networks}"))?;
    output::line(&format!("Total reclaimed space: {}", human::size(reclaimed as f64)))
}
