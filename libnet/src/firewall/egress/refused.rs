//! What restricted endpoints are refused, told as it happens: the rules hand the beginning of a packet to a socket.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::fd::{AsFd, BorrowedFd},
};

use super::{Attempt, Fate, GROUP, HEADERS};
use crate::{
    sys::nfnl::log::{Packets, packets},
    types::{Port, Proto},
};

/// Hears of what is dropped in one namespace.
pub(crate) struct Listener(Packets);

impl Listener {
    /// Listens in the calling thread's namespace. One listener is the only one.
    pub(crate) fn open() -> io::Result<Self> {
        Packets::of_group(GROUP, HEADERS).map(Self)
    }

    /// Hands all that came since the last time to `each`: who asked, and for what.
    pub(crate) fn drain(&mut self, mut each: impl FnMut(IpAddr, Attempt)) -> io::Result<()> {
        self.0.drain(|packet| {
            if let Some((from, attempt)) = read(packet) {
                each(from, attempt);
            }
        })
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Panics if something that must hold of any datagram does not; the datagram itself is read as a packet, too. For the fuzz
/// target.
pub(crate) fn told_must_hold(datagram: &[u8]) {
    let one = |packet: &[u8]| {
        let Some((from, attempt)) = read(packet) else { return };
        assert_eq!(from.is_ipv4(), attempt.to.is_ipv4(), "one packet is of one family");
        assert!(matches!(attempt.proto, Proto::Tcp | Proto::Udp), "nothing else has a port here");
        let length = if from.is_ipv4() { 24 } else { 44 };
        assert!(packet.len() >= length, "both addresses and the port are in the packet");
    };
    one(datagram);
    packets(datagram, one);
}

/// Reads the headers of a packet; nothing where there is no port.
pub(crate) fn read(packet: &[u8]) -> Option<(IpAddr, Attempt)> {
    let (from, to, proto, transport) = match packet.first()? >> 4 {
        4 => v4(packet)?,
        6 => v6(packet)?,
        _ => return None,
    };
    let proto = match proto {
        6 => Proto::Tcp,
        17 => Proto::Udp,
        _ => return None,
    };
    let port = u16::from_be_bytes(array(transport, 2)?);
    Some((from, Attempt { to, proto, port: Port::new(port)?, fate: Fate::Dropped }))
}

type Headers<'a> = (IpAddr, IpAddr, u8, &'a [u8]);

/// RFC 791: the length of the header is in words, five at least; only the first fragment has ports.
fn v4(packet: &[u8]) -> Option<Headers<'_>> {
    let length = usize::from(packet.first()? & 15) * 4;
    let fragment = u16::from_be_bytes(array(packet, 6)?) & 0x1fff;
    let address = |at| array(packet, at).map(|octets: [u8; 4]| IpAddr::V4(Ipv4Addr::from(octets)));
    let transport = packet.get(length..).filter(|_| fragment == 0 && length >= 20)?;
    Some((address(12)?, address(16)?, *packet.get(9)?, transport))
}

/// RFC 8200, without extension headers: what has them is told without its port, that is not at all.
fn v6(packet: &[u8]) -> Option<Headers<'_>> {
    let address = |at| array(packet, at).map(|octets: [u8; 16]| IpAddr::V6(Ipv6Addr::from(octets)));
    Some((address(8)?, address(24)?, *packet.get(6)?, packet.get(40..)?))
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(packet: &[u8]) -> Option<String> {
        read(packet)
            .map(|(from, attempt)| format!("{from} {} {}/{}", attempt.to, attempt.port, attempt.proto))
    }

    #[test]
    fn headers_of_both_families_are_read() {
        let mut v4 = vec![0x45, 0, 0, 60, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 2, 192, 0, 2, 1];
        v4.extend([0x12, 0x34, 0x01, 0xbb, 0, 0]);
        assert_eq!(shown(&v4).as_deref(), Some("10.0.0.2 192.0.2.1 443/tcp"));
        // With options the ports are further on, and a later fragment has none.
        let with_options = [&[0x46], &v4[1..20], &[1, 1, 1, 0], &v4[20..]].concat();
        assert_eq!(shown(&with_options), shown(&v4));
        v4[7] = 1;
        assert_eq!(shown(&v4), None);
        let mut v6 = vec![0x60, 0, 0, 0, 0, 8, 17, 64];
        v6.extend("fd00::2".parse::<Ipv6Addr>().unwrap().octets());
        v6.extend("2001:db8::1".parse::<Ipv6Addr>().unwrap().octets());
        v6.extend([0, 1, 0, 53]);
        assert_eq!(shown(&v6).as_deref(), Some("fd00::2 2001:db8::1 53/udp"));
        v6[6] = 58;
        assert_eq!(shown(&v6), None);
    }

    proptest! {
        #[test]
        fn any_packet_is_read_or_not(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = read(&bytes);
        }
    }
}
