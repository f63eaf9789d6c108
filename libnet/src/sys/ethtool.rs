//! Offload settings of a link, through the ioctl that `ethtool -K` uses for the classic ones.

use std::{io, net::UdpSocket, os::fd::AsRawFd};

use nix::libc;

use crate::types::IfName;

/// `ETHTOOL_STXCSUM` of linux/ethtool.h: checksums of what is sent.
const SET_TX_CHECKSUM: u32 = 0x17;

/// `struct ethtool_value` of linux/ethtool.h.
#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

/// Makes the kernel compute checksums of what leaves through `link` itself, in the calling thread's namespace. Needed
/// where packets go on through something that takes them for complete: a user-space switch, some tunnels.
pub(crate) fn disable_tx_checksum(link: &IfName) -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0").or_else(|_| UdpSocket::bind("[::]:0"))?;
    let mut value = Value { command: SET_TX_CHECKSUM, data: 0 };
    // SAFETY: `ifreq` is plain data; all-zero is a valid value of it.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // IfName is at most IFNAMSIZ - 1 bytes: the last byte stays zero.
    for (to, from) in request.ifr_name.iter_mut().zip(link.as_str().bytes()) {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: the request points to `value`, which lives until the call returns and has the layout that this command
    // reads and writes; the name is NUL-terminated.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
