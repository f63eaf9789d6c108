//! How a bridge network is joined to the world outside of its host, family by family.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use super::{Family, IfName};

/// What the host does for containers of one family (Docker's gateway modes).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GatewayMode {
    /// Ports of the host lead to published ports of containers; packets leave with the host's address. Nobody reaches a
    /// container by its own address.
    #[default]
    Nat,
    /// The same, and every port of a container is reached by its own address.
    NatUnprotected,
    /// Nothing is rewritten. Published ports, and ICMP, reach a container by its own address.
    Routed,
    /// The host itself has no address in the network; for internal networks.
    Isolated,
}

/// A text that is no gateway mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown gateway mode {0}")]
pub struct GatewayModeError(String);

/// Whether the bridge has the gateway's address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BridgeAddress {
    /// It does.
    #[default]
    Assigned,
    /// It doesn't: another machine on the link is the gateway.
    Inhibited,
}

/// Who reaches the host by the gateway address that it has in a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GatewayAccess {
    /// Of the containers, those of the network.
    #[default]
    Members,
    /// Those of other networks, too.
    Everyone,
}

/// How a network is joined to the world outside of its host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Exposure {
    /// What the host does for IPv4.
    pub v4: GatewayMode,
    /// What the host does for IPv6.
    pub v6: GatewayMode,
    /// Whether the bridge has the IPv4 gateway's address.
    pub v4_address: BridgeAddress,
    /// What IPv4 packets leave with, if not with the address of the link that they leave by.
    pub v4_source: Option<Ipv4Addr>,
    /// What IPv6 packets leave with, if not with the address of the link that they leave by.
    pub v6_source: Option<Ipv6Addr>,
    /// Links of the host through which published ports are reached by containers' own addresses, too.
    pub trusted: Vec<IfName>,
    /// Who reaches the host by its gateway address.
    pub gateway: GatewayAccess,
}

impl Exposure {
    /// What the host does for a family.
    pub const fn mode(&self, family: Family) -> GatewayMode {
        match family {
            Family::V4 => self.v4,
            Family::V6 => self.v6,
        }
    }

    /// Whether the bridge has the gateway's address of a family.
    pub fn is_on_bridge(&self, family: Family) -> bool {
        let inhibited = family == Family::V4 && self.v4_address == BridgeAddress::Inhibited;
        self.mode(family) != GatewayMode::Isolated && !inhibited
    }
}

impl FromStr for GatewayMode {
    type Err = GatewayModeError;

    fn from_str(text: &str) -> Result<Self, GatewayModeError> {
        match text {
            "nat" => Ok(Self::Nat),
            "nat-unprotected" => Ok(Self::NatUnprotected),
            "routed" => Ok(Self::Routed),
            "isolated" => Ok(Self::Isolated),
            _ => Err(GatewayModeError(text.to_owned())),
        }
    }
}

impl fmt::Display for GatewayMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nat => "nat",
            Self::NatUnprotected => "nat-unprotected",
            Self::Routed => "routed",
            Self::Isolated => "isolated",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_reads_what_it_writes() {
        for mode in
            [GatewayMode::Nat, GatewayMode::NatUnprotected, GatewayMode::Routed, GatewayMode::Isolated]
        {
            assert_eq!(mode.to_string().parse(), Ok(mode));
            assert_eq!(serde_json::to_string(&mode).unwrap(), format!("\"{mode}\""));
        }
        assert_eq!("foo".parse::<GatewayMode>().unwrap_err().to_string(), "unknown gateway mode foo");
    }

    #[test]
    fn an_isolated_or_inhibited_bridge_has_no_address() {
        let isolated = Exposure { v6: GatewayMode::Isolated, ..Exposure::default() };
        assert!(isolated.is_on_bridge(Family::V4) && !isolated.is_on_bridge(Family::V6));
        let inhibited = Exposure { v4_address: BridgeAddress::Inhibited, ..Exposure::default() };
        assert!(!inhibited.is_on_bridge(Family::V4) && inhibited.is_on_bridge(Family::V6));
    }
}
