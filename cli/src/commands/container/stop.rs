//! `pontoon stop`. Several containers stop side by side.

use bollard::query_parameters::StopContainerOptions;
use futures_util::future::join_all;

use crate::args::Stop;
use crate::commands::Each;
use crate::context::Context;
use crate::error::CliError;

pub(crate) async fn run(args: &Stop, context: &Context<'_>) -> Result<(), CliError> {
    let client = context.client()?;
    let client = &client;
    let stops = args.containers.iter().map(|container| async move {
        let options = StopContainerOptions { signal: args.signal.clone(), t: args.timeout };
        Ok::<_, CliError>(client.docker().await?.stop_container(container, Some(options)).await?)
    });
    let mut each = Each::default();
    for (container, result) in args.containers.iter().zip(join_all(stops).await) {
        each.done(container, result)?;
    }
    each.end()
}
