//! What is in the files already: from the oldest to the current one, or the last entries backwards.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::PathBuf;

use tokio::sync::mpsc;

use super::LogQuery;
use super::entry::LogEntry;
use super::writer::{FileId, rotated};
use crate::client::LogTarget;

/// Where reading stopped in the current file.
#[derive(Debug)]
pub(super) struct End {
    pub(super) file: File,
    pub(super) position: u64,
}

/// Bytes read at once, backwards.
const BLOCK: u64 = 64 << 10;

/// Sends the entries that exist; `None` when nobody listens any more, or all that was wanted has been seen.
pub(super) fn send(
    target: &LogTarget,
    query: &LogQuery,
    to: &mpsc::Sender<io::Result<LogEntry>>,
) -> io::Result<Option<End>> {
    let files = open_all(target)?;
    let Some(current) = files.last() else { return Ok(None) };
    // the size now is where following begins, whatever is written meanwhile
    let end = End { file: current.try_clone()?, position: current.metadata()?.len() };
    let sent = match query.tail {
        Some(count) => tail(&files, query, count, end.position)?
            .into_iter()
            .all(|entry| to.blocking_send(Ok(entry)).is_ok()),
        None => forward(files, query, end.position, to)?,
    };
    Ok(sent.then_some(end))
}

/// The files that exist, oldest first. One that is renamed meanwhile is not lost: an open file keeps its content.
fn open_all(target: &LogTarget) -> io::Result<Vec<File>> {
    let older = (1..target.max_files.max(1)).rev().map(|number| rotated(&target.path, number));
    let paths: Vec<PathBuf> = older.chain([target.path.clone()]).collect();
    loop {
        let before = FileId::at(&target.path)?;
        let mut files = Vec::new();
        for path in &paths {
            match File::open(path) {
                Ok(file) => files.push(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        // a rotation meanwhile hides a file behind the one that was looked at before it
        if FileId::at(&target.path)? == before {
            return Ok(files);
        }
    }
}

fn forward(
    files: Vec<File>,
    query: &LogQuery,
    end: u64,
    to: &mpsc::Sender<io::Result<LogEntry>>,
) -> io::Result<bool> {
    let last = files.len() - 1;
    for (index, file) in files.into_iter().enumerate() {
        let limit = if index == last { end } else { u64::MAX };
        for line in BufReader::new(file.take(limit)).split(b'\n') {
            let Some(entry) = LogEntry::parse(&line?) else { continue };
            if query.is_past(&entry) {
                return Ok(false);
            }
            if query.wants(&entry) && to.blocking_send(Ok(entry)).is_err() {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// The last `count` entries that are wanted, oldest first.
fn tail(files: &[File], query: &LogQuery, count: usize, end: u64) -> io::Result<Vec<LogEntry>> {
    let mut found = Vec::new();
    let last = files.len() - 1;
    for (index, file) in files.iter().enumerate().rev() {
        if found.len() >= count {
            break;
        }
        let length = if index == last { end } else { file.metadata()?.len() };
        backwards(file, length, |entry| {
            if query.wants(&entry) {
                found.push(entry);
            }
            found.len() < count
        })?;
    }
    found.truncate(count);
    found.reverse();
    Ok(found)
}

/// Gives the entries of a file from the last to the first, as long as `more` says so.
fn backwards(mut file: &File, length: u64, mut more: impl FnMut(LogEntry) -> bool) -> io::Result<()> {
    let mut start = length;
    let mut rest: Vec<u8> = Vec::new();
    while start > 0 {
        let size = BLOCK.min(start);
        start -= size;
        file.seek(SeekFrom::Start(start))?;
        let mut block = vec![0; usize::try_from(size).unwrap_or_default()];
        file.read_exact(&mut block)?;
        block.append(&mut rest);
        // all but the first line of the block are whole; the first may begin in the block before
        let mut lines: Vec<&[u8]> = block.split(|byte| *byte == b'\n').collect();
        let first = if start > 0 { lines.remove(0).to_vec() } else { Vec::new() };
        for line in lines.into_iter().rev() {
            if let Some(entry) = LogEntry::parse(line)
                && !more(entry)
            {
                return Ok(());
            }
        }
        rest = first;
    }
    Ok(())
}
