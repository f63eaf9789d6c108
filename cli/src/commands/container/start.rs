//! `pontoon start`.

use super::joined::{Join, check_terminal, end_with, exit_code, wait};
use crate::args::Start;
use crate::client::{Body, Client, query_escape};
use crate::context::Context;
use crate::error::CliError;
use crate::output;
use crate::resolve::Invalid;
use crate::terminal::Ended;

pub(crate) async fn run(args: &Start, context: &Context<'_>) -> Result<(), CliError> {
    if args.attach || args.interactive {
        return attached(args, context).await;
    }
    let client = context.client()?;
    let mut failed = Vec::new();
    for container in &args.containers {
        match start(&client, container).await {
            Ok(()) => output::line(container)?,
            Err(error) => {
                output::talk(&error.to_string());
                failed.push(container.clone());
            }
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(Invalid(format!("Error: failed to start containers: {}", failed.join(", "))).into())
}

async fn start(client: &Client, container: &str) -> Result<(), CliError> {
    client.post(&format!("/containers/{}/start", query_escape(container)), Body::None).await.map(|_| ())
}

async fn attached(args: &Start, context: &Context<'_>) -> Result<(), CliError> {
    let [container] = &args.containers[..] else {
        return Err(Invalid::new("you cannot start and attach multiple containers at once").into());
    };
    let client = context.client()?;
    let seen = client.get(&format!("/containers/{}/json", query_escape(container))).await?;
    let set = |name: &str| seen["Config"][name].as_bool().unwrap_or(false);
    let join = Join {
        id: crate::format::text(&seen, "Id").to_owned(),
        stdin: args.interactive && set("OpenStdin"),
        stdout: true,
        stderr: true,
        tty: set("Tty"),
        keys: args.detach_keys.clone(),
        proxy_signals: true,
    };
    check_terminal(join.stdin, join.tty)?;
    join.detach_keys()?;
    let stream = join.attach(&client).await?;
    let removed = seen["HostConfig"]["AutoRemove"].as_bool().unwrap_or(false);
    let end = wait(&client, &join.id, if removed { "removed" } else { "next-exit" }).await?;
    start(&client, &join.id).await?;
    match join.stay(&client, stream).await? {
        Ended::Detached => Ok(()),
        Ended::Output => end_with(exit_code(end).await?),
    }
}
