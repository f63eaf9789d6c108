//! The shim's program, as a sealed copy in memory. A process in a container can reach the file that it was started from
//! (`/proc/self/exe`), and before it becomes the user's command that file is ours: a copy that nobody can write to keeps
//! the one on the host's disk out of reach. It also keeps a running daemon and its shims of one version.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, OnceLock};

use rustix::fs::{MemfdFlags, SealFlags};

/// The program, copied at first use.
#[derive(Debug)]
pub(super) struct Program {
    path: PathBuf,
    copy: OnceLock<Option<Arc<OwnedFd>>>,
}

impl Program {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, copy: OnceLock::new() }
    }

    pub(super) fn path(&self) -> &PathBuf {
        &self.path
    }

    /// A command that starts the program.
    pub(super) fn command(&self) -> io::Result<Command> {
        if let Some(copy) = self.copy.get() {
            return Ok(self.command_of(copy.as_deref()));
        }
        let file = File::open(&self.path)?;
        // a machine that forbids programs in memory (vm.memfd_noexec) starts the file itself
        let copy = self.copy.get_or_init(|| sealed_copy(file).ok().map(Arc::new));
        Ok(self.command_of(copy.as_deref()))
    }

    fn command_of(&self, copy: Option<&OwnedFd>) -> Command {
        let mut command = match copy {
            Some(copy) => Command::new(format!("/proc/self/fd/{}", copy.as_raw_fd())),
            None => Command::new(&self.path),
        };
        command.arg0("netd-shim");
        command
    }
}

fn sealed_copy(mut file: File) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // kernels before 6.3 do not know the flag, and make every copy executable
    let memory = rustix::fs::memfd_create("netd-shim", flags | MemfdFlags::EXEC)
        .or_else(|_| rustix::fs::memfd_create("netd-shim", flags))?;
    let mut memory = File::from(memory);
    io::copy(&mut file, &mut memory)?;
    rustix::fs::fcntl_add_seals(
        &memory,
        SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE,
    )?;
    // a descriptor that can write keeps a program from being executed
    let path = format!("/proc/self/fd/{}", memory.as_raw_fd());
    Ok(File::open(path)?.into())
}
