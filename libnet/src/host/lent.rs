//! Bridges of the user's own: looked at before a network comes, used while it is there, given back as they were.

use ipnetwork::IpNetwork;

use super::{
    BridgeNetwork, Host, HostError, LentBridge, LentError, StepError,
    effects::{Effects, Inverse},
    settings,
};
use crate::{
    bridge::{
        Step, lent_keys,
        names::{BRIDGE, CONDEMNED, LOWEST_HOST_MAC, Owner},
    },
    link::{self, Which, address},
    observe::{self, Link},
    sys::rtnl::RtSocket,
    types::{IfName, MacAddr, Setting},
};

impl Host {
    /// The bridge of that name as it is, if somebody else made it; `None`: the name is free, or the bridge is one of ours.
    ///
    /// # Errors
    /// If the link is no bridge, or the kernel can't be read.
    pub fn lent_bridge(&self, link: &IfName) -> Result<Option<LentBridge>, HostError> {
        let mut socket = self.inner.sockets.admit().map_err(HostError::Open)?;
        let found = observe::one_link(&mut socket, Which::Name(link))?;
        let Some(found) = found.filter(|found| found.group != CONDEMNED && Owner::of_link(found).is_none())
        else {
            return Ok(None);
        };
        if found.kind != BRIDGE {
            return Err(LentError::NotABridge(link.clone()).into());
        }
        let addresses = addresses_of(&mut socket, &found)?;
        let settings = settings::read(&self.inner.netns, &lent_keys(link)).map_err(HostError::Open)?;
        Ok(Some(LentBridge { mtu: found.mtu, addresses, settings }))
    }
}

impl Effects<'_> {
    pub(super) fn borrow_bridge(&mut self, net: &BridgeNetwork) -> Inverse {
        let links = observe::links(&mut self.socket)?;
        let found = links.iter().find(|link| link.name == net.link);
        let found = found.ok_or_else(|| LentError::Missing(net.link.clone()))?;
        if found.kind != BRIDGE {
            return Err(LentError::NotABridge(net.link.clone()).into());
        }
        self.keep_address(found, &links)?;
        // Of a network that was whole before, nothing is to be taken back.
        let is_new = self.host.state.network(net.id).is_err();
        Ok(is_new.then(|| Step::ReturnBridge(Box::new(net.clone()))))
    }

    /// A bridge that nobody gave an address takes the lowest of its ports', and has none when its last port is gone:
    /// neither is to follow from our containers. Where other ports are lower than [our ends](LOWEST_HOST_MAC), as nearly
    /// all are, it goes on taking theirs; else it keeps the address that it has.
    fn keep_address(&mut self, bridge: &Link, links: &[Link]) -> Result<(), StepError> {
        let known = <[u8; 6]>::try_from(bridge.mac.as_slice()).ok().and_then(MacAddr::from_octets);
        let has_ports = links.iter().any(|link| link.bridge == Some(bridge.index));
        let at_risk = known.filter(|mac| !has_ports || *mac >= LOWEST_HOST_MAC);
        let requests = at_risk.map(|mac| link::announce(bridge.index, mac)).into_iter().collect();
        Ok(self.socket.send(requests)?)
    }

    /// A bridge that is gone needs nothing. One that was down stays up: somebody may count on it by now.
    pub(super) fn return_bridge(&mut self, net: &BridgeNetwork) -> Inverse {
        let found = observe::one_link(&mut self.socket, Which::Name(&net.link))?;
        let (Some(lent), Some(found)) = (&net.lent, found.filter(|found| found.kind == BRIDGE)) else {
            return Ok(None);
        };
        let there = addresses_of(&mut self.socket, &found)?;
        let ours = net.gateways().filter(|own| there.contains(own) && !lent.addresses.contains(own));
        let requests = ours.map(|own| address::delete(found.index, own)).collect();
        let former: Vec<Setting> =
            lent.settings.iter().map(|(key, value)| Setting::new(key.clone(), value.clone())).collect();
        let restored = settings::apply_on_host(&self.host.netns, &former).map(drop);
        self.send(requests)?;
        restored.map(|()| None).map_err(StepError::from)
    }
}

/// The addresses of a link, but for those that the kernel makes by itself.
fn addresses_of(socket: &mut RtSocket, link: &Link) -> Result<Vec<IpNetwork>, observe::ObserveError> {
    let lasting = |address: &IpNetwork| match address {
        IpNetwork::V4(_) => true,
        IpNetwork::V6(v6) => !v6.ip().is_unicast_link_local(),
    };
    let all = observe::addresses(socket)?;
    let own = all.into_iter().filter(|found| found.link == link.index).map(|found| found.address);
    Ok(own.filter(lasting).collect())
}
