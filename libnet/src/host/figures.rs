//! What was counted on a host, for whoever asks: nothing is counted for it that would cost a packet anything.

use std::collections::BTreeMap;

use super::{Host, HostError};
use crate::{conntrack::Connection, observe, observe::Traffic, sys::sysctl, types::EndpointId};

/// Counts all packets and bytes of connections, if it is 1.
const ACCOUNTING: &str = "netfilter/nf_conntrack_acct";

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// The traffic of endpoints that have an end on this host.
    pub endpoints: BTreeMap<EndpointId, Traffic>,
    /// The connections that the kernel follows.
    pub connections: Vec<Connection>,
    /// Whether the kernel counts what passes through connections (`net.netfilter.nf_conntrack_acct`).
    pub accounting: bool,
}

impl Host {
    /// Reads what was counted.
    ///
    /// # Errors
    /// If the kernel can't be read.
    pub fn figures(&self) -> Result<Figures, HostError> {
        let inner = &self.inner;
        let mut socket = inner.sockets.admit().map_err(HostError::Open)?;
        let endpoints = observe::traffic(&mut socket)?.into_iter().collect();
        drop(socket);
        let connections = inner.firewall.connections()?;
        let read = || sysctl::read(ACCOUNTING);
        let accounting = inner.netns.run(read).map_err(HostError::Open)?.is_ok_and(|value| value == "1");
        Ok(Figures { endpoints, connections, accounting })
    }
}
