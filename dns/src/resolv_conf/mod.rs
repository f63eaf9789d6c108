//! resolv.conf(5): the host's file is read, the container's is written. Pure: texts in, texts out.
//!
//! A container on a user network gets the internal form ([`internal`]): our own server as the only one, and the
//! servers that it forwards to as [`Upstream`]s. A container on the default network gets the plain form ([`plain`]):
//! the host's servers, without those that only the host can reach.

mod parse;
mod render;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};

use crate::types::BareNames;
use crate::upstream::{DialFrom, Upstream};

/// Where a container finds our server.
pub const INTERNAL: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 11));

const DNS_PORT: u16 = 53;

/// The host's file, as far as we know its words; unknown lines are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvConf {
    /// `nameserver` lines that hold an address.
    pub nameservers: Vec<Nameserver>,
    /// `nameserver` lines that don't.
    pub invalid: Vec<String>,
    /// The last `search` or `domain` line.
    pub search: Vec<String>,
    /// All `options` lines.
    pub options: Vec<String>,
    /// Lines that we don't know (`sortlist`, ...).
    pub other: Vec<String>,
}

/// A server's address, with the interface that a link-local one is on (`fe80::1%eth0`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Nameserver {
    /// Its address.
    pub addr: IpAddr,
    /// The name or number of an interface of the host.
    pub scope: Option<String>,
}

/// What the user asked for in place of the host's file: from the container's flags, else from the daemon's. An
/// empty list means "not asked for".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--dns`.
    pub nameservers: Vec<IpAddr>,
    /// `--dns-search`; a single `.` means "no search list".
    pub search: Vec<String>,
    /// `--dns-option`.
    pub options: Vec<String>,
}

/// What a container on a user network gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Internal {
    /// Its resolv.conf.
    pub text: String,
    /// Where its server forwards to.
    pub upstreams: Vec<Upstream>,
    /// What its server does with an unknown name of one label, for the container's view.
    pub bare_names: BareNames,
}

/// Whether a container has IPv6, and so can use servers that do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ipv6 {
    /// It has.
    Yes,
    /// It has not.
    No,
}

impl ResolvConf {
    /// Reads a file. There are no errors: what the resolver of the C library skips is skipped.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        parse::parse(text)
    }

    /// This file with the user's wishes in the places that they name.
    #[must_use]
    fn overridden(&self, overrides: &Overrides) -> Self {
        let mut file = self.clone();
        if !overrides.nameservers.is_empty() {
            file.nameservers = overrides.nameservers.iter().copied().map(Nameserver::from).collect();
            file.invalid.clear();
        }
        match &overrides.search[..] {
            [] => {}
            [dot] if dot == "." => file.search.clear(),
            search => file.search = search.to_vec(),
        }
        if !overrides.options.is_empty() {
            file.options.clone_from(&overrides.options);
        }
        file
    }
}

/// The file and the upstreams of a container on a user network. `source` is the name of the host's file, for the
/// comments; `scope_index` gives the number of an interface of the host.
#[must_use]
pub fn internal(
    host: &ResolvConf,
    source: &str,
    overrides: &Overrides,
    scope_index: impl Fn(&str) -> Option<u32>,
) -> Internal {
    let mut file = host.overridden(overrides);
    let from = if overrides.nameservers.is_empty() { DialFrom::Host } else { DialFrom::Container };
    let servers = std::mem::take(&mut file.nameservers);
    let upstreams: Vec<_> = servers
        .iter()
        // In the container that address is our own server, which would ask itself.
        .filter(|server| from == DialFrom::Host || server.addr != INTERNAL)
        .filter_map(|server| Some(Upstream { addr: server.socket_addr(&scope_index)?, from }))
        .collect();
    file.nameservers.push(INTERNAL.into());
    let set_by =
        if overrides.options.is_empty() { render::NdotsFrom::Host } else { render::NdotsFrom::Override };
    let ndots = ndots(&file.options);
    if ndots.is_none() {
        // One of our names has no dots, and must be asked for as it is before any search list.
        file.options.retain(|option| !is_ndots(option));
        file.options.push("ndots:0".to_owned());
    }
    let text = render::Page {
        source,
        form: Some("internal resolver"),
        upstreams: Some((from, &servers)),
        overrides,
        ndots_from: Some(if ndots.is_some() { set_by } else { render::NdotsFrom::Internal }),
        warning: upstreams.is_empty().then_some("NO EXTERNAL NAMESERVERS DEFINED"),
    }
    .render(&file);
    let bare_names = if ndots.unwrap_or(0) > 0 { BareNames::Keep } else { BareNames::Forward };
    Internal { text, upstreams, bare_names }
}

/// The file of a container on the default network.
#[must_use]
pub fn plain(host: &ResolvConf, source: &str, overrides: &Overrides, ipv6: Ipv6) -> String {
    let mut file = host.overridden(overrides);
    let mut warning = None;
    if overrides.nameservers.is_empty() {
        file.nameservers.retain(|server| server.works_in_container(ipv6));
        if file.nameservers.is_empty() {
            file.nameservers = public_servers(ipv6);
            warning = Some("Used default nameservers.");
        }
    }
    render::Page { source, form: Some("legacy"), upstreams: None, overrides, ndots_from: None, warning }
        .render(&file)
}

/// The file of a container in the host's own network: all that the host can reach, it can.
#[must_use]
pub fn machine(host: &ResolvConf, source: &str, overrides: &Overrides) -> String {
    let file = host.overridden(overrides);
    render::Page { source, form: None, upstreams: None, overrides, ndots_from: None, warning: None }
        .render(&file)
}

impl Nameserver {
    fn works_in_container(&self, ipv6: Ipv6) -> bool {
        // An interface of the host is not in the container.
        !self.addr.is_loopback() && self.scope.is_none() && (self.addr.is_ipv4() || ipv6 == Ipv6::Yes)
    }

    fn socket_addr(&self, scope_index: &impl Fn(&str) -> Option<u32>) -> Option<SocketAddr> {
        match (self.addr, &self.scope) {
            (IpAddr::V6(v6), Some(scope)) => {
                let index = scope.parse().ok().or_else(|| scope_index(scope))?;
                Some(SocketAddrV6::new(v6, DNS_PORT, 0, index).into())
            }
            (addr, _) => Some((addr, DNS_PORT).into()),
        }
    }
}

impl From<IpAddr> for Nameserver {
    fn from(addr: IpAddr) -> Self {
        Self { addr, scope: None }
    }
}

impl fmt::Display for Nameserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.scope {
            Some(scope) => write!(f, "{}%{scope}", self.addr),
            None => self.addr.fmt(f),
        }
    }
}

/// Docker's choice where the host has no server that a container could use.
fn public_servers(ipv6: Ipv6) -> Vec<Nameserver> {
    let v4 = [[8, 8, 8, 8], [8, 8, 4, 4]].map(IpAddr::from);
    let v6 = [[0x2001, 0x4860, 0x4860, 0, 0, 0, 0, 0x8888], [0x2001, 0x4860, 0x4860, 0, 0, 0, 0, 0x8844]];
    let v6 = v6.map(IpAddr::from).into_iter().filter(|_| ipv6 == Ipv6::Yes);
    v4.into_iter().chain(v6).map(Nameserver::from).collect()
}

fn is_ndots(option: &str) -> bool {
    option.starts_with("ndots:")
}

/// The last valid `ndots`.
fn ndots(options: &[String]) -> Option<u32> {
    options.iter().rev().find_map(|option| option.strip_prefix("ndots:")?.parse().ok())
}

#[cfg(test)]
mod tests;
