//! Why a port can't be had. The texts are Docker's.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use nix::errno::Errno;

use crate::types::{Port, Proto};

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
    #[error("failed to bind host port {addr}/{proto}: {}", in_words(source))]
    Bind {
        /// What was to be bound.
        addr: SocketAddr,
        /// Its protocol.
        proto: Proto,
        /// Why it can't.
        source: io::Error,
    },
    /// No port of the range is free.
    #[error("all ports are allocated")]
    AllAllocated,
    /// The namespace that the ports belong to can't be entered.
    #[error("enter the network namespace of the host")]
    Namespace(#[source] io::Error),
}

/// The words of the C library, in lower case as Go prints them and without Rust's error number.
fn in_words(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => Errno::from_raw(number).desc().to_lowercase(),
        None => error.to_string(),
    }
}
