//! Services of hosts, as SRV questions ask for them (RFC 2782).

use std::net::{Ipv4Addr, Ipv6Addr};

use hickory_proto::rr::Name;

use crate::types::{Protocol, Service};

/// What an SRV question wants: the first two labels of `_http._tcp.web`, folded and without what is before them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'n> {
    name: &'n [u8],
    protocol: Protocol,
}

/// Where a service is.
#[derive(Clone, Debug)]
pub(crate) struct ServiceAt {
    pub(crate) target: Name,
    pub(crate) port: u16,
    pub(crate) v4: Option<Ipv4Addr>,
    pub(crate) v6: Option<Ipv6Addr>,
}

impl<'n> Wanted<'n> {
    /// What is wanted, and of whom.
    pub(crate) fn parse(name: &'n [u8]) -> Option<(Self, &'n [u8])> {
        let mut labels = name.splitn(3, |byte| *byte == b'.');
        let name = labels.next()?.strip_prefix(b"_")?;
        let protocol = match labels.next()? {
            b"_tcp" => Protocol::Tcp,
            b"_udp" => Protocol::Udp,
            b"_sctp" => Protocol::Sctp,
            _ => return None,
        };
        Some((Self { name, protocol }, labels.next()?))
    }

    pub(crate) fn is(&self, service: &Service) -> bool {
        let named = match &service.name {
            Some(name) => name.as_bytes().eq_ignore_ascii_case(self.name),
            None => usual(service.port).is_some_and(|usual| usual.as_bytes() == self.name),
        };
        service.protocol == self.protocol && (named || service.port.to_string().as_bytes() == self.name)
    }
}

/// Names that IANA has given to ports which containers commonly offer, and the usual name of a few more.
fn usual(port: u16) -> Option<&'static str> {
    const USUAL: [(u16, &str); 27] = [
        (21, "ftp"),
        (22, "ssh"),
        (25, "smtp"),
        (53, "domain"),
        (80, "http"),
        (110, "pop3"),
        (123, "ntp"),
        (143, "imap"),
        (389, "ldap"),
        (443, "https"),
        (514, "syslog"),
        (587, "submission"),
        (636, "ldaps"),
        (993, "imaps"),
        (1433, "ms-sql-s"),
        (1883, "mqtt"),
        (2049, "nfs"),
        (2379, "etcd-client"),
        (3306, "mysql"),
        (5060, "sip"),
        (5432, "postgresql"),
        (5672, "amqp"),
        (6379, "redis"),
        (8080, "http-alt"),
        (9092, "kafka"),
        (11211, "memcache"),
        (27017, "mongodb"),
    ];
    USUAL.iter().find(|(known, _)| *known == port).map(|(_, name)| *name)
}
