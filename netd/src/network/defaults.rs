//! The networks that are always there: `bridge`, `host` and `none`.

use std::{collections::BTreeMap, net::IpAddr};

use ipnetwork::IpNetwork;
use libnet::{
    ipam::{Wanted, masked},
    types::{GatewayAccess, Icc, IfName, Internal, Masquerade},
};

use super::{
    Driver, NetworkError, Scope,
    draft::{Draft, DriverOptions},
    inner::Options,
    options::{self, BridgeOptions},
    record::{Configuration, IpamDriver, NetworkRecord},
    subnet::{Families, SubnetAsk, SubnetAsks},
};
use crate::config::DefaultBridge;

/// The link of the network `bridge`.
pub(super) const LINK: &str = "pontoon0";

/// The network `bridge`, as the configuration wants it.
pub(super) fn bridge(config: &DefaultBridge) -> Result<Draft, NetworkError> {
    let link = match &config.existing {
        Some(link) => link.clone(),
        None => LINK.parse::<IfName>().map_err(|error| NetworkError::Invalid(error.to_string()))?,
    };
    let bridge = BridgeOptions {
        link: Some(link),
        mtu: config.mtu,
        icc: if config.icc { Icc::Allowed } else { Icc::Denied },
        masquerade: if config.masquerade { Masquerade::Yes } else { Masquerade::No },
        host_ip: config.host_ip,
        // It is what `host-gateway` stands for, in all networks.
        gateway: Some(GatewayAccess::Everyone),
        ..BridgeOptions::default()
    };
    // A bridge of the user's own has its say about subnets first.
    let ask = if config.existing.is_some() { range_alone } else { ask };
    let mut v4 = ask(config.bip.map(IpNetwork::V4), config.fixed_cidr.map(IpNetwork::V4));
    v4.router = config.gateway.map(IpAddr::V4);
    let mut v6 = ask(config.bip6.map(IpNetwork::V6), config.fixed_cidr_v6.map(IpNetwork::V6));
    v6.router = config.gateway_v6.map(IpAddr::V6);
    Ok(Draft {
        name: "bridge".to_owned(),
        scope: Scope::Local,
        configuration: Configuration::Own,
        internal: Internal::No,
        attachable: false,
        families: Families { v4: true, v6: config.ipv6 },
        subnets: SubnetAsks { v4, v6, more: Vec::new() },
        options: shown(&bridge),
        driver: DriverOptions::Bridge(bridge),
        ipam: IpamDriver::Default,
        labels: BTreeMap::new(),
        ipam_options: None,
        default: true,
    })
}

fn range_alone(address: Option<IpNetwork>, range: Option<IpNetwork>) -> SubnetAsk {
    if address.is_some() {
        return ask(address, range);
    }
    SubnetAsk { range: range.map(|range| masked(&range)), ..SubnetAsk::default() }
}

/// Without an address of its own, the bridge's subnet is the range that it may hand out, as in Docker.
fn ask(address: Option<IpNetwork>, range: Option<IpNetwork>) -> SubnetAsk {
    let range = range.map(|range| masked(&range));
    let subnet = address.map(|address| masked(&address)).or(range);
    SubnetAsk {
        subnet: subnet.map_or(Wanted::Any, Wanted::Exactly),
        range: range.filter(|range| Some(*range) != subnet),
        gateway: address.map(|address| address.ip()),
        ..SubnetAsk::default()
    }
}

/// Docker shows the settings of its default bridge as options, and scripts read them there.
fn shown(bridge: &BridgeOptions) -> Options {
    let host_ip = bridge.host_ip.map_or_else(|| "0.0.0.0".to_owned(), |ip| ip.to_string());
    let mut options = BTreeMap::from([
        (options::DEFAULT.to_owned(), "true".to_owned()),
        (options::ICC.to_owned(), (bridge.icc == Icc::Allowed).to_string()),
        (options::MASQUERADE.to_owned(), (bridge.masquerade == Masquerade::Yes).to_string()),
        (options::HOST_IP.to_owned(), host_ip),
    ]);
    options.extend(bridge.link.as_ref().map(|link| (options::NAME.to_owned(), link.to_string())));
    options.extend(bridge.mtu.map(|mtu| (options::MTU.to_owned(), mtu.bytes().to_string())));
    options
}

/// Whether the network that was written down is still what the configuration wants. What the configuration leaves open
/// (an automatic subnet, the MTU of the egress link) stays as it was chosen.
pub(super) fn is_as_wanted(record: &NetworkRecord, draft: &Draft) -> bool {
    let (Some(bridge), DriverOptions::Bridge(wanted)) = (&record.bridge, &draft.driver) else { return false };
    let subnet_fits = |ask: &SubnetAsk, has: Option<&super::record::SubnetRecord>| {
        has.is_some_and(|has| {
            ask.subnet.named().is_none_or(|net| net == has.net)
                && (ask.range, ask.router) == (has.range, has.router)
                && ask.gateway.is_none_or(|gateway| Some(gateway) == has.gateway)
                && (ask.subnet.named().is_some() || has.chosen == super::Chosen::ByPool)
        })
    };
    Some(&bridge.link) == wanted.link.as_ref()
        && bridge.lent.is_some() == wanted.lent.is_some()
        && wanted.mtu.is_none_or(|mtu| mtu == bridge.mtu)
        && (wanted.icc, wanted.masquerade, wanted.host_ip) == (bridge.icc, bridge.masquerade, bridge.host_ip)
        && subnet_fits(&draft.subnets.v4, record.v4.as_ref())
        && draft.families.v6 == record.v6.is_some()
        && (record.v6.is_none() || subnet_fits(&draft.subnets.v6, record.v6.as_ref()))
}

/// `host` or `none`.
pub(super) fn without_kernel(driver: Driver, id: libnet::types::NetworkId, created: String) -> NetworkRecord {
    let name = if driver == Driver::Host { "host" } else { "none" };
    NetworkRecord { default: true, ..NetworkRecord::without_kernel(id, name.to_owned(), driver, created) }
}
