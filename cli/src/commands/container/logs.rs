//! `pontoon logs`.

use hyper::Method;

use crate::args::Logs;
use crate::client::{flag, query, query_escape};
use crate::context::Context;
use crate::error::CliError;
use crate::resolve::times::moment;
use crate::terminal::{Framing, copy_frames};

pub(crate) async fn run(args: &Logs, context: &Context<'_>) -> Result<(), CliError> {
    let now = context.world.now;
    let since = moment("since", args.since.as_deref(), now)?;
    let until = moment("until", args.until.as_deref(), now)?;
    let client = context.client()?;
    let name = query_escape(&args.container);
    let seen = client.get(&format!("/containers/{name}/json")).await?;
    let framing =
        if seen["Config"]["Tty"].as_bool() == Some(true) { Framing::Terminal } else { Framing::Frames };
    let query = query(&[
        ("stdout", flag(true)),
        ("stderr", flag(true)),
        ("follow", flag(args.follow)),
        ("timestamps", flag(args.timestamps)),
        ("details", flag(args.details)),
        ("since", since),
        ("until", until),
        ("tail", Some(args.tail.clone())),
    ]);
    let body = client.stream(Method::GET, &format!("/containers/{name}/logs{query}")).await?;
    copy_frames(body, framing).await
}
