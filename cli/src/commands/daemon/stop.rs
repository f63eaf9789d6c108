//! `pontoon daemon stop`.

use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::args::DaemonStop;
use crate::context::Context;
use crate::error::CliError;
use crate::output;
use crate::resolve::Invalid;

/// How often we look whether it is gone.
const LOOK: Duration = Duration::from_millis(20);

pub(super) async fn run(args: &DaemonStop, context: &Context<'_>) -> Result<(), CliError> {
    let pid = Pid::from_raw(super::listener(context).await?);
    kill(pid, Signal::SIGTERM).map_err(|errno| CliError::Io {
        what: format!("stop the daemon (process {pid})"),
        source: errno.into(),
    })?;
    let gone = async {
        while kill(pid, None) != Err(Errno::ESRCH) && super::listener(context).await.is_ok() {
            tokio::time::sleep(LOOK).await;
        }
    };
    match tokio::time::timeout(Duration::from_secs(args.timeout), gone).await {
        Ok(()) => output::line(&format!("The daemon (process {pid}) has stopped; its containers go on.")),
        Err(_) => {
            let text = format!(
                "the daemon (process {pid}) was told to stop, but is still there after {} s",
                args.timeout
            );
            Err(Invalid(text).into())
        }
    }
}
