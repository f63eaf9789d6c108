//! The streams of one process: pipes or a terminal on one side, any number of attached clients and a log on the other.
//!
//! A client that reads slowly holds the process back (its output waits in the pipe) instead of losing output or filling
//! memory; a client that goes away does not.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType};
use rustix::pipe::PipeFlags;

use crate::client::{Attach, Stdin};
use crate::logs::LogWriter;

/// Bytes that wait for one slow reader at most.
const PENDING: usize = 64 << 10;

/// The streams of one process.
#[derive(Debug, Default)]
pub(super) struct Session {
    input: Option<Input>,
    outputs: Vec<Output>,
    clients: Vec<Client>,
    pub(super) log: Option<LogWriter>,
    terminal: Option<OwnedFd>,
}

#[derive(Debug)]
struct Input {
    fd: OwnedFd,
    pending: Vec<u8>,
    /// The first client that ends its side ends the input.
    once: bool,
    ending: bool,
}

#[derive(Debug)]
struct Output {
    fd: OwnedFd,
    stream: u8,
}

#[derive(Debug)]
struct Client {
    socket: OwnedFd,
    want: Attach,
    pending: Vec<u8>,
    /// Still reading from it.
    reading: bool,
    /// Nothing more will come for it.
    ending: bool,
}

/// Which descriptor of a session is meant.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    Input,
    Output(usize),
    Client(usize),
}

/// The process' ends of the pipes.
pub(super) type ChildEnds = [OwnedFd; 3];

impl Session {
    /// Pipes, with the ends for the process.
    pub(super) fn pipes(stdin: Stdin) -> io::Result<(Self, ChildEnds)> {
        let (input, child_in) = match stdin {
            Stdin::Closed => (None, null()?),
            Stdin::Open | Stdin::Once => {
                let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
                rustix::io::ioctl_fionbio(&write, true)?;
                (
                    Some(Input { fd: write, pending: Vec::new(), once: stdin == Stdin::Once, ending: false }),
                    read,
                )
            }
        };
        let mut session = Self { input, ..Self::default() };
        let child_out = session.add_pipe(1)?;
        let child_err = session.add_pipe(2)?;
        Ok((session, [child_in, child_out, child_err]))
    }

    fn add_pipe(&mut self, stream: u8) -> io::Result<OwnedFd> {
        let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&read, true)?;
        self.outputs.push(Output { fd: read, stream });
        Ok(write)
    }

    /// A process that reads nothing and whose output nobody wants.
    pub(super) fn nothing() -> io::Result<(Self, ChildEnds)> {
        Ok((Self::default(), [null()?, null()?, null()?]))
    }

    /// Takes the terminal that the process has opened.
    pub(super) fn use_terminal(&mut self, master: OwnedFd) -> io::Result<()> {
        rustix::io::ioctl_fionbio(&master, true)?;
        let input = rustix::io::fcntl_dupfd_cloexec(&master, 3)?;
        let output = rustix::io::fcntl_dupfd_cloexec(&master, 3)?;
        self.input = Some(Input { fd: input, pending: Vec::new(), once: false, ending: false });
        self.outputs = vec![Output { fd: output, stream: 1 }];
        self.terminal = Some(master);
        Ok(())
    }

    pub(super) fn resize(&self, rows: u16, cols: u16) -> io::Result<()> {
        let terminal =
            self.terminal.as_ref().ok_or_else(|| io::Error::other("the process has no terminal"))?;
        let size = rustix::termios::Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 };
        Ok(rustix::termios::tcsetwinsize(terminal, size)?)
    }

    /// Adds a client; the descriptor is its side.
    pub(super) fn attach(&mut self, want: Attach) -> io::Result<OwnedFd> {
        let (ours, theirs) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )?;
        self.clients.push(Client { socket: ours, want, pending: Vec::new(), reading: true, ending: false });
        Ok(theirs)
    }

    /// What to wait for.
    pub(super) fn poll<'a>(&'a self, mut add: impl FnMut(PollFd<'a>, Part)) {
        if let Some(input) = &self.input
            && !input.pending.is_empty()
        {
            add(PollFd::new(&input.fd, PollFlags::OUT), Part::Input);
        }
        let full = self.clients.iter().any(|client| client.pending.len() >= PENDING);
        for (index, output) in self.outputs.iter().enumerate().filter(|_| !full) {
            add(PollFd::new(&output.fd, PollFlags::IN), Part::Output(index));
        }
        let thirsty = self.input.as_ref().is_none_or(|input| input.pending.len() < PENDING);
        for (index, client) in self.clients.iter().enumerate() {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, client.reading && thirsty);
            flags.set(PollFlags::OUT, !client.pending.is_empty());
            add(PollFd::new(&client.socket, flags), Part::Client(index));
        }
    }

    /// Deals with what poll found; removals wait for [`Self::sweep`].
    pub(super) fn ready(&mut self, part: Part, found: PollFlags, now: i64) {
        match part {
            Part::Input => self.feed(),
            Part::Output(index) => {
                if !self.read_output(index, now)
                    && let Some(output) = self.outputs.get_mut(index)
                {
                    output.stream = 0;
                }
            }
            Part::Client(index) => self.serve_client(index, found),
        }
    }

    /// Reads what is there; false when there will be nothing more.
    fn read_output(&mut self, index: usize, now: i64) -> bool {
        let mut buffer = [0; 32 << 10];
        let Some(output) = self.outputs.get(index) else { return false };
        let stream = output.stream;
        match rustix::io::read(&output.fd, &mut buffer) {
            Ok(0) => false,
            Ok(length) => {
                self.deliver(stream, &buffer[..length], now);
                true
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => true,
            // a terminal says EIO when the last program has closed it
            Err(_) => false,
        }
    }

    fn deliver(&mut self, stream: u8, bytes: &[u8], now: i64) {
        if let Some(log) = &mut self.log {
            // a full disk must not stop the container; the next line is tried again
            let _ = log.write(stream, bytes, now);
        }
        let raw = self.terminal.is_some();
        for client in &mut self.clients {
            if (stream == 1 && client.want.stdout) || (stream == 2 && client.want.stderr) {
                if !raw {
                    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
                    client.pending.extend_from_slice(&[stream, 0, 0, 0]);
                    client.pending.extend_from_slice(&length);
                }
                client.pending.extend_from_slice(bytes);
                client.flush();
            }
        }
    }

    fn serve_client(&mut self, index: usize, found: PollFlags) {
        let Some(client) = self.clients.get_mut(index) else { return };
        if found.contains(PollFlags::OUT) {
            client.flush();
        }
        if found.contains(PollFlags::IN) && client.reading {
            let mut buffer = [0; 16 << 10];
            match rustix::io::read(&client.socket, &mut buffer) {
                Ok(length) if length > 0 => {
                    if client.want.stdin
                        && let Some(input) = &mut self.input
                    {
                        input.pending.extend_from_slice(&buffer[..length]);
                        self.feed();
                    }
                    return;
                }
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return,
                _ => {
                    client.reading = false;
                    if client.want.stdin
                        && let Some(input) = self.input.as_mut().filter(|input| input.once)
                    {
                        input.ending = true;
                        self.feed();
                    }
                }
            }
        }
        if found.intersects(PollFlags::HUP | PollFlags::ERR)
            && let Some(client) = self.clients.get_mut(index)
        {
            client.drop_out();
        }
    }

    /// Gives the process what waits for it.
    fn feed(&mut self) {
        let Some(input) = &mut self.input else { return };
        while !input.pending.is_empty() {
            match rustix::io::write(&input.fd, &input.pending) {
                Ok(length) => drop(input.pending.drain(..length)),
                Err(rustix::io::Errno::AGAIN) => return,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => {
                    // nobody reads any more
                    self.input = None;
                    return;
                }
            }
        }
        input.pending.shrink_to(4096);
        if input.ending {
            self.input = None;
        }
    }

    /// Takes out what has ended.
    pub(super) fn sweep(&mut self) {
        self.outputs.retain(|output| output.stream != 0);
        self.clients.retain(|client| !(client.ending && client.pending.is_empty()));
    }

    /// The process is gone: reads what it left, and lets the clients go once they have it.
    pub(super) fn finish(&mut self, now: i64) {
        while let Some(index) = self.outputs.len().checked_sub(1) {
            self.drain(index, now);
            self.outputs.remove(index);
        }
        if let Some(log) = &mut self.log {
            let _ = log.finish(now);
        }
        self.input = None;
        for client in &mut self.clients {
            client.ending = true;
            client.reading = false;
            client.flush();
        }
        self.sweep();
    }

    fn drain(&mut self, index: usize, now: i64) {
        loop {
            let before = rustix::io::ioctl_fionread(&self.outputs[index].fd).unwrap_or(0);
            if before == 0 || !self.read_output(index, now) {
                return;
            }
        }
    }

    /// Everybody has got everything.
    pub(super) fn is_done(&self) -> bool {
        self.clients.is_empty() && self.outputs.is_empty()
    }
}

impl Client {
    fn flush(&mut self) {
        while !self.pending.is_empty() {
            match rustix::net::send(&self.socket, &self.pending, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(length) => drop(self.pending.drain(..length)),
                Err(rustix::io::Errno::AGAIN) => return,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return self.drop_out(),
            }
        }
        self.pending.shrink_to(4096);
    }

    fn drop_out(&mut self) {
        self.pending.clear();
        self.reading = false;
        self.ending = true;
        self.want = Attach { stdin: false, stdout: false, stderr: false };
    }
}

fn null() -> io::Result<OwnedFd> {
    Ok(OpenOptions::new().read(true).write(true).open("/dev/null")?.into())
}

/// Reads once more after an interruption.
pub(super) fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
