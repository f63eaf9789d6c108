//! Who reaches whom: servers and probes as sockets of a network namespace, held by the test itself. Nothing is executed,
//! so that hundreds of probes take as long as the slowest of them.

use std::{
    fs::File,
    io::{self, Read, Write},
    net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::fd::AsFd,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sched::{CloneFlags, setns},
    sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket},
};

/// A network namespace, open.
#[derive(Debug)]
pub struct Place(File);

/// How a place is asked for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Probe {
    /// A connection to a TCP port.
    Tcp(u16),
    /// A datagram to a UDP port.
    Udp(u16),
    /// An echo request of ICMP.
    Icmp,
}

/// Servers of a place; they end when this is dropped.
#[derive(Debug)]
pub struct Servers {
    /// A connection is made by the kernel, accepted or not.
    listeners: Vec<TcpListener>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Place {
    /// Opens a namespace by its path.
    ///
    /// # Panics
    /// If there is none.
    pub fn open(path: &Path) -> Self {
        Self(File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    }

    /// Runs `act` there, on a thread that is thrown away.
    fn run<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let inside = || {
            setns(&self.0, CloneFlags::CLONE_NEWNET).expect("a network namespace");
            act()
        };
        let ended = thread::scope(|scope| scope.spawn(inside).join());
        ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Serves TCP and UDP on these ports, of all addresses of both families.
    ///
    /// # Panics
    /// If a port is taken.
    pub fn serve(&self, ports: &[u16]) -> Servers {
        let any = |port: &u16| SocketAddr::from((Ipv6Addr::UNSPECIFIED, *port));
        let (listeners, datagrams) = self.run(|| {
            let listener = |port| {
                let listener = TcpListener::bind(any(port)).expect("a free port");
                listener.set_nonblocking(true).expect("a socket");
                listener
            };
            let listeners = ports.iter().map(listener);
            let datagrams = ports.iter().map(|port| UdpSocket::bind(any(port)).expect("a free port"));
            (listeners.collect(), datagrams.collect::<Vec<_>>())
        });
        let stop = Arc::new(AtomicBool::new(false));
        let echo = |socket: UdpSocket| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || echo(&socket, &stop))
        };
        let threads = datagrams.into_iter().map(echo).collect();
        Servers { listeners, stop, threads }
    }

    /// Serves TCP and UDP on these ports, of all addresses of the families that there are, and says to everybody who asks
    /// which address it sees.
    ///
    /// # Panics
    /// If a port is taken.
    pub fn tell(&self, ports: &[u16]) -> Servers {
        let bound = self.run(|| {
            let one = |port: &u16| {
                let any = [SocketAddr::from((Ipv6Addr::UNSPECIFIED, *port)), ([0, 0, 0, 0], *port).into()];
                let listener = TcpListener::bind(&any[..]).expect("a free port");
                listener.set_nonblocking(true).expect("a socket");
                (listener, UdpSocket::bind(&any[..]).expect("a free port"))
            };
            ports.iter().map(one).collect::<Vec<_>>()
        });
        let stop = Arc::new(AtomicBool::new(false));
        let tell = |(listener, datagrams): (TcpListener, UdpSocket)| {
            let (stop, ended) = (Arc::clone(&stop), Arc::clone(&stop));
            [
                thread::spawn(move || tell_connections(&listener, &stop)),
                thread::spawn(move || tell_datagrams(&datagrams, &ended)),
            ]
        };
        let threads = bound.into_iter().flat_map(tell).collect();
        Servers { listeners: Vec::new(), stop, threads }
    }

    /// Asks all at the same time; what each server sees, if it answers within `patience`. They are [told](Self::tell).
    ///
    /// # Panics
    /// If a socket can't be had.
    pub fn seen(&self, probes: &[(IpAddr, Probe)], patience: Duration) -> Vec<Option<IpAddr>> {
        let one = |&(ip, probe): &(IpAddr, Probe)| self.run(|| probe.is_told(ip, patience));
        thread::scope(|scope| {
            let all: Vec<_> = probes.iter().map(|probe| scope.spawn(move || one(probe))).collect();
            all.into_iter().map(|probe| probe.join().expect("a probe that ends")).collect()
        })
    }

    /// Makes all probes at the same time; whether each was answered within `patience`.
    ///
    /// # Panics
    /// If a socket can't be had.
    pub fn reach(&self, probes: &[(IpAddr, Probe)], patience: Duration) -> Vec<bool> {
        let one = |&(ip, probe): &(IpAddr, Probe)| self.run(|| probe.is_answered(ip, patience));
        thread::scope(|scope| {
            let all: Vec<_> = probes.iter().map(|probe| scope.spawn(move || one(probe))).collect();
            all.into_iter().map(|probe| probe.join().expect("a probe that ends")).collect()
        })
    }
}

impl Probe {
    fn is_told(self, ip: IpAddr, patience: Duration) -> Option<IpAddr> {
        let mut text = String::new();
        match self {
            Self::Tcp(port) => {
                let mut stream = TcpStream::connect_timeout(&(ip, port).into(), patience).ok()?;
                stream.set_read_timeout(Some(patience)).ok()?;
                stream.read_to_string(&mut text).ok()?;
            }
            Self::Udp(port) => text = datagram((ip, port).into(), patience).ok()?,
            Self::Icmp => return None,
        }
        text.parse().ok().map(|ip: IpAddr| ip.to_canonical())
    }

    fn is_answered(self, ip: IpAddr, patience: Duration) -> bool {
        match self {
            Self::Tcp(port) => TcpStream::connect_timeout(&(ip, port).into(), patience).is_ok(),
            Self::Udp(port) => datagram((ip, port).into(), patience).is_ok(),
            Self::Icmp => ping(ip, patience).is_ok(),
        }
    }
}

impl Servers {
    /// Ends the connections that were made, so that there is room for more: the kernel lets 128 wait.
    pub fn hang_up(&self) {
        self.listeners.iter().for_each(|listener| while listener.accept().is_ok() {});
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn echo(socket: &UdpSocket, stop: &AtomicBool) {
    socket.set_read_timeout(Some(Duration::from_millis(50))).expect("not zero");
    let mut buffer = [0; 64];
    while !stop.load(Ordering::Relaxed) {
        if let Ok((length, from)) = socket.recv_from(&mut buffer) {
            // Whoever asked may be gone.
            let _ = socket.send_to(&buffer[..length], from);
        }
    }
}

fn tell_connections(listener: &TcpListener, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let mut waiting = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
        // An interrupted wait is as good as an empty one.
        let _ = poll(&mut waiting, PollTimeout::from(50_u8));
        while let Ok((mut client, from)) = listener.accept() {
            let _ = client.write_all(from.ip().to_string().as_bytes());
        }
    }
}

fn tell_datagrams(socket: &UdpSocket, stop: &AtomicBool) {
    socket.set_read_timeout(Some(Duration::from_millis(50))).expect("not zero");
    while !stop.load(Ordering::Relaxed) {
        if let Ok((_, from)) = socket.recv_from(&mut [0; 64]) {
            let _ = socket.send_to(from.ip().to_string().as_bytes(), from);
        }
    }
}

fn datagram(to: SocketAddr, patience: Duration) -> io::Result<String> {
    let any: SocketAddr =
        if to.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(any)?;
    socket.connect(to)?;
    socket.set_read_timeout(Some(patience))?;
    socket.send(b"?")?;
    let mut answer = [0; 64];
    let length = socket.recv(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
}

/// A "ping socket" (icmp(7)): the kernel fills in identifier and checksum, and hands over the reply alone.
fn ping(to: IpAddr, patience: Duration) -> io::Result<()> {
    let (family, protocol, request) = match to {
        IpAddr::V4(_) => (AddressFamily::Inet, SockProtocol::Icmp, 8_u8),
        IpAddr::V6(_) => (AddressFamily::Inet6, SockProtocol::IcmpV6, 128),
    };
    let socket = socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, protocol)
        .expect("net.ipv4.ping_group_range lets everybody ping");
    // Datagrams in and out: to the standard library it is a socket as those of UDP are.
    let socket = UdpSocket::from(socket);
    socket.set_read_timeout(Some(patience))?;
    socket.connect((to, 0))?;
    socket.send(&[request, 0, 0, 0, 0, 0, 0, 1])?;
    socket.recv(&mut [0; 64]).map(drop)
}
