//! The subnets that a request names: from text to values, all problems at once and in Docker's words.

use std::{collections::BTreeMap, net::IpAddr};

use ipnetwork::IpNetwork;
use libnet::{
    ipam::{Wanted, masked, overlaps},
    types::Family,
};
use netd_api::models;

use super::{NetworkError, Problems};

/// What a network wants in one family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SubnetAsk {
    /// Which subnet.
    pub(super) subnet: Wanted,
    /// Where addresses come from that nobody asks for by name; else the whole subnet.
    pub(super) range: Option<IpNetwork>,
    /// This gateway; else what `gateway_need` says.
    pub(super) gateway: Option<IpAddr>,
    /// Whether there is to be a gateway that nobody asks for by its address.
    pub(super) gateway_need: GatewayNeed,
    /// Where containers send what is for none of their networks, if that is not the gateway.
    pub(super) router: Option<IpAddr>,
    /// Addresses that something else on the link has, by its name.
    pub(super) aux: BTreeMap<String, IpAddr>,
}

/// Whether a network is to have a gateway that nobody asks for by its address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum GatewayNeed {
    /// The first usable address.
    #[default]
    First,
    /// No address is spent on it: nothing leads out, and the bridge has none.
    None,
}

/// What a network wants in both families.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SubnetAsks {
    pub(super) v4: SubnetAsk,
    pub(super) v6: SubnetAsk,
    /// Further subnets, each named by the request: what is on a link of the host's LAN may have several of a family.
    pub(super) more: Vec<(Family, SubnetAsk)>,
}

impl SubnetAsks {
    /// A bridge that has addresses already decides on subnets that nobody named, and is the gateway in those that it has an
    /// address in.
    pub(super) fn settle_on(&mut self, addresses: &[IpNetwork]) {
        for (ask, family) in [(&mut self.v4, Family::V4), (&mut self.v6, Family::V6)] {
            let asked = ask.subnet;
            let fits = |own: &&IpNetwork| {
                self::family(own) == family && (asked == Wanted::Any || asked == Wanted::Exactly(masked(own)))
            };
            match addresses.iter().find(fits) {
                Some(own) => {
                    ask.subnet = Wanted::Exactly(masked(own));
                    ask.range = ask.range.filter(|range| *range != masked(own));
                    ask.gateway.get_or_insert(own.ip());
                }
                // Without an address of its own, the bridge's subnet is the range that it may hand out, as in Docker.
                None if asked == Wanted::Any => {
                    ask.subnet = ask.range.take().map_or(Wanted::Any, Wanted::Exactly);
                }
                None => {}
            }
        }
    }
}

/// Which families a network has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Families {
    pub(super) v4: bool,
    pub(super) v6: bool,
}

/// Reads the `Config` list of a request's IPAM. As in Docker, subnets of a family that the network doesn't have are
/// passed over.
pub(super) fn read(config: &[models::IpamConfig], families: Families) -> Result<SubnetAsks, NetworkError> {
    let mut asks = SubnetAsks::default();
    for (family, entry) in entries(config, families)? {
        let (first, wanted) = match family {
            Family::V4 => (&mut asks.v4, families.v4),
            Family::V6 => (&mut asks.v6, families.v6),
        };
        match first.subnet {
            _ if !wanted => {}
            Wanted::Any => *first = entry,
            Wanted::OfSize(_) | Wanted::Exactly(_) => asks.more.push((family, entry)),
        }
    }
    Ok(asks)
}

/// Refuses what can't be read, however many subnets there are.
pub(super) fn check(config: &[models::IpamConfig], families: Families) -> Result<(), NetworkError> {
    entries(config, families).map(|_| ())
}

fn entries(
    config: &[models::IpamConfig],
    families: Families,
) -> Result<Vec<(Family, SubnetAsk)>, NetworkError> {
    let mut problems = Problems::default();
    let mut asks = Vec::new();
    for entry in config.iter().filter(|entry| **entry != models::IpamConfig::default()) {
        let text = entry.subnet.as_deref().unwrap_or_default();
        match cidr(text) {
            None => problems.push(format!("invalid subnet {text}: invalid CIDR block notation")),
            // Docker doesn't look at these.
            Some(IpNetwork::V6(_)) if !families.v6 => {}
            Some(subnet) => asks.push((family(&subnet), read_one(entry, subnet, &mut problems))),
        }
    }
    problems.into_result(NetworkError::InvalidConfig)?;
    Ok(asks)
}

fn read_one(entry: &models::IpamConfig, subnet: IpNetwork, problems: &mut Problems) -> SubnetAsk {
    if let Some(size) = size_alone(subnet) {
        return read_size(entry, subnet, size, problems);
    }
    let mut ask = SubnetAsk { subnet: Wanted::Exactly(subnet), ..SubnetAsk::default() };
    if subnet != masked(&subnet) {
        problems.push(format!("invalid subnet {subnet}: it should be {}", masked(&subnet)));
    }
    ask.range = given(&entry.ip_range).and_then(|text| range(text, subnet, problems));
    match given(&entry.gateway).map(|text| address(text, subnet).map_err(|why| (text, why))).transpose() {
        Ok(gateway) => ask.gateway = gateway,
        Err((text, why)) => problems.push(format!("invalid gateway {text}: {why}")),
    }
    let aux: BTreeMap<_, _> = entry.auxiliary_addresses.iter().flatten().collect();
    for (name, text) in aux {
        match address(text, subnet) {
            Ok(ip) => _ = ask.aux.insert(name.clone(), ip),
            Err(why) => problems.push(format!("invalid auxiliary address {name}: {why}")),
        }
    }
    ask
}

/// `0.0.0.0/24`, `::/56`: any subnet of that size. All addresses together are no subnet that a network could have.
fn size_alone(subnet: IpNetwork) -> Option<u8> {
    (subnet.ip().is_unspecified() && subnet.prefix() > 0).then_some(subnet.prefix())
}

/// Where the subnet is not known yet, nothing in it can be named.
fn read_size(entry: &models::IpamConfig, subnet: IpNetwork, size: u8, problems: &mut Problems) -> SubnetAsk {
    let aux = entry.auxiliary_addresses.as_ref().is_some_and(|aux| !aux.is_empty());
    if aux || given(&entry.ip_range).or(given(&entry.gateway)).is_some() {
        problems.push(format!(
            "invalid subnet {subnet}: ip-range, gateway and auxiliary addresses need a subnet with an address"
        ));
    }
    SubnetAsk { subnet: Wanted::OfSize(size), ..SubnetAsk::default() }
}

fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

fn range(text: &str, subnet: IpNetwork, problems: &mut Problems) -> Option<IpNetwork> {
    let mut wrong = |why: String| problems.push(format!("invalid ip-range {text}: {why}"));
    let Some(range) = cidr(text) else {
        wrong("invalid CIDR block notation".to_owned());
        return None;
    };
    if range.is_ipv4() != subnet.is_ipv4() {
        wrong(other_family(subnet));
        return None;
    }
    if range.prefix() < subnet.prefix() {
        wrong(format!("CIDR block is bigger than its parent subnet {subnet}"));
    }
    if range != masked(&range) {
        wrong(format!("it should be {}", masked(&range)));
    }
    if !overlaps(&subnet, &range) {
        wrong(format!("parent subnet {subnet} doesn't contain ip-range"));
    }
    Some(range)
}

fn address(text: &str, subnet: IpNetwork) -> Result<IpAddr, String> {
    let ip: IpAddr = text.parse().map_err(|_| "invalid address".to_owned())?;
    if ip.is_ipv4() != subnet.is_ipv4() {
        return Err(other_family(subnet));
    }
    if subnet.contains(ip) {
        Ok(ip)
    } else {
        Err(format!("parent subnet {subnet} doesn't contain this address"))
    }
}

fn other_family(subnet: IpNetwork) -> String {
    format!("parent subnet is an {} block", if subnet.is_ipv4() { "IPv4" } else { "IPv6" })
}

/// `address/prefix`; an address alone is no block.
fn cidr(text: &str) -> Option<IpNetwork> {
    text.contains('/').then(|| text.parse().ok()).flatten()
}

/// The family of a subnet.
pub(super) const fn family(subnet: &IpNetwork) -> Family {
    match subnet {
        IpNetwork::V4(_) => Family::V4,
        IpNetwork::V6(_) => Family::V6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: Families = Families { v4: true, v6: true };

    fn entry(subnet: &str, range: &str, gateway: &str, aux: &[(&str, &str)]) -> models::IpamConfig {
        let aux = aux.iter().map(|(name, ip)| ((*name).to_owned(), (*ip).to_owned())).collect();
        models::IpamConfig {
            subnet: Some(subnet.to_owned()),
            ip_range: Some(range.to_owned()),
            gateway: Some(gateway.to_owned()),
            auxiliary_addresses: Some(aux),
        }
    }

    #[test]
    fn a_bridge_with_addresses_decides_where_nobody_else_does() {
        let settled = |config: &[models::IpamConfig], addresses: &[&str]| {
            let mut asks = read(config, BOTH).unwrap();
            asks.settle_on(&addresses.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>());
            asks
        };
        let net = |text: &str| text.parse::<IpNetwork>().ok();
        let asks = settled(&[], &["10.5.0.9/24", "fd05::9/64"]);
        assert_eq!((asks.v4.subnet.named(), asks.v4.gateway), (net("10.5.0.0/24"), "10.5.0.9".parse().ok()));
        assert_eq!((asks.v6.subnet.named(), asks.v6.gateway), (net("fd05::/64"), "fd05::9".parse().ok()));
        // A subnet that somebody named stays; in it, the bridge is the gateway if it has an address there.
        let asks = settled(&[entry("10.5.0.0/24", "", "", &[])], &["10.6.0.9/24", "10.5.0.9/24"]);
        assert_eq!((asks.v4.subnet.named(), asks.v4.gateway), (net("10.5.0.0/24"), "10.5.0.9".parse().ok()));
        let asks = settled(&[entry("10.5.0.0/24", "", "10.5.0.1", &[])], &["10.5.0.9/24"]);
        assert_eq!(asks.v4.gateway, "10.5.0.1".parse().ok());
        let asks = settled(&[entry("10.7.0.0/24", "", "", &[])], &["10.5.0.9/24"]);
        assert_eq!((asks.v4.subnet.named(), asks.v4.gateway), (net("10.7.0.0/24"), None));
        // A range alone is the subnet of a bridge without addresses, and comes to the same once the bridge has one.
        let range = SubnetAsk { range: net("10.8.0.0/24"), ..SubnetAsk::default() };
        for addresses in [vec![], vec![net("10.8.0.1/24").unwrap()]] {
            let mut asks = SubnetAsks { v4: range.clone(), ..SubnetAsks::default() };
            asks.settle_on(&addresses);
            assert_eq!((asks.v4.subnet.named(), asks.v4.range), (net("10.8.0.0/24"), None));
        }
        let mut asks = SubnetAsks { v4: range, ..SubnetAsks::default() };
        asks.settle_on(&[net("10.0.0.1/8").unwrap()]);
        assert_eq!((asks.v4.subnet.named(), asks.v4.range), (net("10.0.0.0/8"), net("10.8.0.0/24")));
    }

    #[test]
    fn both_families_are_read() {
        let config = [
            entry("10.0.0.0/24", "10.0.0.128/25", "10.0.0.254", &[("router", "10.0.0.5")]),
            entry("fd00::/64", "", "", &[]),
            models::IpamConfig::default(),
        ];
        let asks = read(&config, BOTH).unwrap();
        assert_eq!(asks.v4.range.unwrap().to_string(), "10.0.0.128/25");
        assert_eq!(asks.v4.gateway.unwrap().to_string(), "10.0.0.254");
        assert_eq!(asks.v4.aux["router"].to_string(), "10.0.0.5");
        assert_eq!(asks.v6.subnet.named().unwrap().to_string(), "fd00::/64");
        assert_eq!(read(&config, Families { v4: true, v6: false }).unwrap().v6, SubnetAsk::default());
    }

    #[test]
    fn problems_are_named_in_docker_s_words() {
        let text = |config| read(&[config], BOTH).unwrap_err().to_string();
        let table = [
            (entry("10.0.0.1/24", "", "", &[]), "invalid subnet 10.0.0.1/24: it should be 10.0.0.0/24"),
            (entry("10.0.0.0", "", "", &[]), "invalid subnet 10.0.0.0: invalid CIDR block notation"),
            (entry("10.0.0.0/33", "", "", &[]), "invalid subnet 10.0.0.0/33: invalid CIDR block notation"),
            (entry("", "", "10.0.0.1", &[]), "invalid subnet : invalid CIDR block notation"),
            (
                entry("10.0.0.0/24", "", "10.0.1.1", &[]),
                "invalid gateway 10.0.1.1: parent subnet 10.0.0.0/24 doesn't contain this address",
            ),
            (entry("10.0.0.0/24", "", "here", &[]), "invalid gateway here: invalid address"),
            (
                entry("10.0.0.0/24", "", "fd00::1", &[]),
                "invalid gateway fd00::1: parent subnet is an IPv4 block",
            ),
            (
                entry("10.0.0.0/24", "10.0.0.0/16", "", &[]),
                "invalid ip-range 10.0.0.0/16: CIDR block is bigger than its parent subnet 10.0.0.0/24",
            ),
            (
                entry("10.0.0.0/24", "10.0.1.0/28", "", &[]),
                "invalid ip-range 10.0.1.0/28: parent subnet 10.0.0.0/24 doesn't contain ip-range",
            ),
            (
                entry("10.0.0.0/24", "10.0.0.1/28", "", &[]),
                "invalid ip-range 10.0.0.1/28: it should be 10.0.0.0/28",
            ),
            (
                entry("10.0.0.0/24", "", "", &[("a", "1.1.1.1")]),
                "invalid auxiliary address a: parent subnet 10.0.0.0/24 doesn't contain this address",
            ),
        ];
        for (config, expected) in table {
            assert_eq!(text(config), format!("invalid network config:\n{expected}"));
        }
        let two = text(entry("10.0.0.1/24", "", "here", &[]));
        assert_eq!(two.lines().filter(|line| line.starts_with("* ")).count(), 2, "{two}");
    }

    #[test]
    fn a_family_may_have_several() {
        let all = ["10.0.0.0/24", "fd00::/64", "10.0.1.0/24", "fd01::/64"];
        let config = all.map(|subnet| entry(subnet, "", "", &[]));
        let asks = read(&config, BOTH).unwrap();
        let named = |ask: &SubnetAsk| ask.subnet.named().unwrap().to_string();
        assert_eq!([named(&asks.v4), named(&asks.v6)], all[..2]);
        let more: Vec<_> = asks.more.iter().map(|(family, ask)| (*family, named(ask))).collect();
        assert_eq!(more, [(Family::V4, all[2].to_owned()), (Family::V6, all[3].to_owned())]);
        let v4 = read(&config, Families { v4: true, v6: false }).unwrap();
        assert_eq!(v4.more.len(), 1);
    }
}
