//! `pontoon wait`.

use serde_json::Value;

use super::joined::wait;
use crate::args::Containers;
use crate::context::Context;
use crate::error::CliError;
use crate::output;

pub(crate) async fn run(args: &Containers, context: &Context<'_>) -> Result<(), CliError> {
    let client = context.client()?;
    let mut errors = Vec::new();
    for container in &args.containers {
        let end = async { wait(&client, container, "not-running").await?.next().await };
        match end.await {
            Ok(answer) => {
                let code = answer.as_ref().and_then(|a| a.get("StatusCode")).and_then(Value::as_i64);
                output::line(&code.unwrap_or(125).to_string())?;
            }
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(CliError::Several(errors)) }
}
