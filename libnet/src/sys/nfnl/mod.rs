//! The netfilter netlink socket: nf_tables transactions, dumps of nf_tables and of the connection table.
//!
//! The kernel works through a send before the call returns, and its answers are then in the receive queue: nothing here
//! waits. The socket belongs to the namespace that it was opened in for ever. Keep it open: closing one flushes pending
//! deletions synchronously (10 ms).

pub(crate) mod attr;
pub(crate) mod batch;
pub(crate) mod log;

use std::io;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};
use nix::sys::socket::{setsockopt, sockopt};

use attr::{Attrs, Malformed};
use batch::{FAMILY_HEADER, HEADER, Messages};

/// `netlink_dump` fills messages of up to 32 KiB if the reader has room for them.
const ANSWER: usize = 32 * 1024;
/// What the kernel adds to a message in its send buffer (`struct sk_buff` and padding), generously.
const SEND_OVERHEAD: usize = 16 * 1024;
/// `NLMSG_ERROR`, `NLMSG_DONE`.
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// `NLM_F_DUMP_INTR`, `NLM_F_CAPPED`, `NLM_F_ACK_TLVS`, `NLM_F_DUMP`.
const INTERRUPTED: u16 = 0x10;
const HAS_TEXT: u16 = 0x200;
pub(crate) const DUMP: u16 = 0x300;
/// `NLMSGERR_ATTR_MSG`, `NLMSGERR_ATTR_OFFS`.
const TEXT: u16 = 1;
const OFFSET: u16 = 2;
/// How often a dump that changes overtook is begun again.
const DUMP_TRIES: usize = 16;

/// The kernel's refusal of one message.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// Which message, from zero.
    pub(crate) message: usize,
    /// Why.
    pub(crate) errno: io::Error,
    /// The kernel's own words, where it has some.
    pub(crate) text: Option<String>,
    /// Where in the message the attribute begins that the kernel objects to.
    pub(crate) offset: Option<usize>,
}

/// Why the kernel has not done what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NfnlError {
    /// It refused.
    #[error("{}", .0.errno)]
    Refused(Refusal),
    /// The socket failed.
    #[error("netfilter netlink socket")]
    Socket(#[source] io::Error),
    /// Its answer makes no sense.
    #[error("netfilter netlink answer")]
    Answer(#[from] Malformed),
}

/// A netfilter netlink socket of one network namespace.
pub struct NfSocket {
    socket: Socket,
    sequence: u32,
    room: usize,
}

impl std::fmt::Debug for NfSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NfSocket").field("sequence", &self.sequence).finish_non_exhaustive()
    }
}

struct Answer<'a> {
    kind: u16,
    flags: u16,
    sequence: u32,
    payload: &'a [u8],
}

impl NfSocket {
    /// Opens a socket in the calling thread's network namespace.
    ///
    /// # Errors
    /// If the kernel has no netfilter netlink, or the process may not open more files.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        socket.bind_auto()?;
        socket.set_cap_ack(true)?;
        socket.set_ext_ack(true)?;
        Ok(Self { socket, sequence: 0, room: 0 })
    }

    /// Its port, which the kernel names as the cause of what this socket changes.
    pub(crate) fn port(&self) -> io::Result<u32> {
        let mut address = SocketAddr::new(0, 0);
        self.socket.get_address(&mut address)?;
        Ok(address.port_number())
    }

    /// Sends messages of which the last asks for an acknowledgement, and reads what the kernel says. The first refusal
    /// is returned.
    pub(crate) fn send(&mut self, messages: &mut Messages) -> Result<(), NfnlError> {
        let first = self.transmit(messages)?;
        let mut refused: Option<Refusal> = None;
        let mut answered = false;
        while let Some(buffer) = self.receive()? {
            for answer in answers(&buffer) {
                let answer = answer?;
                let message = answer.sequence.wrapping_sub(first) as usize;
                if answer.kind != ERROR || message >= messages.count() {
                    continue;
                }
                answered = true;
                let refusal = refusal(&answer, message)?;
                if refused.is_none() {
                    refused = refusal;
                }
            }
        }
        match refused {
            Some(refusal) => Err(NfnlError::Refused(refusal)),
            None if answered => Ok(()),
            None => Err(NfnlError::Answer(Malformed)),
        }
    }

    /// Everything that a dump request shows: `each` gets a message's type and its attributes. A dump that changes
    /// overtook is begun again.
    pub(crate) fn dump<T>(
        &mut self,
        request: impl Fn() -> Messages,
        mut each: impl FnMut(u16, u8, &Attrs<'_>) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, NfnlError> {
        for _ in 0..DUMP_TRIES {
            if let Some(found) = self.dump_once(&mut request(), &mut each)? {
                return Ok(found);
            }
        }
        Err(NfnlError::Socket(io::Error::from(io::ErrorKind::Interrupted)))
    }

    fn dump_once<T>(
        &mut self,
        request: &mut Messages,
        each: &mut impl FnMut(u16, u8, &Attrs<'_>) -> Result<T, Malformed>,
    ) -> Result<Option<Vec<T>>, NfnlError> {
        let first = self.transmit(request)?;
        let mut found = Vec::new();
        let mut whole = true;
        while let Some(buffer) = self.receive()? {
            for answer in answers(&buffer) {
                let answer = answer?;
                if answer.sequence != first {
                    continue;
                }
                whole &= answer.flags & INTERRUPTED == 0;
                match answer.kind {
                    DONE => return Ok(whole.then_some(found)),
                    ERROR => match refusal(&answer, 0)? {
                        Some(refusal) => return Err(NfnlError::Refused(refusal)),
                        None => return Ok(whole.then_some(found)),
                    },
                    kind => {
                        let body = answer.payload.get(FAMILY_HEADER..).ok_or(Malformed)?;
                        found.push(each(kind, answer.payload[0], &Attrs::parse(body)?)?);
                    }
                }
            }
        }
        Ok(whole.then_some(found))
    }

    fn transmit(&mut self, messages: &mut Messages) -> Result<u32, NfnlError> {
        let first = self.sequence.wrapping_add(1);
        messages.number_from(first);
        self.sequence = first.wrapping_add(u32::try_from(messages.count()).unwrap_or(u32::MAX));
        self.make_room(messages.bytes().len());
        self.socket.send_to(messages.bytes(), &SocketAddr::new(0, 0), 0).map_err(NfnlError::Socket)?;
        Ok(first)
    }

    /// A message longer than the send buffer is refused with EMSGSIZE.
    fn make_room(&mut self, length: usize) {
        let wanted = length + SEND_OVERHEAD;
        if wanted <= self.room {
            return;
        }
        // Both can fail only where the send will fail as well, and then that error says what matters.
        if setsockopt(&self.socket, sockopt::SndBufForce, &wanted).is_err() {
            let _ = setsockopt(&self.socket, sockopt::SndBuf, &wanted);
        }
        self.room = wanted;
    }

    fn receive(&self) -> Result<Option<Vec<u8>>, NfnlError> {
        let mut buffer: Vec<u8> = Vec::with_capacity(ANSWER);
        loop {
            match self.socket.recv(&mut (&mut buffer), nix::libc::MSG_DONTWAIT) {
                Ok(_) => return Ok(Some(buffer)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(NfnlError::Socket(error)),
            }
        }
    }
}

/// What `each` would get of a datagram if it answered a dump; for the fuzz target.
pub(crate) fn read_all(datagram: &[u8], mut each: impl FnMut(u8, &Attrs<'_>)) {
    for answer in answers(datagram).flatten() {
        // Whatever it says, it is read.
        let _ = refusal(&answer, 0);
        let body = answer.payload.get(FAMILY_HEADER..).map(Attrs::parse);
        if let Some(Ok(attrs)) = body {
            each(answer.payload[0], &attrs);
        }
    }
}

/// The messages of a datagram of events, netfilter's or rtnetlink's: type and payload. What is cut off is left out.
pub(crate) fn messages(datagram: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    answers(datagram).flatten().map(|answer| (answer.kind, answer.payload))
}

/// The messages of one datagram.
fn answers(mut bytes: &[u8]) -> impl Iterator<Item = Result<Answer<'_>, Malformed>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let read = answer(bytes);
        bytes = match &read {
            Ok((_, length)) => bytes.get(length.next_multiple_of(4)..).unwrap_or_default(),
            Err(Malformed) => &[],
        };
        Some(read.map(|(answer, _)| answer))
    })
}

fn answer(bytes: &[u8]) -> Result<(Answer<'_>, usize), Malformed> {
    let header: &[u8; HEADER] = bytes.get(..HEADER).and_then(|head| head.try_into().ok()).ok_or(Malformed)?;
    let [l0, l1, l2, l3, k0, k1, f0, f1, s0, s1, s2, s3, ..] = *header;
    let length = u32::from_ne_bytes([l0, l1, l2, l3]) as usize;
    let payload = bytes.get(HEADER..length).ok_or(Malformed)?;
    let answer = Answer {
        kind: u16::from_ne_bytes([k0, k1]),
        flags: u16::from_ne_bytes([f0, f1]),
        sequence: u32::from_ne_bytes([s0, s1, s2, s3]),
        payload,
    };
    Ok((answer, length))
}

/// Reads a `struct nlmsgerr`; `None`: an acknowledgement.
fn refusal(answer: &Answer<'_>, message: usize) -> Result<Option<Refusal>, Malformed> {
    let code = answer.payload.get(..4).and_then(|code| code.try_into().ok()).ok_or(Malformed)?;
    let code = i32::from_ne_bytes(code);
    if code == 0 {
        return Ok(None);
    }
    let errno = io::Error::from_raw_os_error(code.wrapping_neg());
    let mut refusal = Refusal { message, errno, text: None, offset: None };
    if answer.flags & HAS_TEXT != 0 {
        // NETLINK_CAP_ACK: only the header of the refused message is echoed before the attributes.
        let attrs = Attrs::parse(answer.payload.get(4 + HEADER..).unwrap_or_default())?;
        refusal.text = attrs.text(TEXT).ok().map(str::to_owned);
        let offset = attrs.get(OFFSET).and_then(|offset| offset.try_into().ok());
        refusal.offset = offset.map(|offset| u32::from_ne_bytes(offset) as usize);
    }
    Ok(Some(refusal))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_answer_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            for answer in answers(&bytes).flatten() {
                let _ = refusal(&answer, 0);
            }
        }
    }
}
