//! The front door: each request is one blocking job on a copy of the handle, so that a caller that goes away (an HTTP
//! client that hangs up) leaves nothing half done.

use std::{os::fd::OwnedFd, path::PathBuf, sync::Arc};

use jiff::Timestamp;
use libnet::{
    host::Host,
    store::Store,
    types::{ContainerId, NetworkId},
};
use netd_api::{Filters, models};

use super::{
    EndpointAsk, EndpointView, FilesAsk, FilesView, NetworkConfig, NetworkError, NetworkSummary, SandboxAsk,
    SandboxView,
};
use crate::events::Events;

/// What the networks are made of.
pub struct NetworkParts {
    /// The host's kernel.
    pub host: Arc<Host>,
    /// What lasts.
    pub declared: Arc<dyn Store>,
    /// What lasts as long as the kernel objects.
    pub live: Arc<dyn Store>,
    /// Settings.
    pub config: NetworkConfig,
    /// Where creations, connections and removals are told.
    pub events: Events,
    /// Fills a slice with random bytes.
    pub random: Arc<dyn Fn(&mut [u8]) + Send + Sync>,
    /// What time it is.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// All networks of a host. Requests about one container must come one after the other; its owner sees to that.
pub struct Networks {}

type Result<T> = std::result::Result<T, NetworkError>;

fn later<T>() -> Result<T> {
    Err(NetworkError::NotImplemented("networks are not here yet".to_owned()))
}

#[allow(clippy::unused_async, clippy::needless_pass_by_value, clippy::missing_errors_doc)]
impl Networks {
    /// Reads the stores, makes the default networks, and puts the kernel into the state that is declared. Sandboxes of the
    /// live store stay as they are until each is [adopted](Self::adopt) or [closed](Self::close_sandbox);
    /// [`settle`](Self::settle) ends that time.
    pub async fn open(_parts: NetworkParts) -> Result<Arc<Self>> {
        Ok(Arc::new(Self {}))
    }

    /// Makes a network.
    pub async fn create(&self, _ask: models::NetworkCreateRequest) -> Result<NetworkId> {
        later()
    }

    /// The networks that pass the filters (driver, id, label, name, scope, type, dangling), as `GET /networks` shows them.
    pub fn list(&self, _filters: &Filters) -> Result<Vec<models::NetworkInspect>> {
        later()
    }

    /// One network, as `GET /networks/{id}` shows it.
    pub fn inspect(&self, _reference: &str) -> Result<models::NetworkInspect> {
        later()
    }

    /// Removes a network that no running container uses.
    pub async fn remove(&self, _reference: &str) -> Result<()> {
        later()
    }

    /// Removes all networks that no running container uses and that pass the filters (until, label, label!); their names.
    pub async fn prune(&self, _filters: &Filters) -> Result<Vec<String>> {
        later()
    }

    /// The network of this id, name or unique beginning of an id; `default` is `bridge`.
    pub fn resolve(&self, _reference: &str) -> Result<NetworkSummary> {
        later()
    }

    /// Whether the network could take such an endpoint, as far as that can be known before anything is made.
    pub fn check(&self, _network: &NetworkSummary, _ask: &EndpointAsk) -> Result<()> {
        later()
    }

    /// Makes a namespace for a container.
    pub async fn open_sandbox(&self, _ask: SandboxAsk) -> Result<SandboxView> {
        later()
    }

    /// Puts a container into a network. Its sandbox must be open, unless the network is `host`.
    pub async fn connect(&self, _container: ContainerId, _ask: EndpointAsk) -> Result<EndpointView> {
        later()
    }

    /// Takes a container out of a network; its address there is free again. A container that is not running gives up its
    /// address alone. With `force`, a container that is not in the network is no error.
    pub async fn disconnect(&self, _container: ContainerId, _network: NetworkId, _force: bool) -> Result<()> {
        later()
    }

    /// Ends a container's namespace with all its endpoints. Its addresses stay its own.
    pub async fn close_sandbox(&self, _container: ContainerId) -> Result<()> {
        later()
    }

    /// Gives all addresses of a container back: it is removed.
    pub async fn release(&self, _container: ContainerId) -> Result<()> {
        later()
    }

    /// Gives a container another name in all its networks.
    pub async fn rename(&self, _container: ContainerId, _name: String) -> Result<()> {
        later()
    }

    /// The endpoints of a container as they are, the gateway first.
    pub fn endpoints(&self, _container: ContainerId) -> Vec<EndpointView> {
        Vec::new()
    }

    /// Takes over the running container of an earlier daemon: endpoints, ports and names go on from the live store. `dns`
    /// are its DNS sockets, which its shim kept: UDP, then TCP.
    pub async fn adopt(&self, _container: ContainerId, _path: PathBuf, _dns: Vec<OwnedFd>) -> Result<()> {
        later()
    }

    /// Ends recovery: what the live store knows and nobody adopted is removed, from the kernel too.
    pub async fn settle(&self) -> Result<()> {
        later()
    }

    /// The texts of resolv.conf and hosts of a container with the endpoints that it has now.
    pub fn files(&self, _ask: &FilesAsk) -> Result<FilesView> {
        later()
    }
}
