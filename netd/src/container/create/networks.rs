//! `NetworkMode`, `EndpointsConfig` and what can't be combined with them, in Docker's words. Pure: which networks exist
//! is asked by the caller.

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, net::IpAddr, str::FromStr};

use libnet::types::MacAddr;
use netd_api::models;

use crate::{
    container::{ContainerError, error::invalid, record::EndpointSettings},
    names::{DnsSettings, EGRESS, EgressPolicy},
    network::{Driver, NetworkError, Traffic},
};

/// Whose network a container has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::container) enum NetworkMode {
    /// The machine's.
    Host,
    /// Nobody's: a loopback interface.
    None,
    /// Another container's, by id or name.
    Container(String),
    /// Its own, in networks of these names or ids.
    Private,
}

/// What a request says about networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::container) struct Wanted {
    pub(in crate::container) mode: NetworkMode,
    /// Networks as named, the first one first; for `host` and `none` that one.
    pub(in crate::container) networks: Vec<(String, EndpointSettings)>,
}

impl NetworkMode {
    /// Reads HostConfig.NetworkMode.
    pub(in crate::container) fn read(text: &str) -> Self {
        match text {
            "host" => Self::Host,
            "none" => Self::None,
            _ => match text.strip_prefix("container:") {
                Some(other) => Self::Container(other.to_owned()),
                None => Self::Private,
            },
        }
    }

    /// Whether a container that is in networks of these drivers may be in one more.
    pub(in crate::container) fn admits(
        &self,
        mut there: impl Iterator<Item = Driver>,
        one_more: Driver,
    ) -> Result<(), ContainerError> {
        match (self, one_more) {
            (Self::Host, Driver::Host) => Ok(()),
            (Self::Host | Self::Container(_), _) => invalid(
                "container sharing network namespace with another container or host cannot be connected to any other network",
            ),
            (Self::None | Self::Private, Driver::Host) => invalid(
                "cannot connect container to host network - container must be created in host network mode",
            ),
            (Self::None | Self::Private, _)
                if there.any(|driver| [driver, one_more].contains(&Driver::Null)) =>
            {
                invalid(
                    "container cannot be connected to multiple networks with one of the networks in private (none) mode",
                )
            }
            (Self::None | Self::Private, _) => Ok(()),
        }
    }

    /// Whether a container's packets are forwarded to get anywhere; that of another container is not looked at.
    pub(in crate::container) const fn needs_forwarding(&self) -> bool {
        !matches!(self, Self::Host | Self::None)
    }
}

/// The network of that name; the CLI says `default` where it means the default bridge.
pub(in crate::container) fn canonical(name: &str) -> &str {
    if name.is_empty() || name == "default" { "bridge" } else { name }
}

/// Reads what a request says about networks, and refuses what contradicts it. `called` gives the name of the network
/// that goes by a name, an id or its beginning; the word itself, if there is none.
pub(in crate::container) fn read(
    body: &models::ContainerCreateBody,
    called: impl Fn(&str) -> String,
) -> Result<Wanted, ContainerError> {
    let (nothing, endpoints) = (models::HostConfig::default(), body.networking_config.as_ref());
    let host = body.host_config.as_ref().unwrap_or(&nothing);
    let first = canonical(host.network_mode.as_deref().unwrap_or_default());
    let mode = NetworkMode::read(first);
    check(&mode, body, host)?;
    let endpoints = endpoints.and_then(|config| config.endpoints_config.as_ref()).into_iter().flatten();
    if let NetworkMode::Container(other) = &mode {
        if other.is_empty() {
            return invalid("invalid container format container:<name|id>");
        }
        let mut macs = endpoints.filter_map(|(_, endpoint)| endpoint.mac_address.as_ref());
        if macs.any(|mac| !mac.is_empty()) {
            return invalid("conflicting options: mac-address and the network mode");
        }
        return Ok(Wanted { mode, networks: Vec::new() });
    }
    if body.network_disabled == Some(true) {
        return Ok(Wanted { mode: NetworkMode::None, networks: Vec::new() });
    }
    let main = called(first);
    let links = host.links.clone().unwrap_or_default();
    let mut given = BTreeMap::new();
    for (key, endpoint) in endpoints {
        let name = called(canonical(key));
        let links = if name == main { links.clone() } else { Vec::new() };
        let settings = settings(Some(endpoint), links).map_err(|error| error.in_network(key))?;
        if given.contains_key(&name) {
            return invalid(format!("network \"{name}\" is specified multiple times"));
        }
        given.insert(name, settings);
    }
    // The mode names a network, and the first one; who names endpoints gets those alone, as in Docker.
    if given.is_empty() {
        given.insert(main.clone(), settings(None, links)?);
    }
    let mut networks: Vec<_> = given.into_iter().collect();
    networks.sort_by_key(|(name, _)| *name != main);
    Ok(Wanted { mode, networks })
}

fn check(
    mode: &NetworkMode,
    body: &models::ContainerCreateBody,
    host: &models::HostConfig,
) -> Result<(), ContainerError> {
    fn some<T>(list: Option<&Vec<T>>) -> bool {
        list.is_some_and(|list| !list.is_empty())
    }
    let uts_host = host.uts_mode.as_deref() == Some("host");
    let named = body.hostname.as_deref().is_some_and(|name| !name.is_empty());
    let domain = body.domainname.as_deref().is_some_and(|name| !name.is_empty());
    if uts_host && named {
        return invalid("conflicting options: hostname and the UTS mode");
    }
    if uts_host && domain {
        return invalid("conflicting options: domainname and the UTS mode");
    }
    let shared = matches!(mode, NetworkMode::Container(_));
    if some(host.links.as_ref()) {
        match mode {
            NetworkMode::Container(_) => {
                return invalid(
                    "conflicting options: container type network can't be used with links. This would result in undefined behavior",
                );
            }
            NetworkMode::Host => {
                return invalid(
                    "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
                );
            }
            NetworkMode::None | NetworkMode::Private => {}
        }
    }
    let refused = [
        (named, "hostname and the network mode"),
        (some(host.dns.as_ref()), "dns and the network mode"),
        (some(host.extra_hosts.as_ref()), "custom host-to-IP mapping and the network mode"),
        (
            host.publish_all_ports == Some(true)
                || host.port_bindings.as_ref().is_some_and(|ports| !ports.is_empty()),
            "port publishing and the container type network mode",
        ),
        (some(body.exposed_ports.as_ref()), "port exposing and the container type network mode"),
    ];
    match refused.iter().find(|(there, _)| shared && *there) {
        Some((_, what)) => invalid(format!("conflicting options: {what}")),
        None => Ok(()),
    }
}

/// What a request says about one endpoint.
pub(in crate::container) fn settings(
    endpoint: Option<&models::EndpointSettings>,
    mut links: Vec<String>,
) -> Result<EndpointSettings, ContainerError> {
    let Some(endpoint) = endpoint else {
        return Ok(EndpointSettings { links, ..EndpointSettings::default() });
    };
    let ipam = endpoint.ipam_config.as_ref();
    let text = |text: Option<&String>| text.filter(|text| !text.is_empty()).cloned();
    let mut problems = Vec::new();
    let v4 = text(ipam.and_then(|ipam| ipam.ipv4_address.as_ref()));
    let v4 = v4.and_then(|ip| address(&ip, "IPv4", &mut problems));
    let v6 = text(ipam.and_then(|ipam| ipam.ipv6_address.as_ref()));
    let v6 = v6.and_then(|ip| address(&ip, "IPv6", &mut problems));
    let link_local = ipam.and_then(|ipam| ipam.link_local_ips.as_ref()).into_iter().flatten();
    let link_local = link_local.filter_map(|ip| address(ip, "link-local IP", &mut problems)).collect();
    NetworkError::endpoint_problems(problems)?;
    let mac = text(endpoint.mac_address.as_ref()).map(|mac| read_mac(&mac)).transpose()?;
    for link in endpoint.links.iter().flatten() {
        if !links.contains(link) {
            links.push(link.clone());
        }
    }
    for link in &links {
        link_parts(link)?;
    }
    let mut aliases = endpoint.aliases.clone().unwrap_or_default();
    aliases.retain(|alias| !alias.is_empty());
    Ok(EndpointSettings {
        v4,
        v6,
        link_local,
        mac,
        aliases,
        links,
        linked: Vec::new(),
        gw_priority: endpoint.gw_priority.unwrap_or(0),
        driver_opts: endpoint.driver_opts.clone().unwrap_or_default().into_iter().collect(),
    })
}

/// An address that an interface can have, of the type of the field.
fn address<T: FromStr + Into<IpAddr> + Copy>(
    text: &str,
    what: &str,
    problems: &mut Vec<String>,
) -> Option<T> {
    let read = text.parse::<T>().ok().filter(|ip| {
        let ip: IpAddr = (*ip).into();
        !ip.is_unspecified() && !ip.is_multicast()
    });
    if read.is_none() {
        problems.push(format!("invalid {what} address: {text}"));
    }
    read
}

fn read_mac(text: &str) -> Result<MacAddr, ContainerError> {
    text.parse().or_else(|_| invalid(format!("invalid MAC address: {text}")))
}

/// `name` or `name:alias`, as (name, alias).
pub(in crate::container) fn link_parts(link: &str) -> Result<(&str, &str), ContainerError> {
    let parts: Vec<_> = link.split(':').collect();
    match parts[..] {
        [name] if !name.is_empty() => Ok((name, name)),
        [name, alias] if !name.is_empty() && !alias.is_empty() => {
            // Older daemons hand out links as `/name:/owner/alias`.
            let alias = alias.rsplit('/').next().unwrap_or(alias);
            Ok((name.strip_prefix('/').unwrap_or(name), alias))
        }
        _ => invalid(format!("bad format for links: {link}")),
    }
}

/// What the container's labels say about names that it may reach.
pub(in crate::container) fn egress(
    config: &models::ContainerConfig,
    mode: &NetworkMode,
) -> Result<Option<EgressPolicy>, ContainerError> {
    let label = |key: &str| config.labels.as_ref()?.get(key);
    match EgressPolicy::read(label) {
        Err(why) => invalid(why),
        Ok(Some(_)) if *mode != NetworkMode::Private => {
            invalid(format!("conflicting options: {EGRESS} and the network mode"))
        }
        Ok(policy) => Ok(policy),
    }
}

/// What the container's labels say about its frames.
pub(in crate::container) fn traffic(
    config: &models::ContainerConfig,
    mode: &NetworkMode,
) -> Result<Traffic, ContainerError> {
    let label = |key: &str| config.labels.as_ref()?.get(key);
    let traffic = Traffic::read(label).or_else(invalid)?;
    match traffic.first() {
        Some(key) if *mode != NetworkMode::Private => {
            invalid(format!("conflicting options: {key} and the network mode"))
        }
        _ => Ok(traffic),
    }
}

/// `--dns`, `--dns-search`, `--dns-option`.
pub(in crate::container) fn dns(host: &models::HostConfig) -> Result<DnsSettings, ContainerError> {
    let mut servers = Vec::new();
    for text in host.dns.iter().flatten() {
        match text.parse::<IpAddr>() {
            Ok(server) => servers.push(server),
            Err(_) => return invalid(format!("{text} is not a valid nameserver IP address")),
        }
    }
    Ok(DnsSettings {
        servers,
        search: host.dns_search.clone().unwrap_or_default(),
        options: host.dns_options.clone().unwrap_or_default(),
    })
}

/// `--add-host`: name and address, or `host-gateway` in its place.
pub(in crate::container) fn extra_hosts(
    host: &models::HostConfig,
) -> Result<Vec<(String, String)>, ContainerError> {
    let mut all = Vec::new();
    for text in host.extra_hosts.iter().flatten() {
        let Some((name, ip)) = text.split_once(['=', ':']).filter(|(name, _)| !name.is_empty()) else {
            return invalid(format!("bad format for add-host: \"{text}\""));
        };
        let bare = ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')).unwrap_or(ip);
        if bare != "host-gateway" && bare.parse::<IpAddr>().is_err() {
            return invalid(format!("invalid IP address in add-host: \"{ip}\""));
        }
        all.push((name.to_owned(), bare.to_owned()));
    }
    Ok(all)
}
