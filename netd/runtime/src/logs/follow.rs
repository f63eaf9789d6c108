//! What comes: the directory of the log is watched, new lines are read, and when the file has been rotated the reading
//! goes on in the files that came after it.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::net::unix::pipe;
use tokio::sync::mpsc;

use super::LogQuery;
use super::entry::LogEntry;
use super::history::End;
use super::writer::rotated;
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
            if nothing && !self.next_file()? {
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

    /// Goes on with the file that came after this one; false if this is the current one.
    fn next_file(&mut self) -> io::Result<bool> {
        let target = &self.watcher.target;
        let own = self.file.metadata()?;
        let is_own = |path: &Path| {
            fs::metadata(path).is_ok_and(|found| (found.dev(), found.ino()) == (own.dev(), own.ino()))
        };
        if is_own(&target.path) {
            return Ok(false);
        }
        let mut next = target.path.clone();
        for number in 1..target.max_files.max(1) {
            let path = rotated(&target.path, number);
            if is_own(&path) {
                break;
            }
            if path.exists() {
                next = path;
            }
        }
        match File::open(&next) {
            Ok(file) => self.file = file,
            // between the two steps of a rotation; another event follows
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        }
        self.position = 0;
        self.partial.clear();
        Ok(true)
    }
}
