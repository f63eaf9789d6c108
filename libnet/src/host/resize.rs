//! Networks whose MTU changes while containers are in them.

use nix::errno::Errno;

use super::{BridgeNetwork, Host, HostError, Inner, Report, Sandbox, StepError, state::Resized};
use crate::{
    bridge::names::{detour, host_link},
    link::{self, Which},
    sys::rtnl::{NetlinkError, Request},
    types::{IfName, Mtu, NetworkId},
};

impl Host {
    /// Gives a network's bridge another MTU, and both ends of the endpoints in it; those inside that are in one of
    /// `sandboxes`. Goes on after errors.
    ///
    /// # Errors
    /// [`HostError::UnknownNetwork`] if there is no network with a bridge of ours of this id, or everything that failed.
    pub fn set_mtu(&self, network: NetworkId, mtu: Mtu, sandboxes: &[Sandbox]) -> Result<(), HostError> {
        // What is attached meanwhile would have the former one.
        let _alone = self.inner.comparing();
        let resized = self.inner.state.set_mtu(network, mtu)?;
        let inside = || resize_inside(&resized, mtu, sandboxes);
        let outside = || self.inner.resize_outside(&resized, mtu);
        // Nobody sends what the others can't take yet, or no longer.
        let [first, second] = match mtu < resized.bridge.mtu {
            true => [inside(), outside()],
            false => [outside(), inside()],
        };
        tracing::info!(network.id = %network, mtu = mtu.bytes(), "MTU of network changed");
        HostError::gather(first.into_iter().chain(second).collect())
    }
}

impl Inner {
    fn resize_outside(&self, resized: &Resized, mtu: Mtu) -> Vec<HostError> {
        let links = resized.endpoints.iter().flat_map(|(ep, _, rates)| {
            [Some(host_link(ep)), rates.out.map(|_| detour(ep))].into_iter().flatten()
        });
        let links: Vec<IfName> = links.collect();
        let all = std::iter::once(&resized.bridge.link).chain(&links);
        let sent = self.send(all.map(|link| link::set_mtu(Which::Name(link), mtu)).collect());
        let mut errors = match sent {
            // What somebody took away is made anew with the right one, or is lost.
            Err(StepError::Netlink(error)) if error.is(Errno::ENODEV) => Vec::new(),
            Err(source) => vec![resizing(&resized.bridge.link, source)],
            Ok(()) => Vec::new(),
        };
        if resized.bridge.mtu < Mtu::LEAST_V6 && mtu >= Mtu::LEAST_V6 {
            errors.extend(self.begin_v6(&resized.bridge, &links));
        }
        errors
    }

    /// Links that become large enough for IPv6 have settings of it from then on, and they are not ours yet.
    fn begin_v6(&self, bridge: &BridgeNetwork, ports: &[IfName]) -> Vec<HostError> {
        ports.iter().for_each(|port| self.silence(port));
        let mut report = Report::default();
        self.mend_settings(bridge, &[], &mut report);
        report.errors
    }
}

fn resize_inside(resized: &Resized, mtu: Mtu, sandboxes: &[Sandbox]) -> Vec<HostError> {
    let resize = |sandbox: &Sandbox| {
        let own = resized.endpoints.iter().filter(|(_, name, _)| name == sandbox.name());
        let mut links = sandbox.links();
        let indices: Vec<u32> = own.filter_map(|(ep, ..)| links.index_of(*ep)).collect();
        let requests: Vec<Request> =
            indices.into_iter().map(|index| link::set_mtu(Which::Index(index), mtu)).collect();
        if requests.is_empty() { Ok(()) } else { links.socket.send(requests) }
    };
    let failed = |sandbox: &Sandbox| resize(sandbox).err().map(|source| (sandbox.name().to_owned(), source));
    let told = |(name, source): (String, NetlinkError)| HostError::Step {
        doing: format!("set the MTU in sandbox {name}"),
        source: source.into(),
    };
    // Whoever took an interface away needs no other MTU for it.
    let is_there = |(_, source): &(String, NetlinkError)| !source.is(Errno::ENODEV);
    sandboxes.iter().filter_map(failed).filter(is_there).map(told).collect()
}

fn resizing(link: &IfName, source: StepError) -> HostError {
    HostError::of_step(&format!("set the MTU of {link} and its ports"), source)
}
