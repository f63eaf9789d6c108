//! A namespace made ready for a container: loopback up, settings as Docker's users expect them, DNS sockets bound, port
//! 53 redirected to them.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
};

use rustix::net::sockopt;

use super::{LOOPBACK, NetNs};
use crate::{
    firewall::{NfSocket, dns_no_redirect, dns_redirect},
    link::{self, Which},
    sys::{netns as sys, rtnl::RtSocket, sysctl::Settings},
    types::Port,
};

/// Where containers find their DNS server; the address is Docker's, and scripts know it.
const DNS_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);

/// What waits while no daemon answers: the usual 208 KiB are 250 questions, a quarter of a second of a busy container.
/// The kernel counts twice this much; a question takes 768 bytes of it, so 5,400 find room. Memory is taken by what
/// waits alone.
const WAITING: usize = 2 << 20;

const PING: &str = "ipv4/ping_group_range";

/// What every sandbox is set to before its first interface exists. Interfaces inherit `default`.
const SETTINGS: [(&str, &str); 6] = [
    // Docker's: anybody in a container may ping and bind low ports.
    (PING, "0 2147483647"),
    ("ipv4/ip_unprivileged_port_start", "0"),
    // Our leases are unique; an address that is being checked can't be used for a second.
    ("ipv6/conf/default/accept_dad", "0"),
    // Routers announce nothing on our bridges; a container must not believe another one that does.
    ("ipv6/conf/default/accept_ra", "0"),
    ("ipv6/conf/default/autoconf", "0"),
    // An interface has IPv6 if its endpoint has: attach turns it on there.
    ("ipv6/conf/default/disable_ipv6", "1"),
];

/// The sockets of a container's DNS server, bound in its namespace.
#[derive(Debug)]
pub struct DnsSockets {
    /// Bound, not connected.
    pub udp: UdpSocket,
    /// Listening.
    pub tcp: TcpListener,
}

impl DnsSockets {
    /// The same sockets once more.
    ///
    /// # Errors
    /// If the process has no descriptor left.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { udp: self.udp.try_clone()?, tcp: self.tcp.try_clone()? })
    }

    fn bind() -> io::Result<Self> {
        let any = SocketAddr::from((DNS_ADDRESS, 0));
        let udp = UdpSocket::bind(any)?;
        sockopt::set_socket_recv_buffer_size_force(&udp, WAITING)?;
        Ok(Self { udp, tcp: TcpListener::bind(any)? })
    }

    fn ports(&self) -> io::Result<(Port, Port)> {
        let port = |address: SocketAddr| {
            Port::new(address.port()).ok_or_else(|| io::Error::other("a bound socket has no port"))
        };
        Ok((port(self.udp.local_addr()?)?, port(self.tcp.local_addr()?)?))
    }
}

/// A namespace that nobody uses yet.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) netns: NetNs,
    pub(crate) links: RtSocket,
    pub(crate) dns: DnsSockets,
}

/// What a sandbox needs of a namespace that somebody else made and set up.
#[derive(Debug)]
pub(crate) struct Borrowed {
    /// A handle of our own: one that was opened where the namespace is mounted would keep its owner from unmounting it.
    pub(crate) netns: NetNs,
    pub(crate) links: RtSocket,
    pub(crate) dns: DnsSockets,
}

impl Borrowed {
    /// Raises loopback, without which nobody is at 127.0.0.11, and leads port 53 there to new sockets. Settings stay as
    /// their owner made them.
    pub(crate) fn prepare(netns: &NetNs) -> io::Result<Self> {
        netns.run(|| {
            let mut links = RtSocket::open()?;
            let dns = serve_dns(&mut links)?;
            Ok(Self { netns: NetNs::current()?, links, dns })
        })?
    }

    /// Takes the redirection back.
    pub(crate) fn give_back(netns: &NetNs) -> io::Result<()> {
        netns.run(|| dns_no_redirect(&mut NfSocket::open()?).map_err(io::Error::other))?
    }
}

impl Ready {
    /// Makes one, on a thread that is thrown away.
    pub(crate) fn make() -> io::Result<Self> {
        sys::run_in_new(Self::prepare)?
    }

    fn prepare() -> io::Result<Self> {
        let netns = NetNs::current()?;
        let mut links = RtSocket::open()?;
        let here = Settings::here();
        for (key, value) in SETTINGS {
            set(&here, key, value)?;
        }
        let dns = serve_dns(&mut links)?;
        Ok(Self { netns, links, dns })
    }
}

/// Makes the calling thread's namespace one whose port 53 at 127.0.0.11 leads to the sockets that come back.
fn serve_dns(links: &mut RtSocket) -> io::Result<DnsSockets> {
    links.send(vec![link::up(Which::Index(LOOPBACK))]).map_err(io::Error::other)?;
    let dns = DnsSockets::bind()?;
    let (udp, tcp) = dns.ports()?;
    dns_redirect(&mut NfSocket::open()?, udp, tcp).map_err(io::Error::other)?;
    Ok(dns)
}

/// A kernel built or booted without IPv6 has no settings for it, and needs none. In a user namespace only groups that
/// exist there can be named: root may ping then.
fn set(here: &Settings, key: &str, value: &str) -> io::Result<()> {
    match here.write(key, value) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && key.starts_with("ipv6/") => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput && key == PING => here.write(key, "0 0"),
        other => other,
    }
    .map_err(|error| io::Error::new(error.kind(), format!("set {key}: {error}")))
}
