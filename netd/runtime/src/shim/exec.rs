//! Processes that join a running container.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use nix::sched::CloneFlags;
use nix::unistd::Pid;

use super::container::{Born, Container, bring_up, release};
use super::internal;
use super::session::{ChildEnds, Session};
use crate::client::Stdin;
use crate::error::LaunchError;
use crate::init;
use crate::protocol::ExecRequest;
use crate::sys::{self, Cloned};

/// One added process.
#[derive(Debug)]
pub(super) struct Added {
    pub(super) pid: Pid,
    pub(super) pidfd: OwnedFd,
    pub(super) session: Session,
    pub(super) exit: Option<i32>,
}

/// All added processes, by number.
pub(super) type Execs = BTreeMap<u32, Added>;

/// Starts a process in the container; gives the client's side of its streams.
pub(super) fn add(
    container: &Container,
    request: &ExecRequest,
) -> Result<(Added, Option<OwnedFd>), LaunchError> {
    let (mut session, ends) = match request.attach {
        Some(attach) => Session::pipes(if attach.stdin { Stdin::Once } else { Stdin::Closed }),
        None => Session::nothing(),
    }
    .map_err(|error| internal("cannot make pipes", error))?;
    let ends = if request.process.terminal { None } else { Some(ends) };
    let born = clone_into(container, request, ends, &mut session)?;
    let client = match request.attach {
        Some(attach) => {
            Some(session.attach(attach).map_err(|error| internal("cannot make a socket", error))?)
        }
        None => None,
    };
    if let Some(sync) = &born.sync
        && let Err(error) = release(sync)
    {
        let _ = nix::sys::wait::waitpid(born.pid, None);
        return Err(error);
    }
    Ok((Added { pid: born.pid, pidfd: born.pidfd, session, exit: None }, client))
}

fn clone_into(
    container: &Container,
    request: &ExecRequest,
    ends: Option<ChildEnds>,
    session: &mut Session,
) -> Result<Born, LaunchError> {
    let (sync, theirs) = init::pair().map_err(|error| internal("cannot make a socket", error))?;
    let birth_place = container.cgroup.birth_place();
    let own = std::fs::File::open("/proc/self/ns/pid")
        .map_err(|error| internal("cannot open /proc/self/ns/pid", error))?;
    nix::sched::setns(&container.pidfd, CloneFlags::CLONE_NEWPID)
        .map_err(|errno| internal("cannot join the container's pid namespace", errno))?;
    let cloned = sys::clone_process(0, birth_place.as_ref().map(AsFd::as_fd));
    if let Ok(Cloned::Child) = cloned {
        drop(sync);
        init::main_of_guest(&init::Guest {
            plan: &request.process,
            container: &container.pidfd,
            sync: theirs,
            stdio: ends,
        });
    }
    let _ = nix::sched::setns(own, CloneFlags::CLONE_NEWPID);
    drop((theirs, ends));
    match cloned {
        Ok(Cloned::Parent { pid, pidfd }) => {
            bring_up(Born { pid, pidfd, sync: Some(sync) }, session, |pid| container.cgroup.join(pid))
        }
        Ok(Cloned::Child) => sys::exit_now(1),
        Err(error) => Err(internal("cannot clone a process", error)),
    }
}
