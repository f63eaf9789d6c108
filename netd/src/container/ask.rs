//! What callers ask of containers and what they get to see: values only.

use std::{fmt, pin::Pin};

use bytes::Bytes;
use futures_util::Stream;
use netd_api::{Filters, models};
use tokio::{net::UnixStream, sync::oneshot};

use super::ContainerError;

/// A container to be made.
#[derive(Clone, Debug, Default)]
pub struct CreateAsk {
    /// Its name, with or without a slash in front; one is made up if it is missing or empty.
    pub name: Option<String>,
    /// `os/arch[/variant]`; this machine's or none.
    pub platform: Option<String>,
    /// Config, HostConfig and NetworkingConfig.
    pub body: models::ContainerCreateBody,
}

/// Whether a request changed something, or found it done: HTTP 204 or 304.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It is so now.
    Changed,
    /// It was so before.
    Already,
}

/// How to stop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StopAsk {
    /// Signal by name or number; else the container's own, else SIGTERM.
    pub signal: Option<String>,
    /// Seconds until SIGKILL; -1 is for ever. Else the container's own, else 10.
    pub timeout: Option<i64>,
}

/// What a waiter waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WaitCondition {
    /// It does not run (any more).
    #[default]
    NotRunning,
    /// It ends from now on.
    NextExit,
    /// It is removed.
    Removed,
}

impl std::str::FromStr for WaitCondition {
    type Err = ContainerError;

    fn from_str(text: &str) -> Result<Self, ContainerError> {
        match text {
            "" | "not-running" => Ok(Self::NotRunning),
            "next-exit" => Ok(Self::NextExit),
            "removed" => Ok(Self::Removed),
            _ => Err(ContainerError::Invalid(format!("invalid condition: \"{text}\""))),
        }
    }
}

/// An answer to come. The request itself was found good: headers can be sent before it is awaited.
pub type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// How to remove.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RemoveAsk {
    /// Kill it first if it runs.
    pub force: bool,
    /// Its anonymous volumes too.
    pub volumes: bool,
    /// Not the container, but the link of this name.
    pub link: bool,
}

/// Which containers to list.
#[derive(Clone, Debug, Default)]
pub struct ListAsk {
    /// Those that don't run, too.
    pub all: bool,
    /// The newest so many, running or not; 0 or less is no limit.
    pub limit: i64,
    /// With the sizes of their file systems.
    pub size: bool,
    /// Docker's filters.
    pub filters: Filters,
}

/// Which lines of a log to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogsAsk {
    /// Standard output.
    pub stdout: bool,
    /// Standard error.
    pub stderr: bool,
    /// What came before this time is left out, as the client wrote it.
    pub since: Option<String>,
    /// What came after this time is left out, as the client wrote it.
    pub until: Option<String>,
    /// The last so many lines; `all` or nothing is all of them.
    pub tail: Option<String>,
    /// A time before each line.
    pub timestamps: bool,
    /// Go on until the container ends.
    pub follow: bool,
}

/// A log as it goes over the wire.
pub struct Logs {
    /// Bytes as they are, or in Docker's frames.
    pub framing: Framing,
    /// The answer's body.
    pub body: Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>,
}

impl fmt::Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logs").field("framing", &self.framing).finish_non_exhaustive()
    }
}

/// How the output of a process is told apart on one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// A terminal's bytes: `application/vnd.docker.raw-stream`.
    Raw,
    /// 8 bytes before each piece: `application/vnd.docker.multiplexed-stream`.
    Frames,
}

/// Which streams a client wants to attach to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttachAsk {
    /// Bytes from the client go to the process.
    pub stdin: bool,
    /// Standard output comes back.
    pub stdout: bool,
    /// Standard error comes back.
    pub stderr: bool,
    /// What was logged before comes first.
    pub logs: bool,
    /// What is written from now on comes then.
    pub stream: bool,
}

/// A stream to and from a process that may not have been started yet.
#[derive(Debug)]
pub struct AttachStream {
    /// Bytes as they are, or in Docker's frames (output only; input is always raw).
    pub framing: Framing,
    /// What comes before the stream, framed already.
    pub past: Option<Logs>,
    pub(super) io: Io,
    /// Told once the exit code of a process that was started for this stream is known.
    pub(crate) ended: Option<oneshot::Receiver<()>>,
}

#[derive(Debug)]
pub(super) enum Io {
    /// The process runs.
    Open(UnixStream),
    /// The container is to be started.
    Later(oneshot::Receiver<UnixStream>),
    /// Only the past was asked for.
    None,
}

impl AttachStream {
    /// The stream, once the process is there. Closing its writing half ends the process' input. `None` if the container
    /// was removed, or its start failed, before there was a process.
    pub async fn open(self) -> Option<UnixStream> {
        match self.io {
            Io::Open(stream) => Some(stream),
            Io::Later(stream) => stream.await.ok(),
            Io::None => None,
        }
    }
}

/// What became of an `exec`.
#[derive(Debug)]
pub enum ExecStarted {
    /// It runs, and nobody is attached.
    Detached,
    /// It runs, and here are its streams.
    Attached(AttachStream),
}

/// Samples of what a container uses, one per second.
pub type StatsStream = Pin<Box<dyn Stream<Item = models::ContainerStatsResponse> + Send>>;

/// How many samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatsAsk {
    /// One, at once, without the one before it.
    OneShot,
    /// One, with the one before it to compare with.
    Single,
    /// One per second until the container is removed.
    Stream,
}
