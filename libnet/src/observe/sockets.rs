//! Sockets that wait for somebody, and those that are in the way of another, as `/proc/net` lists them (proc_net_tcp.rst
//! of the kernel; the fields are the same for UDP).

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use crate::{netns::Process, types::Proto};

/// `TCP_LISTEN` of net/tcp_states.h.
const LISTENS: &str = "0A";
/// `TCP_CLOSE`: a UDP socket that is bound and not connected.
const BOUND: &str = "07";

/// A TCP socket that listens, or a UDP socket that takes datagrams from anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listening {
    /// TCP or UDP.
    pub proto: Proto,
    /// Where.
    pub address: SocketAddr,
}

/// A socket of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Found {
    socket: Listening,
    /// Whether it waits for somebody; else it is connected.
    waits: bool,
    inode: u64,
}

/// Those of the calling thread's namespace.
pub(super) fn listening() -> io::Result<Vec<Listening>> {
    Ok(all()?.into_iter().filter(|found| found.waits).map(|found| found.socket).collect())
}

/// The process that keeps others from binding this address of the calling thread's namespace; `None`: nobody does, or
/// whoever does is not ours to see. Somebody who waits there comes before one who only talks to another from there.
pub(crate) fn holder(addr: SocketAddr, proto: Proto) -> Option<Process> {
    let all = all().ok()?;
    let overlaps = |ip: IpAddr| match ip.to_canonical() {
        // One of both families, unless it says otherwise.
        IpAddr::V6(v6) if v6.is_unspecified() => true,
        ip => {
            let same_family = ip.is_ipv4() == addr.is_ipv4();
            same_family && (ip.is_unspecified() || addr.ip().is_unspecified() || ip == addr.ip())
        }
    };
    let in_the_way = |Found { socket, .. }: &&Found| {
        socket.proto == proto && socket.address.port() == addr.port() && overlaps(socket.address.ip())
    };
    let found = all.iter().filter(in_the_way).min_by_key(|found| !found.waits)?;
    let link = format!("socket:[{}]", found.inode);
    let pids = fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let has = |pid: &u32| {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        open.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|to| to.as_os_str() == link.as_str())
    };
    pids.into_iter().find(has).map(Process::read)
}

fn all() -> io::Result<Vec<Found>> {
    let mut all = Vec::new();
    for (file, proto) in
        [("tcp", Proto::Tcp), ("tcp6", Proto::Tcp), ("udp", Proto::Udp), ("udp6", Proto::Udp)]
    {
        match fs::read_to_string(format!("/proc/thread-self/net/{file}")) {
            Ok(text) => all.extend(parse(&text, proto)),
            // A kernel without IPv6.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

/// All but those that are nobody's any more, such as a connection in TIME_WAIT.
fn parse(text: &str, proto: Proto) -> impl Iterator<Item = Found> {
    let waiting = if proto == Proto::Tcp { LISTENS } else { BOUND };
    text.lines().skip(1).filter_map(move |line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (local, _, state) = (fields.next()?, fields.next()?, fields.next()?);
        let inode = fields.nth(5)?.parse().ok().filter(|inode| *inode != 0)?;
        let socket = Listening { proto, address: address(local)? };
        Some(Found { socket, waits: state == waiting, inode })
    })
}

/// Words of the address as they lie in memory, then the port as a number.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| u32::from_str_radix(ip.get(at * 8..at * 8 + 8)?, 16).ok().map(u32::to_ne_bytes);
    let ip: IpAddr = match ip.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            Ipv6Addr::from(bytes).into()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn who_waits_is_told_from_who_is_connected() {
        let text =
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0B00007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 21 1 0 100 0 0 10 0
   1: 0100007F:1F91 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 22 1 0 100 0 0 10 0
   2: 0100007F:1F92 0100007F:9C41 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0
   3: nonsense
";
        let found: Vec<_> = parse(text, Proto::Tcp).collect();
        let at = |text: &str, waits, inode| {
            let socket = Listening { proto: Proto::Tcp, address: text.parse().unwrap() };
            Found { socket, waits, inode }
        };
        assert_eq!(found, [at("127.0.0.11:8080", true, 21), at("127.0.0.1:8081", false, 22)]);
        let six = address("00000000000000000000000001000000:0035").unwrap();
        assert_eq!(six, "[::1]:53".parse().unwrap());
    }
}
