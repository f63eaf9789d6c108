//! `pontoon rename`.

use bollard::query_parameters::RenameContainerOptions;

use crate::args::Rename;
use crate::context::Context;
use crate::error::CliError;
use crate::resolve::Invalid;

pub(crate) async fn run(args: &Rename, context: &Context<'_>) -> Result<(), CliError> {
    if args.container.trim().is_empty() || args.name.trim().is_empty() {
        return Err(Invalid::new("Error: Neither old nor new names may be empty").into());
    }
    let options = RenameContainerOptions { name: args.name.clone() };
    let renamed = context.client()?.docker().await?.rename_container(&args.container, options).await;
    renamed.map_err(|error| {
        let failed = Invalid(format!("Error: failed to rename container named {}", args.container));
        CliError::Several(vec![error.into(), failed.into()])
    })
}
