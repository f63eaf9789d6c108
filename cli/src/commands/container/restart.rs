//! `pontoon restart`.

use bollard::query_parameters::RestartContainerOptions;

use crate::args::Stop;
use crate::commands::Each;
use crate::context::Context;
use crate::error::CliError;

pub(crate) async fn run(args: &Stop, context: &Context<'_>) -> Result<(), CliError> {
    let client = context.client()?;
    let mut each = Each::default();
    for container in &args.containers {
        let options = RestartContainerOptions { signal: args.signal.clone(), t: args.timeout };
        each.done(container, client.docker().await?.restart_container(container, Some(options)).await)?;
    }
    each.end()
}
