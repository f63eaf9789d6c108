//! `docker logs`: what a container has written, in the frames of its stream.

use bytes::Bytes;
use futures_util::stream;
use jiff::Timestamp;
use netd_api::time::parse_timestamp;
use netd_runtime::{LogEntry, LogQuery, format_time, read_logs};

use super::{
    ContainerError, Containers, Framing, Logs, LogsAsk,
    create::{self, Logging},
    error::invalid,
    policy::Phase,
    spec,
    streams::framing,
};

impl Containers {
    /// What it has written.
    ///
    /// # Errors
    /// [`ContainerError`]: it writes no log, or the request makes no sense.
    #[allow(clippy::unused_async, reason = "as the other requests")]
    pub async fn logs(&self, reference: &str, ask: LogsAsk) -> Result<Logs, ContainerError> {
        let container = self.find(reference)?;
        let record = container.record();
        let wanted = create::read(&record, &self.parts.defaults)?;
        if wanted.logging == Logging::None {
            return Err(ContainerError::NotImplemented(
                "configured logging driver does not support reading".to_owned(),
            ));
        }
        let query = query(&ask, self.parts.now())?;
        let framing = framing(&record);
        // What is not running writes nothing more, unless it is about to run again.
        let shim = container.shim().filter(|_| record.state.phase != Phase::Exited);
        let Some(target) = spec::log(&record, &wanted, &self.parts.paths) else {
            return Ok(Logs { framing, body: Box::pin(stream::empty()) });
        };
        let entries = read_logs(&target, query, shim);
        let timestamps = ask.timestamps;
        let body = stream::unfold(entries, move |mut entries| async move {
            let entry = entries.recv().await?;
            Some((entry.map(|entry| frame(&entry, framing, timestamps)), entries))
        });
        Ok(Logs { framing, body: Box::pin(body) })
    }
}

fn query(ask: &LogsAsk, now: Timestamp) -> Result<LogQuery, ContainerError> {
    let time = |text: &Option<String>| -> Result<Option<i64>, ContainerError> {
        match text.as_deref() {
            None | Some("" | "0") => Ok(None),
            Some(text) => {
                let nanos = parse_timestamp(text, now)?.as_nanosecond();
                Ok(Some(i64::try_from(nanos).unwrap_or(i64::MAX)))
            }
        }
    };
    let tail = match ask.tail.as_deref() {
        None | Some("" | "all") => None,
        // Docker takes what is no number, and what is below zero, for all.
        Some(text) => text.parse().ok(),
    };
    if !ask.stdout && !ask.stderr {
        return invalid("Bad parameters: you must choose at least one stream");
    }
    Ok(LogQuery {
        stdout: ask.stdout,
        stderr: ask.stderr,
        since: time(&ask.since)?,
        until: time(&ask.until)?,
        tail,
        follow: ask.follow,
    })
}

/// One line, in Docker's frame unless it comes from a terminal.
fn frame(entry: &LogEntry, framing: Framing, timestamps: bool) -> Bytes {
    let time = if timestamps { format!("{} ", format_time(entry.unix_nanos)) } else { String::new() };
    let length = u32::try_from(time.len() + entry.line.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(8 + time.len() + entry.line.len());
    if framing == Framing::Frames {
        bytes.extend([if entry.is_stderr { 2 } else { 1 }, 0, 0, 0]);
        bytes.extend(length.to_be_bytes());
    }
    bytes.extend(time.as_bytes());
    bytes.extend(entry.line.as_bytes());
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(is_stderr: bool) -> LogEntry {
        LogEntry { line: "hello\n".to_owned(), is_stderr, unix_nanos: 1_000_000_000 }
    }

    #[test]
    fn lines_are_framed() {
        assert_eq!(&frame(&entry(true), Framing::Frames, false)[..], b"\x02\0\0\0\0\0\0\x06hello\n");
        assert_eq!(&frame(&entry(false), Framing::Raw, false)[..], b"hello\n");
        let timed = frame(&entry(false), Framing::Frames, true);
        assert_eq!(usize::from(timed[7]), timed.len() - 8);
        assert!(timed[8..].starts_with(b"1970-01-01T00:00:01"));
    }

    #[test]
    fn queries_are_read() {
        let ask = |tail: &str, since: &str| LogsAsk {
            stdout: true,
            tail: Some(tail.to_owned()),
            since: Some(since.to_owned()),
            ..LogsAsk::default()
        };
        let now = Timestamp::from_second(100).unwrap();
        let read = query(&ask("5", "10s"), now).unwrap();
        assert_eq!((read.tail, read.since), (Some(5), Some(90_000_000_000)));
        assert_eq!(query(&ask("all", "0"), now).unwrap().tail, None);
        assert!(query(&ask("all", "yesterday"), now).is_err());
        assert!(query(&LogsAsk::default(), now).is_err());
    }
}
