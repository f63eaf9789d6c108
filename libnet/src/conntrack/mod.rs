//! The kernel's connection table: entries that outlive the endpoint or port they were made for are deleted, so that
//! packets of an old connection don't reach whoever has the address next, and so that a flow of datagrams that began
//! before its port was published doesn't miss the container for ever.

mod entry;

use std::net::{IpAddr, SocketAddr};

use crate::{
    firewall::{Counted, FirewallError, NfSocket},
    ports::PublishedPort,
    sys::nfnl::{
        DUMP, NfnlError,
        batch::{ACK, Messages},
    },
    types::{Family, Port, Proto},
};
pub(crate) use entry::must_hold;
use entry::{Ask, Entry, Field, write_ask};

/// `NFNL_SUBSYS_CTNETLINK << 8`, with `IPCTNL_MSG_CT_GET` and `IPCTNL_MSG_CT_DELETE`.
const GET: u16 = 1 << 8 | 1;
const DELETE: u16 = 1 << 8 | 2;
/// `AF_INET`, `AF_INET6`.
const INET: u8 = 2;
const INET6: u8 = 10;

/// Connections that are to be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    /// All that a container's address has, had from it or led to it.
    Address(IpAddr),
    /// Those that a published port led to a container.
    Port {
        /// The port, which is published no more.
        port: PublishedPort,
        /// The container's address.
        container: IpAddr,
    },
    /// Those to a port of the host that was not published when they began.
    Host {
        /// An address of the host.
        ip: IpAddr,
        /// Its port, which is published now.
        port: Port,
        /// The protocol.
        proto: Proto,
    },
}

/// Forgets connections, in the namespace of `socket`; returns how many. The kernel looks through its table once for each
/// family, however many are meant; entries that end meanwhile are no error.
///
/// # Errors
/// If the kernel refuses.
pub fn forget(socket: &mut NfSocket, stale: &[Stale]) -> Result<usize, FirewallError> {
    let mut forgotten = 0;
    for ask in asks(stale) {
        for entry in find(socket, &ask)? {
            if stale.iter().any(|stale| stale.matches(&entry)) && delete(socket, ask.family, &entry)? {
                forgotten += 1;
            }
        }
    }
    Ok(forgotten)
}

/// A connection that the kernel follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// How.
    pub proto: Proto,
    /// Where its first packet came from.
    pub from: SocketAddr,
    /// Where that was sent to, before it was rewritten.
    pub to: SocketAddr,
    /// Who answers: where the packets really go.
    pub answers_from: SocketAddr,
    /// What was sent there, and the answers; nothing while `net.netfilter.nf_conntrack_acct` is 0, as it is by default.
    pub counted: Option<(Counted, Counted)>,
}

/// All connections of protocols with ports that the kernel follows in the namespace of `socket`.
///
/// # Errors
/// If the kernel refuses.
pub fn connections(socket: &mut NfSocket) -> Result<Vec<Connection>, FirewallError> {
    let mut all = Vec::new();
    for family in [Family::V4, Family::V6] {
        let found = find(socket, &Ask { family, fields: Vec::new() })?;
        all.extend(found.into_iter().map(|entry| Connection {
            proto: entry.proto,
            from: entry.from.into(),
            to: entry.to.into(),
            answers_from: entry.answers_from.into(),
            counted: entry.counted,
        }));
    }
    Ok(all)
}

/// One question where the kernel can answer it; else everything of a family, looked through here: what takes the kernel
/// long is its table, most of which is empty.
fn asks(stale: &[Stale]) -> Vec<Ask> {
    let mut asks: Vec<Ask> = stale.iter().flat_map(Stale::asks).collect();
    for family in [Family::V4, Family::V6] {
        if asks.iter().filter(|ask| ask.family == family).count() > 1 {
            asks.retain(|ask| ask.family != family);
            asks.push(Ask { family, fields: Vec::new() });
        }
    }
    asks
}

impl Stale {
    /// What to ask the kernel for: it compares fields for us, but only as "all of these".
    fn asks(&self) -> Vec<Ask> {
        let ask = |ip: IpAddr, fields: Vec<Field>| Ask { family: Family::of(ip), fields };
        match *self {
            Self::Address(ip) => [Field::From(ip), Field::To(ip), Field::AnswersFrom(ip)]
                .map(|field| ask(ip, vec![field]))
                .into(),
            Self::Port { port, container } => {
                let fields = vec![Field::AnswersFrom(container), Field::ToPort(port.proto, first_port(port))];
                vec![ask(container, fields)]
            }
            Self::Host { ip, port, proto } => vec![ask(ip, vec![Field::To(ip), Field::ToPort(proto, port)])],
        }
    }

    /// Whether an entry is really meant: kernels before 5.8 ignore what they are asked for.
    fn matches(&self, entry: &Entry) -> bool {
        let to = |proto, port: Port| entry.proto == proto && entry.to.1 == port.get();
        match *self {
            Self::Address(ip) => [entry.from.0, entry.to.0, entry.answers_from.0].contains(&ip),
            Self::Port { port, container } => {
                entry.answers_from == (container, port.container.get()) && to(port.proto, first_port(port))
            }
            Self::Host { ip, port, proto } => {
                entry.to.0 == ip && to(proto, port) && entry.answers_from == entry.to
            }
        }
    }
}

/// The port that a client speaks to.
fn first_port(port: PublishedPort) -> Port {
    port.host_port.unwrap_or(port.container)
}

fn find(socket: &mut NfSocket, ask: &Ask) -> Result<Vec<Entry>, FirewallError> {
    let request = || Messages::single(GET, DUMP, family(ask.family), |attrs| write_ask(attrs, &ask.fields));
    let found = socket.dump(request, |_, _, attrs| Ok(Entry::read(attrs)))?;
    // Entries of protocols without ports can't be read, and aren't meant.
    Ok(found.into_iter().flatten().collect())
}

/// `false`: it ended by itself.
fn delete(socket: &mut NfSocket, of: Family, entry: &Entry) -> Result<bool, FirewallError> {
    let mut request = Messages::single(DELETE, ACK, family(of), |attrs| entry.write_key(attrs));
    match socket.send(&mut request) {
        Ok(()) => Ok(true),
        Err(NfnlError::Refused(refusal)) if refusal.errno.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(NfnlError::Refused(refusal)) => Err(FirewallError::Refused {
            action: format!("forget the connection {entry}"),
            hint: refusal.text,
            source: refusal.errno,
        }),
        Err(error) => Err(error.into()),
    }
}

const fn family(family: Family) -> u8 {
    match family {
        Family::V4 => INET,
        Family::V6 => INET6,
    }
}
