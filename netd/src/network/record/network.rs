//! What follows from the record of a network.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnetwork::{Ipv4Network, Ipv6Network};
use libnet::{
    host::{BridgeNetwork, Child, IpvlanMode, NetworkSpec, Parent, ParentNetwork},
    types::{Family, Internal, Mtu, NetworkId},
};

use super::{Configuration, IpamDriver, NetworkRecord, ParentRecord, SubnetRecord, v4_in, v6_in};
use crate::network::{Driver, NetworkSummary, Scope, Subnet, options, subnet, template::Template};

impl NetworkRecord {
    /// One that nothing in the kernel stands for, and that has no addresses.
    pub(in crate::network) fn without_kernel(
        id: NetworkId,
        name: String,
        driver: Driver,
        created: String,
    ) -> Self {
        Self {
            id,
            name,
            driver,
            created,
            default: false,
            scope: Scope::Local,
            configuration: Configuration::Own,
            internal: Internal::No,
            attachable: false,
            v4: None,
            v6: None,
            more: Vec::new(),
            bridge: None,
            parent: None,
            ipam: IpamDriver::Default,
            options: BTreeMap::new(),
            labels: BTreeMap::new(),
            ipam_options: None,
            records: Vec::new(),
        }
    }

    /// The settings that it keeps for others, if it is a configuration network.
    pub(in crate::network) const fn template(&self) -> Option<&Template> {
        if let Configuration::Only(template) = &self.configuration { Some(template) } else { None }
    }

    /// The subnets: IPv4's, then IPv6's, each in the order in which they were asked for.
    pub(in crate::network) fn subnets(&self) -> impl Iterator<Item = &SubnetRecord> {
        [Family::V4, Family::V6].into_iter().flat_map(|family| self.subnets_of(family))
    }

    /// The subnets of a family, in the order in which they were asked for.
    pub(in crate::network) fn subnets_of(&self, family: Family) -> impl Iterator<Item = &SubnetRecord> {
        let first = if family == Family::V4 { &self.v4 } else { &self.v6 };
        first.iter().chain(self.more.iter().filter(move |subnet| subnet::family(&subnet.net) == family))
    }

    /// The subnet that an address is in.
    pub(in crate::network) fn subnet_of(&self, ip: impl Into<IpAddr>) -> Option<&SubnetRecord> {
        let ip = ip.into();
        self.subnets().find(|subnet| subnet.net.contains(ip))
    }

    pub(in crate::network) fn summary(&self) -> NetworkSummary {
        NetworkSummary {
            id: self.id,
            name: self.name.clone(),
            driver: self.driver,
            default: self.default,
            internal: self.internal,
            subnets: self.subnets().map(|subnet| Subnet { net: subnet.net, chosen: subnet.chosen }).collect(),
        }
    }

    /// Whether containers find each other by name here: everywhere but in the default networks.
    pub(in crate::network) fn has_names(&self) -> bool {
        self.driver.attaches() && !self.default
    }

    /// Whether a container can leave through here.
    pub(in crate::network) fn leads_out(&self) -> bool {
        let island = self.parent.as_ref().is_some_and(|parent| matches!(parent.parent, Parent::Island(_)));
        self.driver.attaches() && self.internal == Internal::No && !island
    }

    /// Whether the host takes part, so that it can publish ports.
    pub(in crate::network) fn publishes(&self) -> bool {
        self.driver == Driver::Bridge
    }

    /// Whether every interface has an Ethernet address of its own.
    pub(in crate::network) fn has_macs(&self) -> bool {
        self.driver != Driver::Ipvlan
    }

    /// Whether packets leave by the interface itself, with no router to send them to.
    pub(in crate::network) fn is_routed_by_parent(&self) -> bool {
        let kind = self.parent.as_ref().map(|parent| parent.kind);
        matches!(kind, Some(Child::Ipvlan(IpvlanMode::L3 | IpvlanMode::L3s, _)))
    }

    /// The MTU of its interfaces.
    pub(in crate::network) fn mtu(&self) -> Mtu {
        let parent = self.parent.as_ref().and_then(|parent| parent.mtu);
        self.bridge.as_ref().map(|bridge| bridge.mtu).or(parent).unwrap_or(Mtu::ETHERNET)
    }

    /// The MTU that it is to have where packets leave the host by a link with this one; none if it was given one, or is not
    /// on a bridge of ours. What IPv6 can't live with is no way out for it in any case.
    pub(in crate::network) fn mtu_behind(&self, way_out: Mtu) -> Option<Mtu> {
        let own = self.bridge.as_ref().is_some_and(|bridge| bridge.lent.is_none());
        // Zero is none, too.
        let given =
            self.options.get(options::MTU).is_some_and(|value| !matches!(options::mtu(value), Ok(None)));
        let least = if self.v6.is_some() { Mtu::LEAST_V6 } else { way_out };
        (own && !given).then(|| way_out.max(least))
    }

    /// What interfaces inside are called, before their number.
    pub(in crate::network) fn ifname_prefix(&self) -> &str {
        let parent = self.parent.as_ref().map(|parent| parent.ifname_prefix.as_str());
        self.bridge.as_ref().map(|bridge| bridge.ifname_prefix.as_str()).or(parent).unwrap_or("eth")
    }

    /// What the host is to have.
    pub(in crate::network) fn on_host(&self) -> Option<NetworkSpec> {
        self.bridge_on_host()
            .map(NetworkSpec::Bridge)
            .or_else(|| self.parent_on_host().map(NetworkSpec::Parent))
    }

    fn parent_on_host(&self) -> Option<ParentNetwork> {
        let ParentRecord { parent, kind, mtu, announce, .. } = self.parent.clone()?;
        Some(ParentNetwork { id: self.id, name: self.name.clone(), parent, kind, mtu, announce })
    }

    fn bridge_on_host(&self) -> Option<BridgeNetwork> {
        let bridge = self.bridge.as_ref()?;
        Some(BridgeNetwork {
            id: self.id,
            name: self.name.clone(),
            link: bridge.link.clone(),
            mtu: bridge.mtu,
            v4: self.v4.as_ref().and_then(|subnet| v4_in(subnet, subnet.on_host())),
            v6: self.v6.as_ref().and_then(|subnet| v6_in(subnet, subnet.on_host())),
            internal: self.internal,
            icc: bridge.icc,
            masquerade: bridge.masquerade,
            default_host_ip: bridge.host_ip,
            exposure: bridge.exposure.clone(),
            announce: bridge.announce,
            lent: bridge.lent.clone(),
        })
    }

    fn has_router(&self) -> bool {
        self.leads_out() && !self.is_routed_by_parent()
    }

    /// Where a container with this address sends what is for none of its networks.
    pub(in crate::network) fn router_v4(&self, own: Ipv4Network) -> Option<Ipv4Addr> {
        match self.router(own.ip().into())? {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        }
    }

    /// Where a container with this address sends what is for none of its networks.
    pub(in crate::network) fn router_v6(&self, own: Ipv6Network) -> Option<Ipv6Addr> {
        match self.router(own.ip().into())? {
            IpAddr::V6(ip) => Some(ip),
            IpAddr::V4(_) => None,
        }
    }

    fn router(&self, own: IpAddr) -> Option<IpAddr> {
        let subnet = self.subnet_of(own).filter(|_| self.has_router())?;
        subnet.router.or(subnet.gateway)
    }
}

impl SubnetRecord {
    /// The gateway's address; without one, any of the subnet, which the bridge then doesn't have.
    fn on_host(&self) -> IpAddr {
        self.gateway.unwrap_or_else(|| self.net.network())
    }
}
