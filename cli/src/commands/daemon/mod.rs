//! `pontoon daemon …`: the daemon seen from outside.

mod start;
mod status;
mod stop;

use crate::args::DaemonCommand;
use crate::client::Client;
use crate::context::Context;
use crate::error::CliError;

pub(super) async fn run(command: &DaemonCommand, context: &Context<'_>) -> Result<(), CliError> {
    match command {
        DaemonCommand::Start(args) => start::run(args, context).await,
        DaemonCommand::Stop(args) => stop::run(args, context).await,
        DaemonCommand::Status => status::run(context).await,
    }
}

/// The process that listens on the socket, as the kernel knows it.
async fn listener(context: &Context<'_>) -> Result<i32, CliError> {
    let host = context.host()?;
    let stream = tokio::net::UnixStream::connect(host.path())
        .await
        .map_err(|source| CliError::NoDaemon { host: host.to_string(), source })?;
    let peer =
        stream.peer_cred().map_err(|source| CliError::Io { what: "ask who listens".to_owned(), source })?;
    peer.pid()
        .filter(|pid| *pid > 0)
        .ok_or_else(|| CliError::Lost("the daemon is in another pid namespace".to_owned()))
}

/// Whether the daemon answers.
async fn answers(context: &Context<'_>) -> Result<Client, CliError> {
    let client = context.client()?;
    client.docker().await?.ping().await?;
    Ok(client)
}
