//! `pontoon pause`.

use crate::args::Containers;
use crate::commands::Each;
use crate::context::Context;
use crate::error::CliError;

pub(crate) async fn run(args: &Containers, context: &Context<'_>) -> Result<(), CliError> {
    let client = context.client()?;
    let mut each = Each::default();
    for container in &args.containers {
        each.done(container, client.docker().await?.pause_container(container).await)?;
    }
    each.end()
}
