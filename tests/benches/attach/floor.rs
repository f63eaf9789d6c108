//! The least that the kernel asks for: ready namespaces, one bridge, one message per veth pair, one send for its inside.
//! The messages are written byte by byte, so that what is measured is the kernel. No link speaks IPv6: what one announces
//! goes to all ports of its bridge, and would be paid for by whoever is measured next.

use std::{fs, io, os::fd::AsRawFd, path::PathBuf};

use libnet::netns::NetNs;
use netlink_sys::{Socket, protocols::NETLINK_ROUTE};

const NEW_LINK: u16 = 16;
const NEW_ADDRESS: u16 = 20;
const NEW_ROUTE: u16 = 24;
const REQUEST: u16 = 1;
const ACK: u16 = 4;
/// `NLM_F_CREATE | NLM_F_EXCL`
const CREATE: u16 = 0x600;
const UP: u32 = 1;
/// Index of the first bridge: the kernel does not come to this by itself.
const FIRST_BRIDGE: u32 = 1 << 20;
const GATEWAY: [u8; 4] = [10, 9, 0, 1];

/// A bridge and ready namespaces in a host of their own.
pub struct Floor {
    socket: Socket,
    bridge: u32,
    ready: Vec<End>,
    names: PathBuf,
}

/// A namespace with a socket in it.
pub struct End {
    netns: NetNs,
    socket: Socket,
    host_link: String,
}

impl Floor {
    /// A bridge in the calling thread's namespace.
    pub fn open() -> Self {
        be_silent();
        let socket = socket().expect("a socket");
        let names = PathBuf::from("/run/netns");
        let mut this = Self { socket, bridge: 0, ready: Vec::new(), names };
        this.next_bridge(0);
        let mut message = Message::default();
        message.address(this.bridge, GATEWAY, ACK);
        message.send(&this.socket).expect("an address");
        this
    }

    /// Another bridge for what is attached from now on.
    pub fn next_bridge(&mut self, number: usize) {
        self.bridge = FIRST_BRIDGE + u32::try_from(number).expect("a few");
        let mut message = Message::default();
        message.link(self.bridge as i32, UP, CREATE | ACK, |link| {
            link.text(3, &format!("floor{number}"));
            link.nest(18, |info| {
                info.text(1, "bridge");
                info.nest(2, |data| data.bytes(23, &[0]));
            });
        });
        message.send(&self.socket).expect("a bridge");
    }

    /// Names the namespace that is next, as `ip netns` does.
    pub fn name_namespace(&mut self, number: usize) {
        let next = self.ready.last().expect("a ready namespace");
        next.netns.bind(&self.names.join(format!("floor-{number}"))).expect("a name");
    }

    /// Makes a namespace ready; not timed.
    pub fn prepare(&mut self) {
        let netns = NetNs::create().expect("a namespace");
        let inside = || {
            be_silent();
            socket().expect("a socket")
        };
        let socket = netns.run(inside).expect("inside");
        let mut message = Message::default();
        message.link(1, UP, ACK, |_| {});
        message.send(&socket).expect("loopback");
        self.ready.push(End { netns, socket, host_link: String::new() });
    }

    /// The veth pair in one message, its inside in one send.
    pub fn attach(&mut self, number: usize) -> End {
        let mut end = self.ready.pop().expect("a ready namespace");
        end.host_link = format!("f{number}");
        let [.., high, low] = (number + 2).to_be_bytes();
        let (mac, host_mac) = ([2, 0x42, 10, 9, high, low], [0xfe, 0x42, 10, 9, high, low]);
        let (one, mtu) = (1_u32.to_ne_bytes(), 1_500_u32.to_ne_bytes());
        let mut message = Message::default();
        message.link(0, UP, CREATE | ACK, |link| {
            link.text(3, &end.host_link);
            link.bytes(1, &host_mac);
            link.bytes(31, &one);
            link.bytes(32, &one);
            link.bytes(10, &self.bridge.to_ne_bytes());
            link.nest(18, |info| {
                info.text(1, "veth");
                info.nest(2, |data| {
                    data.nest(1, |peer| {
                        peer.0.extend([0; 16]); // struct ifinfomsg
                        peer.text(3, "eth0");
                        peer.bytes(1, &mac);
                        peer.bytes(4, &mtu);
                        peer.bytes(31, &one);
                        peer.bytes(32, &one);
                        peer.bytes(28, &std::os::fd::AsFd::as_fd(&end.netns).as_raw_fd().to_ne_bytes());
                    });
                });
            });
        });
        message.send(&self.socket).expect("a veth pair");
        let mut message = Message::default();
        message.address(2, [10, 9, high, low], 0);
        message.link(2, UP, 0, |_| {});
        message.default_route(2);
        message.send(&end.socket).expect("the inside");
        end
    }

    /// The host's end down, the namespace dropped.
    pub fn detach(&mut self, end: End) {
        let mut message = Message::default();
        message.link_change(UP, ACK, |link| link.text(3, &end.host_link));
        message.send(&self.socket).expect("down");
    }
}

/// New links of the calling thread's namespace have no IPv6.
fn be_silent() {
    fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").expect("a setting");
}

fn socket() -> io::Result<Socket> {
    let socket = Socket::new(NETLINK_ROUTE)?;
    socket.set_cap_ack(true)?;
    Ok(socket)
}

/// Requests of one send.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn link(&mut self, index: i32, flags: u32, nlm: u16, fill: impl FnOnce(&mut Self)) {
        self.request(NEW_LINK, nlm, |body| {
            body.0.extend([0; 4]);
            body.0.extend(index.to_ne_bytes());
            body.0.extend(flags.to_ne_bytes());
            body.0.extend(flags.to_ne_bytes());
            fill(body);
        });
    }

    fn link_change(&mut self, change: u32, nlm: u16, fill: impl FnOnce(&mut Self)) {
        self.request(NEW_LINK, nlm, |body| {
            body.0.extend([0; 12]);
            body.0.extend(change.to_ne_bytes());
            fill(body);
        });
    }

    fn address(&mut self, link: u32, address: [u8; 4], nlm: u16) {
        self.request(NEW_ADDRESS, nlm | CREATE, |body| {
            body.0.extend([2, 16, 0, 0]);
            body.0.extend(link.to_ne_bytes());
            body.bytes(2, &address);
            body.bytes(1, &address);
        });
    }

    fn default_route(&mut self, link: u32) {
        self.request(NEW_ROUTE, CREATE | ACK, |body| {
            body.0.extend([2, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0]);
            body.bytes(5, &GATEWAY);
            body.bytes(4, &link.to_ne_bytes());
        });
    }

    fn request(&mut self, kind: u16, flags: u16, fill: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        self.0.extend([0; 4]);
        self.0.extend(kind.to_ne_bytes());
        self.0.extend((REQUEST | flags).to_ne_bytes());
        self.0.extend([0; 8]);
        fill(self);
        let length = u32::try_from(self.0.len() - start).unwrap_or(0);
        self.0[start..start + 4].copy_from_slice(&length.to_ne_bytes());
    }

    fn bytes(&mut self, kind: u16, value: &[u8]) {
        let length = u16::try_from(value.len() + 4).unwrap_or(0);
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    fn text(&mut self, kind: u16, value: &str) {
        self.bytes(kind, &[value.as_bytes(), &[0]].concat());
    }

    fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        self.0.extend([0; 2]);
        self.0.extend(kind.to_ne_bytes());
        fill(self);
        let length = u16::try_from(self.0.len() - start).unwrap_or(0);
        self.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
    }

    /// Sends, and reads the one acknowledgement.
    fn send(&self, socket: &Socket) -> io::Result<()> {
        socket.send(&self.0, 0)?;
        let mut buffer = [0; 4_096];
        let length = socket.recv(&mut &mut buffer[..], 0)?;
        let error =
            buffer.get(16..20).filter(|_| length >= 20).map(|b| i32::from_ne_bytes([b[0], b[1], b[2], b[3]]));
        match error {
            Some(0) => Ok(()),
            Some(error) => Err(io::Error::from_raw_os_error(-error)),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}
