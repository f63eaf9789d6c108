//! Forgets connections behind the caller's back: the kernel looks through its whole connection table for each question,
//! and nobody has to wait for that. Whoever gets an address next gets it late.

use std::{
    net::IpAddr,
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};

use nix::ifaddrs::getifaddrs;
use tracing::{debug, warn};

use super::{Change, DeclaredFirewall, FirewallEndpoint, FirewallError, NfSocket};
use crate::{
    conntrack::{Stale, forget},
    types::{Family, Proto},
};

/// A thread that forgets connections, in the namespace that it was started in; dropping this ends it.
#[derive(Debug)]
pub(super) struct Forgetter(Sender<Vec<Stale>>);

impl Forgetter {
    /// Starts the thread in the calling thread's namespace.
    pub(super) fn start() -> Result<Self, FirewallError> {
        let mut socket = NfSocket::open().map_err(FirewallError::Open)?;
        let (sender, receiver) = channel();
        thread::Builder::new()
            .name("conntrack".to_owned())
            .stack_size(64 * 1024)
            .spawn(move || work(&mut socket, &receiver))
            .map_err(FirewallError::Open)?;
        Ok(Self(sender))
    }

    /// Has connections forgotten, soon.
    pub(super) fn forget(&self, stale: Vec<Stale>) {
        if !stale.is_empty() {
            // The thread ends with this sender only.
            let _ = self.0.send(stale);
        }
    }
}

fn work(socket: &mut NfSocket, asked: &Receiver<Vec<Stale>>) {
    while let Ok(stale) = asked.recv() {
        match forget(socket, &on_all_addresses(stale)) {
            Ok(0) => {}
            Ok(count) => debug!(count, "stale connections forgotten"),
            Err(error) => warn!(error = %error, "stale connections not forgotten"),
        }
    }
}

/// Puts every address of the host in the place of the unspecified one.
fn on_all_addresses(stale: Vec<Stale>) -> Vec<Stale> {
    let mut all = Vec::new();
    for stale in stale {
        match stale {
            Stale::Host { ip, port, proto } if ip.is_unspecified() => {
                let own = own_addresses().into_iter().filter(|own| Family::of(*own) == Family::of(ip));
                all.extend(own.map(|ip| Stale::Host { ip, port, proto }));
            }
            other => all.push(other),
        }
    }
    all
}

fn own_addresses() -> Vec<IpAddr> {
    let Ok(all) = getifaddrs() else { return Vec::new() };
    all.filter_map(|link| {
        let address = link.address?;
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
    })
    .collect()
}

/// The connections that a change of `declared` makes stale.
pub(super) fn stale_by(declared: &DeclaredFirewall, change: &Change) -> Vec<Stale> {
    match change {
        Change::AddNetwork(_) => Vec::new(),
        Change::RemoveNetwork(id) => declared.endpoints_of(*id).flat_map(addresses).collect(),
        Change::RemoveEndpoint(id) => declared.endpoints.get(id).into_iter().flat_map(addresses).collect(),
        Change::AddEndpoint(after) => match declared.endpoints.get(&after.id) {
            Some(before) => ports(before, after),
            None => unpublished_before(after, &[]),
        },
    }
}

fn addresses(endpoint: &FirewallEndpoint) -> Vec<Stale> {
    let v4 = endpoint.v4.map(IpAddr::V4);
    let v6 = endpoint.v6.map(IpAddr::V6);
    v4.into_iter().chain(v6).map(Stale::Address).collect()
}

fn ports(before: &FirewallEndpoint, after: &FirewallEndpoint) -> Vec<Stale> {
    if (before.v4, before.v6) != (after.v4, after.v6) {
        return addresses(before);
    }
    let gone = before.ports.iter().filter(|port| !after.ports.contains(port));
    let stale = gone.filter_map(|port| {
        let container = match port.host_ip {
            IpAddr::V4(_) => before.v4.map(IpAddr::V4),
            IpAddr::V6(_) => before.v6.map(IpAddr::V6),
        };
        Some(Stale::Port { port: *port, container: container? })
    });
    stale.chain(unpublished_before(after, &before.ports)).collect()
}

/// Datagrams that came before their port was published made an entry that leads to nobody, and that lasts as long as
/// they keep coming. A TCP connection begins anew.
fn unpublished_before(after: &FirewallEndpoint, known: &[crate::ports::PublishedPort]) -> Vec<Stale> {
    let new = after.ports.iter().filter(|port| port.proto == Proto::Udp && !known.contains(port));
    new.map(|port| Stale::Host { ip: port.host_ip, port: port.host_port, proto: port.proto }).collect()
}
