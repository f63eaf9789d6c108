//! The ports of a host that are reserved for containers, each by a socket that is really bound: a conflict with any
//! process is found at once, and none can come later.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use nix::errno::Errno;
use tracing::{debug, warn};

use super::{
    HostPort, PortError, PortRequest, PublishedPort,
    freed::{Freed, patiently},
};
use crate::{
    sys::{
        hold::{hold, hold_both},
        netns,
    },
    types::{Family, Port, PortRange, Proto},
};

/// Where the kernel says which ports it gives out itself.
const EPHEMERAL: &str = "/proc/sys/net/ipv4/ip_local_port_range";
/// Ports that the kernel is told not to give out by itself, as in `8080,9148-9150`.
const RESERVED: &str = "/proc/sys/net/ipv4/ip_local_reserved_ports";
/// The kernel's own default for the first.
const EPHEMERAL_DEFAULT: (u16, u16) = (32_768, 60_999);

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
    /// The socket of each port; none where the one before holds it too, or the kernel has no such sockets.
    sockets: Vec<Option<OwnedFd>>,
    held: Arc<Mutex<Held>>,
    /// Whether somebody had the ports; else they were tried for, and are free as they were before.
    whole: bool,
}

#[derive(Debug, Default)]
struct Held {
    addresses: BTreeMap<(Proto, Port), Vec<IpAddr>>,
    /// Where the last search in a range ended: a port just given back is taken as late as possible.
    last: HashMap<(Proto, PortRange), Port>,
    freed: Freed,
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
    /// addresses.
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
        let mut reservation = Reservation {
            ports: Vec::new(),
            sockets: Vec::new(),
            held: Arc::clone(&self.held),
            whole: false,
        };
        if requests.is_empty() {
            return Ok(reservation);
        }
        let mut all = || {
            let everywhere = if has_ipv6() { &BOTH[..] } else { &BOTH[..1] };
            requests.iter().try_for_each(|request| reservation.take(request, everywhere))
        };
        self.inside(|| all().map_err(PortError::with_holder)).map_err(PortError::Namespace)??;
        reservation.whole = true;
        Ok(reservation)
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
                self.sockets[index.min(partner)] = None;
                self.sockets[partner] = self.hold_again(&self.ports[partner]);
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

    /// Binds a port that was held until a moment ago.
    fn hold_again(&self, port: &PublishedPort) -> Option<OwnedFd> {
        let number = port.host_port?;
        let addr = SocketAddr::new(port.host_ip, number.get());
        let fresh = || lock(&self.held).freed.has(port.proto, number);
        let bound = patiently(|| hold(addr, port.proto), |error| is_taken(error) && fresh());
        if let Err(error) = &bound {
            warn!(addr = %addr, error = %error, "port is held by name only: a process was faster");
        }
        bound.ok()
    }

    /// The port that is held by the same socket as the `index`-th: the first of two has it.
    fn partner(&self, index: usize) -> Option<usize> {
        let shares = |first: usize| {
            let (one, other) = (self.ports.get(first)?, self.ports.get(first + 1)?);
            let same = PublishedPort { host_ip: one.host_ip, ..*other } == *one;
            let one_socket = self.sockets[first].is_some() && self.sockets[first + 1].is_none();
            (same && one_socket && one.host_port.is_some()).then_some(())
        };
        let before = index.checked_sub(1).filter(|before| shares(*before).is_some());
        before.or_else(|| shares(index).map(|()| index + 1))
    }

    /// Takes a port for a request; `everywhere`: where one without an address is published.
    fn take(&mut self, request: &PortRequest, everywhere: &[IpAddr]) -> Result<(), PortError> {
        let ips = request.host_ip.as_ref().map_or(everywhere, std::slice::from_ref);
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
        for (ip, socket) in BOTH.into_iter().zip([Some(socket), None]) {
            held.claim(proto, port, ip);
            self.ports.push(PublishedPort { host_ip: ip, host_port: Some(port), container, proto });
            self.sockets.push(socket);
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
            Ok(socket) => self.sockets.push(Some(socket)),
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

impl Held {
    /// Claims a port of an address. The unspecified address stands for all of its family.
    fn claim(&mut self, proto: Proto, port: Port, ip: IpAddr) -> bool {
        let free = self.is_free(proto, port, ip);
        if free {
            self.addresses.entry((proto, port)).or_default().push(ip);
        }
        free
    }

    fn is_free(&self, proto: Proto, port: Port, ip: IpAddr) -> bool {
        let conflicts = |other: &IpAddr| {
            Family::of(*other) == Family::of(ip)
                && (*other == ip || other.is_unspecified() || ip.is_unspecified())
        };
        self.addresses.get(&(proto, port)).is_none_or(|all| !all.iter().any(conflicts))
    }

    fn release(&mut self, proto: Proto, port: Port, ip: IpAddr) {
        if let Some(all) = self.addresses.get_mut(&(proto, port)) {
            all.retain(|other| *other != ip);
            if all.is_empty() {
                self.addresses.remove(&(proto, port));
            }
        }
    }
}

fn lock(held: &Mutex<Held>) -> MutexGuard<'_, Held> {
    // Each change is one insertion or removal: there is no half of it.
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the host has IPv6: without it not even ::1 can be bound.
fn has_ipv6() -> bool {
    hold(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), 0), Proto::Udp).is_ok()
}

fn ephemeral() -> PortRange {
    let read = || {
        let text = fs::read_to_string(EPHEMERAL).ok()?;
        let mut numbers = text.split_whitespace().map(|number| number.parse().ok().and_then(Port::new));
        PortRange::new(numbers.next()??, numbers.next()??).ok()
    };
    read().unwrap_or_else(|| {
        let (first, last) = EPHEMERAL_DEFAULT;
        let port = |number| Port::new(number).unwrap_or_else(|| unreachable!("not zero"));
        PortRange::new(port(first), port(last)).unwrap_or_else(|_| port(last).into())
    })
}

fn reserved() -> Vec<PortRange> {
    let text = fs::read_to_string(RESERVED).unwrap_or_default();
    text.trim().split(',').filter_map(|range| range.parse().ok()).collect()
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
