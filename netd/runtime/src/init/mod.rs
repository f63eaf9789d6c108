//! The container's first process, between its birth and the user's command. It runs in the shim's clone, alone with the
//! socket to the shim: it takes what it needs from the host as detached trees, puts them together in a mount namespace of
//! its own (nothing of it ever exists on the host), takes off its privileges, reports that it is ready, and becomes the command when told to.

mod console;
mod files;
mod hide;
mod mounts;
mod process;
mod reaper;
mod rootfs;
mod stage;
mod sync;
mod user;

use std::convert::Infallible;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::sched::CloneFlags;

use crate::error::LaunchError;
use crate::launch::{InitPlan, Launch, ProcessPlan};
use crate::reason::{reason, words};
use crate::sys;

pub(crate) use rootfs::{detach_from_host, mount_point, mount_root};
pub(crate) use stage::Stage;
pub(crate) use sync::{FromInit, InitSide, ShimSide, ToInit, pair};
pub(crate) use user::resolve_in;

type Outcome<T> = Result<T, LaunchError>;

/// What the first process is given beside its plan.
pub(crate) struct Init<'a> {
    pub(crate) launch: &'a Launch,
    pub(crate) plan: &'a InitPlan,
    pub(crate) stage: &'a Stage,
    pub(crate) sync: InitSide,
    /// stdin, stdout, stderr; `None` with a terminal.
    pub(crate) stdio: Option<[OwnedFd; 3]>,
    /// Directories of the container's own cgroups that it may see: hierarchy name, directory. Empty name: v2.
    pub(crate) cgroups: &'a [(String, std::path::PathBuf)],
}

/// Runs in the clone; never returns.
pub(crate) fn main(init: &Init<'_>) -> ! {
    let Err(failure) = enter(init);
    let _ = init.sync.tell(&FromInit::Failed(failure));
    sys::exit_now(1)
}

fn enter(init: &Init<'_>) -> Outcome<Infallible> {
    let plan = init.plan;
    sys::default_signals();
    let _ = rustix::process::setsid();
    // while this is still our own program: nobody in the container may trace it or open its executable
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    join_namespaces(plan)?;
    let sources = mounts::open_sources(plan)?;
    let cgroups = mounts::open_cgroups(init.cgroups)?;
    let root = rootfs::detached(&init.launch.root, &init.launch.dir)?;
    init.stage.become_root(root)?;
    name(plan)?;
    mounts::mount_all(plan, sources)?;
    set_sysctls(plan)?;
    init.sync.wait_for(&ToInit::Joined)?;
    if plan.unshare_cgroup {
        nix::sched::unshare(CloneFlags::CLONE_NEWCGROUP)
            .map_err(|errno| LaunchError::other("cannot make a cgroup namespace", words(errno)))?;
    }
    mounts::mount_cgroups(plan, cgroups)?;
    attach_stdio(init)?;
    hide::protect(plan)?;
    process::become_command(&plan.process, &init.sync)
}

fn join_namespaces(plan: &InitPlan) -> Outcome<()> {
    for (kind, path) in plan.join.iter().filter(|(kind, _)| *kind != CloneFlags::CLONE_NEWPID.bits() as u64) {
        let failed = |why: String| {
            LaunchError::other(format_args!("cannot join the namespace {}", path.display()), why)
        };
        let file = fs::File::open(path).map_err(|error| failed(reason(&error)))?;
        let kind = CloneFlags::from_bits_truncate(*kind as i32);
        nix::sched::setns(file, kind).map_err(|errno| failed(words(errno)))?;
    }
    Ok(())
}

fn name(plan: &InitPlan) -> Outcome<()> {
    if let Some(hostname) = &plan.hostname {
        nix::unistd::sethostname(hostname)
            .map_err(|errno| LaunchError::other(format_args!("sethostname {hostname:?}"), words(errno)))?;
    }
    if let Some(domainname) = &plan.domainname {
        rustix::system::setdomainname(domainname.as_bytes()).map_err(|errno| {
            LaunchError::other(format_args!("setdomainname {domainname:?}"), reason(&errno.into()))
        })?;
    }
    Ok(())
}

fn set_sysctls(plan: &InitPlan) -> Outcome<()> {
    for (key, value) in &plan.sysctls {
        let path = Path::new("/proc/sys").join(key.replace('.', "/"));
        fs::write(&path, value).map_err(|error| {
            LaunchError::other(format_args!("open sysctl {} file", path.display()), reason(&error))
        })?;
    }
    Ok(())
}

fn attach_stdio(init: &Init<'_>) -> Outcome<()> {
    match &init.stdio {
        Some(stdio) => console::use_pipes(stdio, &init.plan.process),
        None => console::open_terminal(&init.plan.process, &init.sync),
    }
}

/// What a process that joins a container is given.
pub(crate) struct Guest<'a> {
    pub(crate) plan: &'a ProcessPlan,
    /// The container's first process.
    pub(crate) container: &'a OwnedFd,
    pub(crate) sync: InitSide,
    /// stdin, stdout, stderr; `None` with a terminal.
    pub(crate) stdio: Option<[OwnedFd; 3]>,
}

/// Every kind of namespace that a container's process may differ in from the shim's; the pid namespace is entered
/// before the clone.
const JOINED: CloneFlags = CloneFlags::CLONE_NEWNS
    .union(CloneFlags::CLONE_NEWUTS)
    .union(CloneFlags::CLONE_NEWIPC)
    .union(CloneFlags::CLONE_NEWNET)
    .union(CloneFlags::CLONE_NEWCGROUP);

/// Runs in the clone of a process that `exec` adds; never returns.
pub(crate) fn main_of_guest(guest: &Guest<'_>) -> ! {
    let Err(failure) = enter_container(guest);
    let _ = guest.sync.tell(&FromInit::Failed(failure));
    sys::exit_now(1)
}

fn enter_container(guest: &Guest<'_>) -> Outcome<Infallible> {
    sys::default_signals();
    let _ = rustix::process::setsid();
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    nix::sched::setns(guest.container, JOINED)
        .map_err(|errno| LaunchError::other("cannot join the container's namespaces", words(errno)))?;
    guest.sync.wait_for(&ToInit::Joined)?;
    match &guest.stdio {
        Some(stdio) => console::use_pipes(stdio, guest.plan)?,
        None => console::open_terminal(guest.plan, &guest.sync)?,
    }
    process::become_command(guest.plan, &guest.sync)
}
