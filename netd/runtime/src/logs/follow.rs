//! What comes: the directory of the log is watched, new lines are read, and when the file has been rotated the reading
//! goes on in the files that came after it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::net::unix::pipe;
use tokio::sync::mpsc;

use super::LogQuery;
use super::entry::LogEntry;
use super::history::End;
use super::writer::{FileId, rotated};
use crate::client::{LogTarget, Shim};

/// Tells of changes in the log's directory.
#[derive(Debug)]
pub(super) struct Watcher {
    target: LogTarget,
    /// An inotify descriptor: to tokio anything that can be polled and read is a pipe.
    inotify: pipe::Receiver,
}

impl Watcher {
    pub(super) fn new(target: &LogTarget) -> io::Result<Self> {
        let watch = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let directory = target.path.parent().unwrap_or(Path::new("/"));
        inotify::add_watch(
            &watch,
            directory,
            WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO,
        )?;
        Ok(Self { target: target.clone(), inotify: pipe::Receiver::from_owned_fd_unchecked(watch)? })
    }

    async fn changed(&self) -> io::Result<()> {
        self.inotify.readable().await?;
        let mut events = [0; 4096];
        while self.inotify.try_read(&mut events).is_ok() {}
        Ok(())
    }
}

/// A reader of the growing log.
struct Reader<'a> {
    watcher: &'a Watcher,
    query: &'a LogQuery,
    file: File,
    position: u64,
    partial: Vec<u8>,
}

/// Sends what comes after `end` until the container has ended.
pub(super) async fn send(
    watcher: Watcher,
    end: End,
    query: &LogQuery,
    container: Shim,
    to: &mpsc::Sender<io::Result<LogEntry>>,
) -> io::Result<()> {
    let mut reader =
        Reader { watcher: &watcher, query, file: end.file, position: end.position, partial: Vec::new() };
    let ended = container.wait();
    tokio::pin!(ended);
    loop {
        if !reader.send_new(to).await? {
            return Ok(());
        }
        tokio::select! {
            changed = watcher.changed() => changed?,
            () = to.closed() => return Ok(()),
            _ = &mut ended => {
                // the shim has written everything before it told
                reader.send_new(to).await?;
                return Ok(());
            }
        }
    }
}

impl Reader<'_> {
    /// Sends all that is new; false when nothing more is wanted.
    async fn send_new(&mut self, to: &mpsc::Sender<io::Result<LogEntry>>) -> io::Result<bool> {
        loop {
            // looked at before reading: nothing is written any more to a file that is not the current one
            let is_current = FileId::at(&self.watcher.target.path)? == Some(FileId::of(&self.file)?);
            let entries = self.read_entries()?;
            let nothing = entries.is_empty();
            for entry in entries {
                if self.query.is_past(&entry) {
                    return Ok(false);
                }
                if self.query.wants(&entry) && to.send(Ok(entry)).await.is_err() {
                    return Ok(false);
                }
            }
            if nothing && (is_current || !self.next_file()?) {
                return Ok(true);
            }
        }
    }

    fn read_entries(&mut self) -> io::Result<Vec<LogEntry>> {
        const AT_ONCE: u64 = 256 << 10;
        if self.file.metadata()?.len() < self.position {
            // the only file of its log has been emptied
            self.position = 0;
            self.partial.clear();
        }
        self.file.seek(SeekFrom::Start(self.position))?;
        let length = (&self.file).take(AT_ONCE).read_to_end(&mut self.partial)?;
        self.position += length as u64;
        let Some(end) = self.partial.iter().rposition(|byte| *byte == b'\n') else { return Ok(Vec::new()) };
        let rest = self.partial.split_off(end + 1);
        let lines = std::mem::replace(&mut self.partial, rest);
        Ok(lines.split(|byte| *byte == b'\n').filter_map(LogEntry::parse).collect())
    }

    /// Goes on with the file that came after this one, which is not the current one; false if there is none yet.
    fn next_file(&mut self) -> io::Result<bool> {
        loop {
            let file = match File::open(self.successor()?) {
                Ok(file) => file,
                // between the two steps of a rotation; another event follows
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                Err(error) => return Err(error),
            };
            // a rotation meanwhile gives the name to a later file
            if FileId::at(&self.successor()?)? == Some(FileId::of(&file)?) {
                (self.file, self.position) = (file, 0);
                self.partial.clear();
                return Ok(true);
            }
        }
    }

    /// Where the file is now that came after this one: the oldest if this one has been removed.
    fn successor(&self) -> io::Result<PathBuf> {
        let target = &self.watcher.target;
        let own = Some(FileId::of(&self.file)?);
        let mut next = target.path.clone();
        for number in 1..target.max_files.max(1) {
            let path = rotated(&target.path, number);
            match FileId::at(&path)? {
                found if found == own => break,
                Some(_) => next = path,
                None => {}
            }
        }
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use super::super::writer::LogWriter;
    use super::*;

    /// Every line is in a file of its own; what was open can be read when it has been removed.
    #[tokio::test]
    async fn reading_goes_on_with_the_file_that_came_next_or_the_oldest_that_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let target = LogTarget { path: dir.path().join("log"), max_size: Some(1), max_files: 4 };
        let mut log = LogWriter::open(target.clone()).unwrap();
        let mut write = |line: &str| log.write(1, line.as_bytes(), 1).unwrap();
        let watcher = Watcher::new(&target).unwrap();
        let query = LogQuery { stdout: true, ..LogQuery::default() };
        let file = File::open(&target.path).unwrap();
        let mut reader = Reader { watcher: &watcher, query: &query, file, position: 0, partial: Vec::new() };
        let (to, mut sent) = mpsc::channel(9);
        for (written, read) in [("ab", "ab"), ("", ""), ("cde", "cde"), ("fghij", "fhij")] {
            written.chars().for_each(|line| write(&format!("{line}\n")));
            assert!(reader.send_new(&to).await.unwrap());
            let mut seen = String::new();
            while let Ok(entry) = sent.try_recv() {
                seen.push_str(entry.unwrap().line.trim());
            }
            assert_eq!(seen, read);
        }
    }
}
