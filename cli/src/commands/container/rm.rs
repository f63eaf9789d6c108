//! `pontoon rm`. Several containers go side by side.

use bollard::query_parameters::RemoveContainerOptions;
use futures_util::future::join_all;

use crate::args::Rm;
use crate::commands::Each;
use crate::context::Context;
use crate::error::CliError;
use crate::output;

pub(crate) async fn run(args: &Rm, context: &Context<'_>) -> Result<(), CliError> {
    let client = context.client()?;
    let client = &client;
    let removals = args.containers.iter().map(|container| async move {
        let name = container.trim_matches('/');
        let options = RemoveContainerOptions { v: args.volumes, force: args.force, link: args.link };
        client.docker().await?.remove_container(name, Some(options)).await.map_err(CliError::from)
    });
    let mut each = Each::default();
    for (container, result) in args.containers.iter().zip(join_all(removals).await) {
        match result {
            Err(error @ CliError::Daemon { status: 404, .. }) if args.force => {
                output::talk(&error.to_string());
            }
            result => each.done(container, result)?,
        }
    }
    each.end()
}
