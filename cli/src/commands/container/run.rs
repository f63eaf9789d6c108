//! `pontoon run`: create; attach and wait, side by side; then start, so that no output and no end is missed.

use std::time::Duration;

use bollard::models::ContainerCreateBody;
use futures_util::future::try_join;

use super::joined::{Join, check_terminal, end_with, exit_code, wait};
use crate::args::Run;
use crate::client::{Body, Client, JsonLines, Stream, query_escape};
use crate::context::Context;
use crate::error::CliError;
use crate::output;
use crate::resolve::container::{Stays, plan};
use crate::terminal::Ended;

/// How long a container that could not be started may take to remove itself.
const REMOVAL: Duration = Duration::from_secs(3);

pub(crate) async fn run(args: &Run, context: &Context<'_>) -> Result<(), CliError> {
    if args.detach && !args.create.process.attach.is_empty() {
        return Err(CliError::Flags(
            "conflicting options: cannot specify both --attach and --detach".to_owned(),
        ));
    }
    check_terminal(args.create.process.interactive && !args.detach, args.create.process.tty)?;
    run_it(args, context).await.map_err(|source| CliError::Making { verb: "run", source: Box::new(source) })
}

async fn run_it(args: &Run, context: &Context<'_>) -> Result<(), CliError> {
    let stays = if args.detach { Stays::Detached } else { Stays::Attached };
    let plan = plan(&args.create, stays, &context.caller())?;
    let mut join = join_of(&plan.body, args);
    join.detach_keys()?;
    let auto_remove = plan.auto_remove;
    let client = context.client()?;
    let id = super::create::create(&client, plan, &args.create).await?;
    if args.detach {
        start(&client, &id, None).await?;
        return output::line(&id);
    }
    join.id = id;
    let condition = if auto_remove { "removed" } else { "next-exit" };
    let (stream, end) = try_join(streams(&join, &client), wait(&client, &join.id, condition)).await?;
    match stream {
        None => {
            output::line(&join.id)?;
            start(&client, &join.id, auto_remove.then_some(end)).await
        }
        Some(stream) => {
            if let Err(error) = start(&client, &join.id, None).await {
                return failed(error, auto_remove, end).await;
            }
            match join.stay(&client, stream).await? {
                Ended::Detached => Ok(()),
                Ended::Output => end_with(exit_code(end).await?),
            }
        }
    }
}

/// The streams that somebody wants.
async fn streams(join: &Join, client: &Client) -> Result<Option<Stream>, CliError> {
    if join.stdin || join.stdout || join.stderr { join.attach(client).await.map(Some) } else { Ok(None) }
}

fn join_of(body: &ContainerCreateBody, args: &Run) -> Join {
    Join {
        id: String::new(),
        stdin: body.attach_stdin == Some(true),
        stdout: body.attach_stdout == Some(true),
        stderr: body.attach_stderr == Some(true),
        tty: body.tty == Some(true),
        keys: args.detach_keys.clone(),
        proxy_signals: args.sig_proxy.unwrap_or(true),
    }
}

async fn start(client: &Client, id: &str, end: Option<JsonLines>) -> Result<(), CliError> {
    match client.post(&format!("/containers/{}/start", query_escape(id)), Body::None).await {
        Ok(_) => Ok(()),
        Err(error) => match end {
            Some(end) => failed(error, true, end).await,
            None => Err(error),
        },
    }
}

/// A container that removes itself is gone when its user reads why it did not start.
async fn failed(error: CliError, auto_remove: bool, mut end: JsonLines) -> Result<(), CliError> {
    if auto_remove {
        let _ = tokio::time::timeout(REMOVAL, end.next()).await;
    }
    Err(error)
}
