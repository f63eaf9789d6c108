//! What the janitor works with: sockets of the host's namespace, on a thread in it.

use std::{io, net::IpAddr};

use nix::errno::Errno;

use crate::{
    bridge::names::CONDEMNED,
    conntrack::{self, Stale},
    firewall::NfSocket,
    link, observe,
    ports::PublishedPort,
    sys::{rtnl::RtSocket, sysctl},
    types::Family,
};

pub(super) struct Tools {
    links: RtSocket,
    connections: NfSocket,
}

impl Tools {
    /// Sockets of the calling thread's namespace.
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self { links: RtSocket::open()?, connections: NfSocket::open()? })
    }

    /// Deletes all condemned links.
    pub(super) fn sweep(&mut self) {
        match self.links.send(vec![link::delete_group(CONDEMNED)]) {
            Ok(()) => tracing::debug!("condemned links deleted"),
            // None in the group.
            Err(error) if error.is(Errno::ENODEV) => {}
            Err(error) => tracing::warn!(error = %error, "condemned links stay"),
        }
    }

    /// Forgets connections.
    pub(super) fn forget(&mut self, stale: &[Stale]) {
        if stale.is_empty() || is_table_empty() {
            return;
        }
        match conntrack::forget(&mut self.connections, stale) {
            Ok(count) => tracing::debug!(count, "connections forgotten"),
            Err(error) => tracing::warn!(error = %error, "stale connections stay"),
        }
    }

    /// Forgets flows to these ports.
    pub(super) fn forget_before(&mut self, ports: &[PublishedPort]) {
        let own = match observe::addresses(&mut self.links) {
            Ok(own) => own,
            Err(error) => return tracing::warn!(error = %error, "stale connections stay"),
        };
        let own: Vec<IpAddr> = own.iter().map(|address| address.address.ip()).collect();
        let stale: Vec<Stale> = ports.iter().flat_map(|port| before(*port, &own)).collect();
        self.forget(&stale);
    }
}

/// The kernel's table is one for all namespaces, and going through it takes its time even if this one has no entry.
fn is_table_empty() -> bool {
    sysctl::read("netfilter/nf_conntrack_count").is_ok_and(|count| count == "0")
}

/// Flows to a port, on each address of the host that it was published on.
fn before(port: PublishedPort, own: &[IpAddr]) -> impl Iterator<Item = Stale> {
    let all = port.host_ip.is_unspecified();
    let meant =
        move |ip: &&IpAddr| **ip == port.host_ip || all && Family::of(**ip) == Family::of(port.host_ip);
    let number = port.host_port;
    let stale = move |ip: &IpAddr| Some(Stale::Host { ip: *ip, port: number?, proto: port.proto });
    own.iter().filter(meant).filter_map(stale)
}
