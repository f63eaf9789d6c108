//! Settings of the network called `bridge`.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use libnet::types::{IfName, Mtu};

use super::{Checked, cidr, ip, wrong};
use crate::config::{DefaultBridge, settings::BridgeSettings};

pub(super) fn default_bridge(said: &BridgeSettings) -> Checked<Option<DefaultBridge>> {
    fn given<T>(text: Option<&String>, read: impl Fn(&str) -> Checked<T>) -> Checked<Option<T>> {
        text.filter(|text| !text.is_empty()).map(|text| read(text)).transpose()
    }
    if said.bridge.as_deref() == Some("none") {
        return Ok(None);
    }
    let bridge = DefaultBridge {
        existing: given(said.bridge.as_ref(), |name| {
            name.parse::<IfName>().map_err(|error| wrong("bridge", &name, error.to_string()))
        })?,
        bip: given(said.bip.as_ref(), |text| cidr("bip", text))?,
        bip6: given(said.bip6.as_ref(), |text| cidr("bip6", text))?,
        fixed_cidr: given(said.fixed_cidr.as_ref(), |text| cidr("fixed-cidr", text))?,
        fixed_cidr_v6: given(said.fixed_cidr_v6.as_ref(), |text| cidr("fixed-cidr-v6", text))?,
        gateway: given(said.default_gateway.as_ref(), |text| ip("default-gateway", text))?,
        gateway_v6: given(said.default_gateway_v6.as_ref(), |text| ip("default-gateway-v6", text))?,
        ipv6: said.ipv6.unwrap_or(false),
        icc: said.icc.unwrap_or(true),
        host_ip: given(said.ip.as_ref(), |text| ip("ip", text))?,
        masquerade: said.ip_masq.unwrap_or(true),
        mtu: mtu(said.mtu.unwrap_or(0))?,
    };
    consistent(&bridge)?;
    Ok(Some(bridge))
}

fn mtu(bytes: i64) -> Checked<Option<Mtu>> {
    // dockerd reads 0 as "not said".
    if bytes == 0 {
        return Ok(None);
    }
    Mtu::try_from(bytes).map(Some).map_err(|error| wrong("mtu", &bytes, error.to_string()))
}

/// The addresses of the default bridge must lie within each other.
fn consistent(bridge: &DefaultBridge) -> Checked<()> {
    if let (Some(_), Some(bip)) = (&bridge.existing, bridge.bip) {
        let why = "bridge and bip are mutually exclusive: an existing bridge keeps its own address";
        return Err(wrong("bip", &bip, why));
    }
    if let Some(mtu) = bridge.mtu.filter(|mtu| bridge.ipv6 && *mtu < Mtu::LEAST_V6) {
        return Err(wrong("mtu", &mtu, format!("IPv6 needs {} at least", Mtu::LEAST_V6)));
    }
    if let Some(bip) = bridge.bip {
        if bip.prefix() < 31 && (bip.ip() == bip.network() || bip.ip() == bip.broadcast()) {
            let why = format!("it must be the address of a host in {}/{}", bip.network(), bip.prefix());
            return Err(wrong("bip", &bip, why));
        }
        within("fixed-cidr", bridge.fixed_cidr.map(Into::into), bip.into())?;
        within("default-gateway", bridge.gateway.map(|ip| IpAddr::from(ip).into()), bip.into())?;
    }
    if let Some(bip6) = bridge.bip6 {
        within("fixed-cidr-v6", bridge.fixed_cidr_v6.map(Into::into), bip6.into())?;
        within("default-gateway-v6", bridge.gateway_v6.map(|ip| IpAddr::from(ip).into()), bip6.into())?;
    }
    Ok(())
}

fn within(key: &'static str, part: Option<IpNetwork>, whole: IpNetwork) -> Checked<()> {
    let inside = |part: IpNetwork| part.prefix() >= whole.prefix() && whole.contains(part.network());
    match part {
        Some(part) if !inside(part) => Err(wrong(
            key,
            &part,
            format!("it is not within the bridge's subnet {}/{}", whole.network(), whole.prefix()),
        )),
        _ => Ok(()),
    }
}
