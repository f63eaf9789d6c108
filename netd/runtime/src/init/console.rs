//! Standard input and output: the pipes that the shim made, or a terminal of the container's own devpts.

use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::OFlag;
use nix::pty;
use nix::sys::stat::Mode;
use rustix::termios::Winsize;

use super::sync::{FromInit, InitSide};
use super::{Outcome, files};
use crate::error::LaunchError;
use crate::launch::ProcessPlan;
use crate::reason::{reason, words};

fn failed(what: &'static str) -> impl Fn(nix::errno::Errno) -> LaunchError {
    move |errno| LaunchError::other(what, words(errno))
}

fn use_as_stdio(fds: [impl AsFd; 3]) -> Outcome<()> {
    let [stdin, stdout, stderr] = fds;
    let failed = failed("cannot set up standard input and output");
    nix::unistd::dup2_stdin(stdin).map_err(&failed)?;
    nix::unistd::dup2_stdout(stdout).map_err(&failed)?;
    nix::unistd::dup2_stderr(stderr).map_err(&failed)
}

/// Puts the pipes in place. They belong to the container's user, so that it can open `/dev/stdout`.
pub(super) fn use_pipes(stdio: &[OwnedFd; 3], process: &ProcessPlan) -> Outcome<()> {
    if !process.user.is_empty() {
        let identity = super::user::resolve(process)?;
        for fd in stdio {
            let null = rustix::fs::fstat(fd).is_ok_and(|stat| rustix::fs::major(stat.st_rdev) == 1);
            if !null {
                let _ = rustix::fs::fchown(fd, Some(rustix::fs::Uid::from_raw(identity.uid)), None);
            }
        }
    }
    use_as_stdio([&stdio[0], &stdio[1], &stdio[2]])
}

/// Opens a terminal, hands its other end to the shim, and makes it the controlling one.
pub(super) fn open_terminal(process: &ProcessPlan, sync: &InitSide) -> Outcome<()> {
    let identity = super::user::resolve(process)?;
    let master = pty::posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC)
        .map_err(failed("cannot open a terminal"))?;
    pty::unlockpt(&master).map_err(failed("cannot unlock the terminal"))?;
    let path = pty::ptsname_r(&master).map_err(failed("cannot name the terminal"))?;
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let terminal =
        nix::fcntl::open(path.as_str(), flags, Mode::empty()).map_err(failed("cannot open the terminal"))?;
    if let Some((rows, cols)) = process.console_size {
        let size = Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 };
        let _ = rustix::termios::tcsetwinsize(&terminal, size);
    }
    let _ = rustix::fs::fchown(&terminal, Some(rustix::fs::Uid::from_raw(identity.uid)), None);
    sync.tell_with(&FromInit::Terminal, &[master.as_fd()])
        .map_err(|error| LaunchError::other("cannot hand over the terminal", reason(&error)))?;
    bind_console(&path);
    use_as_stdio([&terminal, &terminal, &terminal])?;
    rustix::process::ioctl_tiocsctty(std::io::stdin())
        .map_err(|errno| LaunchError::other("cannot take the terminal", reason(&errno.into())))
}

/// `/dev/console` is the first process' terminal; where `/dev` can't take it, the terminal works all the same.
fn bind_console(path: &str) {
    let console = std::path::Path::new("/dev/console");
    if !console.exists() && files::make_file(console).is_ok() {
        let _ = rustix::mount::mount_bind(path, console);
    }
}
