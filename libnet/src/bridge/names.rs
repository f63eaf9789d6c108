//! Names and marks of what is made on a host. A restarted daemon knows its own links by their alias, and which network
//! or endpoint each belongs to.

use crate::{
    observe::Link,
    types::{EndpointId, IfName, MacAddr, NetworkId},
};

/// `IFALIASZ - 1` of linux/if.h, less the NUL that ends the attribute as we send it: the kernel counts it.
const ALIAS_MAX: usize = 254;
const NETWORK: &str = "pontoon network ";
const ENDPOINT: &str = "pontoon endpoint ";
const DETOUR: &str = "pontoon detour ";
/// What the kernel calls the kind of a bridge.
pub(crate) const BRIDGE: &str = "bridge";
/// On the VLAN of a host's link, which is no single network's: it goes with the last one on it.
pub(crate) const VLAN: &str = "pontoon vlan";

/// The group (`ip link show group`) of bridges and host ends in use: "pont" in ASCII, so that nobody else is likely to use
/// it. Unlike an alias, a link has it from its first moment.
pub(crate) const GROUP: u32 = 0x706f_6e74;
/// The group of host ends that are to go. One request deletes all of a group, and waits for the kernel only once.
pub(crate) const CONDEMNED: u32 = 0x706f_6e78;

/// Whose link this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Owner {
    /// The bridge of a network.
    Network(NetworkId),
    /// The host end of an endpoint.
    Endpoint(EndpointId),
    /// What an endpoint's packets take a detour through.
    Detour(EndpointId),
}

impl Owner {
    /// The alias that says so, with `label` for who reads it.
    pub(crate) fn alias(self, label: &str) -> String {
        let mut alias = match self {
            Self::Network(id) => format!("{NETWORK}{id} {label}"),
            Self::Endpoint(id) => format!("{ENDPOINT}{id} {label}"),
            Self::Detour(id) => format!("{DETOUR}{id} {label}"),
        };
        while alias.len() > ALIAS_MAX {
            alias.pop();
        }
        alias
    }

    /// Whose a link is, by its alias; `None`: not ours.
    pub(crate) fn of_link(link: &Link) -> Option<Self> {
        Self::of_alias(link.alias.as_deref()?)
    }

    /// Reads an alias; `None`: not ours.
    pub(crate) fn of_alias(alias: &str) -> Option<Self> {
        let id = |rest: &str| rest.split(' ').next().unwrap_or_default().to_owned();
        if let Some(rest) = alias.strip_prefix(NETWORK) {
            return id(rest).parse().ok().map(Self::Network);
        }
        if let Some(rest) = alias.strip_prefix(DETOUR) {
            return id(rest).parse().ok().map(Self::Detour);
        }
        let rest = alias.strip_prefix(ENDPOINT)?;
        id(rest).parse().ok().map(Self::Endpoint)
    }
}

/// The host's end of an endpoint's veth pair: `veth` and seven digits of its id.
pub fn host_link(id: &EndpointId) -> IfName {
    // Eleven characters of hex digits are always a name; the other branch can't be reached.
    format!("veth{}", id.short(7)).parse().unwrap_or_else(|_| unreachable!("hex digits make a link name"))
}

/// What packets of an endpoint take a detour through, if what it sends is limited: `ifb` and seven digits of its id.
pub(crate) fn detour(id: &EndpointId) -> IfName {
    format!("ifb{}", id.short(7)).parse().unwrap_or_else(|_| unreachable!("hex digits make a link name"))
}

/// The name that the end inside gets when its endpoint leaves a sandbox that lives on. The kernel deletes the link some
/// 28 ms later; until then `eth0` must be free for the next one.
pub(crate) fn aside(id: &EndpointId) -> IfName {
    format!("gone{}", id.short(7)).parse().unwrap_or_else(|_| unreachable!("hex digits make a link name"))
}

/// Whether a namespace of this name is a sandbox: `pontoon-` and twelve digits of a container id.
pub(crate) fn is_sandbox(name: &str) -> bool {
    let digits = name.strip_prefix("pontoon-").unwrap_or_default();
    digits.len() == 12 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// The address of a network's bridge, fixed by its id: without one of its own, a bridge takes the lowest of its ports',
/// and all neighbour entries of its containers go stale when that port goes.
pub(crate) fn bridge_mac(id: &NetworkId) -> MacAddr {
    let [a, b, c, d, e, f, ..] = *id.bytes();
    MacAddr::local([a, b, c, d, e, f])
}

/// The address of an endpoint's host end. A set address is left alone by udev's MACAddressPolicy. It is among the
/// [highest](LOWEST_HOST_MAC) of unicast addresses: a bridge of the user's own takes the lowest address of its ports, and
/// is not to take one that comes and goes with a container.
pub(crate) fn host_mac(id: &EndpointId) -> MacAddr {
    let [c, d, e, f, ..] = *id.bytes();
    let [a, b, ..] = LOWEST_HOST_MAC.octets();
    MacAddr::local([a, b, c, d, e, f])
}

/// The lowest of all [`host_mac`]s. A bridge with a higher address would take that of a container's host end.
pub(crate) const LOWEST_HOST_MAC: MacAddr = MacAddr::local([0xfe, 0xff, 0, 0, 0, 0]);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_alias_tells_its_owner(bytes: [u8; 32], label in "\\PC{0,300}") {
            for owner in [
                Owner::Network(NetworkId::from_bytes(bytes)),
                Owner::Endpoint(EndpointId::from_bytes(bytes)),
                Owner::Detour(EndpointId::from_bytes(bytes)),
            ] {
                let alias = owner.alias(&label);
                prop_assert!(alias.len() <= ALIAS_MAX);
                prop_assert_eq!(Owner::of_alias(&alias), Some(owner));
            }
        }

        #[test]
        fn host_ends_have_high_addresses(bytes: [u8; 32], other: [u8; 6]) {
            let mac = host_mac(&EndpointId::from_bytes(bytes));
            prop_assert!(mac >= LOWEST_HOST_MAC);
            let other = MacAddr::local(other);
            prop_assert!(mac > other || other > LOWEST_HOST_MAC);
        }

        #[test]
        fn every_id_has_a_link_name(bytes: [u8; 32]) {
            prop_assert_eq!(host_link(&EndpointId::from_bytes(bytes)).as_str().len(), 11);
        }
    }

    #[test]
    fn foreign_aliases_are_nobodys() {
        for alias in ["", "uplink", "pontoon", "pontoon network 12", "pontoon endpoint x y"] {
            assert_eq!(Owner::of_alias(alias), None, "{alias}");
        }
    }
}
