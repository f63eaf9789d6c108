//! `pontoon daemon start`: netd in the background, and a wait until its socket answers.

use std::fs::OpenOptions;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::args::DaemonStart;
use crate::context::Context;
use crate::error::CliError;
use crate::output;
use crate::resolve::Invalid;

/// How often we look whether it answers.
const LOOK: Duration = Duration::from_millis(10);

/// Where the log goes unless somebody says otherwise.
const LOG: &str = "/var/log/pontoon.log";

/// How many of the log's last lines tell why it did not start.
const LAST_LINES: usize = 10;

pub(super) async fn run(args: &DaemonStart, context: &Context<'_>) -> Result<(), CliError> {
    let host = context.host()?;
    if super::answers(context).await.is_ok() {
        return output::line(&format!("The daemon answers at {host} already."));
    }
    let netd = find(args, context)?;
    let log = args.log_file.clone().unwrap_or_else(|| LOG.into());
    let before = std::fs::metadata(&log).map_or(0, |file| file.len());
    let mut child = spawn(&netd, &host.to_string(), &log, args)?;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(args.timeout);
    loop {
        if super::answers(context).await.is_ok() {
            return output::line(&format!(
                "The daemon answers at {host} (process {}); its log is {}.",
                child.id(),
                log.display()
            ));
        }
        let ended =
            child.try_wait().map_err(|source| CliError::Io { what: "look after netd".to_owned(), source })?;
        if let Some(status) = ended {
            return Err(Invalid(format!("netd has ended ({status}){}", tail(&log, before))).into());
        }
        if tokio::time::Instant::now() > deadline {
            let text = format!(
                "netd (process {}) does not answer at {host} after {} s{}",
                child.id(),
                args.timeout,
                tail(&log, before)
            );
            return Err(Invalid(text).into());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The flag, or beside this program, or on the PATH.
fn find(args: &DaemonStart, context: &Context<'_>) -> Result<PathBuf, Invalid> {
    if let Some(path) = &args.netd {
        return Ok(path.clone());
    }
    let beside = context.world.executable.as_deref().and_then(Path::parent).map(Path::to_owned);
    let path = context.world.variables.get("PATH").map(String::as_str).unwrap_or_default();
    let folders = beside.into_iter().chain(path.split(':').filter(|f| !f.is_empty()).map(PathBuf::from));
    let found = folders.map(|folder| folder.join("netd")).find(|file| file.is_file());
    found.ok_or_else(|| {
        Invalid::new(
            "netd is neither beside this program nor on the PATH: install it, or name it with --netd",
        )
    })
}

/// In a process group of its own, so that keys typed here don't reach it.
fn spawn(netd: &Path, host: &str, log: &Path, args: &DaemonStart) -> Result<Child, CliError> {
    let open = OpenOptions::new().create(true).append(true).open(log);
    let file = open.map_err(|source| CliError::Io { what: format!("open {}", log.display()), source })?;
    let copy = file
        .try_clone()
        .map_err(|source| CliError::Io { what: format!("open {}", log.display()), source })?;
    let mut command = Command::new(netd);
    if !args.flags.iter().any(|flag| flag.starts_with("-H") || flag.starts_with("--host")) {
        command.args(["-H", host]);
    }
    command.args(&args.flags).stdin(Stdio::null()).stdout(file).stderr(copy).process_group(0);
    command.spawn().map_err(|source| CliError::Io { what: format!("start {}", netd.display()), source })
}

/// What netd wrote since the log was so long.
fn tail(log: &Path, before: u64) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let new = bytes.get(usize::try_from(before).unwrap_or(0)..).unwrap_or_default();
    let text = String::from_utf8_lossy(new);
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
    if last.is_empty() {
        String::new()
    } else {
        format!("; the end of {}:\n{}", log.display(), last.join("\n"))
    }
}
