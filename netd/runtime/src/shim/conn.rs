//! A connection of the daemon: requests come in, replies go out.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::fdpass;
use crate::protocol::{self, Reply, Request};

/// One connection.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) socket: OwnedFd,
    buffer: Vec<u8>,
    /// It asked for the container to be made.
    pub(super) creator: bool,
    /// Is told of the container's end.
    pub(super) watches: bool,
    /// Is told of the end of this added process.
    pub(super) watches_exec: Option<u32>,
    /// To be forgotten.
    pub(super) closed: bool,
}

impl Conn {
    pub(super) fn new(socket: OwnedFd) -> Self {
        Self { socket, buffer: Vec::new(), creator: false, watches: false, watches_exec: None, closed: false }
    }

    /// Reads what is there and gives the requests in it.
    pub(super) fn read(&mut self) -> Vec<Request> {
        let mut chunk = [0; 16 << 10];
        loop {
            match fdpass::receive(&self.socket, &mut chunk, &mut Vec::new()) {
                Ok(length) if length > 0 => self.buffer.extend_from_slice(&chunk[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                _ => {
                    self.closed = true;
                    break;
                }
            }
        }
        let mut requests = Vec::new();
        loop {
            match protocol::decode(&mut self.buffer) {
                Ok(Some(request)) => requests.push(request),
                Ok(None) => break,
                Err(text) => {
                    self.reply(&Reply::Refused(format!("the request can't be read: {text}")), &[]);
                    self.closed = true;
                    break;
                }
            }
        }
        self.buffer.shrink_to(4096);
        requests
    }

    /// Sends a reply. Replies are small: one that does not fit means that nobody reads.
    pub(super) fn reply(&mut self, reply: &Reply, fds: &[BorrowedFd<'_>]) {
        let frame = protocol::encode(reply);
        if !fdpass::send(&self.socket, &frame, fds).is_ok_and(|length| length == frame.len()) {
            self.closed = true;
        }
    }
}

impl AsFd for Conn {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
