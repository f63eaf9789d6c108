//! Notices that a namespace has ended: its name is gone, and so is the last process in it. The daemon itself keeps the
//! namespace open, so that the kernel doesn't end it, and tells nobody. What it does tell is that mounts have changed, and
//! that a process has ended: then all are looked at.

use std::{
    fs::File,
    io,
    os::fd::OwnedFd,
    sync::{Arc, Weak},
};

use futures_util::future::{pending, select_all};
use libnet::netns::Holder;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::{Interest, unix::AsyncFd};

use crate::network::inner::Inner;

/// Its poll(2) says whenever something was mounted or unmounted: see proc(5).
const MOUNTS: &str = "/proc/self/mountinfo";

/// Forgets namespaces when they end, as long as the networks are.
pub(in crate::network) async fn watch(networks: Weak<Inner>) {
    let Some(changed) = networks.upgrade().map(|inner| Arc::clone(&inner.attaching.changed)) else { return };
    loop {
        // Before the look, so that no change falls between.
        let mounts = File::open(MOUNTS).and_then(|file| watched(file.into(), Interest::PRIORITY));
        let Some(inner) = networks.upgrade() else { return };
        let swept = tokio::task::spawn_blocking(move || inner.sweep_namespaces()).await;
        let holders = swept.unwrap_or_default();
        if holders.is_empty() {
            changed.notified().await;
            continue;
        }
        tokio::select! {
            () = changed.notified() => {}
            () = unmounted(mounts) => {}
            () = one_ends(&holders) => {}
        }
    }
}

#[expect(deprecated, reason = "what it warns of is a descriptor that is closed too early; this one is owned")]
fn watched(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(fd, interest)
}

async fn unmounted(mounts: io::Result<AsyncFd<OwnedFd>>) {
    let told = match &mounts {
        Ok(file) => file.ready(Interest::PRIORITY).await.map(drop),
        Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
    };
    if let Err(error) = told {
        tracing::warn!(%error, "the end of namespaces that have names will be noticed late");
        pending::<()>().await;
    }
}

/// Waits until any of the processes has ended.
async fn one_ends(holders: &[Holder]) {
    let processes: Vec<_> = holders.iter().filter_map(process).map(|pid| Box::pin(ends(pid))).collect();
    if processes.is_empty() {
        pending::<()>().await;
    }
    select_all(processes).await;
}

fn process(holder: &Holder) -> Option<Pid> {
    match holder {
        Holder::Process(pid) => Pid::from_raw(i32::try_from(*pid).ok()?),
        Holder::Mount(_) => None,
    }
}

/// One that can't be watched has ended already.
async fn ends(pid: Pid) {
    let process = pidfd_open(pid, PidfdFlags::NONBLOCK).map_err(io::Error::from);
    match process.and_then(|fd| watched(fd, Interest::READABLE)) {
        Ok(fd) => drop(fd.readable().await),
        Err(error) => tracing::debug!(process = pid.as_raw_nonzero(), %error, "process not watched"),
    }
}
