//! A blocking rtnetlink socket that takes several requests in one send.
//!
//! The kernel works through all requests of a send before the call returns, and goes on after one that failed. Only the
//! last request asks for an acknowledgement: errors of the others come without being asked for, so that a batch costs
//! one send and, if all goes well, one receive. The socket belongs to the namespace that it was opened in for ever.

use std::io;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage,
    NetlinkPayload, NlasIterator,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, protocols::NETLINK_ROUTE};

/// Acknowledgements and single answers: `NLMSG_GOODSIZE` of the kernel is a page, an answer with statistics some 2 KiB.
const ANSWER_SIZE: usize = 8 * 1024;
/// `netlink_dump` fills messages of up to 32 KiB if the reader has room for them.
const DUMP_SIZE: usize = 32 * 1024;
/// Length of `struct nlmsghdr`: where the attributes of an extended acknowledgement begin in the echoed request, since
/// `NETLINK_CAP_ACK` leaves its payload out.
const HEADER_LEN: usize = 16;
/// `NLMSGERR_ATTR_MSG` of linux/netlink.h: the kernel's own words.
const ATTR_MSG: u16 = 1;
/// How often a dump that was overtaken by changes is begun again before it is taken as it is.
const DUMP_TRIES: usize = 8;

/// What to do, with the flags beyond `NLM_F_REQUEST`.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The message.
    pub(crate) message: RouteNetlinkMessage,
    /// `NLM_F_CREATE` and the like.
    pub(crate) flags: u16,
}

/// The kernel's refusal, in its own words where it gave some.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// The kernel refused.
    #[error("{}", kernel_text(.errno, .text))]
    Refused {
        /// Which request of the batch, from zero.
        request: usize,
        /// Why.
        errno: io::Error,
        /// The text of the extended acknowledgement.
        text: Option<String>,
    },
    /// The socket failed.
    #[error("netlink socket")]
    Socket(#[source] io::Error),
    /// What came is not what was asked for.
    #[error("netlink answer: {0}")]
    Protocol(String),
}

fn kernel_text(errno: &io::Error, text: &Option<String>) -> String {
    match text {
        Some(text) => format!("{text} ({errno})"),
        None => errno.to_string(),
    }
}

impl NetlinkError {
    /// The error number, if the kernel gave one.
    pub(crate) fn errno(&self) -> Option<i32> {
        match self {
            Self::Refused { errno, .. } | Self::Socket(errno) => errno.raw_os_error(),
            Self::Protocol(_) => None,
        }
    }

    /// Which request of the batch was refused, from zero.
    pub(crate) fn request(&self) -> Option<usize> {
        match self {
            Self::Refused { request, .. } => Some(*request),
            Self::Socket(_) | Self::Protocol(_) => None,
        }
    }

    /// Whether the kernel refused with this error number.
    pub(crate) fn is(&self, errno: nix::errno::Errno) -> bool {
        self.errno() == Some(errno as i32)
    }
}

/// One socket; `&mut` keeps request and answer together.
pub(crate) struct RtSocket {
    socket: Socket,
    sequence: u32,
    out: Vec<u8>,
}

impl RtSocket {
    /// A socket of the calling thread's network namespace.
    pub(crate) fn open() -> io::Result<Self> {
        let socket = Socket::new(NETLINK_ROUTE)?;
        socket.set_cap_ack(true)?;
        socket.set_ext_ack(true)?;
        socket.set_netlink_get_strict_chk(true)?;
        Ok(Self { socket, sequence: 0, out: Vec::new() })
    }

    /// Sends all requests at once and waits until the last one is done. The first refusal is returned; what the kernel
    /// did before and after it stays done.
    pub(crate) fn send(&mut self, requests: Vec<Request>) -> Result<(), NetlinkError> {
        self.send_and_hear(requests).map(drop)
    }

    /// The same; what the kernel tells of requests with `NLM_F_ECHO` comes back.
    pub(crate) fn send_and_hear(
        &mut self,
        requests: Vec<Request>,
    ) -> Result<Vec<RouteNetlinkMessage>, NetlinkError> {
        let count = requests.len();
        if count == 0 {
            return Ok(Vec::new());
        }
        self.out.clear();
        let first = self.sequence.wrapping_add(1);
        for (index, Request { message, flags }) in requests.into_iter().enumerate() {
            let ack = if index + 1 == count { NLM_F_ACK } else { 0 };
            self.encode(message, flags | ack);
        }
        self.socket.send(&self.out, 0).map_err(NetlinkError::Socket)?;
        self.acknowledged(first, count)
    }

    /// One request, one answer.
    pub(crate) fn get(&mut self, message: RouteNetlinkMessage) -> Result<RouteNetlinkMessage, NetlinkError> {
        self.out.clear();
        let sequence = self.encode(message, 0);
        self.socket.send(&self.out, 0).map_err(NetlinkError::Socket)?;
        let mut buffer = [0; ANSWER_SIZE];
        for answer in self.receive(&mut buffer)? {
            match check(&answer, sequence, 1)? {
                Answer::Message => return inner(answer),
                Answer::Refused(refused) => return Err(refused),
                Answer::Acknowledged(_) | Answer::Done => {}
            }
        }
        Err(NetlinkError::Protocol("no answer to a request".to_owned()))
    }

    /// Everything that matches. A dump that changes overtook is begun again: it may lack objects or show them twice.
    pub(crate) fn dump(
        &mut self,
        message: &RouteNetlinkMessage,
    ) -> Result<Vec<RouteNetlinkMessage>, NetlinkError> {
        let mut last = Vec::new();
        for _ in 0..DUMP_TRIES {
            let (found, interrupted) = self.dump_once(message.clone())?;
            last = found;
            if !interrupted {
                break;
            }
        }
        Ok(last)
    }

    fn dump_once(
        &mut self,
        message: RouteNetlinkMessage,
    ) -> Result<(Vec<RouteNetlinkMessage>, bool), NetlinkError> {
        self.out.clear();
        let sequence = self.encode(message, NLM_F_DUMP);
        self.socket.send(&self.out, 0).map_err(NetlinkError::Socket)?;
        let mut buffer = vec![0; DUMP_SIZE];
        let (mut found, mut interrupted) = (Vec::new(), false);
        loop {
            for answer in self.receive(&mut buffer)? {
                interrupted |= answer.header.flags & NLM_F_DUMP_INTR != 0;
                match check(&answer, sequence, 1)? {
                    Answer::Message => found.push(inner(answer)?),
                    Answer::Refused(refused) => return Err(refused),
                    Answer::Done => return Ok((found, interrupted)),
                    Answer::Acknowledged(_) => {}
                }
            }
        }
    }

    fn encode(&mut self, message: RouteNetlinkMessage, flags: u16) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
        message.finalize();
        let start = self.out.len();
        self.out.resize(start + message.buffer_len().next_multiple_of(4), 0);
        message.serialize(&mut self.out[start..]);
        self.sequence
    }

    fn acknowledged(&mut self, first: u32, count: usize) -> Result<Vec<RouteNetlinkMessage>, NetlinkError> {
        let mut buffer = [0; ANSWER_SIZE];
        let (mut heard, mut refused) = (Vec::new(), None);
        loop {
            for answer in self.receive(&mut buffer)? {
                let request = match check(&answer, first, count)? {
                    Answer::Acknowledged(request) => request,
                    Answer::Refused(error) => {
                        let request = answer.header.sequence_number.wrapping_sub(first) as usize;
                        refused.get_or_insert(error);
                        request
                    }
                    Answer::Message => {
                        heard.push(inner(answer)?);
                        continue;
                    }
                    Answer::Done => continue,
                };
                if request + 1 == count {
                    return refused.map_or(Ok(heard), Err);
                }
            }
        }
    }

    fn receive(&self, buffer: &mut [u8]) -> Result<Vec<NetlinkMessage<RouteNetlinkMessage>>, NetlinkError> {
        let received = loop {
            match self.socket.recv(&mut &mut *buffer, 0) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other.map_err(NetlinkError::Socket)?,
            }
        };
        messages(&buffer[..received])
    }
}

impl std::fmt::Debug for RtSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RtSocket").field("sequence", &self.sequence).finish_non_exhaustive()
    }
}

/// Something that the kernel told without being asked.
pub(crate) struct Event {
    pub(crate) message: RouteNetlinkMessage,
    /// What it tells of took the place of something else, of which nothing is told.
    pub(crate) replaces: bool,
}

/// The events in a datagram; `None`: it can't be read.
pub(crate) fn told(datagram: &[u8]) -> Option<Vec<Event>> {
    let event = |message: NetlinkMessage<RouteNetlinkMessage>| {
        let replaces = message.header.flags & NLM_F_REPLACE != 0;
        Some(Event { message: inner(message).ok()?, replaces })
    };
    Some(messages(datagram).ok()?.into_iter().filter_map(event).collect())
}

/// All messages of what was received at once.
fn messages(mut received: &[u8]) -> Result<Vec<NetlinkMessage<RouteNetlinkMessage>>, NetlinkError> {
    let mut all = Vec::new();
    while received.len() >= HEADER_LEN {
        let message = NetlinkMessage::deserialize(received)
            .map_err(|error| NetlinkError::Protocol(error.to_string()))?;
        let length = (message.header.length as usize).next_multiple_of(4);
        received = received.get(length..).unwrap_or_default();
        all.push(message);
    }
    Ok(all)
}

enum Answer {
    Message,
    Acknowledged(usize),
    Refused(NetlinkError),
    Done,
}

/// What an answer is, provided that it belongs to one of the `count` requests from `first` on.
fn check(
    answer: &NetlinkMessage<RouteNetlinkMessage>,
    first: u32,
    count: usize,
) -> Result<Answer, NetlinkError> {
    let request = answer.header.sequence_number.wrapping_sub(first) as usize;
    if request >= count {
        let got = answer.header.sequence_number;
        return Err(NetlinkError::Protocol(format!("sequence {got} where {first} was asked")));
    }
    Ok(match &answer.payload {
        NetlinkPayload::Error(error) => match error.code {
            None => Answer::Acknowledged(request),
            Some(code) => Answer::Refused(NetlinkError::Refused {
                request,
                errno: io::Error::from_raw_os_error(code.get().abs()),
                text: extended_text(&error.header),
            }),
        },
        NetlinkPayload::Done(done) if done.code != 0 => Answer::Refused(NetlinkError::Refused {
            request,
            errno: io::Error::from_raw_os_error(done.code.abs()),
            text: None,
        }),
        NetlinkPayload::Done(_) => Answer::Done,
        NetlinkPayload::InnerMessage(_) => Answer::Message,
        NetlinkPayload::Overrun(_) => return Err(NetlinkError::Protocol("answers were lost".to_owned())),
        _ => return Err(NetlinkError::Protocol("an answer of unknown kind".to_owned())),
    })
}

fn inner(answer: NetlinkMessage<RouteNetlinkMessage>) -> Result<RouteNetlinkMessage, NetlinkError> {
    match answer.payload {
        NetlinkPayload::InnerMessage(message) => Ok(message),
        _ => Err(NetlinkError::Protocol("an answer without a message".to_owned())),
    }
}

/// The kernel's words behind the echoed header of the request.
fn extended_text(echoed: &[u8]) -> Option<String> {
    let attributes = NlasIterator::new(echoed.get(HEADER_LEN..)?);
    let message = attributes.flatten().find(|attribute| attribute.kind() == ATTR_MSG)?;
    let text = message.value().split(|byte| *byte == 0).next()?;
    Some(String::from_utf8_lossy(text).into_owned())
}
