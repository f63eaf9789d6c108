//! Container logs in Docker's json-file format: the shim writes them, the daemon reads them.

mod entry;
mod follow;
mod history;
mod writer;

use std::io;

use tokio::sync::mpsc;

pub use entry::{LogEntry, format_time};
pub(crate) use writer::LogWriter;

use crate::client::{LogTarget, Shim};

/// Which entries are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// Entries of standard output.
    pub stdout: bool,
    /// Entries of standard error.
    pub stderr: bool,
    /// Not older than this, in nanoseconds since 1970.
    pub since: Option<i64>,
    /// Not younger than this.
    pub until: Option<i64>,
    /// Only so many of the youngest.
    pub tail: Option<usize>,
    /// Go on with what comes, until the container ends.
    pub follow: bool,
}

impl LogQuery {
    fn wants(&self, entry: &LogEntry) -> bool {
        let stream = if entry.is_stderr { self.stderr } else { self.stdout };
        stream && self.since.is_none_or(|since| entry.unix_nanos >= since) && !self.is_past(entry)
    }

    fn is_past(&self, entry: &LogEntry) -> bool {
        self.until.is_some_and(|until| entry.unix_nanos > until)
    }
}

/// Entries that wait for a slow reader at most.
const PENDING: usize = 256;

/// Reads a container's log. Entries come in order, across rotated files; dropping the receiver stops the reading. With
/// `follow`, `container` says when nothing more will come; without a living container the log ends where it ends.
#[must_use]
pub fn read_logs(
    target: &LogTarget,
    query: LogQuery,
    container: Option<Shim>,
) -> mpsc::Receiver<io::Result<LogEntry>> {
    let (send, receive) = mpsc::channel(PENDING);
    let target = target.clone();
    tokio::spawn(async move {
        if let Err(error) = serve(target, query, container, &send).await {
            let _ = send.send(Err(error)).await;
        }
    });
    receive
}

async fn serve(
    target: LogTarget,
    query: LogQuery,
    container: Option<Shim>,
    send: &mpsc::Sender<io::Result<LogEntry>>,
) -> io::Result<()> {
    // what comes while the old entries are read must be noticed: watch first
    let watcher = match (query.follow, &container) {
        (true, Some(_)) => Some(follow::Watcher::new(&target)?),
        _ => None,
    };
    let (old_target, old_query, old_send) = (target.clone(), query.clone(), send.clone());
    let read = move || history::send(&old_target, &old_query, &old_send);
    let end = tokio::task::spawn_blocking(read).await.map_err(io::Error::other)??;
    match (watcher, container, end) {
        (Some(watcher), Some(container), Some(end)) => {
            follow::send(watcher, end, &query, container, send).await
        }
        _ => Ok(()),
    }
}
