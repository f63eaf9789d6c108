//! The event loop: connections, streams and the ends of processes, one poll at a time.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, waitpid};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::conn::Conn;
use super::container::{Container, exit_code};
use super::exec::Execs;
use super::now;
use super::session::{Part, retry};
use crate::client::ShimState;
use crate::protocol::{Reply, SOCKET};

/// The whole shim.
pub(super) struct Shim {
    pub(super) container: Container,
    pub(super) execs: Execs,
    pub(super) next_exec: u32,
    conns: Vec<Conn>,
    listener: OwnedFd,
    children: SignalFd,
    /// The container is removed, and with it the reason to be.
    pub(super) done: bool,
}

#[derive(Debug, Clone, Copy)]
enum Source {
    Listener,
    Children,
    Conn(usize),
    Main(Part),
    Exec(u32, Part),
}

impl Shim {
    /// A shim for `container`, which the daemon on `first` has just asked for.
    pub(super) fn new(container: Container, first: OwnedFd) -> io::Result<Self> {
        let mut mask = SigSet::empty();
        mask.add(Signal::SIGCHLD);
        mask.thread_block()?;
        let children = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let listener = listen(&container.launch.dir)?;
        rustix::io::ioctl_fionbio(&first, true)?;
        let mut first = Conn::new(first);
        first.creator = true;
        first.watches = true;
        first.reply(&Reply::State(container.report()), &[]);
        Ok(Self {
            container,
            execs: Execs::new(),
            next_exec: 1,
            conns: vec![first],
            listener,
            children,
            done: false,
        })
    }

    /// Serves until the container is removed.
    pub(super) fn run(mut self) -> io::Result<()> {
        // an exit before the signal was blocked would go unnoticed otherwise
        self.reap();
        while !self.done {
            for (source, found) in self.wait()? {
                self.handle(source, found);
            }
            self.sweep();
        }
        Ok(())
    }

    fn wait(&self) -> io::Result<Vec<(Source, PollFlags)>> {
        let mut fds =
            vec![PollFd::new(&self.listener, PollFlags::IN), PollFd::new(&self.children, PollFlags::IN)];
        let mut sources = vec![Source::Listener, Source::Children];
        for (index, conn) in self.conns.iter().enumerate() {
            fds.push(PollFd::new(conn, PollFlags::IN));
            sources.push(Source::Conn(index));
        }
        self.container.session.poll(|fd, part| {
            fds.push(fd);
            sources.push(Source::Main(part));
        });
        for (number, added) in &self.execs {
            added.session.poll(|fd, part| {
                fds.push(fd);
                sources.push(Source::Exec(*number, part));
            });
        }
        retry(|| Ok(poll(&mut fds, None)?))?;
        let found = fds.iter().zip(sources).filter(|(fd, _)| !fd.revents().is_empty());
        Ok(found.map(|(fd, source)| (source, fd.revents())).collect())
    }

    fn handle(&mut self, source: Source, found: PollFlags) {
        match source {
            Source::Listener => self.accept(),
            Source::Children => {
                while let Ok(Some(_)) = self.children.read_signal() {}
                self.reap();
            }
            Source::Conn(index) => self.serve(index),
            Source::Main(part) => self.container.session.ready(part, found, now()),
            Source::Exec(number, part) => {
                if let Some(added) = self.execs.get_mut(&number) {
                    added.session.ready(part, found, now());
                }
            }
        }
    }

    fn accept(&mut self) {
        if let Ok(socket) =
            rustix::net::accept_with(&self.listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)
        {
            self.conns.push(Conn::new(socket));
        }
    }

    fn serve(&mut self, index: usize) {
        // the connections step aside while one is served: serving may need all of the shim
        let mut conns = std::mem::take(&mut self.conns);
        if let Some(conn) = conns.get_mut(index) {
            for request in conn.read() {
                self.answer(conn, request);
            }
        }
        self.conns.append(&mut conns);
    }

    fn reap(&mut self) {
        while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            let Some((pid, code)) = exit_code(status) else {
                if status == nix::sys::wait::WaitStatus::StillAlive {
                    break;
                }
                continue;
            };
            if pid == self.container.pid && !matches!(self.container.state, ShimState::Exited(_)) {
                self.container_ended(code);
            } else if let Some((number, _)) = self.execs.iter().find(|(_, added)| added.pid == pid) {
                let number = *number;
                self.exec_ended(number, code);
            }
        }
    }

    fn container_ended(&mut self, code: i32) {
        let exit = self.container.ended(code);
        for conn in self.conns.iter_mut().filter(|conn| conn.watches) {
            conn.reply(&Reply::Exited(exit), &[]);
        }
    }

    fn exec_ended(&mut self, number: u32, code: i32) {
        if let Some(added) = self.execs.get_mut(&number) {
            added.session.finish(now());
            added.exit = Some(code);
        }
        for conn in self.conns.iter_mut().filter(|conn| conn.watches_exec == Some(number)) {
            conn.reply(&Reply::ExecExited { code }, &[]);
        }
    }

    fn sweep(&mut self) {
        let abandoned = self.conns.iter().any(|conn| conn.creator && conn.closed);
        if abandoned && self.container.state == ShimState::Created {
            // whoever asked for it is gone before it was started, and nobody else knows of it
            self.container.remove();
            self.done = true;
        }
        self.container.session.sweep();
        self.conns.retain(|conn| !conn.closed);
        for added in self.execs.values_mut() {
            added.session.sweep();
        }
        self.execs.retain(|_, added| added.exit.is_none() || !added.session.is_done());
    }
}

/// Listens in `dir`, whose path may be longer than a socket's address can be.
fn listen(dir: &Path) -> io::Result<OwnedFd> {
    let flags = rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC;
    let dir = rustix::fs::open(dir, flags, rustix::fs::Mode::empty())?;
    let address = SocketAddrUnix::new(crate::client::socket_path(dir.as_fd(), SOCKET))?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let listener = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::bind(&listener, &address)?;
    rustix::net::listen(&listener, 64)?;
    Ok(listener)
}
