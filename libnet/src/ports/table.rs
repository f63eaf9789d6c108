//! The ports of a host that are reserved for containers, each by a socket that is really bound: a conflict with any
//! process is found at once, and none can come later.

use std::{
    convert::Infallible,
    fs::File,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex},
};

use nix::errno::Errno;
use tracing::{debug, warn};

use super::{
    HostPort, PortError, PortRequest, PublishedPort,
    ephemeral::{ephemeral, reserved},
    freed::patiently,
    held::{Held, lock},
    order::{Group, groups},
    relay::{Barred, Relay, RelayedPort, Serving},
};
use crate::{
    sys::{
        hold::{hold, hold_both},
        netns,
    },
    types::{Port, Proto},
};

/// All addresses of both families.
const BOTH: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];

/// The ports of one host.
#[derive(Debug)]
pub struct PortTable {
    namespace: File,
    held: Arc<Mutex<Held>>,
}

/// Ports held for one endpoint; dropping it gives them back.
#[derive(Debug)]
pub struct Reservation {
    ports: Vec<PublishedPort>,
    /// The socket of each port; none where it is held by name only.
    sockets: Vec<Option<Socket>>,
    held: Arc<Mutex<Held>>,
    /// Whether somebody had the ports; else they were tried for, and are free as they were before.
    whole: bool,
}

/// How a port is held.
#[derive(Debug)]
enum Socket {
    /// By a socket that talks to nobody.
    Silent(OwnedFd),
    /// By one whose clients are served.
    Open {
        // Dropped first: the socket is then closed with the second.
        _serving: Box<dyn Serving>,
        port: Arc<RelayedPort>,
    },
    /// By that of the port before, the same of the other family.
    Shared,
}

/// How flows are relayed that NAT can't lead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Relaying<'a> {
    pub(crate) relay: &'a dyn Relay,
    pub(crate) barred: &'a Barred,
}

impl PortTable {
    /// The ports of the calling thread's network namespace, all free.
    ///
    /// # Errors
    /// If the namespace can't be opened.
    pub fn open() -> io::Result<Self> {
        Ok(Self { namespace: netns::own()?, held: Arc::default() })
    }

    /// Reserves a port for each request, or none at all.
    ///
    /// A request without an address takes the same port of all IPv4 addresses and, if the host has IPv6, of all IPv6
    /// addresses; so do requests that differ in their address alone.
    ///
    /// # Errors
    /// If a port is held by a container or by a process. One that was given back a moment ago is waited for.
    pub fn reserve(&self, requests: &[PortRequest]) -> Result<Reservation, PortError> {
        patiently(
            || self.try_to_reserve(requests),
            |error| {
                let in_use = matches!(error, PortError::Bind { reason, .. } if is_taken(reason));
                in_use && lock(&self.held).freed.has_any_of(requests)
            },
        )
    }

    fn try_to_reserve(&self, requests: &[PortRequest]) -> Result<Reservation, PortError> {
        let mut reservation = self.empty();
        if requests.is_empty() {
            return Ok(reservation);
        }
        let mut all = || reservation.take_all(&groups(requests), everywhere());
        self.inside(|| all().map_err(PortError::with_holder)).map_err(PortError::Namespace)??;
        reservation.complete();
        Ok(reservation)
    }

    /// The ports of a container that has its rules already. One that can't be bound is its own all the same, by name, so
    /// that no other container gets it; why is told too.
    pub(crate) fn reserve_as_before(
        &self,
        requests: &[PortRequest],
    ) -> Result<(Reservation, Vec<PortError>), PortError> {
        let mut reservation = self.empty();
        let missing = self.inside(|| reservation.take_as_before(&groups(requests), everywhere()));
        let missing = missing.map_err(PortError::Namespace)?;
        reservation.complete();
        Ok((reservation, missing))
    }

    /// Binds those ports that are held by name only, and free by now.
    pub(crate) fn hold_anew(&self, reservation: &mut Reservation) -> Result<Vec<PublishedPort>, PortError> {
        self.inside(|| reservation.hold_anew()).map_err(PortError::Namespace)
    }

    fn empty(&self) -> Reservation {
        Reservation { ports: Vec::new(), sockets: Vec::new(), held: Arc::clone(&self.held), whole: false }
    }

    /// Gives back those of `ports` that the reservation has; the rest is held on. A socket that held a port of both
    /// families can't let one of them go: what stays is bound anew, and if a process was faster it is held by name only.
    pub(crate) fn withdraw(&self, reservation: &mut Reservation, ports: &[PublishedPort]) {
        let bound = self.inside(|| reservation.withdraw(ports));
        if let Err(error) = bound {
            warn!(error = %error, "ports are not given back: the namespace can't be entered");
        }
    }

    fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        if self.is_here()? { Ok(work()) } else { netns::run_in(self.namespace.as_fd(), work) }
    }

    /// Whether the calling thread is in the namespace already, as a daemon's threads are.
    fn is_here(&self) -> io::Result<bool> {
        Ok(netns::identity(netns::own()?.as_fd())? == netns::identity(self.namespace.as_fd())?)
    }
}

impl Reservation {
    /// The ports, in the order of the requests.
    pub fn ports(&self) -> &[PublishedPort] {
        &self.ports
    }

    /// Whether a port is held by name only.
    pub(crate) fn is_missing_any(&self) -> bool {
        self.missing().next().is_some()
    }

    /// Where those stand that are held by name only.
    fn missing(&self) -> impl Iterator<Item = usize> {
        let both = self.ports.iter().zip(&self.sockets).enumerate();
        both.filter(|(_, (port, socket))| port.host_port.is_some() && socket.is_none())
            .map(|(index, _)| index)
    }

    fn hold_anew(&mut self) -> Vec<PublishedPort> {
        let missing: Vec<usize> = self.missing().collect();
        for index in &missing {
            self.sockets[*index] = self.bind(*index).ok().map(Socket::Silent);
        }
        let held = missing.into_iter().filter(|index| self.sockets[*index].is_some());
        held.map(|index| self.ports[index]).collect()
    }

    /// All are there: they stay as many for as long as the container runs.
    fn complete(&mut self) {
        self.whole = true;
        self.ports.shrink_to_fit();
        self.sockets.shrink_to_fit();
    }

    /// Has those of the ports served that need it; `to` says where their clients are to be led. What is served already
    /// stays so.
    pub(crate) fn relay(&mut self, by: Relaying<'_>, to: impl Fn(&PublishedPort) -> Option<SocketAddr>) {
        for index in 0..self.ports.len() {
            if !matches!(self.sockets[index], Some(Socket::Silent(_))) {
                continue;
            }
            if let Some(to) = self.target(index, &to) {
                let held = self.sockets[index].take();
                self.sockets[index] = self.serve(held, index, to, by);
            }
        }
    }

    /// The same once the ports lead to another container: what is served already goes on, to there.
    pub(crate) fn relay_elsewhere(
        &mut self,
        by: Relaying<'_>,
        to: impl Fn(&PublishedPort) -> Option<SocketAddr>,
    ) {
        for index in 0..self.ports.len() {
            let Some(Socket::Open { port, .. }) = &self.sockets[index] else { continue };
            match self.target(index, &to) {
                Some(to) => port.lead_to(to),
                None => {
                    self.sockets[index] = None;
                    self.sockets[index] = self.hold_again(index).map(Socket::Silent);
                }
            }
        }
        self.relay(by, to);
    }

    /// Where clients of the `index`-th socket are to be led.
    fn target(&self, index: usize, to: &impl Fn(&PublishedPort) -> Option<SocketAddr>) -> Option<SocketAddr> {
        // Of two families that one socket holds, the kernel can lead IPv4 more often.
        let partner = self.partner(index).and_then(|partner| to(&self.ports[partner]));
        partner.or_else(|| to(&self.ports[index]))
    }

    fn withdraw(&mut self, ports: &[PublishedPort]) {
        let mut index = 0;
        while let Some(port) = self.ports.get(index).copied() {
            if !ports.contains(&port) {
                index += 1;
                continue;
            }
            let stays = self.partner(index).filter(|partner| !ports.contains(&self.ports[*partner]));
            if let Some(number) = port.host_port {
                lock(&self.held).freed.note(port.proto, number);
            }
            if let Some(partner) = stays {
                // Closed before one of its ports can be bound again.
                (self.sockets[index], self.sockets[partner]) = (None, None);
                self.sockets[partner] = self.hold_again(partner).map(Socket::Silent);
            } else if self.partner(index) == Some(index + 1) {
                self.sockets.swap(index, index + 1);
            }
            self.sockets.remove(index);
            self.ports.remove(index);
            if let Some(number) = port.host_port {
                lock(&self.held).release(port.proto, number, port.host_ip);
            }
        }
    }

    /// Opens the socket of a port to a relay. If that fails, the port is held as before.
    fn serve(
        &self,
        socket: Option<Socket>,
        index: usize,
        to: SocketAddr,
        by: Relaying<'_>,
    ) -> Option<Socket> {
        let Some(Socket::Silent(fd)) = socket else { return socket };
        let port = &self.ports[index];
        let served = RelayedPort::open(fd, port.proto, to, by.barred.clone()).and_then(|port| {
            let port = Arc::new(port);
            Ok(Socket::Open { _serving: by.relay.serve(Arc::clone(&port))?, port })
        });
        let refused = |error: &io::Error| {
            warn!(?port, %error, "port is not relayed: clients that NAT can't lead are refused");
        };
        served.inspect_err(refused).ok().or_else(|| self.hold_again(index).map(Socket::Silent))
    }

    /// Binds a port that was held until a moment ago.
    fn hold_again(&self, index: usize) -> Option<OwnedFd> {
        let port = &self.ports[index];
        let fresh = || port.host_port.is_some_and(|number| lock(&self.held).freed.has(port.proto, number));
        let bound = patiently(|| self.bind(index), |error| is_taken(error) && fresh());
        if let Err(error) = &bound {
            warn!(?port, %error, "port is held by name only: a process was faster");
        }
        bound.ok()
    }

    /// Binds a port, with the one that shares its socket.
    fn bind(&self, index: usize) -> io::Result<OwnedFd> {
        let port = &self.ports[index];
        let number = port.host_port.ok_or(io::ErrorKind::InvalidInput)?;
        match self.sockets.get(index + 1) {
            Some(Some(Socket::Shared)) => hold_both(number, port.proto),
            _ => hold(SocketAddr::new(port.host_ip, number.get()), port.proto),
        }
    }

    /// The port that is held by the same socket as the `index`-th: the first of two has it.
    fn partner(&self, index: usize) -> Option<usize> {
        let shares = |second: usize| matches!(self.sockets.get(second), Some(Some(Socket::Shared)));
        if shares(index) { index.checked_sub(1) } else { shares(index + 1).then_some(index + 1) }
    }

    /// Takes a port for each group; of a request without an address, `everywhere`.
    fn take_all(&mut self, groups: &[Group], everywhere: &[IpAddr]) -> Result<(), PortError> {
        self.in_order(groups, |this, Group { request, ips, .. }| {
            this.take(request, if ips.is_empty() { everywhere } else { ips })
        })
    }

    /// Takes all that can be had, and the rest by name; what could not be bound.
    fn take_as_before(&mut self, groups: &[Group], everywhere: &[IpAddr]) -> Vec<PortError> {
        let mut missing = Vec::new();
        let Ok(()) = self.in_order(groups, |this, Group { request, ips, .. }| {
            let ips = if ips.is_empty() { everywhere } else { ips };
            if this.take(request, ips).is_ok() {
                return Ok::<_, Infallible>(());
            }
            for ip in ips {
                let Err(error) = this.take(request, &[*ip]) else { continue };
                if let PortError::Bind { .. } = error {
                    this.take_name(request, *ip);
                }
                missing.push(error.with_holder());
            }
            Ok(())
        });
        missing
    }

    /// Takes what each group stands for, and puts it where the group stands.
    fn in_order<E>(
        &mut self,
        groups: &[Group],
        mut take: impl FnMut(&mut Self, &Group) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut places = Vec::new();
        for group in groups {
            take(self, group)?;
            places.resize(self.ports.len(), group.index);
        }
        if !places.is_sorted() {
            let taken = self.ports.drain(..).zip(self.sockets.drain(..));
            let mut all: Vec<_> = places.into_iter().zip(taken).collect();
            all.sort_by_key(|(place, _)| *place);
            (self.ports, self.sockets) = all.into_iter().map(|(_, taken)| taken).unzip();
        }
        Ok(())
    }

    /// Takes a port of these addresses for a request.
    fn take(&mut self, request: &PortRequest, ips: &[IpAddr]) -> Result<(), PortError> {
        let (range, reserved) = match request.host {
            HostPort::Exactly(port) => return self.take_port(request, ips, port),
            HostPort::Direct => return self.take_none(request, ips),
            HostPort::OneOf(range) => (range, Vec::new()),
            HostPort::Ephemeral => (ephemeral(), reserved()),
        };
        let is_reserved =
            |port: &Port| reserved.iter().any(|range| range.first() <= *port && *port <= range.last());
        let last = lock(&self.held).last.get(&(request.proto, range)).copied();
        let after_last = range.iter().filter(|port| Some(*port) > last);
        let wrapped = range.iter().filter(|port| Some(*port) <= last);
        for port in after_last.chain(wrapped).filter(|port| !is_reserved(port)) {
            match self.take_port(request, ips, port) {
                Err(PortError::Allocated { .. }) => {}
                Err(PortError::Bind { reason, .. }) if is_in_use(&reason) => {}
                Err(error) => return Err(error),
                Ok(()) => {
                    lock(&self.held).last.insert((request.proto, range), port);
                    return Ok(());
                }
            }
        }
        Err(PortError::AllAllocated)
    }

    /// Notes a port that has none of the host.
    fn take_none(&mut self, request: &PortRequest, ips: &[IpAddr]) -> Result<(), PortError> {
        let (container, proto) = (request.container, request.proto);
        for ip in ips {
            self.ports.push(PublishedPort { host_ip: *ip, host_port: None, container, proto });
            self.sockets.push(None);
        }
        Ok(())
    }

    /// Notes a port that somebody else is on: it is no other container's.
    fn take_name(&mut self, request: &PortRequest, ip: IpAddr) {
        let HostPort::Exactly(port) = request.host else { return };
        if lock(&self.held).claim(request.proto, port, ip) {
            let PortRequest { container, proto, .. } = *request;
            self.ports.push(PublishedPort { host_ip: ip, host_port: Some(port), container, proto });
            self.sockets.push(None);
        }
    }

    fn take_port(&mut self, request: &PortRequest, ips: &[IpAddr], port: Port) -> Result<(), PortError> {
        if ips == BOTH && self.take_both(request, port) {
            return Ok(());
        }
        let before = self.ports.len();
        for ip in ips {
            if let Err(error) = self.take_one(request, *ip, port) {
                // The same port of the other family is of no use alone.
                self.give_back(before);
                return Err(error);
            }
        }
        Ok(())
    }

    /// One socket for both families; if it can't be had, two tell why.
    fn take_both(&mut self, request: &PortRequest, port: Port) -> bool {
        let (proto, container) = (request.proto, request.container);
        let Ok(socket) = hold_both(port, proto) else { return false };
        let mut held = lock(&self.held);
        if !BOTH.iter().all(|ip| held.is_free(proto, port, *ip)) {
            return false;
        }
        for (ip, socket) in BOTH.into_iter().zip([Socket::Silent(socket), Socket::Shared]) {
            held.claim(proto, port, ip);
            self.ports.push(PublishedPort { host_ip: ip, host_port: Some(port), container, proto });
            self.sockets.push(Some(socket));
        }
        true
    }

    fn take_one(&mut self, request: &PortRequest, ip: IpAddr, port: Port) -> Result<(), PortError> {
        let proto = request.proto;
        if !lock(&self.held).claim(proto, port, ip) {
            return Err(PortError::Allocated { ip, port });
        }
        let addr = SocketAddr::new(ip, port.get());
        let container = request.container;
        self.ports.push(PublishedPort { host_ip: ip, host_port: Some(port), container, proto });
        match hold(addr, proto) {
            Ok(socket) => self.sockets.push(Some(Socket::Silent(socket))),
            // A kernel without SCTP sockets still translates its packets, and no process can hold the port.
            Err(error) if proto == Proto::Sctp && is_unknown_protocol(&error) => {
                debug!(addr = %addr, "no sctp sockets in this kernel, port held by name only");
                self.sockets.push(None);
            }
            Err(reason) => {
                self.give_back(self.ports.len() - 1);
                return Err(PortError::Bind { addr, proto, holder: None, reason });
            }
        }
        Ok(())
    }

    /// Gives back all ports from the `from`-th on.
    fn give_back(&mut self, from: usize) {
        // Closed before the names are free: whoever gets a name next can bind it.
        self.sockets.truncate(from);
        let mut held = lock(&self.held);
        for port in self.ports.drain(from..) {
            if let Some(number) = port.host_port {
                held.release(port.proto, number, port.host_ip);
                if self.whole {
                    held.freed.note(port.proto, number);
                }
            }
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.give_back(0);
    }
}

/// Where a request without an address is published.
fn everywhere() -> &'static [IpAddr] {
    if has_ipv6() { &BOTH } else { &BOTH[..1] }
}

/// Whether the host has IPv6: without it not even ::1 can be bound.
fn has_ipv6() -> bool {
    hold(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), 0), Proto::Udp).is_ok()
}

/// Whether another port may do: this one is taken, or only root may bind it.
fn is_in_use(error: &io::Error) -> bool {
    is_taken(error) || error.raw_os_error() == Some(Errno::EACCES as i32)
}

fn is_taken(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::EADDRINUSE as i32)
}

fn is_unknown_protocol(error: &io::Error) -> bool {
    let unknown = [Errno::EPROTONOSUPPORT, Errno::ESOCKTNOSUPPORT, Errno::EINVAL];
    unknown.iter().any(|errno| error.raw_os_error() == Some(*errno as i32))
}
