//! The /etc/hosts of a container, as Docker writes it.

use std::{fmt::Write as _, net::IpAddr};

/// What every container knows; the lines are Docker's.
const LOCAL: &str = "127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
";

/// A line of the file: an address and what it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostEntry {
    /// The address.
    pub ip: IpAddr,
    /// Its names; the first is the canonical one.
    pub names: Vec<String>,
}

impl HostEntry {
    /// An address with one name.
    pub fn new(ip: IpAddr, name: impl Into<String>) -> Self {
        Self { ip, names: vec![name.into()] }
    }

    /// A container's own address: with a domain, the full name comes first.
    pub fn own(ip: IpAddr, hostname: &str, domain: &str) -> Self {
        let short = hostname.to_owned();
        let names = if domain.is_empty() { vec![short] } else { vec![format!("{hostname}.{domain}"), short] };
        Self { ip, names }
    }
}

/// The file: the local names, what the user added, the container's own addresses.
pub fn hosts(extra: &[HostEntry], own: &[HostEntry]) -> String {
    let mut text = LOCAL.to_owned();
    for entry in extra.iter().chain(own) {
        let _ = writeln!(text, "{}\t{}", entry.ip, entry.names.join(" "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_hosts_come_before_the_own_addresses() {
        let ip = |text: &str| text.parse().unwrap();
        let own =
            [HostEntry::own(ip("10.0.0.2"), "c1", "example.org"), HostEntry::own(ip("fd00::2"), "c1", "")];
        let text = hosts(&[HostEntry::new(ip("10.0.0.1"), "gw")], &own);
        let tail = "ff02::2\tip6-allrouters\n10.0.0.1\tgw\n10.0.0.2\tc1.example.org c1\nfd00::2\tc1\n";
        assert!(text.starts_with("127.0.0.1\tlocalhost\n::1\tlocalhost"), "{text}");
        assert!(text.ends_with(tail), "{text}");
    }
}
