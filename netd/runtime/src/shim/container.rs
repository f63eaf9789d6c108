//! The container as its shim holds it: made, started, ended, removed.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use nix::sched::CloneFlags;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use super::session::{ChildEnds, Session};
use super::{internal, now, oci, remove_dir};
use crate::cgroup::Cgroup;
use crate::client::{Exit, ShimState};
use crate::error::LaunchError;
use crate::init::{self, FromInit, Init, ShimSide, Stage, ToInit};
use crate::launch::{EnginePlan, InitPlan, Launch};
use crate::logs::LogWriter;
use crate::protocol::{EXIT_FILE, Report, STATE_FILE};
use crate::sys::{self, Cloned};

/// One container.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) launch: Launch,
    pub(super) session: Session,
    pub(super) cgroup: Cgroup,
    pub(super) dns: Vec<OwnedFd>,
    pub(super) state: ShimState,
    pub(super) pid: Pid,
    pub(super) pidfd: OwnedFd,
    /// Keeps the mount namespace until the shim ends: leaving it takes the kernel a while, and nobody must wait for that.
    #[expect(dead_code, reason = "held, not used")]
    mounts: Option<File>,
    waiting: Waiting,
    start_ticks: u64,
}

/// How a created container is told to start.
#[derive(Debug)]
enum Waiting {
    Builtin(ShimSide),
    Oci,
    Started,
}

/// A process that has been set up, and waits.
pub(super) struct Born {
    pub(super) pid: Pid,
    pub(super) pidfd: OwnedFd,
    pub(super) sync: Option<ShimSide>,
}

impl Container {
    /// Makes the container. On an error nothing is left but the upper directory's content.
    pub(super) fn create(launch: Launch, dns: Vec<OwnedFd>, stage: &Stage) -> Result<Self, LaunchError> {
        let dir = launch.dir.clone();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir.join("root"))
            .map_err(|error| internal(&format!("cannot make the directory {}", dir.display()), error))?;
        let made = Self::create_in(launch, dns, stage);
        if made.is_err() {
            remove_dir(&dir);
        }
        made
    }

    fn create_in(launch: Launch, dns: Vec<OwnedFd>, stage: &Stage) -> Result<Self, LaunchError> {
        if !launch.root.hidden.is_empty() {
            fs::create_dir_all(launch.dir.join("mask"))
                .map_err(|error| internal("cannot make a directory", error))?;
        }
        let (mut session, ends) =
            Session::pipes(launch.stdin).map_err(|error| internal("cannot make pipes", error))?;
        if let Some(target) = &launch.log {
            let log = LogWriter::open(target.clone());
            session.log = Some(log.map_err(|error| {
                internal(&format!("cannot open the log {}", target.path.display()), error)
            })?);
        }
        let cgroup =
            Cgroup::make(&launch.cgroup).map_err(|text| LaunchError::other("cannot set up cgroups", text))?;
        let ends = if launch.terminal { None } else { Some(ends) };
        let born = match &launch.engine {
            EnginePlan::Builtin(plan) => {
                give_birth(Parents { launch: &launch, plan, cgroup: &cgroup, stage }, ends, &mut session)
            }
            EnginePlan::Oci { .. } => oci::create(&launch, ends, &mut session),
        };
        let born = born.inspect_err(|_| cgroup.remove())?;
        let cgroup = match &launch.engine {
            EnginePlan::Builtin(_) => cgroup,
            EnginePlan::Oci { .. } => Cgroup::existing(&launch.cgroup.layout, &launch.cgroup.path),
        };
        let mounts = File::open(format!("/proc/{}/ns/mnt", born.pid)).ok();
        let waiting = born.sync.map_or(Waiting::Oci, Waiting::Builtin);
        let start_ticks = crate::client::start_ticks(born.pid.as_raw());
        let container = Self {
            launch,
            session,
            cgroup,
            dns,
            state: ShimState::Created,
            pid: born.pid,
            pidfd: born.pidfd,
            mounts,
            waiting,
            start_ticks,
        };
        container.record(STATE_FILE, &container.report()).map_err(|error| {
            let _ = sys::send_signal(container.pidfd.as_fd(), nix::libc::SIGKILL);
            let _ = waitpid(container.pid, None);
            container.cgroup.remove();
            internal("cannot write the state file", error)
        })?;
        Ok(container)
    }

    /// What the daemon is told.
    pub(super) fn report(&self) -> Report {
        Report {
            id: self.launch.id.clone(),
            pid: self.pid.as_raw(),
            shim_pid: Pid::this().as_raw(),
            state: self.state,
            terminal: self.launch.terminal,
            cgroup: self.launch.cgroup.path.clone(),
            start_ticks: self.start_ticks,
        }
    }

    /// Writes a record so that it is there whole or not at all.
    fn record<T: serde::Serialize>(&self, name: &str, value: &T) -> io::Result<()> {
        let new = self.launch.dir.join(format!("{name}.new"));
        File::create(&new)?.write_all(&serde_json::to_vec(value)?)?;
        fs::rename(&new, self.launch.dir.join(name))
    }

    /// Lets the process become the command.
    pub(super) fn start(&mut self) -> Result<(), LaunchError> {
        match std::mem::replace(&mut self.waiting, Waiting::Started) {
            Waiting::Builtin(sync) => release(&sync)?,
            Waiting::Oci => oci::start(&self.launch)?,
            Waiting::Started => {}
        }
        self.state = ShimState::Running;
        Ok(())
    }

    /// The first process has ended.
    pub(super) fn ended(&mut self, code: i32) -> Exit {
        let finished = now();
        self.session.finish(finished);
        let exit = Exit { code, oom_killed: self.cgroup.oom_kills() > 0, finished_at_unix_nanos: finished };
        // the daemon hears it from the socket too; the file is for one that comes when the shim is gone
        let _ = self.record(EXIT_FILE, &exit);
        self.state = ShimState::Exited(exit);
        self.dns.clear();
        exit
    }

    /// Freezes or thaws the processes.
    pub(super) fn freeze(&self, frozen: bool) -> Result<(), String> {
        match &self.launch.engine {
            EnginePlan::Builtin(_) => self.cgroup.freeze(frozen),
            EnginePlan::Oci { .. } => oci::freeze(&self.launch, frozen),
        }
    }

    /// Removes what is left of an ended container, or of one that never started.
    pub(super) fn remove(&mut self) {
        if !matches!(self.state, ShimState::Exited(_)) {
            let _ = sys::send_signal(self.pidfd.as_fd(), nix::libc::SIGKILL);
            let _ = waitpid(self.pid, None);
        }
        if matches!(self.launch.engine, EnginePlan::Oci { .. }) {
            oci::delete(&self.launch);
        }
        self.cgroup.remove();
        remove_dir(&self.launch.dir);
    }
}

/// What the first process is made from.
#[derive(Clone, Copy)]
struct Parents<'a> {
    launch: &'a Launch,
    plan: &'a InitPlan,
    cgroup: &'a Cgroup,
    stage: &'a Stage,
}

/// Clones the first process and sees it through to the point where only the exec is left.
fn give_birth(
    Parents { launch, plan, cgroup, stage }: Parents<'_>,
    ends: Option<ChildEnds>,
    session: &mut Session,
) -> Result<Born, LaunchError> {
    let (sync, theirs) = init::pair().map_err(|error| internal("cannot make a socket", error))?;
    let visible = cgroup.visible();
    let birth_place = cgroup.birth_place();
    let back = enter_pid_namespace(plan)?;
    // its mount namespace is a copy of the stage's, not of ours
    let namespaces = plan.unshare & !(CloneFlags::CLONE_NEWNS.bits() as u64);
    let cloned = sys::clone_process(namespaces, birth_place.as_ref().map(AsFd::as_fd));
    let cloned = match cloned {
        Ok(Cloned::Child) => {
            drop(sync);
            init::main(&Init { launch, plan, stage, sync: theirs, stdio: ends, cgroups: &visible })
        }
        other => other,
    };
    if let Some(own) = back {
        let _ = nix::sched::setns(own, CloneFlags::CLONE_NEWPID);
    }
    drop((theirs, ends));
    match cloned {
        Ok(Cloned::Parent { pid, pidfd }) => {
            bring_up(Born { pid, pidfd, sync: Some(sync) }, session, |pid| cgroup.join(pid))
        }
        Ok(Cloned::Child) => sys::exit_now(1),
        Err(error) => Err(internal("cannot clone the first process", error)),
    }
}

/// Enters a pid namespace for the children to come; gives the way back.
fn enter_pid_namespace(plan: &InitPlan) -> Result<Option<File>, LaunchError> {
    let Some((_, path)) = plan.join.iter().find(|(kind, _)| *kind == CloneFlags::CLONE_NEWPID.bits() as u64)
    else {
        return Ok(None);
    };
    let open = |path: &Path| {
        File::open(path).map_err(|error| internal(&format!("cannot open {}", path.display()), error))
    };
    let own = open(Path::new("/proc/self/ns/pid"))?;
    nix::sched::setns(open(path)?, CloneFlags::CLONE_NEWPID)
        .map_err(|errno| internal("cannot join the pid namespace", errno))?;
    Ok(Some(own))
}

/// Follows a new process until it is ready; one that fails is gone afterwards.
pub(super) fn bring_up(
    born: Born,
    session: &mut Session,
    join: impl FnOnce(i32) -> Result<(), String>,
) -> Result<Born, LaunchError> {
    let failed = |born: &Born, error: LaunchError| {
        let _ = sys::send_signal(born.pidfd.as_fd(), nix::libc::SIGKILL);
        let _ = waitpid(born.pid, None);
        error
    };
    let Some(sync) = &born.sync else { return Ok(born) };
    if let Err(text) = join(born.pid.as_raw()) {
        return Err(failed(&born, LaunchError::other("cannot set up cgroups", text)));
    }
    let _ = sync.tell(&ToInit::Joined);
    match follow(sync, session) {
        Ok(()) => Ok(born),
        Err(error) => Err(failed(&born, error)),
    }
}

fn follow(sync: &ShimSide, session: &mut Session) -> Result<(), LaunchError> {
    let mut fds = Vec::new();
    loop {
        match sync.hear(&mut fds).map_err(|error| internal("cannot hear the first process", error))? {
            Some(FromInit::Terminal) => {
                let master = fds
                    .pop()
                    .ok_or_else(|| LaunchError::other("cannot take the terminal", "it did not come"))?;
                session.use_terminal(master).map_err(|error| internal("cannot use the terminal", error))?;
            }
            Some(FromInit::Ready) => return Ok(()),
            Some(FromInit::Failed(error)) => return Err(error),
            None => return Err(LaunchError::other("the first process", "died before it was set up")),
        }
    }
}

/// Gives the word to exec, and waits for how it went.
pub(super) fn release(sync: &ShimSide) -> Result<(), LaunchError> {
    sync.tell(&ToInit::Start).map_err(|error| internal("cannot start the process", error))?;
    match sync.hear(&mut Vec::new()).map_err(|error| internal("cannot hear the process", error))? {
        Some(FromInit::Failed(error)) => Err(error),
        _ => Ok(()),
    }
}

/// The exit code that a status means to Docker.
pub(super) fn exit_code(status: WaitStatus) -> Option<(Pid, i32)> {
    match status {
        WaitStatus::Exited(pid, code) => Some((pid, code)),
        WaitStatus::Signaled(pid, signal, _) => Some((pid, 128 + signal as i32)),
        _ => None,
    }
}
