//! The values everything else is made of. Each is legal by construction: a parser at the edge, no check further in.

mod announce;
mod exposure;
mod id;
mod ifname;
mod mac;
mod mark;
mod mtu;
mod policy;
mod port;
mod rate;
mod setting;
mod vlan;

pub use announce::{Announce, Interval, OutOfRange, Times};
pub use exposure::{BridgeAddress, Exposure, GatewayAccess, GatewayMode, GatewayModeError};
pub use id::{ContainerId, EndpointId, IdError, NetworkId, SandboxId};
pub use ifname::{IfName, IfNameError};
pub use mac::{MacAddr, MacAddrError};
pub use mark::{FwMark, FwMarkError};
pub use mtu::{Mtu, MtuError};
pub use policy::{Egress, Icc, Internal, Masquerade, Spoof};
pub use port::{Port, PortError, PortRange, Proto};
pub use rate::{Rate, RateError, Rates};
pub use setting::Setting;
pub use vlan::{VlanId, VlanIdError};

/// An address family, where a choice between the two is all that is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of an address.
    pub const fn of(ip: std::net::IpAddr) -> Self {
        match ip {
            std::net::IpAddr::V4(_) => Self::V4,
            std::net::IpAddr::V6(_) => Self::V6,
        }
    }
}
