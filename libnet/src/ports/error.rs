//! Why a port can't be had. The texts are Docker's.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use nix::errno::Errno;

use crate::{
    netns::Process,
    observe,
    types::{Port, Proto},
};

/// A port of the host can't be reserved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PortError {
    /// Another container of ours has it.
    #[error("Bind for {ip}:{port} failed: port is already allocated")]
    Allocated {
        /// The address asked for.
        ip: IpAddr,
        /// The port asked for.
        port: Port,
    },
    /// A process of the host has it, or it can't be bound for another reason.
    #[error("failed to bind host port {addr}/{proto}: {}{}", in_words(reason), by(holder.as_ref()))]
    Bind {
        /// What was to be bound.
        addr: SocketAddr,
        /// Its protocol.
        proto: Proto,
        /// Who has it, if that can be seen.
        holder: Option<Process>,
        /// Why it can't; the text says it.
        reason: io::Error,
    },
    /// No port of the range is free.
    #[error("all ports are allocated")]
    AllAllocated,
    /// The namespace that the ports belong to can't be entered.
    #[error("enter the network namespace of the host")]
    Namespace(#[source] io::Error),
}

impl PortError {
    /// The same, with the process that is in the way. Reads of `/proc` what the calling thread's namespace shows.
    pub(super) fn with_holder(self) -> Self {
        match self {
            Self::Bind { addr, proto, reason, .. }
                if reason.raw_os_error() == Some(Errno::EADDRINUSE as i32) =>
            {
                Self::Bind { addr, proto, holder: observe::holder(addr, proto), reason }
            }
            other => other,
        }
    }
}

/// What follows Docker's text.
fn by(holder: Option<&Process>) -> String {
    holder.map(|process| format!(" (by {}, pid {})", process.name, process.pid)).unwrap_or_default()
}

/// The words of the C library, in lower case as Go prints them and without Rust's error number.
fn in_words(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => Errno::from_raw(number).desc().to_lowercase(),
        None => error.to_string(),
    }
}
