//! Datagrams with the address of ours that they were sent to: the answer has to come from there.

use std::{
    io::{self, IoSlice, IoSliceMut},
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6, UdpSocket},
    os::fd::AsRawFd,
};

use nix::{
    libc,
    sys::socket::{
        ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt, sockopt,
    },
};

/// The two ends of a datagram that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ends {
    /// Who sent it.
    pub(crate) from: SocketAddr,
    /// Which address of ours it was sent to, and the index of the link that it came by.
    pub(crate) to: IpAddr,
    pub(crate) link: u32,
}

/// Asks for the address of ours with each datagram.
pub(crate) fn ask_for_ends(socket: &UdpSocket) -> io::Result<()> {
    if socket.local_addr()?.is_ipv4() {
        Ok(setsockopt(socket, sockopt::Ipv4PacketInfo, &true)?)
    } else {
        Ok(setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)?)
    }
}

/// Takes the next datagram; `None`: one without ends, which nobody can answer.
pub(crate) fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, Option<Ends>)> {
    let mut control = nix::cmsg_space!(libc::in6_pktinfo, libc::in_pktinfo);
    let mut parts = [IoSliceMut::new(buffer)];
    let received = recvmsg::<SockaddrStorage>(
        socket.as_raw_fd(),
        &mut parts,
        Some(&mut control),
        MsgFlags::MSG_DONTWAIT,
    )?;
    let from = received.address.as_ref().and_then(address);
    let ours = received.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            let to = Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes());
            Some((IpAddr::from(to), u32::try_from(info.ipi_ifindex).ok()?))
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => {
            Some((IpAddr::from(info.ipi6_addr.s6_addr), info.ipi6_ifindex))
        }
        _ => None,
    });
    let ends = from.zip(ours).map(|(from, (to, link))| Ends { from, to, link });
    Ok((received.bytes, ends))
}

/// Answers a datagram, from where it was sent to.
pub(crate) fn answer(socket: &UdpSocket, payload: &[u8], ends: &Ends) -> io::Result<()> {
    let parts = [IoSlice::new(payload)];
    let to = SockaddrStorage::from(ends.from);
    let send = |control: ControlMessage<'_>| {
        sendmsg(socket.as_raw_fd(), &parts, &[control], MsgFlags::MSG_DONTWAIT, Some(&to))
    };
    let sent = match ends.to {
        IpAddr::V4(ip) => {
            let source = libc::in_addr { s_addr: u32::from_ne_bytes(ip.octets()) };
            let any = libc::in_addr { s_addr: 0 };
            send(ControlMessage::Ipv4PacketInfo(&libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: source,
                ipi_addr: any,
            }))
        }
        IpAddr::V6(ip) => {
            // The way back is the routes' business, but for an address that each link has its own of.
            let link = if ip.is_unicast_link_local() { ends.link } else { 0 };
            let ipi6_addr = libc::in6_addr { s6_addr: ip.octets() };
            send(ControlMessage::Ipv6PacketInfo(&libc::in6_pktinfo { ipi6_addr, ipi6_ifindex: link }))
        }
    };
    Ok(sent.map(drop)?)
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|v4| SocketAddr::from((v4.ip(), v4.port())));
    let v6 = storage.as_sockaddr_in6();
    v4.or(v6.map(|v6| SocketAddrV6::new(v6.ip(), v6.port(), v6.flowinfo(), v6.scope_id()).into()))
}
