//! [`Shim`]: one container, as the daemon holds it.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::UnixStream;
use tokio::sync::watch;

use super::link::Link;
use super::runtime::Parts;
use super::values::{Attach, ExecSpec, Exit, ShimState, Stats, Top};
use crate::cgroup;
use crate::error::RuntimeError;
use crate::protocol::{ExecRequest, Reply, Report, Request};

/// One container. Clones are the same container; dropping the last one changes nothing for the container.
#[derive(Debug, Clone)]
pub struct Shim {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    report: Report,
    parts: Arc<Parts>,
    exit: watch::Receiver<Ending>,
}

/// What is known about a process' end.
#[derive(Debug, Clone)]
enum Ending {
    Open,
    Exited(Exit),
    /// The shim is gone and has not said.
    Lost,
}

/// A process that [`Shim::exec`] added.
#[derive(Debug)]
pub struct Exec {
    /// Its bytes, where the caller asked for streams: as for [`Shim::attach`].
    pub stream: Option<UnixStream>,
    dir: PathBuf,
    number: u32,
    pid: i32,
    exit: watch::Receiver<Option<Result<i32, ()>>>,
}

fn lost(request: &'static str) -> RuntimeError {
    RuntimeError::Gone { request, source: std::io::ErrorKind::UnexpectedEof.into() }
}

fn unexpected(request: &'static str, reply: &Reply) -> RuntimeError {
    RuntimeError::Gone { request, source: std::io::Error::other(format!("unexpected reply {reply:?}")) }
}

/// The one descriptor that came with a reply, as a stream.
fn stream_of(fds: Vec<OwnedFd>) -> std::io::Result<UnixStream> {
    let fd = fds.into_iter().next().ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let stream = std::os::unix::net::UnixStream::from(fd);
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}

impl Shim {
    /// A container whose shim has just reported on `link`, and will tell there how it ends.
    pub(super) fn follow(dir: PathBuf, report: Report, parts: Arc<Parts>, mut link: Link) -> Self {
        let (tell, exit) = watch::channel(Ending::Open);
        let records = dir.clone();
        tokio::spawn(async move {
            let ending = match link.receive("wait").await {
                Ok(Reply::Exited(exit)) => Ending::Exited(exit),
                _ => read_exit(&records).map_or(Ending::Lost, Ending::Exited),
            };
            let _ = tell.send(ending);
        });
        Self { inner: Arc::new(Inner { dir, report, parts, exit }) }
    }

    /// The container's first process, in the daemon's pid namespace.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.inner.report.pid
    }

    /// The shim's own process.
    #[must_use]
    pub fn shim_pid(&self) -> i32 {
        self.inner.report.shim_pid
    }

    /// Path of the container's cgroups below every hierarchy.
    #[must_use]
    pub fn cgroup(&self) -> &str {
        &self.inner.report.cgroup
    }

    async fn ask(&self, request: &Request, what: &'static str) -> Result<(Reply, Link), RuntimeError> {
        let mut link =
            Link::connect(&self.inner.dir).map_err(|source| RuntimeError::Gone { request: what, source })?;
        let reply = link.ask(request, what).await?;
        Ok((reply, link))
    }

    async fn command(&self, request: &Request, what: &'static str) -> Result<(), RuntimeError> {
        match self.ask(request, what).await? {
            (Reply::Done, _) => Ok(()),
            (reply, _) => Err(unexpected(what, &reply)),
        }
    }

    /// Where the container stands.
    pub async fn state(&self) -> Result<ShimState, RuntimeError> {
        match self.ask(&Request::Watch, "report").await? {
            (Reply::State(report), _) => Ok(report.state),
            (reply, _) => Err(unexpected("report", &reply)),
        }
    }

    /// Lets the process run; comes back when the command is executing, or could not be executed.
    pub async fn start(&self) -> Result<(), RuntimeError> {
        self.command(&Request::Start, "start").await
    }

    /// Sends a signal to the container's first process.
    pub async fn kill(&self, signal: i32) -> Result<(), RuntimeError> {
        self.command(&Request::Kill { signal, exec: None }, "kill").await
    }

    /// Sets the size of the terminal.
    pub async fn resize(&self, rows: u16, cols: u16) -> Result<(), RuntimeError> {
        self.command(&Request::Resize { rows, cols, exec: None }, "resize").await
    }

    /// Waits for the end. Any number of callers may wait, before and after it.
    pub async fn wait(&self) -> Result<Exit, RuntimeError> {
        let mut exit = self.inner.exit.clone();
        let ending =
            exit.wait_for(|ending| !matches!(ending, Ending::Open)).await.map_err(|_| lost("wait"))?;
        match *ending {
            Ending::Exited(exit) => Ok(exit),
            _ => Err(lost("wait")),
        }
    }

    /// A stream to and from the process. With a terminal the bytes are raw; otherwise output comes in Docker's frames
    /// (8 bytes: stream, 0, 0, 0, length big-endian), input is raw. Closing the writing half ends the input.
    pub async fn attach(&self, streams: Attach) -> Result<UnixStream, RuntimeError> {
        match self.ask(&Request::Attach(streams), "attach").await? {
            (Reply::Stream, mut link) => {
                stream_of(link.take_fds()).map_err(|source| RuntimeError::Gone { request: "attach", source })
            }
            (reply, _) => Err(unexpected("attach", &reply)),
        }
    }

    /// Runs one more process in the container.
    pub async fn exec(&self, spec: &ExecSpec) -> Result<Exec, RuntimeError> {
        let process = crate::lower::exec_plan(spec, &self.inner.parts.filters)?;
        let request = Request::Exec(Box::new(ExecRequest { process, attach: spec.attach }));
        let (reply, mut link) = self.ask(&request, "exec").await?;
        let Reply::ExecStarted { exec, pid } = reply else { return Err(unexpected("exec", &reply)) };
        let stream = match spec.attach {
            Some(_) => Some(
                stream_of(link.take_fds())
                    .map_err(|source| RuntimeError::Gone { request: "exec", source })?,
            ),
            None => None,
        };
        let (tell, exit) = watch::channel(None);
        tokio::spawn(async move {
            let ending = match link.receive("wait for exec").await {
                Ok(Reply::ExecExited { code }) => Ok(code),
                _ => Err(()),
            };
            let _ = tell.send(Some(ending));
        });
        Ok(Exec { stream, dir: self.inner.dir.clone(), number: exec, pid, exit })
    }

    /// Copies of the sockets that were handed over at creation.
    pub async fn dns_sockets(&self) -> Result<Vec<OwnedFd>, RuntimeError> {
        match self.ask(&Request::Sockets, "give the DNS sockets").await? {
            (Reply::Sockets, mut link) => Ok(link.take_fds()),
            (reply, _) => Err(unexpected("give the DNS sockets", &reply)),
        }
    }

    /// Freezes every process of the container.
    pub async fn pause(&self) -> Result<(), RuntimeError> {
        self.command(&Request::Pause, "pause").await
    }

    /// Lets them go on.
    pub async fn unpause(&self) -> Result<(), RuntimeError> {
        self.command(&Request::Unpause, "unpause").await
    }

    /// Changes the limits of a living container.
    pub async fn update(&self, resources: &crate::spec::Resources) -> Result<(), RuntimeError> {
        self.command(&Request::Update(Box::new(resources.clone())), "update").await
    }

    /// What the container uses now.
    pub async fn stats(&self) -> Result<Stats, RuntimeError> {
        let shim = self.clone();
        let read = move || {
            let report = &shim.inner.report;
            cgroup::read_stats(
                &shim.inner.parts.layout,
                &report.cgroup,
                &super::top::members(&shim.inner.parts.layout, report),
            )
        };
        tokio::task::spawn_blocking(read).await.map_err(|_| lost("read figures"))
    }

    /// The container's processes; `ps_args` as for `ps`, empty is `-ef`.
    pub async fn top(&self, ps_args: &str) -> Result<Top, RuntimeError> {
        let members = super::top::members(&self.inner.parts.layout, &self.inner.report);
        super::top::run(ps_args, &members).await
    }

    /// Removes what is left of a container that ended, or was never started: cgroup, directory, shim. A shim that is gone
    /// can't: then it is done from here, and whoever of the container still runs is killed.
    pub async fn delete(&self) -> Result<(), RuntimeError> {
        match self.command(&Request::Delete, "delete").await {
            Err(RuntimeError::Gone { .. }) => self.inner.parts.sweep(&self.inner.dir).await,
            answer => answer,
        }
    }
}

/// The exit that a shim has recorded.
pub(super) fn read_exit(dir: &Path) -> Option<Exit> {
    let text = std::fs::read(dir.join(crate::protocol::EXIT_FILE)).ok()?;
    serde_json::from_slice(&text).ok()
}

impl Exec {
    /// The process, in the daemon's pid namespace.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    async fn command(&self, request: &Request, what: &'static str) -> Result<(), RuntimeError> {
        let mut link =
            Link::connect(&self.dir).map_err(|source| RuntimeError::Gone { request: what, source })?;
        match link.ask(request, what).await? {
            Reply::Done => Ok(()),
            reply => Err(unexpected(what, &reply)),
        }
    }

    /// Waits for its end: exit code, or 128 + signal.
    pub async fn wait(&self) -> Result<i32, RuntimeError> {
        let mut exit = self.exit.clone();
        let ending = exit.wait_for(Option::is_some).await.map_err(|_| lost("wait for exec"))?;
        match *ending {
            Some(Ok(code)) => Ok(code),
            _ => Err(lost("wait for exec")),
        }
    }

    /// Sets the size of its terminal.
    pub async fn resize(&self, rows: u16, cols: u16) -> Result<(), RuntimeError> {
        self.command(&Request::Resize { rows, cols, exec: Some(self.number) }, "resize").await
    }

    /// Sends it a signal.
    pub async fn kill(&self, signal: i32) -> Result<(), RuntimeError> {
        self.command(&Request::Kill { signal, exec: Some(self.number) }, "kill").await
    }
}
