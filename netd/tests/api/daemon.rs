//! A netd in a host of its own.

use std::{path::PathBuf, process::Stdio};

use tests::{Host, Lab, Process, eventually};

use super::wire::{self, Reply, Streaming};

/// Where its state is, inside the host.
const DATA_ROOT: &str = "/run/lab/data";
/// Where it listens, inside the host.
pub(crate) const SOCKET: &str = "/run/pontoon/pontoon.sock";
/// What it logs.
const LOG: &str = "/run/lab/netd.log";

/// A netd that answers.
pub(crate) struct Daemon {
    pub(crate) host: Host,
    netd: Option<Process>,
}

/// The words that start a netd. No container is started here: any program may be the shim.
pub(crate) fn words<'a>(args: &[&'a str]) -> Vec<&'a str> {
    let mut words = vec![env!("CARGO_BIN_EXE_netd"), "--shim", "/bin/true"];
    if !args.contains(&"--data-root") {
        words.extend(["--data-root", DATA_ROOT]);
    }
    words.extend(args);
    words
}

impl Daemon {
    /// Starts one with these further words of its command line.
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut daemon = Self { host: Lab::new().host("api"), netd: None };
        daemon.again(args);
        daemon
    }

    /// Starts the next one in the same host.
    pub(crate) fn again(&mut self, args: &[&str]) {
        std::fs::create_dir_all(self.host.path("/run/lab")).unwrap();
        let (mut command, _) = self.host.command(words(args));
        let log = std::fs::File::options().create(true).append(true).open(self.host.path(LOG)).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut netd = Process { child: command.spawn().unwrap() };
        eventually("netd listens", || {
            if let Ok(Some(status)) = netd.child.try_wait() {
                panic!("netd ended with {status}: {}", self.log());
            }
            std::os::unix::net::UnixStream::connect(self.socket())
        });
        self.netd = Some(netd);
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.host.path(SOCKET)
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.host.path(LOG)).unwrap_or_default()
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        wire::request(&self.socket(), "GET", path, None, "")
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Reply {
        let kind = (!body.is_empty()).then_some("application/json");
        wire::request(&self.socket(), "POST", path, kind, body)
    }

    pub(crate) fn delete(&self, path: &str) -> Reply {
        wire::request(&self.socket(), "DELETE", path, None, "")
    }

    pub(crate) fn open(&self, path: &str) -> Streaming {
        wire::open(&self.socket(), path)
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = self.netd.as_ref().expect("a running netd").child.id();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.cast_signed()), signal).unwrap();
    }

    /// Waits until it has ended by itself; true if it says it ended well.
    pub(crate) fn ended_well(&mut self) -> bool {
        let mut netd = self.netd.take().expect("a running netd");
        eventually("netd has ended", || netd.child.try_wait().ok().flatten().ok_or(())).success()
    }
}
