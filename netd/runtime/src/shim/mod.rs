//! The shim: one small, single-threaded process per container, forked from the spawner. It makes the container, keeps its stdio, logs and DNS
//! sockets, waits for its end, and answers the daemon (whichever one lives) on a socket in its directory. It has no
//! configuration of its own: the first message says it all.

mod conn;
mod container;
mod exec;
mod oci;
mod serve;
mod session;
mod spawner;
mod turn;

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use crate::error::LaunchError;
use crate::fdpass;
use crate::init::Stage;
use crate::launch::Launch;
use crate::protocol::{self, Reply, Request};

pub use spawner::run_spawner;

/// Where a shim writes what it can't tell anybody.
const LOG_FILE: &str = "shim.log";

/// Runs the shim; `socket` is the one to the daemon, `stage` what the container's mounts are put on. Returns when the container is deleted, or could not be made.
///
/// # Errors
/// Where the daemon's first message can't be read, or the event loop fails.
fn run_shim(socket: OwnedFd, stage: &Stage) -> io::Result<()> {
    let _ = rustix::process::setsid();
    let _ = rustix::thread::set_name(c"netd-shim");
    let _ = rustix::process::set_child_subreaper(rustix::process::Pid::from_raw(1));
    let mut sockets = Vec::new();
    let launch = read_launch(&socket, &mut sockets)?;
    keep_last_words(&launch.dir);
    match container::Container::create(launch, sockets, stage) {
        Ok(container) => turn::Shim::new(container, socket)?.run(),
        Err(failure) => {
            let frame = protocol::encode(&Reply::Failed(failure));
            fdpass::send(&socket, &frame, &[]).map(drop)
        }
    }
}

/// A panic has nowhere to go but a file in the shim's directory.
fn keep_last_words(dir: &Path) {
    let path = dir.join(LOG_FILE);
    std::panic::set_hook(Box::new(move |panic| drop(fs::write(&path, panic.to_string()))));
}

fn read_launch(socket: &OwnedFd, fds: &mut Vec<OwnedFd>) -> io::Result<Launch> {
    let mut buffer = Vec::new();
    let mut chunk = vec![0; 64 << 10];
    loop {
        let length = fdpass::receive(socket, &mut chunk, fds)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer.extend_from_slice(&chunk[..length]);
        match protocol::decode(&mut buffer).map_err(io::Error::other)? {
            Some(Request::Create(launch)) => return Ok(*launch),
            Some(_) => return Err(io::ErrorKind::InvalidData.into()),
            None => {}
        }
    }
}

/// Removes a shim's directory with what a shim puts there; what others put there stays, and the directory with it.
pub(crate) fn remove_dir(dir: &Path) {
    for name in [
        protocol::SOCKET,
        protocol::EXIT_FILE,
        protocol::STATE_FILE,
        "state.json.new",
        "exit.json.new",
        "config.json",
        "pid",
        "console.sock",
        LOG_FILE,
    ] {
        let _ = fs::remove_file(dir.join(name));
    }
    for name in ["root", "mask", "runtime"] {
        let _ = fs::remove_dir_all(dir.join(name));
    }
    let _ = fs::remove_dir(dir);
}

/// The shell reads the clock here, and only here.
#[allow(clippy::disallowed_methods)] // the shim's main loop is where time comes from
pub(crate) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

fn internal(what: &str, error: impl Into<io::Error>) -> LaunchError {
    LaunchError::other(what, crate::reason::reason(&error.into()))
}
