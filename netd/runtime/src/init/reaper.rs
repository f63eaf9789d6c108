//! `--init`: process 1 stays with us, passes signals on, reaps orphans, and ends as the command ends.

use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::Outcome;
use crate::error::LaunchError;
use crate::reason::reason;
use crate::sys;

/// Splits in two: the child returns and becomes the command, the parent never returns.
pub(super) fn split() -> Outcome<()> {
    let signals = SigSet::all();
    let _ = signals.thread_block();
    // the filter, which is loaded by now, lets clone through but not clone3
    match sys::fork().map_err(|error| LaunchError::other("cannot start the init", reason(&error)))? {
        None => {
            sys::default_signals();
            let _ = rustix::process::setpgid(None, None);
            let _ = rustix::termios::tcsetpgrp(std::io::stdin(), rustix::process::getpgrp());
            Ok(())
        }
        Some(pid) => reap(pid, signals),
    }
}

fn reap(command: Pid, signals: SigSet) -> ! {
    // only the command holds what the shim listens on, and stdio: its end must be seen as the end
    for fd in 0..64 {
        let _ = nix::unistd::close(fd);
    }
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    loop {
        match signals.wait() {
            Ok(Signal::SIGCHLD) => {
                if let Some(code) = collect(command) {
                    sys::exit_now(code);
                }
            }
            Ok(signal) => {
                let _ = kill(command, signal);
            }
            Err(_) => {}
        }
    }
}

fn collect(command: Pid) -> Option<i32> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == command => return Some(code),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == command => return Some(128 + signal as i32),
            Ok(WaitStatus::StillAlive) => return None,
            Ok(_) => {}
            Err(_) => return Some(1),
        }
    }
}
