//! Reads resolv.conf(5).

use std::net::IpAddr;

use super::{Nameserver, ResolvConf};

pub(super) fn parse(text: &str) -> ResolvConf {
    let mut file = ResolvConf::default();
    for line in text.lines() {
        // Comments take whole lines; glibc has none at the end of one.
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let mut words = line.split_ascii_whitespace();
        let (Some(word), rest) = (words.next(), words) else { continue };
        let mut rest = rest.map(str::to_owned);
        match word {
            "nameserver" => match rest.next() {
                Some(server) => match nameserver(&server) {
                    Some(server) => file.nameservers.push(server),
                    None => file.invalid.push(server),
                },
                None => file.invalid.push(String::new()),
            },
            "search" | "domain" => file.search = rest.collect(),
            "options" => file.options.extend(rest),
            _ => file.other.push(line.to_owned()),
        }
    }
    // A search list of the root alone is none.
    if file.search == ["."] {
        file.search.clear();
    }
    file
}

fn nameserver(text: &str) -> Option<Nameserver> {
    let (addr, scope) = match text.split_once('%') {
        Some((addr, scope)) => (addr, Some(scope.to_owned())),
        None => (text, None),
    };
    let addr: IpAddr = addr.parse().ok()?;
    let scoped_v4 = addr.is_ipv4() && scope.is_some();
    let empty_scope = scope.as_deref() == Some("");
    (!scoped_v4 && !empty_scope).then_some(Nameserver { addr, scope })
}
