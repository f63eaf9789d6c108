//! `pontoon attach`.

use super::joined::{Join, check_terminal, end_with, exit_code, left, wait};
use crate::args::Attach;
use crate::client::query_escape;
use crate::context::Context;
use crate::error::CliError;
use crate::resolve::Invalid;
use crate::terminal::Ended;

pub(crate) async fn run(args: &Attach, context: &Context<'_>) -> Result<(), CliError> {
    let client = context.client()?;
    let seen = client.get(&format!("/containers/{}/json", query_escape(&args.container))).await?;
    let state = |name: &str| seen["State"][name].as_bool().unwrap_or(false);
    for (is_so, text) in [
        (!state("Running"), "You cannot attach to a stopped container, start it first"),
        (state("Paused"), "You cannot attach to a paused container, unpause it first"),
        (state("Restarting"), "You cannot attach to a restarting container, wait until it is running"),
    ] {
        if is_so {
            return Err(Invalid::new(text).into());
        }
    }
    let set = |name: &str| seen["Config"][name].as_bool().unwrap_or(false);
    let join = Join {
        id: crate::format::text(&seen, "Id").to_owned(),
        stdin: !args.no_stdin && set("OpenStdin"),
        stdout: true,
        stderr: true,
        tty: set("Tty"),
        keys: args.detach_keys.clone(),
        proxy_signals: args.sig_proxy.unwrap_or(true),
    };
    check_terminal(join.stdin, join.tty)?;
    join.detach_keys()?;
    let end = wait(&client, &join.id, "not-running").await?;
    let stream = join.attach(&client).await?;
    match join.stay(&client, stream).await? {
        Ended::Detached => Err(left()),
        Ended::Output => end_with(exit_code(end).await?),
    }
}
