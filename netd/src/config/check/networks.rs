//! Settings of networks: where subnets, names and default options come from.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use libnet::{
    firewall::{DirectRouting, FirewallOptions},
    types::FwMark,
};

use super::{Checked, bridge::default_bridge, cidr, ip, wrong};
use crate::config::{
    AddressPool, DnsDefaults, NetworkDefaults,
    settings::{BridgeSettings, NetworkSettings, PoolSetting},
};

pub(super) fn network(bridge: &BridgeSettings, said: NetworkSettings) -> Checked<NetworkDefaults> {
    let mut options = said.default_network_opts.unwrap_or_default();
    for option in said.default_network_opt.unwrap_or_default() {
        let mut parts = option.splitn(3, '=');
        let (Some(driver), Some(name), Some(value)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong(
                "default-network-opts",
                &option,
                "it should be of the form driver=option=value",
            ));
        };
        options.entry(driver.to_owned()).or_default().insert(name.to_owned(), value.to_owned());
    }
    Ok(NetworkDefaults {
        bridge: default_bridge(bridge)?,
        pools: pools(&said.default_address_pools.unwrap_or_default())?,
        options,
        dns: DnsDefaults {
            servers: addresses("dns", &said.dns.unwrap_or_default())?,
            search: search(said.dns_search.unwrap_or_default())?,
            options: said.dns_opts.unwrap_or_default(),
        },
        host_gateway: addresses("host-gateway-ips", &said.host_gateway_ips.unwrap_or_default())?,
        ip_forward: said.ip_forward.unwrap_or(true),
        firewall: firewall(said.allow_direct_routing, said.bridge_accept_fwmark.as_deref())?,
        userland_proxy: said.userland_proxy.unwrap_or(true),
    })
}

fn firewall(direct_routing: Option<bool>, mark: Option<&str>) -> Checked<FirewallOptions> {
    let read = |text: &str| {
        text.parse::<FwMark>().map_err(|error| wrong("bridge-accept-fwmark", &text, error.to_string()))
    };
    Ok(FirewallOptions {
        direct_routing: match direct_routing {
            Some(true) => DirectRouting::Allowed,
            _ => DirectRouting::Denied,
        },
        accept_mark: mark.filter(|text| !text.is_empty()).map(read).transpose()?,
        ..FirewallOptions::default()
    })
}

fn search(domains: Vec<String>) -> Checked<Vec<String>> {
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let legal = |domain: &str| domain == "." || domain.trim_end_matches('.').split('.').all(label);
    match domains.iter().find(|domain| !legal(domain)) {
        Some(domain) => Err(wrong("dns-search", domain, "it is not a valid domain")),
        None => Ok(domains),
    }
}

fn pools(pools: &[PoolSetting]) -> Checked<Vec<AddressPool>> {
    let mut all: Vec<AddressPool> = Vec::new();
    for pool in pools {
        let key = "default-address-pools";
        let base: IpNetwork = cidr(key, &pool.base)?;
        let widest = if base.is_ipv4() { 32 } else { 128 };
        let size = u8::try_from(pool.size).ok().filter(|size| (base.prefix()..=widest).contains(size));
        let size = size.ok_or_else(|| {
            wrong(
                key,
                &pool.base,
                format!("the size {} must be between {} and {widest}", pool.size, base.prefix()),
            )
        })?;
        let base = IpNetwork::new(base.network(), base.prefix()).unwrap_or(base);
        if let Some(other) = all.iter().find(|other| overlap(other.base, base)) {
            return Err(wrong(key, &pool.base, format!("it overlaps with {}", other.base)));
        }
        all.push(AddressPool { base, size });
    }
    Ok(all)
}

fn overlap(a: IpNetwork, b: IpNetwork) -> bool {
    a.contains(b.network()) || b.contains(a.network())
}

fn addresses(key: &'static str, texts: &[String]) -> Checked<Vec<IpAddr>> {
    texts.iter().map(|text| ip(key, text)).collect()
}
