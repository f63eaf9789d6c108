//! `pontoon network disconnect`.

use bollard::models::NetworkDisconnectRequest;

use crate::args::NetworkDisconnect;
use crate::context::Context;
use crate::error::CliError;

pub(crate) async fn run(args: &NetworkDisconnect, context: &Context<'_>) -> Result<(), CliError> {
    let request = NetworkDisconnectRequest { container: args.container.clone(), force: Some(args.force) };
    Ok(context.client()?.docker().await?.disconnect_network(&args.network, request).await?)
}
