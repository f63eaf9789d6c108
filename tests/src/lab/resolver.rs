//! A name server for LAN hosts.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    thread,
};

use super::host::Lan;

/// Starts a name server on a LAN host, at port 53 of all its addresses: every name has that host's IPv4 address, for a
/// minute, and nothing else. It ends with the test.
///
/// # Panics
/// If somebody else has port 53 there.
pub fn resolver(lan: &Lan) {
    let IpAddr::V4(v4) = lan.address().parse().expect("an address") else { panic!("the LAN has IPv4") };
    let socket = lan.run(|| UdpSocket::bind(("::", 53)).expect("port 53 of the host is free"));
    thread::spawn(move || {
        let mut message = [0; 512];
        while let Ok((len, from)) = socket.recv_from(&mut message) {
            answer(&socket, &message[..len], from, v4.octets());
        }
    });
}

/// Repeats the question; an A question gets one address for a minute.
fn answer(socket: &UdpSocket, query: &[u8], from: SocketAddr, v4: [u8; 4]) {
    let end = 12 + query[12..].iter().position(|byte| *byte == 0).expect("a name ends") + 5;
    let is_a = query[end - 4..end] == [0, 1, 0, 1];
    let mut reply = query[..end].to_vec();
    reply[2..4].copy_from_slice(&[0x81, 0x80]);
    reply[6..12].copy_from_slice(&[0, u8::from(is_a), 0, 0, 0, 0]);
    if is_a {
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        reply.extend(v4);
    }
    let _ = socket.send_to(&reply, from);
}
