//! The process that shims are forked from. It has loaded the program, holds few descriptors and has no threads, so that a
//! fork of it costs little, however large the daemon is (docs/adr/0009).

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::{internal, run_shim};
use crate::error::LaunchError;
use crate::fdpass;
use crate::init::Stage;
use crate::protocol::{self, Reply};
use crate::sys;

/// Runs the spawner: standard input is the socket to the daemon, from which it gets the socket of each shim that it is to
/// fork. Returns when the daemon is gone; in a shim, when that is done.
///
/// # Errors
/// Where no order can be read; in a shim, where its run fails.
pub fn run_spawner() -> io::Result<()> {
    // a terminal's signals are for the daemon
    let _ = rustix::process::setsid();
    let _ = rustix::thread::set_name(c"netd-spawner");
    rustix::process::chdir("/")?;
    let orders = rustix::io::fcntl_dupfd_cloexec(io::stdin(), 3)?;
    let null = std::fs::File::options().read(true).write(true).open("/dev/null")?;
    nix::unistd::dup2_stdin(null.as_fd())?;
    drop(null);
    let stage = Stage::make();
    sys::reap(sys::Reaping::ByTheKernel)?;
    while let Some(socket) = next(&orders)? {
        let stage = match &stage {
            Ok(stage) => stage,
            Err(failure) => {
                refuse(&socket, failure.clone());
                continue;
            }
        };
        match sys::fork() {
            Ok(None) => {
                // or orders would find a reader when the spawner is gone
                drop(orders);
                sys::reap(sys::Reaping::ByTheParent)?;
                return run_shim(socket, stage);
            }
            Ok(Some(_)) => {}
            Err(error) => refuse(&socket, internal("cannot start the shim", error)),
        }
    }
    Ok(())
}

/// The socket that comes with the next order.
fn next(orders: &OwnedFd) -> io::Result<Option<OwnedFd>> {
    let mut fds = Vec::new();
    match fdpass::receive(orders, &mut [0], &mut fds)? {
        0 => Ok(None),
        _ => fds.pop().map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into()),
    }
}

fn refuse(socket: &OwnedFd, failure: LaunchError) {
    // nobody is left to be told if this fails
    let _ = fdpass::send(socket, &protocol::encode(&Reply::Failed(failure)), &[]);
}
