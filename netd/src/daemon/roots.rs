//! The directories that the daemon lives in, and its pid file.

use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

/// A directory or the pid file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// It can't be made.
    #[error("cannot create the {what} {}: {source}", path.display())]
    Create {
        /// What it is for.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is there, but nothing can be written to it.
    #[error("the {what} {} is not writable: {source}", path.display())]
    ReadOnly {
        /// What it is for.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The pid file names a process that lives.
    #[error("process with PID {pid} is still running, says {}: if it is not netd, remove that file", path.display())]
    Running {
        /// The process.
        pid: u32,
        /// The pid file.
        path: PathBuf,
    },
    /// The pid file can't be written.
    #[error("cannot write the pid file {}: {source}", path.display())]
    Pid {
        /// The pid file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Makes `path` if it is missing, and makes sure that something can be written to it.
pub(super) fn prepare(what: &'static str, path: &Path) -> Result<(), RootError> {
    let create = |source| RootError::Create { what, path: path.to_owned(), source };
    // Containers' files are below; others may pass, as with Docker's roots, but not look.
    fs::DirBuilder::new().recursive(true).mode(0o711).create(path).map_err(create)?;
    let probe = path.join(format!(".writable-{}", std::process::id()));
    let written = fs::File::create(&probe).and_then(|mut file| file.write_all(b"x"));
    let _ = fs::remove_file(&probe);
    written.map_err(|source| RootError::ReadOnly { what, path: path.to_owned(), source })
}

/// A file that holds our process id for as long as we live.
#[derive(Debug)]
pub(super) struct PidFile(PathBuf);

impl PidFile {
    pub(super) fn write(path: &Path) -> Result<Self, RootError> {
        let ourselves = std::process::id();
        let named = fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
        if let Some(pid) =
            named.filter(|pid| *pid != ourselves && Path::new(&format!("/proc/{pid}")).exists())
        {
            return Err(RootError::Running { pid, path: path.to_owned() });
        }
        let write = |source| RootError::Pid { path: path.to_owned(), source };
        let mut options = fs::OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o644).open(path).map_err(write)?;
        write!(file, "{ourselves}").map_err(write)?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_made_and_tried() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("a/b");
        prepare("data root", &root).unwrap();
        assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
        fs::write(dir.path().join("file"), "").unwrap();
        let text = prepare("data root", &dir.path().join("file")).unwrap_err().to_string();
        assert!(text.starts_with("cannot create the data root "), "{text}");
    }

    #[test]
    fn a_pid_file_names_a_living_process_or_is_stale() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("netd.pid");
        fs::write(&path, "1\n").unwrap();
        let text = PidFile::write(&path).unwrap_err().to_string();
        assert!(text.starts_with("process with PID 1 is still running"), "{text}");
        fs::write(&path, "4194305").unwrap();
        let file = PidFile::write(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), std::process::id().to_string());
        drop(file);
        assert!(!path.exists());
    }
}
