//! A connection to a shim: requests out, replies in, descriptors both ways.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use tokio::io::Interest;
use tokio::net::UnixStream;

use crate::error::RuntimeError;
use crate::fdpass;
use crate::protocol::{self, Reply, Request, SOCKET};

/// One connection.
#[derive(Debug)]
pub(super) struct Link {
    stream: UnixStream,
    buffer: Vec<u8>,
    fds: Vec<OwnedFd>,
}

/// A path for a socket in the directory that `dir` holds open: the address of a unix socket has room for 107 bytes only,
/// a container's directory may be longer.
pub(crate) fn socket_path(dir: BorrowedFd<'_>, name: &str) -> PathBuf {
    Path::new("/proc/self/fd").join(dir.as_raw_fd().to_string()).join(name)
}

fn gone(request: &'static str) -> impl Fn(io::Error) -> RuntimeError {
    move |source| RuntimeError::Gone { request, source }
}

impl Link {
    pub(super) fn new(stream: std::os::unix::net::UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { stream: UnixStream::from_std(stream)?, buffer: Vec::new(), fds: Vec::new() })
    }

    /// Connects to the shim whose directory is `dir`. Connecting to a unix socket never waits for the other side.
    pub(super) fn connect(dir: &Path) -> io::Result<Self> {
        use std::os::fd::AsFd;
        let dir = std::fs::File::open(dir)?;
        Self::new(std::os::unix::net::UnixStream::connect(socket_path(dir.as_fd(), SOCKET))?)
    }

    /// Sends a request with descriptors.
    pub(super) async fn send(
        &self,
        request: &Request,
        fds: &[BorrowedFd<'_>],
        what: &'static str,
    ) -> Result<(), RuntimeError> {
        let frame = protocol::encode(request);
        let mut sent = 0;
        while sent < frame.len() {
            let fds = if sent == 0 { fds } else { &[] };
            let step = || fdpass::send(&self.stream, &frame[sent..], fds);
            sent += self.stream.async_io(Interest::WRITABLE, step).await.map_err(gone(what))?;
        }
        Ok(())
    }

    /// The next reply.
    pub(super) async fn receive(&mut self, what: &'static str) -> Result<Reply, RuntimeError> {
        loop {
            let decoded =
                protocol::decode(&mut self.buffer).map_err(|text| gone(what)(io::Error::other(text)))?;
            if let Some(reply) = decoded {
                return Ok(reply);
            }
            let (stream, buffer, fds) = (&self.stream, &mut self.buffer, &mut self.fds);
            let mut chunk = [0; 4096];
            let length = stream
                .async_io(Interest::READABLE, || fdpass::receive(stream, &mut chunk, fds))
                .await
                .map_err(gone(what))?;
            if length == 0 {
                return Err(gone(what)(io::ErrorKind::UnexpectedEof.into()));
            }
            buffer.extend_from_slice(&chunk[..length]);
        }
    }

    /// The descriptors that came with the replies so far.
    pub(super) fn take_fds(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.fds)
    }

    /// Asks and waits for the answer; a refusal is an error.
    pub(super) async fn ask(&mut self, request: &Request, what: &'static str) -> Result<Reply, RuntimeError> {
        self.send(request, &[], what).await?;
        match self.receive(what).await? {
            Reply::Failed(error) => Err(error.into()),
            Reply::Refused(text) => Err(RuntimeError::Refused(text)),
            reply => Ok(reply),
        }
    }
}
