//! What the examples have in common: a stage of their own, so that nothing of the machine is touched and nothing is left.
//!
//! Run one with `cargo run -p examples --bin NAME`, as any user: `two_namespaces`, `bridge_of_three`,
//! `published_port`, `addresses`.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    thread,
};

use anyhow::Context as _;
use libnet::netns::NetNs;
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    unistd::{getgid, getuid},
};

/// Runs `act` in a network namespace that plays the host, with a `/run` of its own. Call it first in `main`: a process
/// with threads can't change its mounts. All of it ends with the process.
///
/// # Errors
/// If the kernel permits no namespaces, or what `act` returns.
pub fn on_stage(act: impl FnOnce() -> anyhow::Result<()> + Send) -> anyhow::Result<()> {
    let (user, group) = (getuid(), getgid());
    if user.is_root() {
        unshare(CloneFlags::CLONE_NEWNS).context("a mount namespace")?;
    } else {
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)
            .context("a user and a mount namespace")?;
        // The kernel wants this before somebody without privilege may map a group.
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
        fs::write("/proc/self/gid_map", format!("0 {group} 1"))?;
    }
    let nothing = None::<&str>;
    mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing).context("private mounts")?;
    mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), Some("mode=755")).context("a /run")?;
    NetNs::create().context("a network namespace")?.run(act)?
}

/// Answers each connection with a greeting and the address that it came from, for as long as the process lives.
pub fn greet(listener: TcpListener, name: &str) {
    let name = name.to_owned();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let from = stream.peer_addr().map(|peer| peer.ip().to_string()).unwrap_or_default();
            // A client that has left needs no greeting.
            let _ = (&stream).write_all(format!("{name} greets {from}").as_bytes());
        }
    });
}

/// What the server at `to` says to whoever connects from inside `netns`.
///
/// # Errors
/// If it can't be reached.
pub fn ask(netns: &NetNs, to: SocketAddr) -> anyhow::Result<String> {
    let mut said = String::new();
    let mut stream = netns.run(|| TcpStream::connect(to))?.with_context(|| format!("connect to {to}"))?;
    stream.read_to_string(&mut said)?;
    Ok(said)
}

/// Links, addresses and routes inside `netns`, as the kernel tells them.
///
/// # Errors
/// If it can't be entered.
pub fn look(netns: &NetNs) -> anyhow::Result<String> {
    Ok(netns.run(libnet::observe::Snapshot::take)??.to_string())
}

/// Whether anything is mounted at `path` or below: what an example leaves there is a mistake.
///
/// # Errors
/// If `/proc` can't be read.
pub fn is_mounted_below(path: &Path) -> anyhow::Result<bool> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4));
    Ok(points.map(Path::new).any(|point| point != path && point.starts_with(path)))
}
