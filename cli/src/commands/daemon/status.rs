//! `pontoon daemon status`.

use crate::context::Context;
use crate::error::CliError;
use crate::format::text;
use crate::output;

pub(super) async fn run(context: &Context<'_>) -> Result<(), CliError> {
    let client = super::answers(context).await?;
    let (version, info) = (client.get("/version").await?, client.get("/info").await?);
    let process = super::listener(context).await.map(|pid| format!(", process {pid}")).unwrap_or_default();
    output::line(&format!(
        "netd {} answers at {}{process}: {} containers, {} running",
        text(&version, "Version"),
        context.host()?,
        info["Containers"],
        info["ContainersRunning"],
    ))
}
