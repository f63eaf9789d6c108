//! The values that a directory is made of. They carry no behaviour: every combination is legal, and what can't be
//! asked for in DNS (an empty name, a label of 64 bytes) is simply never found.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub String);

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// A zone is the names of one network; its id is the network's.
    ZoneId
}
text_id! {
    /// A host is one endpoint in one zone; its id is the endpoint's.
    HostId
}
text_id! {
    /// Who asks: the sandbox whose sockets the question came in on.
    AskerId
}

/// What one endpoint is called, and where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// All names in this zone; the first is the one that a reverse lookup gives. `*.foo` stands for every name
    /// under `foo` that nobody has, at any depth.
    pub names: Vec<String>,
    /// Its IPv4 address.
    pub v4: Option<Ipv4Addr>,
    /// Its IPv6 address.
    pub v6: Option<Ipv6Addr>,
    /// What it offers, for SRV questions.
    pub services: Vec<Service>,
}

/// A port that a host offers: `_http._tcp.web` asks for it by name, `_8080._tcp.web` by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its number at the host's own address.
    pub port: u16,
    /// What is spoken there.
    pub protocol: Protocol,
    /// What it is called; `None` for the name that is usual for this port, where there is one.
    pub name: Option<String>,
}

/// What a port is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // They are their names.
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

/// A record that someone has written into a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticRecord {
    /// As a host's names.
    pub name: String,
    /// How long clients may keep it, in seconds; `None` for as long as all of ours.
    pub ttl: Option<u32>,
    /// What it says.
    pub data: StaticData,
}

/// What a [`StaticRecord`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StaticData {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// Another name for everything that has no record here; ours or any other.
    Cname(String),
    /// Texts, each of at most 255 bytes.
    Txt(Vec<String>),
    /// Where a service is (RFC 2782).
    Srv {
        /// The lowest is tried first.
        priority: u16,
        /// How often among those of one priority.
        weight: u16,
        /// The service's port.
        port: u16,
        /// Its host.
        target: String,
    },
    /// Where mail goes.
    Mx {
        /// The lowest is tried first.
        preference: u16,
        /// The mail server.
        exchange: String,
    },
}

/// What one asker sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The zones of its networks, the one with the highest gateway priority first.
    pub zones: Vec<ZoneId>,
    /// Names of its own: (alias, the name that it stands for). They win over what others are called.
    pub links: Vec<(String, String)>,
    /// Whether what is not ours may leave through the host.
    pub forward: Forward,
    /// What to do with an unknown name of one label.
    pub bare_names: BareNames,
}

/// Whether questions that are not ours may leave through the host's upstreams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Forward {
    /// To every upstream.
    #[default]
    Yes,
    /// Only to those dialled from the container: all its networks are internal.
    No,
}

/// What becomes of an unknown address question for a name of one label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BareNames {
    /// It is forwarded like every other name.
    #[default]
    Forward,
    /// It gets an empty answer: the user has set `ndots` above zero, so the client goes on with its search list.
    Keep,
}
