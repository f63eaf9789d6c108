//! The options of a bridge network (`-o key=value`): from text to values, with Docker's texts for what can't be read. An
//! option that nobody would read is refused, as it is a typing mistake most of the time; keys of other tools (reverse
//! domain names that are not Docker's) pass as labels do.

use std::{collections::BTreeMap, net::IpAddr, str::FromStr};

use libnet::{
    host::LentBridge,
    types::{
        Announce, BridgeAddress, Exposure, Family, GatewayAccess, GatewayMode, Icc, IfName, Internal,
        Interval, Masquerade, Mtu, MtuError, OutOfRange, Times,
    },
};

use netd_api::parse_bool;

use super::{NetworkError, subnet::GatewayNeed};

const BRIDGE: &str = "com.docker.network.bridge.";
/// Name of the link.
pub(super) const NAME: &str = "com.docker.network.bridge.name";
/// Whether packets leave with the host's address.
pub(super) const MASQUERADE: &str = "com.docker.network.bridge.enable_ip_masquerade";
/// Whether containers of the network reach each other.
pub(super) const ICC: &str = "com.docker.network.bridge.enable_icc";
/// Where ports are published whose request names no address.
pub(super) const HOST_IP: &str = "com.docker.network.bridge.host_binding_ipv4";
/// Marks the network `bridge`.
pub(super) const DEFAULT: &str = "com.docker.network.bridge.default_bridge";
/// The MTU of link and endpoints.
pub(super) const MTU: &str = "com.docker.network.driver.mtu";
/// Ours: whether names of the host itself are known in the network (`host.docker.internal`).
pub(super) const HOST_NAMES: &str = "io.pontoon.dns.host-names";
const INHIBIT_V4: &str = "com.docker.network.bridge.inhibit_ipv4";
const TRUSTED: &str = "com.docker.network.bridge.trusted_host_interfaces";
const SOURCE_V4: &str = "com.docker.network.host_ipv4";
const SOURCE_V6: &str = "com.docker.network.host_ipv6";
const GATEWAY_MODE_V4: &str = "com.docker.network.bridge.gateway_mode_ipv4";
const GATEWAY_MODE_V6: &str = "com.docker.network.bridge.gateway_mode_ipv6";
/// What interfaces inside are called, before their number.
pub(super) const PREFIX: &str = "com.docker.network.container_iface_prefix";
/// Whether the network has IPv4.
pub(super) const ENABLE_V4: &str = "com.docker.network.enable_ipv4";
/// Whether the network has IPv6.
pub(super) const ENABLE_V6: &str = "com.docker.network.enable_ipv6";

/// Ours: who reaches the host by the network's gateway address.
const GATEWAY: &str = "io.pontoon.gateway";

/// How addresses are announced.
pub(super) const ADVERTISE_TIMES: &str = "com.docker.network.advertise_addr_nmsgs";
/// How long announcements are apart.
pub(super) const ADVERTISE_EVERY: &str = "com.docker.network.advertise_addr_ms";

/// What the options of a bridge network say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BridgeOptions {
    pub(super) link: Option<IfName>,
    pub(super) mtu: Option<Mtu>,
    pub(super) icc: Icc,
    pub(super) masquerade: Masquerade,
    pub(super) host_ip: Option<IpAddr>,
    /// `eth` unless said otherwise: the interfaces inside are called so, with a number.
    pub(super) ifname_prefix: String,
    pub(super) exposure: Exposure,
    /// Who reaches the host by its gateway address, if that is said.
    pub(super) gateway: Option<GatewayAccess>,
    pub(super) announce: AnnounceOptions,
    /// The bridge as it is, if somebody else made it.
    pub(super) lent: Option<LentBridge>,
}

/// How addresses are announced, as far as somebody said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct AnnounceOptions {
    pub(super) times: Option<Times>,
    pub(super) every: Option<Interval>,
}

impl AnnounceOptions {
    /// What neighbours are told of new endpoints: more than Pontoon tells by itself only if somebody asks for it.
    pub(super) fn value(self) -> Announce {
        match (self.times, self.every) {
            (None, None) => Announce::WhatMoved,
            (times, every) => Announce::Always {
                times: times.unwrap_or(Times::DEFAULT),
                every: every.unwrap_or(Interval::DEFAULT),
            },
        }
    }
}

impl Default for BridgeOptions {
    fn default() -> Self {
        Self {
            link: None,
            mtu: None,
            icc: Icc::Allowed,
            masquerade: Masquerade::Yes,
            host_ip: None,
            ifname_prefix: "eth".to_owned(),
            exposure: Exposure::default(),
            gateway: None,
            announce: AnnounceOptions::default(),
            lent: None,
        }
    }
}

impl BridgeOptions {
    pub(super) fn read(options: &BTreeMap<String, String>, internal: Internal) -> Result<Self, NetworkError> {
        let mut read = Self::default();
        for (key, value) in options {
            read.set(key, value)?;
        }
        let isolated =
            [Family::V4, Family::V6].map(|family| read.exposure.mode(family) == GatewayMode::Isolated);
        if isolated.contains(&true) && internal == Internal::No {
            let text = "gateway mode 'isolated' can only be used for an internal network";
            return Err(NetworkError::Invalid(text.to_owned()));
        }
        Ok(read)
    }

    /// Whether the network spends an address on a gateway if nobody names one.
    pub(super) fn gateway_need(&self, family: Family, internal: Internal) -> GatewayNeed {
        let leads_nowhere = internal == Internal::Yes;
        if leads_nowhere && !self.exposure.is_on_bridge(family) {
            GatewayNeed::None
        } else {
            GatewayNeed::First
        }
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), NetworkError> {
        match key {
            NAME if value.is_empty() => {}
            NAME => self.link = Some(value.parse().map_err(|error| invalid(key, value, error))?),
            MTU => self.mtu = mtu(value)?,
            ICC => self.icc = if truth(key, value)? { Icc::Allowed } else { Icc::Denied },
            MASQUERADE => {
                self.masquerade = if truth(key, value)? { Masquerade::Yes } else { Masquerade::No };
            }
            HOST_IP if value.is_empty() => {}
            HOST_IP => self.host_ip = Some(value.parse().map_err(|_| invalid(key, value, "nil ip"))?),
            SOURCE_V4 => self.exposure.v4_source = Some(source(key, value)?),
            SOURCE_V6 => self.exposure.v6_source = Some(source(key, value)?),
            INHIBIT_V4 if truth(key, value)? => self.exposure.v4_address = BridgeAddress::Inhibited,
            INHIBIT_V4 => {}
            TRUSTED => self.exposure.trusted = links(value)?,
            ADVERTISE_TIMES => self.announce.times = Some(advertise_times(value)?),
            ADVERTISE_EVERY => self.announce.every = Some(advertise_every(value)?),
            PREFIX => self.ifname_prefix = ifname_prefix(value)?,
            // Whoever reads the request has asked for the families already.
            ENABLE_V4 | ENABLE_V6 => {}
            GATEWAY_MODE_V4 => {
                self.exposure.v4 = value.parse().map_err(|error| invalid(key, value, error))?;
            }
            GATEWAY_MODE_V6 => {
                self.exposure.v6 = value.parse().map_err(|error| invalid(key, value, error))?;
            }
            DEFAULT if truth(key, value)? => {
                return Err(NetworkError::Invalid(format!(
                    "option {key} is for the daemon's own network \"bridge\""
                )));
            }
            DEFAULT => {}
            HOST_NAMES => drop(truth(key, value)?),
            GATEWAY => self.gateway = Some(gateway(value)?),
            _ => unknown(key)?,
        }
        Ok(())
    }
}

fn gateway(value: &str) -> Result<GatewayAccess, NetworkError> {
    match value {
        "members" => Ok(GatewayAccess::Members),
        "everyone" => Ok(GatewayAccess::Everyone),
        other => Err(NetworkError::Invalid(format!(
            "invalid value \"{other}\" of {GATEWAY}: it should be members or everyone"
        ))),
    }
}

fn unknown(key: &str) -> Result<(), NetworkError> {
    if key.starts_with(BRIDGE) {
        return Err(NetworkError::NotImplemented(format!("option \"{key}\" is not supported")));
    }
    let foreign = key.contains('.') && !key.starts_with("com.docker.network.");
    if foreign { Ok(()) } else { Err(NetworkError::UnknownOption(key.to_owned())) }
}

/// Whether a switch among options that were read is on.
pub(super) fn is_on(options: &BTreeMap<String, String>, key: &str) -> bool {
    options.get(key).is_some_and(|value| truth(key, value).unwrap_or(false))
}

pub(super) fn truth(key: &str, value: &str) -> Result<bool, NetworkError> {
    let reason = || format!("strconv.ParseBool: parsing \"{value}\": invalid syntax");
    parse_bool(value).ok_or_else(|| invalid(key, value, reason()))
}

pub(super) fn mtu(value: &str) -> Result<Option<Mtu>, NetworkError> {
    let reason = || format!("strconv.Atoi: parsing \"{value}\": invalid syntax");
    match value.parse::<i64>().map_err(|_| invalid(MTU, value, reason()))? {
        0 => Ok(None),
        number => {
            number.try_into().map(Some).map_err(|error: MtuError| NetworkError::Invalid(error.to_string()))
        }
    }
}

pub(super) fn ifname_prefix(value: &str) -> Result<String, NetworkError> {
    // Two digits must fit behind it.
    match format!("{value}99").parse::<IfName>() {
        Ok(_) if !value.is_empty() && value != "lo" => Ok(value.to_owned()),
        Ok(_) => Err(invalid(PREFIX, value, "it must be neither empty nor \"lo\"")),
        Err(error) => Err(invalid(PREFIX, value, error)),
    }
}

/// An address of one family, in Go's words.
fn source<A: FromStr>(key: &str, value: &str) -> Result<A, NetworkError> {
    value.parse().map_err(|_| invalid(key, value, "nil ip"))
}

pub(super) fn advertise_times(value: &str) -> Result<Times, NetworkError> {
    advertised(ADVERTISE_TIMES, value, "must be an integer")
}

pub(super) fn advertise_every(value: &str) -> Result<Interval, NetworkError> {
    advertised(ADVERTISE_EVERY, value, "must be integer milliseconds")
}

/// A number of announcements, or the time between them, with Docker's texts.
fn advertised<T: TryFrom<i64, Error = OutOfRange>>(
    key: &str,
    value: &str,
    kind: &str,
) -> Result<T, NetworkError> {
    let wrong = || NetworkError::Invalid(format!("value for option {key} \"{value}\" {kind}"));
    let number: i64 = value.parse().map_err(|_| wrong())?;
    let out_of_range = |error: OutOfRange| NetworkError::Invalid(format!("{key} {error}"));
    T::try_from(number).map_err(out_of_range)
}

/// Names of links, with colons between them.
fn links(value: &str) -> Result<Vec<IfName>, NetworkError> {
    let names = value.split(':').filter(|name| !name.is_empty());
    names.map(|name| name.parse().map_err(|error| invalid(TRUSTED, value, error))).collect()
}

pub(super) fn invalid(key: &str, value: &str, reason: impl std::fmt::Display) -> NetworkError {
    NetworkError::InvalidOption { key: key.to_owned(), value: value.to_owned(), reason: format!("{reason}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(key: &str, value: &str) -> Result<BridgeOptions, String> {
        let options = [(key.to_owned(), value.to_owned())].into();
        BridgeOptions::read(&options, Internal::No).map_err(|error| error.to_string())
    }

    #[test]
    fn options_become_values() {
        assert_eq!(read(NAME, "web0").unwrap().link.unwrap().as_str(), "web0");
        assert_eq!(read(MTU, "1400").unwrap().mtu, 1400_u32.try_into().ok());
        assert_eq!(read(MTU, "0").unwrap().mtu, None);
        assert_eq!(read(ICC, "false").unwrap().icc, Icc::Denied);
        assert_eq!(read(MASQUERADE, "0").unwrap().masquerade, Masquerade::No);
        assert_eq!(read(HOST_IP, "::1").unwrap().host_ip, Some("::1".parse().unwrap()));
        assert_eq!(read(PREFIX, "net").unwrap().ifname_prefix, "net");
        assert_eq!(read(GATEWAY_MODE_V6, "routed").unwrap().exposure.v6, GatewayMode::Routed);
        assert_eq!(read(INHIBIT_V4, "1").unwrap().exposure.v4_address, BridgeAddress::Inhibited);
        assert_eq!(read(SOURCE_V4, "192.0.2.1").unwrap().exposure.v4_source, Some([192, 0, 2, 1].into()));
        assert_eq!(read(SOURCE_V6, "::1").unwrap().exposure.v6_source, "::1".parse().ok());
        let trusted = read(TRUSTED, "vxlan.1:eth3:").unwrap().exposure.trusted;
        assert_eq!(trusted.iter().map(IfName::as_str).collect::<Vec<_>>(), ["vxlan.1", "eth3"]);
        let once = Announce::Always { times: 1.try_into().unwrap(), every: Interval::DEFAULT };
        assert_eq!(read(ADVERTISE_TIMES, "1").unwrap().announce.value(), once);
        for (key, value) in [("org.example.owner", "me"), (GATEWAY_MODE_V4, "nat"), (NAME, "")] {
            assert_eq!(read(key, value), Ok(BridgeOptions::default()), "{key}");
        }
    }

    #[test]
    fn what_can_t_be_is_refused_in_docker_s_words() {
        let table = [
            (
                ICC,
                "x",
                "failed to parse com.docker.network.bridge.enable_icc value: x (strconv.ParseBool: parsing \"x\": invalid syntax)",
            ),
            (
                MTU,
                "x",
                "failed to parse com.docker.network.driver.mtu value: x (strconv.Atoi: parsing \"x\": invalid syntax)",
            ),
            (MTU, "-1", "invalid MTU number: -1"),
            (
                GATEWAY_MODE_V4,
                "foo",
                "failed to parse com.docker.network.bridge.gateway_mode_ipv4 value: foo (unknown gateway mode foo)",
            ),
            (GATEWAY, "x", "invalid value \"x\" of io.pontoon.gateway: it should be members or everyone"),
            (HOST_IP, "x", "failed to parse com.docker.network.bridge.host_binding_ipv4 value: x (nil ip)"),
            (SOURCE_V4, "fd00::1", "failed to parse com.docker.network.host_ipv4 value: fd00::1 (nil ip)"),
            (
                ADVERTISE_TIMES,
                "x",
                "value for option com.docker.network.advertise_addr_nmsgs \"x\" must be an integer",
            ),
            (ADVERTISE_TIMES, "4", "com.docker.network.advertise_addr_nmsgs must be in the range 0 to 3"),
            (
                ADVERTISE_EVERY,
                "x",
                "value for option com.docker.network.advertise_addr_ms \"x\" must be integer milliseconds",
            ),
            (ADVERTISE_EVERY, "99", "com.docker.network.advertise_addr_ms must be in the range 100 to 2000"),
            (GATEWAY_MODE_V4, "isolated", "gateway mode 'isolated' can only be used for an internal network"),
            (
                "com.docker.network.bridge.enable_iccc",
                "true",
                "option \"com.docker.network.bridge.enable_iccc\" is not supported",
            ),
        ];
        for (key, value, text) in table {
            assert_eq!(read(key, value).unwrap_err(), text);
        }
        for (key, value) in
            [(NAME, "sixteen-bytes-xx"), (HOST_IP, "here"), (PREFIX, ""), ("mtu", "1400"), (DEFAULT, "true")]
        {
            assert!(read(key, value).is_err(), "{key}={value}");
        }
    }
}
