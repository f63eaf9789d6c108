//! A container's namespace, or anybody's that was lent to us, held open.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use nix::errno::Errno;

use super::{DefaultRoute, EndpointSpec, HostError, StepError};
use crate::{
    bridge::names::{self, CONDEMNED, Owner},
    link::{self, Which, route},
    netns::{Borrowed, DnsSockets, NetNs, Ready},
    observe::{self, Snapshot},
    sys::rtnl::{NetlinkError, RtSocket},
    types::{EndpointId, Family, IfName, MacAddr},
};

/// A container's network namespace with its endpoints. A handle: clones mean the same sandbox.
#[derive(Clone, Debug)]
pub struct Sandbox(Arc<Inner>);

/// A sandbox that may be closed meanwhile: this does not keep its namespace.
#[derive(Clone, Debug)]
pub(super) struct WeakSandbox(Weak<Inner>);

impl WeakSandbox {
    /// The sandbox, if somebody still works with it.
    pub(super) fn upgrade(&self) -> Option<Sandbox> {
        self.0.upgrade().map(Sandbox)
    }
}

/// Who made a namespace, and so who ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// We did; its name is ours to take away.
    Made,
    /// Somebody else: it goes on without us.
    Borrowed,
}

#[derive(Debug)]
struct Inner {
    name: String,
    path: PathBuf,
    origin: Origin,
    netns: NetNs,
    dns: Mutex<Option<DnsSockets>>,
    links: Mutex<Links>,
}

/// The socket inside, and what is known of the interfaces there.
#[derive(Debug)]
pub(super) struct Links {
    pub(super) socket: RtSocket,
    endpoints: HashMap<EndpointId, u32>,
}

impl Sandbox {
    /// Names a ready namespace.
    pub(super) fn name_ready(ready: Ready, name: &str, path: PathBuf) -> Result<Self, HostError> {
        match ready.netns.bind(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(HostError::SandboxExists(name.to_owned()));
            }
            other => other.map_err(HostError::sandbox(name, "name it"))?,
        }
        let links = Links { socket: ready.links, endpoints: HashMap::new() };
        Ok(Self::of(name, (path, Origin::Made), ready.netns, Some(ready.dns), links))
    }

    /// Opens a namespace that has a name already.
    pub(super) fn open(name: &str, path: PathBuf) -> Result<Self, HostError> {
        let netns = NetNs::open(&path).map_err(HostError::sandbox(name, "open it"))?;
        let socket = netns.run(RtSocket::open).flatten().map_err(HostError::sandbox(name, "enter it"))?;
        let links = Links { socket, endpoints: HashMap::new() };
        Ok(Self::of(name, (path, Origin::Made), netns, None, links))
    }

    /// Makes a sandbox of somebody else's namespace, found at `path`.
    pub(super) fn borrow(name: &str, path: PathBuf, netns: &NetNs) -> Result<Self, HostError> {
        let borrowed = Borrowed::prepare(netns).map_err(HostError::sandbox(name, "serve names in it"))?;
        let links = Links { socket: borrowed.links, endpoints: HashMap::new() };
        Ok(Self::of(name, (path, Origin::Borrowed), borrowed.netns, Some(borrowed.dns), links))
    }

    fn of(
        name: &str,
        (path, origin): (PathBuf, Origin),
        netns: NetNs,
        dns: Option<DnsSockets>,
        links: Links,
    ) -> Self {
        let links = Mutex::new(links);
        let dns = Mutex::new(dns);
        Self(Arc::new(Inner { name: name.to_owned(), path, origin, netns, dns, links }))
    }

    /// What ends with the sandbox, besides its endpoints: the name of a namespace of ours; in a borrowed one what serves
    /// names.
    pub(super) fn end(&self) -> Result<(), HostError> {
        match self.0.origin {
            Origin::Made => NetNs::unbind(self.path()).map_err(HostError::sandbox(self.name(), "unmount it")),
            Origin::Borrowed => {
                Borrowed::give_back(self.netns()).map_err(HostError::sandbox(self.name(), "give it back"))
            }
        }
    }

    pub(super) fn origin(&self) -> Origin {
        self.0.origin
    }

    /// What is inside by now, whoever made it.
    ///
    /// # Errors
    /// If the kernel can't be read.
    pub fn look(&self) -> Result<Snapshot, HostError> {
        Ok(Snapshot::read(&mut self.links().socket)?)
    }

    /// `pontoon-<12 of the container id>`, or what a borrowed one was called.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Where the namespace is bind-mounted; of a borrowed one, where it was found.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The namespace.
    pub fn netns(&self) -> &NetNs {
        &self.0.netns
    }

    /// The sockets of its DNS server, which are the caller's from now on; of an adopted sandbox its shim has them.
    ///
    /// # Errors
    /// `NotFound` if the sandbox was adopted, or they were taken.
    pub fn take_dns_sockets(&self) -> io::Result<DnsSockets> {
        let mut dns = self.0.dns.lock().unwrap_or_else(PoisonError::into_inner);
        dns.take().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Changes which default routes lead through `endpoint`. One that another endpoint had is taken over.
    ///
    /// # Errors
    /// If the endpoint is not in this sandbox, or the kernel refuses the route.
    pub fn set_default_route(
        &self,
        endpoint: EndpointId,
        before: DefaultRoute,
        after: DefaultRoute,
    ) -> Result<(), HostError> {
        let mut links = self.links();
        let link = links.index_of(endpoint).ok_or(HostError::UnknownEndpoint(endpoint))?;
        let failed = |source| HostError::Step {
            doing: format!("set the default route of sandbox {}", self.name()),
            source: StepError::Netlink(source),
        };
        // Whether a gateway is in a subnet is not known here, and on-link is right in both cases.
        let requests = after.hops().map(|hop| route::replace_default(route::Default { hop, link })).collect();
        links.socket.send(requests).map_err(failed)?;
        for family in [Family::V4, Family::V6] {
            if !before.leads(family) || after.leads(family) {
                continue;
            }
            match links.socket.send(vec![route::delete_default(family, link)]) {
                // Another endpoint has taken it over.
                Err(error) if error.is(Errno::ESRCH) => {}
                other => other.map_err(failed)?,
            }
        }
        Ok(())
    }

    /// Looks for the interface of an endpoint that an earlier daemon attached. Where the host has no end of its own that
    /// says whose it is, the interface itself does.
    pub(super) fn adopt_interface(&self, ep: &EndpointSpec, end: Ends) -> Result<(), HostError> {
        let mut links = self.links();
        let found = observe::one_link(&mut links.socket, Which::Name(&ep.ifname))?;
        let own =
            |link: &observe::Link| end == Ends::Both || Owner::of_link(link) == Some(Owner::Endpoint(ep.id));
        let found = found.filter(own).ok_or(HostError::UnknownEndpoint(ep.id))?;
        links.enter(ep.id, found.index);
        Ok(())
    }

    /// Whether something was set aside inside, or may have been.
    pub(super) fn is_to_be_swept(&self) -> bool {
        let links = observe::links(&mut self.links().socket);
        links.map_or(true, |links| links.iter().any(|link| link.group == CONDEMNED))
    }

    /// Deletes what was set aside inside. Takes the kernel some 28 ms, for which nobody else's socket is used.
    pub(super) fn sweep(&self) {
        let sweep =
            || RtSocket::open().map_err(NetlinkError::Socket)?.send(vec![link::delete_group(CONDEMNED)]);
        match self.netns().run(sweep).map_err(NetlinkError::Socket).flatten() {
            Ok(()) => {}
            // None in the group.
            Err(error) if error.is(Errno::ENODEV) => {}
            Err(error) => {
                tracing::warn!(sandbox.name = self.name(), error = %error, "condemned interfaces stay");
            }
        }
    }

    pub(super) fn downgrade(&self) -> WeakSandbox {
        WeakSandbox(Arc::downgrade(&self.0))
    }

    /// Tells the neighbours whose the addresses of an endpoint are. One that is gone has nothing to tell.
    pub(super) fn announce(&self, endpoint: EndpointId, mac: MacAddr) -> Result<(), NetlinkError> {
        let mut links = self.links();
        let Some(index) = links.index_of(endpoint) else { return Ok(()) };
        links.socket.send(vec![link::announce(index, mac)])
    }

    /// Sets the interface of an endpoint down and gives its name free. One that is gone needs neither.
    pub(super) fn set_aside(&self, endpoint: EndpointId) -> Result<(), NetlinkError> {
        let mut links = self.links();
        let Some(index) = links.index_of(endpoint) else { return Ok(()) };
        match links.socket.send(vec![link::set_aside(index, &names::aside(&endpoint), CONDEMNED)]) {
            Err(error) if error.is(Errno::ENODEV) => Ok(()),
            other => other,
        }
    }

    pub(super) fn links(&self) -> MutexGuard<'_, Links> {
        self.0.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which ends of an endpoint are links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// The one inside and the host's.
    Both,
    /// The one inside.
    Inside,
}

impl Links {
    /// The index of an interface, by its name.
    pub(super) fn look_for(&mut self, name: &IfName) -> Result<Option<u32>, observe::ObserveError> {
        Ok(observe::one_link(&mut self.socket, Which::Name(name))?.map(|link| link.index))
    }

    pub(super) fn index_of(&self, endpoint: EndpointId) -> Option<u32> {
        self.endpoints.get(&endpoint).copied()
    }

    pub(super) fn enter(&mut self, endpoint: EndpointId, index: u32) {
        self.endpoints.insert(endpoint, index);
    }

    pub(super) fn forget(&mut self, endpoint: EndpointId) {
        self.endpoints.remove(&endpoint);
    }
}
