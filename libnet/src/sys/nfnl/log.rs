//! Packets that rules hand to whoever listens (linux/netfilter/nfnetlink_log.h): a rule names a group, and one socket of
//! the namespace has it.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
};

use nix::errno::Errno;

use super::batch::FAMILY_HEADER;
use super::{NfSocket, NfnlError, attr::Attrs, batch::Messages, messages};

/// `NFNL_SUBSYS_ULOG` with `NFULNL_MSG_PACKET`, `NFULNL_MSG_CONFIG`.
const PACKET: u16 = 4 << 8;
const CONFIG: u16 = PACKET | 1;
/// `NFULA_CFG_CMD` with `NFULNL_CFG_CMD_BIND`; `NFULA_CFG_MODE` with `NFULNL_COPY_PACKET`; `NFULA_CFG_QTHRESH`.
const COMMAND: u16 = 1;
const BIND: u8 = 1;
const MODE: u16 = 2;
const COPY: u8 = 2;
const TOGETHER: u16 = 5;
/// `NFULA_PAYLOAD`.
const PAYLOAD: u16 = 9;

/// A socket that hears the packets of one group.
pub(crate) struct Packets(NfSocket);

impl Packets {
    /// The packets of a group in the calling thread's namespace, each at once and its first `bytes` bytes.
    pub(crate) fn of_group(group: u16, bytes: u32) -> io::Result<Self> {
        let mut socket = NfSocket::open()?;
        let mut config = Messages::of_group(CONFIG, group, |attrs| {
            attrs.byte(COMMAND, BIND);
            let [b0, b1, b2, b3] = bytes.to_be_bytes();
            attrs.bytes(MODE, &[b0, b1, b2, b3, COPY, 0]);
            attrs.number(TOGETHER, 1);
        });
        match socket.send(&mut config) {
            Ok(()) => Ok(Self(socket)),
            Err(NfnlError::Refused(refusal)) => Err(refusal.errno),
            Err(NfnlError::Socket(error)) => Err(error),
            Err(NfnlError::Answer(error)) => Err(io::Error::other(error)),
        }
    }

    /// Hands the beginnings of all packets that came since the last time to `each`. What there was no room for is lost.
    pub(crate) fn drain(&mut self, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        loop {
            let datagram = match self.0.receive() {
                Ok(Some(datagram)) => datagram,
                Ok(None) => return Ok(()),
                Err(NfnlError::Socket(error)) if error.raw_os_error() == Some(Errno::ENOBUFS as i32) => {
                    continue;
                }
                Err(NfnlError::Socket(error)) => return Err(error),
                Err(error) => return Err(io::Error::other(error)),
            };
            packets(&datagram, &mut each);
        }
    }
}

/// Hands the beginnings of the packets that a datagram tells of to `each`.
pub(crate) fn packets(datagram: &[u8], mut each: impl FnMut(&[u8])) {
    for (_, payload) in messages(datagram).filter(|(kind, _)| *kind == PACKET) {
        let attrs = Attrs::parse(payload.get(FAMILY_HEADER..).unwrap_or_default());
        let packet = attrs.as_ref().ok().and_then(|attrs| attrs.get(PAYLOAD));
        packet.into_iter().for_each(&mut each);
    }
}

impl AsFd for Packets {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.socket.as_fd()
    }
}
