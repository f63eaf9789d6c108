//! The options of a bridge network (`-o key=value`): from text to values, with Docker's texts for what can't be read. An
//! option that nobody would read is refused, as it is a typing mistake most of the time; keys of other tools (reverse
//! domain names that are not Docker's) pass as labels do.

use std::{collections::BTreeMap, net::IpAddr};

use libnet::types::{Icc, IfName, Internal, Masquerade, Mtu, MtuError};

use super::NetworkError;

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
const GATEWAY_MODE_V4: &str = "com.docker.network.bridge.gateway_mode_ipv4";
const GATEWAY_MODE_V6: &str = "com.docker.network.bridge.gateway_mode_ipv6";
/// What interfaces inside are called, before their number.
pub(super) const PREFIX: &str = "com.docker.network.container_iface_prefix";
/// Whether the network has IPv4.
pub(super) const ENABLE_V4: &str = "com.docker.network.enable_ipv4";
/// Whether the network has IPv6.
pub(super) const ENABLE_V6: &str = "com.docker.network.enable_ipv6";

/// Docker announces addresses with these; our attach announces nothing that they could tune.
pub(super) const WITHOUT_EFFECT: [&str; 2] =
    ["com.docker.network.advertise_addr_nmsgs", "com.docker.network.advertise_addr_ms"];

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
        }
    }
}

impl BridgeOptions {
    pub(super) fn read(options: &BTreeMap<String, String>, internal: Internal) -> Result<Self, NetworkError> {
        let mut read = Self::default();
        for (key, value) in options {
            read.set(key, value, internal)?;
        }
        Ok(read)
    }

    fn set(&mut self, key: &str, value: &str, internal: Internal) -> Result<(), NetworkError> {
        match key {
            NAME if value.is_empty() => {}
            NAME => self.link = Some(value.parse().map_err(|error| invalid(key, value, error))?),
            MTU => self.mtu = mtu(value)?,
            ICC => self.icc = if truth(key, value)? { Icc::Allowed } else { Icc::Denied },
            MASQUERADE => {
                self.masquerade = if truth(key, value)? { Masquerade::Yes } else { Masquerade::No };
            }
            HOST_IP if value.is_empty() => {}
            HOST_IP => self.host_ip = Some(value.parse().map_err(|error| invalid(key, value, error))?),
            PREFIX => self.ifname_prefix = ifname_prefix(value)?,
            // Whoever reads the request has asked for the families already.
            ENABLE_V4 | ENABLE_V6 => {}
            GATEWAY_MODE_V4 | GATEWAY_MODE_V6 => gateway_mode(value, internal)?,
            DEFAULT if truth(key, value)? => {
                return Err(NetworkError::Invalid(format!(
                    "option {key} is for the daemon's own network \"bridge\""
                )));
            }
            DEFAULT => {}
            HOST_NAMES => drop(truth(key, value)?),
            _ if WITHOUT_EFFECT.contains(&key) => {}
            _ => unknown(key)?,
        }
        Ok(())
    }
}

fn unknown(key: &str) -> Result<(), NetworkError> {
    if key.starts_with(BRIDGE) || key.starts_with("com.docker.network.host_ipv") {
        return Err(NetworkError::NotImplemented(format!("option \"{key}\" is not supported")));
    }
    let foreign = key.contains('.') && !key.starts_with("com.docker.network.");
    if foreign { Ok(()) } else { Err(NetworkError::UnknownOption(key.to_owned())) }
}

/// Whether a switch among options that were read is on.
pub(super) fn is_on(options: &BTreeMap<String, String>, key: &str) -> bool {
    options.get(key).is_some_and(|value| truth(key, value).unwrap_or(false))
}

/// Go's `strconv.ParseBool`.
pub(crate) fn parse_bool(value: &str) -> Option<bool> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
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

fn gateway_mode(mode: &str, internal: Internal) -> Result<(), NetworkError> {
    let text = match mode {
        "" | "nat" => return Ok(()),
        "isolated" if internal == Internal::No => {
            "gateway mode 'isolated' can only be used for an internal network".to_owned()
        }
        "isolated" | "routed" | "nat-unprotected" => {
            return Err(NetworkError::NotImplemented(format!(
                "gateway mode '{mode}' is not supported: use 'nat'"
            )));
        }
        _ => format!("unknown gateway mode {mode}"),
    };
    Err(NetworkError::Invalid(text))
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
        for (key, value) in
            [(WITHOUT_EFFECT[0], "3"), ("org.example.owner", "me"), (GATEWAY_MODE_V4, "nat"), (NAME, "")]
        {
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
            (GATEWAY_MODE_V4, "foo", "unknown gateway mode foo"),
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
