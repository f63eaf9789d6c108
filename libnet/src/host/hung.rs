//! Applies the steps of the macvlan and ipvlan drivers to the kernel.

use netlink_packet_route::link::InfoKind;
use nix::errno::Errno;

use super::{
    Child, Host, HostError, MacvlanMode, Parent, ParentError, ParentNetwork,
    effects::{Effects, Inverse, Was},
};
use crate::{
    bridge::{
        Hang, Step,
        names::{CONDEMNED, GROUP, VLAN},
    },
    host::StepError,
    link::{self, Which, bridge, child, vlan},
    observe,
    parent::sub_interface,
    types::{EndpointId, IfName},
};

/// A kind of link that not every kernel can make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Macvlan,
    Ipvlan,
    Vlan,
}

impl Kind {
    pub(super) const fn of(child: Child) -> Self {
        match child {
            Child::Macvlan(_) => Self::Macvlan,
            Child::Ipvlan(..) => Self::Ipvlan,
        }
    }

    pub(super) const fn info(self) -> InfoKind {
        match self {
            Self::Macvlan => InfoKind::MacVlan,
            Self::Ipvlan => InfoKind::IpVlan,
            Self::Vlan => InfoKind::Vlan,
        }
    }

    const fn unsupported(self) -> ParentError {
        let (kind, module) = match self {
            Self::Macvlan => ("macvlan", "macvlan"),
            Self::Ipvlan => ("ipvlan", "ipvlan"),
            Self::Vlan => ("VLAN (802.1q)", "8021q"),
        };
        ParentError::Unsupported { kind, module }
    }
}

impl Host {
    /// Whether this kernel can make such interfaces. Nothing is made to find out; the kernel may load a module.
    ///
    /// # Errors
    /// If the kernel can't be asked.
    pub fn supports(&self, kind: Child) -> Result<bool, HostError> {
        match self.inner.effects()?.require(Kind::of(kind)) {
            Ok(()) => Ok(true),
            Err(StepError::Parent(_)) => Ok(false),
            Err(error) => Err(HostError::of_step("ask for a kind of link", error)),
        }
    }
}

/// Parents.
impl Effects<'_> {
    pub(super) fn find_parent(&mut self, net: &ParentNetwork) -> Inverse {
        self.require(Kind::of(net.kind))?;
        match &net.parent {
            Parent::Island(link) => {
                let was = self.create_or_adopt(link, net.id, || bridge::create_island(link, GROUP))?;
                Ok(matches!(was, Was::Missing).then(|| Step::Condemn(link.clone())))
            }
            Parent::Link(link) => self.find_or_make(link),
        }
    }

    fn find_or_make(&mut self, link: &IfName) -> Inverse {
        match observe::one_link(&mut self.socket, Which::Name(link))? {
            Some(found) if found.group == CONDEMNED => self.host.janitor.sweep(),
            Some(found) => return self.check(&found).map(|()| None),
            None => {}
        }
        let (on, id) = sub_interface(link)?;
        let master =
            observe::one_link(&mut self.socket, Which::Name(&on))?.ok_or(ParentError::NoMaster(on))?;
        self.require(Kind::Vlan)?;
        self.socket.send(vec![vlan::create(link, master.index, id)])?;
        let owned = self.send(vec![link::own(link, VLAN.to_owned())]);
        owned.inspect_err(|_| drop(self.condemn(link)))?;
        Ok(Some(Step::Condemn(link.clone())))
    }

    /// A port hands all its packets to its bridge or bond; the kernel refuses a second taker, but only when the first
    /// container comes, and without saying why.
    fn check(&mut self, found: &observe::Link) -> Result<(), StepError> {
        let Some(index) = found.bridge else { return Ok(()) };
        let Some(of) = observe::one_link(&mut self.socket, Which::Index(index))? else { return Ok(()) };
        Err(ParentError::Port { link: found.name.clone(), of: of.name }.into())
    }

    pub(super) fn leave_parent(&mut self, link: &IfName) -> Inverse {
        if self.host.state.is_used(link) {
            return Ok(None);
        }
        match observe::one_link(&mut self.socket, Which::Name(link))? {
            Some(found) if found.alias.as_deref() == Some(VLAN) => self.condemn(link),
            _ => Ok(None),
        }
    }

    /// Nothing is made to find out.
    fn require(&mut self, kind: Kind) -> Result<(), StepError> {
        match self.socket.send(vec![link::probe(kind.info())]) {
            Err(error) if error.is(Errno::EOPNOTSUPP) => Err(kind.unsupported().into()),
            _ => Ok(()),
        }
    }
}

/// Endpoints.
impl Effects<'_> {
    pub(super) fn hang(&mut self, hang: &Hang) -> Inverse {
        let sandbox = self.sandbox()?;
        let parent = observe::one_link(&mut self.socket, Which::Name(&hang.parent))?;
        let parent = parent.filter(|parent| parent.group != CONDEMNED);
        let new = child::New {
            kind: hang.kind,
            parent: parent.ok_or_else(|| ParentError::Missing(hang.parent.clone()))?.index,
            name: &hang.name,
            mac: matches!(hang.kind, Child::Macvlan(_)).then_some(hang.mac),
            mtu: hang.mtu,
            sandbox: sandbox.netns().raw(),
        };
        self.socket.send(vec![child::create(&new)])?;
        let mac = matches!(hang.kind, Child::Macvlan(MacvlanMode::Passthru)).then_some(hang.mac);
        let mut links = sandbox.links();
        let marked = links.look_for(&hang.name).map_err(StepError::from).and_then(|found| {
            let index = found.ok_or(Errno::ENODEV)?;
            links.socket.send(vec![child::mark(index, hang.alias.clone(), mac)])?;
            Ok(index)
        });
        self.index = marked.inspect_err(|_| {
            // If this fails too, the interface goes with the sandbox.
            let _ = links.socket.send(vec![link::condemn(&hang.name, CONDEMNED)]);
        })?;
        links.enter(hang.endpoint, self.index);
        Ok(Some(Step::Unhang(hang.endpoint)))
    }

    /// The interface stops carrying packets at once; what is left of it goes later.
    pub(super) fn unhang(&mut self, endpoint: EndpointId) -> Inverse {
        let sandbox = self.sandbox()?;
        sandbox.set_aside(endpoint)?;
        sandbox.links().forget(endpoint);
        self.host.janitor.sweep_sandbox_soon(sandbox.downgrade());
        Ok(None)
    }
}
