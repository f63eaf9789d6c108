//! The writing side: output is cut into lines, each line becomes an entry, the file is rotated by size.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::entry;
use crate::client::LogTarget;

/// A line longer than this is cut in pieces, as Docker does.
const MAX_LINE: usize = 16 << 10;

/// An open log.
#[derive(Debug)]
pub(crate) struct LogWriter {
    target: LogTarget,
    file: File,
    size: u64,
    /// Beginnings of lines that have not ended, for stdout and stderr.
    partial: [Vec<u8>; 2],
    text: String,
}

const STREAMS: [&str; 2] = ["stdout", "stderr"];

impl LogWriter {
    /// Opens the log to append to it.
    pub(crate) fn open(target: LogTarget) -> io::Result<Self> {
        let file = open(&target.path)?;
        let size = file.metadata()?.len();
        Ok(Self { target, file, size, partial: Default::default(), text: String::new() })
    }

    /// Records output of stream 1 or 2 that came at `unix_nanos`.
    pub(crate) fn write(&mut self, stream: u8, mut bytes: &[u8], unix_nanos: i64) -> io::Result<()> {
        let index = usize::from(stream == 2);
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = bytes.split_at(end + 1);
            self.line(index, line, unix_nanos);
            bytes = rest;
        }
        while self.partial[index].len() + bytes.len() >= MAX_LINE {
            let (piece, rest) = bytes.split_at(MAX_LINE - self.partial[index].len());
            self.line(index, piece, unix_nanos);
            bytes = rest;
        }
        self.partial[index].extend_from_slice(bytes);
        self.flush()
    }

    /// Records what is left of lines that never ended.
    pub(crate) fn finish(&mut self, unix_nanos: i64) -> io::Result<()> {
        for index in 0..2 {
            if !self.partial[index].is_empty() {
                self.line(index, &[], unix_nanos);
            }
        }
        self.flush()
    }

    fn line(&mut self, index: usize, end: &[u8], unix_nanos: i64) {
        if self.partial[index].is_empty() {
            for piece in end.chunks(MAX_LINE) {
                entry::append(&mut self.text, piece, STREAMS[index], unix_nanos);
            }
            return;
        }
        let mut line = std::mem::take(&mut self.partial[index]);
        line.extend_from_slice(end);
        entry::append(&mut self.text, &line, STREAMS[index], unix_nanos);
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.text.is_empty() {
            return Ok(());
        }
        let result = self.file.write_all(self.text.as_bytes());
        self.size += self.text.len() as u64;
        self.text.clear();
        self.text.shrink_to(MAX_LINE);
        result?;
        if self.target.max_size.is_some_and(|max| max > 0 && self.size >= max) {
            self.rotate()?;
        }
        Ok(())
    }

    /// `log.1` becomes `log.2`, the log becomes `log.1`, what is too old goes.
    fn rotate(&mut self) -> io::Result<()> {
        let keep = self.target.max_files.max(1);
        if keep > 1 {
            for number in (1..keep - 1).rev() {
                let _ =
                    fs::rename(rotated(&self.target.path, number), rotated(&self.target.path, number + 1));
            }
            fs::rename(&self.target.path, rotated(&self.target.path, 1))?;
            self.file = open(&self.target.path)?;
        } else {
            self.file.set_len(0)?;
        }
        self.size = 0;
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

/// Which file it is, under whatever name: device and inode, see stat(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileId(u64, u64);

impl FileId {
    pub(super) fn of(file: &File) -> io::Result<Self> {
        file.metadata().map(|found| Self(found.dev(), found.ino()))
    }

    /// Of the file that has this name now.
    pub(super) fn at(path: &Path) -> io::Result<Option<Self>> {
        match fs::metadata(path) {
            Ok(found) => Ok(Some(Self(found.dev(), found.ino()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Path of the `number`th older file.
pub(crate) fn rotated(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logs(path: &Path) -> Vec<String> {
        let text = fs::read_to_string(path).unwrap_or_default();
        let log = |line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["log"].as_str().unwrap().to_owned()
        };
        text.lines().map(log).collect()
    }

    #[test]
    fn lines_are_put_together_and_streams_kept_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log =
            LogWriter::open(LogTarget { path: path.clone(), max_size: None, max_files: 1 }).unwrap();
        log.write(1, b"one\ntw", 1).unwrap();
        log.write(2, b"error\n", 2).unwrap();
        log.write(1, b"o\nend", 3).unwrap();
        log.finish(4).unwrap();
        assert_eq!(logs(&path), ["one\n", "error\n", "two\n", "end"]);
    }

    #[test]
    fn a_long_line_comes_in_pieces() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log =
            LogWriter::open(LogTarget { path: path.clone(), max_size: None, max_files: 1 }).unwrap();
        log.write(1, &vec![b'x'; 40_000], 1).unwrap();
        log.write(1, b"\n", 1).unwrap();
        let lengths: Vec<usize> = logs(&path).iter().map(String::len).collect();
        assert_eq!(lengths, [MAX_LINE, MAX_LINE, 40_000 - 2 * MAX_LINE + 1]);
    }

    #[test]
    fn rotation_keeps_as_many_files_as_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log =
            LogWriter::open(LogTarget { path: path.clone(), max_size: Some(1), max_files: 3 }).unwrap();
        for line in ["a\n", "b\n", "c\n", "d\n"] {
            log.write(1, line.as_bytes(), 1).unwrap();
        }
        assert_eq!(logs(&path), Vec::<String>::new());
        assert_eq!(logs(&rotated(&path, 1)), ["d\n"]);
        assert_eq!(logs(&rotated(&path, 2)), ["c\n"]);
        assert!(!rotated(&path, 3).exists());
    }
}
