//! One process owns a host at a time: an flock on a file in the exec root. The kernel drops it with the process, so that
//! a killed owner is no obstacle to the next one.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};

use super::StoreError;

/// The ownership of a host; ends when this is dropped.
#[derive(Debug)]
pub struct HostLock {
    _file: Flock<File>,
    path: PathBuf,
}

impl HostLock {
    /// Takes the lock of `exec_root`, or says at once who has it.
    pub fn take(exec_root: &Path) -> Result<Self, StoreError> {
        let path = exec_root.join("lock");
        let open = |source| StoreError::Open { path: path.clone(), source };
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        match Flock::lock(file.map_err(open)?, FlockArg::LockExclusiveNonblock) {
            Ok(mut file) => {
                let pid = std::process::id();
                file.set_len(0).and_then(|()| writeln!(file, "{pid}")).map_err(open)?;
                Ok(Self { _file: file, path })
            }
            Err((mut file, Errno::EWOULDBLOCK)) => Err(StoreError::Owned { pid: read_pid(&mut file), path }),
            Err((_, errno)) => Err(open(errno.into())),
        }
    }

    /// The lock file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().and_then(|()| file.read_to_string(&mut text)).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_owner_at_a_time() {
        let root = tempfile::tempdir().unwrap();
        let lock = HostLock::take(root.path()).unwrap();
        let text = HostLock::take(root.path()).unwrap_err().to_string();
        assert!(text.contains(&format!("(process {})", std::process::id())), "{text}");
        assert!(text.contains(lock.path().to_str().unwrap()), "{text}");
        drop(lock);
        HostLock::take(root.path()).unwrap();
    }

    #[test]
    fn a_missing_exec_root_is_named() {
        let text = HostLock::take(Path::new("/nonexistent")).unwrap_err().to_string();
        assert_eq!(text, "cannot open the state file /nonexistent/lock: its directory is missing");
    }
}
