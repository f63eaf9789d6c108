//! Which names of the world an asker may ask for, and what it was told of them. A gate belongs to one server; who
//! keeps egress to names makes it.

use std::net::IpAddr;
use std::time::Duration;

use hickory_proto::op::Message;
use hickory_proto::rr::{Name, RData};

/// What a [`Gate`] says of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// Nobody minds.
    Free,
    /// It may be asked for; the addresses that it has are told to the gate before they are told to the asker.
    Watched,
    /// It may not be asked for: the asker learns that there is no such name.
    Denied,
}

/// An address that a name has, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The address.
    pub ip: IpAddr,
    /// The time to live of its record.
    pub ttl: Duration,
}

/// Stands between a server and its upstreams. It is asked on the runtime's threads, so it must not wait.
pub trait Gate: Send + Sync {
    /// What is to become of questions for this name. Names of our own zones are answered whatever this says.
    fn judge(&self, name: &Name) -> Judged;

    /// The asker is about to be told that `name`, which is watched, has these addresses.
    fn told(&self, name: &Name, addresses: &[Told]);

    /// A question for `name` was denied.
    fn denied(&self, name: &Name);
}

/// A gate that stands open.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenGate;

impl Gate for OpenGate {
    fn judge(&self, _name: &Name) -> Judged {
        Judged::Free
    }

    fn told(&self, _name: &Name, _addresses: &[Told]) {}

    fn denied(&self, _name: &Name) {}
}

/// The addresses in the answer of a reply, whatever names lead to them.
pub(crate) fn addresses(reply: &Message) -> Vec<Told> {
    let one = |record: &hickory_proto::rr::Record| {
        let ip = match &record.data {
            RData::A(a) => IpAddr::V4(a.0),
            RData::AAAA(aaaa) => IpAddr::V6(aaaa.0),
            _ => return None,
        };
        Some(Told { ip, ttl: Duration::from_secs(record.ttl.into()) })
    };
    reply.answers.iter().filter_map(one).collect()
}
