//! `pontoon kill`.

use bollard::query_parameters::KillContainerOptions;

use crate::args::Kill;
use crate::commands::Each;
use crate::context::Context;
use crate::error::CliError;

pub(crate) async fn run(args: &Kill, context: &Context<'_>) -> Result<(), CliError> {
    let client = context.client()?;
    let signal = args.signal.clone().unwrap_or_else(|| "KILL".to_owned());
    let mut each = Each::default();
    for container in &args.containers {
        let options = KillContainerOptions { signal: signal.clone() };
        each.done(container, client.docker().await?.kill_container(container, Some(options)).await)?;
    }
    each.end()
}
