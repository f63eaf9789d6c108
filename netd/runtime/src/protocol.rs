//! What daemon and shim say to each other over the shim's socket: a 4-byte little-endian length, then JSON. Descriptors
//! ride along with the first byte of a frame. The coding is pure; both sides bring their own input and output.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::client::{Attach, Exit, ShimState};
use crate::error::LaunchError;
use crate::launch::{Launch, ProcessPlan};
use crate::spec::Resources;

/// Name of the socket in the shim's directory.
pub(crate) const SOCKET: &str = "shim.sock";
/// Name of the exit record.
pub(crate) const EXIT_FILE: &str = "exit.json";
/// Name of the state record.
pub(crate) const STATE_FILE: &str = "state.json";
/// A frame longer than this is a mistake: 8 MiB holds the largest argument list that the kernel takes.
const MAX_FRAME: usize = 8 << 20;
/// Most descriptors in one frame.
pub(crate) const MAX_FDS: usize = 16;

/// What the daemon asks.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// First and only once, on the socket that the shim was born with. The descriptors are the DNS sockets.
    Create(Box<Launch>),
    /// Answered by [`Reply::State`]; the connection then gets [`Reply::Exited`] at the end.
    Watch,
    Start,
    Kill {
        signal: i32,
        exec: Option<u32>,
    },
    Resize {
        rows: u16,
        cols: u16,
        exec: Option<u32>,
    },
    Attach(Attach),
    /// The connection then gets [`Reply::ExecExited`] at the end.
    Exec(Box<ExecRequest>),
    Sockets,
    Pause,
    Unpause,
    Update(Box<Resources>),
    Delete,
}

/// A process to add.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ExecRequest {
    pub(crate) process: ProcessPlan,
    pub(crate) attach: Option<Attach>,
}

/// What the shim answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    Done,
    State(Report),
    /// The process can't be made or executed.
    Failed(LaunchError),
    /// The request makes no sense now; the text says why.
    Refused(String),
    Exited(Exit),
    /// One descriptor comes along.
    Stream,
    /// The descriptors come along.
    Sockets,
    /// A descriptor comes along if streams were asked for.
    ExecStarted {
        exec: u32,
        pid: i32,
    },
    ExecExited {
        code: i32,
    },
}

/// A container as its shim sees it; also the content of [`STATE_FILE`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) id: String,
    pub(crate) pid: i32,
    pub(crate) shim_pid: i32,
    pub(crate) state: ShimState,
    pub(crate) terminal: bool,
    /// Below every hierarchy, without a leading slash.
    pub(crate) cgroup: String,
    /// Start time of the first process in clock ticks since boot (field 22 of `/proc/<pid>/stat`): with the id, its name.
    pub(crate) start_ticks: u64,
}

/// A message as a frame.
pub(crate) fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    let mut frame = vec![0; 4];
    // Our own types have string keys only, and writing to memory does not fail.
    if serde_json::to_writer(&mut frame, message).is_err() {
        frame.truncate(4);
    }
    let length = u32::try_from(frame.len() - 4).unwrap_or(u32::MAX);
    frame[..4].copy_from_slice(&length.to_le_bytes());
    frame
}

/// Takes the first whole frame out of `buffer`, if there is one.
pub(crate) fn decode<T: DeserializeOwned>(buffer: &mut Vec<u8>) -> Result<Option<T>, String> {
    let Some(head) = buffer.first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_le_bytes(*head) as usize;
    if length > MAX_FRAME {
        return Err(format!("a frame of {length} bytes"));
    }
    if buffer.len() < 4 + length {
        return Ok(None);
    }
    let message = serde_json::from_slice(&buffer[4..4 + length]).map_err(|error| error.to_string())?;
    buffer.drain(..4 + length);
    Ok(Some(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn frames_survive_any_cut(signals in proptest::collection::vec(0..100, 1..8), step in 1_usize..64) {
            let bytes: Vec<u8> =
                signals.iter().flat_map(|signal| encode(&Request::Kill { signal: *signal, exec: None })).collect();
            let mut buffer = Vec::new();
            let mut got = Vec::new();
            for piece in bytes.chunks(step) {
                buffer.extend_from_slice(piece);
                while let Some(request) = decode::<Request>(&mut buffer).unwrap() {
                    let Request::Kill { signal, .. } = request else { panic!("a kill") };
                    got.push(signal);
                }
            }
            proptest::prop_assert_eq!(got, signals);
        }

        #[test]
        fn nonsense_is_an_error_and_never_a_panic(bytes: Vec<u8>) {
            let mut buffer = bytes;
            while let Ok(Some(_)) = decode::<Request>(&mut buffer) {}
        }
    }
}
