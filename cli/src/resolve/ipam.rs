//! Which range, gateway and auxiliary address belongs to which subnet: Docker's CLI decides this, not its daemon.

use std::collections::HashMap;

use bollard::models::IpamConfig;
use ipnetwork::IpNetwork;

use super::Invalid;

/// What `network create` was given.
#[derive(Debug, Default)]
pub(crate) struct Pools<'a> {
    pub(crate) subnets: &'a [String],
    pub(crate) ranges: &'a [String],
    pub(crate) gateways: &'a [String],
    pub(crate) auxiliary: &'a [String],
}

/// One entry per subnet, with what lies in it, in the order of the subnets: where a network has several of a family,
/// addresses come from the first that has one left. (Docker's CLI keeps no order.)
pub(crate) fn consolidate(pools: &Pools<'_>) -> Result<Vec<IpamConfig>, Invalid> {
    if pools.subnets.len() < pools.ranges.len() || pools.subnets.len() < pools.gateways.len() {
        return Err(Invalid::new("every ip-range or gateway must have a corresponding subnet"));
    }
    let mut entries: Vec<IpamConfig> = Vec::new();
    for (index, subnet) in pools.subnets.iter().enumerate() {
        for known in &pools.subnets[..index] {
            if matches(subnet, known)? || matches(known, subnet)? {
                return Err(Invalid::new("multiple overlapping subnet configuration is not supported"));
            }
        }
        entries.push(IpamConfig { subnet: Some(subnet.clone()), ..IpamConfig::default() });
    }
    for range in pools.ranges {
        cidr(range)?;
        let entry = around(&mut entries, range)?
            .ok_or_else(|| Invalid(format!("no matching subnet for range {range}")))?;
        if entry.ip_range.is_some() {
            let subnet = entry.subnet.as_deref().unwrap_or_default();
            return Err(Invalid(format!(
                "cannot configure multiple ranges ({range}, {}) on the same subnet ({subnet})",
                entry.ip_range.as_deref().unwrap_or_default()
            )));
        }
        entry.ip_range = Some(range.clone());
    }
    for gateway in pools.gateways {
        let entry = around(&mut entries, gateway)?
            .ok_or_else(|| Invalid(format!("no matching subnet for gateway {gateway}")))?;
        if let Some(other) = &entry.gateway {
            let subnet = entry.subnet.as_deref().unwrap_or_default();
            return Err(Invalid(format!(
                "cannot configure multiple gateways ({gateway}, {other}) for the same subnet ({subnet})"
            )));
        }
        entry.gateway = Some(gateway.clone());
    }
    for pair in pools.auxiliary {
        let (name, address) = pair.split_once('=').unwrap_or((pair, ""));
        let entry = around(&mut entries, address)?
            .ok_or_else(|| Invalid(format!("no matching subnet for aux-address {address}")))?;
        entry
            .auxiliary_addresses
            .get_or_insert_with(HashMap::new)
            .insert(name.to_owned(), address.to_owned());
    }
    Ok(entries)
}

/// The subnet that contains an address or a range.
fn around<'e>(entries: &'e mut [IpamConfig], inner: &str) -> Result<Option<&'e mut IpamConfig>, Invalid> {
    for entry in entries {
        if matches(entry.subnet.as_deref().unwrap_or_default(), inner)? {
            return Ok(Some(entry));
        }
    }
    Ok(None)
}

/// Whether an address, or the first one of a range, is one of the subnet. What is neither is in none.
fn matches(subnet: &str, inner: &str) -> Result<bool, Invalid> {
    let subnet = cidr(subnet).map_err(|Invalid(text)| Invalid(format!("invalid subnet: {text}")))?;
    let inner = if inner.contains('/') { Some(cidr(inner)?.ip()) } else { inner.parse().ok() };
    Ok(inner.is_some_and(|ip| subnet.contains(ip)))
}

/// An address alone is no block.
fn cidr(text: &str) -> Result<IpNetwork, Invalid> {
    let block = text.contains('/').then(|| text.parse().ok()).flatten();
    block.ok_or_else(|| Invalid(format!("invalid CIDR address: {text}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn try_all(
        subnets: &str,
        ranges: &str,
        gateways: &str,
        auxiliary: &str,
    ) -> Result<Vec<IpamConfig>, String> {
        let list = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let (subnets, ranges, gateways, auxiliary) =
            (list(subnets), list(ranges), list(gateways), list(auxiliary));
        let pools = Pools { subnets: &subnets, ranges: &ranges, gateways: &gateways, auxiliary: &auxiliary };
        consolidate(&pools).map_err(|e| e.0)
    }

    #[test]
    fn each_goes_to_the_subnet_that_contains_it() {
        let all = try_all(
            "192.168.1.0/24 2001:db8::/64 10.0.0.0/8",
            "10.5.0.0/16",
            "2001:db8::1 192.168.1.100",
            "r=192.168.1.5 s=10.0.0.9 t=10.0.0.8",
        )
        .unwrap();
        let subnets: Vec<_> = all.iter().filter_map(|config| config.subnet.as_deref()).collect();
        assert_eq!(subnets, ["192.168.1.0/24", "2001:db8::/64", "10.0.0.0/8"], "as they were said");
        let by = |subnet: &str| all.iter().find(|c| c.subnet.as_deref() == Some(subnet)).unwrap();
        assert_eq!(by("10.0.0.0/8").ip_range.as_deref(), Some("10.5.0.0/16"));
        assert_eq!(by("10.0.0.0/8").auxiliary_addresses.as_ref().unwrap().len(), 2);
        assert_eq!(by("192.168.1.0/24").gateway.as_deref(), Some("192.168.1.100"));
        assert_eq!(by("2001:db8::/64").gateway.as_deref(), Some("2001:db8::1"));
    }

    #[test]
    fn what_fits_nowhere_is_refused() {
        let table = [
            ("", "10.0.0.0/24", "", "", "every ip-range or gateway must have a corresponding subnet"),
            ("", "", "10.0.0.1", "", "every ip-range or gateway must have a corresponding subnet"),
            (
                "10.0.0.0/24 10.0.0.0/25",
                "",
                "",
                "",
                "multiple overlapping subnet configuration is not supported",
            ),
            ("10.0.0.0/24", "11.0.0.0/25", "", "", "no matching subnet for range 11.0.0.0/25"),
            ("10.0.0.0/24", "", "11.0.0.1", "", "no matching subnet for gateway 11.0.0.1"),
            ("10.0.0.0/24", "", "", "a=11.0.0.1", "no matching subnet for aux-address 11.0.0.1"),
            ("10.0.0.0/24 here", "", "", "", "invalid subnet: invalid CIDR address: here"),
            ("10.0.0.0", "", "10.0.0.1", "", "invalid subnet: invalid CIDR address: 10.0.0.0"),
            ("10.0.0.0/24", "10.0.0.1", "", "", "invalid CIDR address: 10.0.0.1"),
            ("10.0.0.0/24", "", "here", "", "no matching subnet for gateway here"),
            ("", "", "", "a=b", "no matching subnet for aux-address b"),
            (
                "10.0.0.0/24 10.1.0.0/24",
                "",
                "10.0.0.1 10.0.0.2",
                "",
                "cannot configure multiple gateways (10.0.0.2, 10.0.0.1) for the same subnet (10.0.0.0/24)",
            ),
        ];
        for (subnets, ranges, gateways, auxiliary, expected) in table {
            assert_eq!(try_all(subnets, ranges, gateways, auxiliary), Err(expected.to_owned()));
        }
    }
}
