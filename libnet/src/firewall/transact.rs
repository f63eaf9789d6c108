//! One transaction: operations in, the kernel's verdict out, with the object that it objects to.

use nix::errno::Errno;

use super::{
    FirewallError,
    nft::op::{Encoded, Op},
};
use crate::sys::nfnl::{NfSocket, NfnlError, Refusal, batch::Ending};

/// Hands all operations to the kernel, which takes all of them or none.
pub(crate) fn commit(
    socket: &mut NfSocket,
    ops: &[Op],
    generation: Option<u32>,
) -> Result<(), FirewallError> {
    if ops.is_empty() {
        return Ok(());
    }
    let (encoded, sent) = send(socket, ops, generation, Ending::Commit);
    sent.map_err(|error| match error {
        NfnlError::Refused(refusal) => refused(&encoded, ops, refusal),
        other => other.into(),
    })
}

/// Asks the kernel whether it would take all operations. It changes nothing.
pub(crate) fn check(socket: &mut NfSocket, ops: &[Op]) -> Result<(), FirewallError> {
    let (encoded, sent) = send(socket, ops, None, Ending::Check);
    sent.map_err(|error| match error {
        NfnlError::Refused(refusal) if refusal.errno.raw_os_error() == Some(Errno::EPERM as i32) => {
            FirewallError::NotPermitted
        }
        NfnlError::Refused(refusal) => FirewallError::Unsupported {
            action: encoded.subject(ops, refusal.message, refusal.offset),
            source: refusal.errno,
        },
        other => other.into(),
    })
}

fn send(
    socket: &mut NfSocket,
    ops: &[Op],
    generation: Option<u32>,
    ending: Ending,
) -> (Encoded, Result<(), NfnlError>) {
    let mut encoded = Encoded::new(ops, generation);
    encoded.messages.end(ending);
    let sent = socket.send(&mut encoded.messages);
    (encoded, sent)
}

fn refused(encoded: &Encoded, ops: &[Op], refusal: Refusal) -> FirewallError {
    if refusal.errno.raw_os_error() == Some(Errno::EPERM as i32) {
        return FirewallError::NotPermitted;
    }
    FirewallError::Refused {
        action: encoded.subject(ops, refusal.message, refusal.offset),
        hint: refusal.text,
        source: refusal.errno,
    }
}
