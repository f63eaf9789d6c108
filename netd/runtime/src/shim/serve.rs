//! What the shim answers to each request.

use std::os::fd::{AsFd, BorrowedFd};

use super::conn::Conn;
use super::exec;
use super::turn::Shim;
use crate::client::ShimState;
use crate::protocol::{ExecRequest, Reply, Request};
use crate::sys;

type Answer = Result<Reply, String>;

impl Shim {
    /// Carries out one request.
    pub(super) fn answer(&mut self, conn: &mut Conn, request: Request) {
        let answer = match request {
            Request::Create(_) => Err("the container exists already".to_owned()),
            Request::Watch => return self.watch(conn),
            Request::Start => self.start(),
            Request::Kill { signal, exec } => self.kill(signal, exec),
            Request::Resize { rows, cols, exec } => self.resize(rows, cols, exec),
            Request::Attach(want) => return self.attach(conn, want),
            Request::Exec(request) => return self.exec(conn, &request),
            Request::Sockets => {
                let fds: Vec<BorrowedFd<'_>> = self.container.dns.iter().map(AsFd::as_fd).collect();
                return conn.reply(&Reply::Sockets, &fds);
            }
            Request::Pause => self.freeze(true),
            Request::Unpause => self.freeze(false),
            Request::Update(resources) => {
                self.container.cgroup.update(&resources, self.container.pid.as_raw()).map(|()| Reply::Done)
            }
            Request::Delete => self.delete(),
        };
        conn.reply(&answer.unwrap_or_else(Reply::Refused), &[]);
    }

    fn watch(&self, conn: &mut Conn) {
        conn.watches = true;
        conn.reply(&Reply::State(self.container.report()), &[]);
        if let ShimState::Exited(exit) = self.container.state {
            conn.reply(&Reply::Exited(exit), &[]);
        }
    }

    fn start(&mut self) -> Answer {
        match self.container.state {
            ShimState::Created => Ok(self.container.start().map_or_else(Reply::Failed, |()| Reply::Done)),
            ShimState::Exited(_) => Err("the container has ended".to_owned()),
            _ => Err("the container is already running".to_owned()),
        }
    }

    fn kill(&self, signal: i32, exec: Option<u32>) -> Answer {
        let pidfd = match exec {
            None if matches!(self.container.state, ShimState::Exited(_)) => {
                return Err("the container is not running".to_owned());
            }
            None => &self.container.pidfd,
            Some(number) => &self.added(number)?.pidfd,
        };
        sys::send_signal(pidfd.as_fd(), signal)
            .map(|()| Reply::Done)
            .map_err(|error| format!("cannot send signal {signal}: {}", crate::reason::reason(&error)))
    }

    fn added(&self, number: u32) -> Result<&exec::Added, String> {
        self.execs
            .get(&number)
            .filter(|added| added.exit.is_none())
            .ok_or_else(|| "the exec'd process is not running".to_owned())
    }

    fn resize(&self, rows: u16, cols: u16, exec: Option<u32>) -> Answer {
        let session = match exec {
            None => &self.container.session,
            Some(number) => &self.added(number)?.session,
        };
        session
            .resize(rows, cols)
            .map(|()| Reply::Done)
            .map_err(|error| format!("cannot resize the terminal: {}", crate::reason::reason(&error)))
    }

    fn attach(&mut self, conn: &mut Conn, want: crate::client::Attach) {
        if matches!(self.container.state, ShimState::Exited(_)) {
            return conn.reply(&Reply::Refused("the container is not running".to_owned()), &[]);
        }
        match self.container.session.attach(want) {
            Ok(socket) => conn.reply(&Reply::Stream, &[socket.as_fd()]),
            Err(error) => conn.reply(&Reply::Refused(format!("cannot attach: {error}")), &[]),
        }
    }

    fn exec(&mut self, conn: &mut Conn, request: &ExecRequest) {
        match self.container.state {
            ShimState::Running => {}
            ShimState::Paused => {
                return conn.reply(
                    &Reply::Refused("the container is paused, unpause the container before exec".to_owned()),
                    &[],
                );
            }
            _ => return conn.reply(&Reply::Refused("the container is not running".to_owned()), &[]),
        }
        match exec::add(&self.container, request) {
            Ok((added, stream)) => {
                let number = self.next_exec;
                self.next_exec += 1;
                let started = Reply::ExecStarted { exec: number, pid: added.pid.as_raw() };
                self.execs.insert(number, added);
                conn.watches_exec = Some(number);
                let fds: Vec<BorrowedFd<'_>> = stream.iter().map(AsFd::as_fd).collect();
                conn.reply(&started, &fds);
            }
            Err(failure) => conn.reply(&Reply::Failed(failure), &[]),
        }
    }

    fn freeze(&mut self, frozen: bool) -> Answer {
        match (self.container.state, frozen) {
            (ShimState::Running, true) | (ShimState::Paused, false) => {}
            (ShimState::Paused, true) => return Err("the container is already paused".to_owned()),
            (ShimState::Running, false) => return Err("the container is not paused".to_owned()),
            _ => return Err("the container is not running".to_owned()),
        }
        self.container.freeze(frozen)?;
        self.container.state = if frozen { ShimState::Paused } else { ShimState::Running };
        Ok(Reply::Done)
    }

    fn delete(&mut self) -> Answer {
        if matches!(self.container.state, ShimState::Running | ShimState::Paused) {
            return Err("the container is running".to_owned());
        }
        self.container.remove();
        self.done = true;
        Ok(Reply::Done)
    }
}
