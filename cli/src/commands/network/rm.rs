//! `pontoon network rm`.

use crate::args::NetworkRm;
use crate::commands::Each;
use crate::context::Context;
use crate::error::CliError;

pub(crate) async fn run(args: &NetworkRm, context: &Context<'_>) -> Result<(), CliError> {
    let client = context.client()?;
    let mut each = Each::default();
    for network in &args.networks {
        match client.docker().await?.remove_network(network).await.map_err(CliError::from) {
            Err(CliError::Daemon { status: 404, .. }) if args.force => {}
            result => each.done(network, result)?,
        }
    }
    each.end()
}
