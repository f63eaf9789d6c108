//! What the networks need of the host's kernel, as a trait: the service above it is tested with a fake that holds state
//! and fails where it is told to. [`HostKernel`] is the real thing; it keeps the handles of open sandboxes by name.

use std::{
    error::Error,
    net::{Ipv4Addr, Ipv6Addr},
    path::PathBuf,
};

use ipnetwork::IpNetwork;
use libnet::{
    host::{BridgeNetwork, Declared, EndpointSpec},
    netns::DnsSockets,
    ports::{PortRequest, PublishedPort},
    types::{EndpointId, Mtu, NetworkId},
};

/// The kernel, or what stands for it, said no.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// A host port can't be had.
    #[error(transparent)]
    Port(Box<dyn Error + Send + Sync>),
    /// Anything else.
    #[error(transparent)]
    Other(Box<dyn Error + Send + Sync>),
}

/// A namespace that was just made.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) path: PathBuf,
    pub(super) dns: DnsSockets,
}

/// What [`Kernel::reconcile`] found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) repaired: Vec<String>,
    pub(super) removed: Vec<String>,
    pub(super) lost: Vec<String>,
    pub(super) errors: Vec<String>,
}

/// The networking of one host. Calls block.
pub(super) trait Kernel: Send + Sync + 'static {
    fn create_network(&self, network: &BridgeNetwork) -> Result<(), KernelError>;
    fn remove_network(&self, id: NetworkId) -> Result<(), KernelError>;
    fn open_sandbox(&self, name: &str) -> Result<Opened, KernelError>;
    fn adopt_sandbox(&self, name: &str) -> Result<PathBuf, KernelError>;
    fn close_sandbox(&self, name: &str) -> Result<(), KernelError>;
    fn attach(&self, sandbox: &str, endpoint: &EndpointSpec) -> Result<Vec<PublishedPort>, KernelError>;
    fn detach(&self, sandbox: &str, endpoint: EndpointId) -> Result<(), KernelError>;
    fn adopt_endpoint(&self, sandbox: &str, endpoint: &EndpointSpec) -> Result<(), KernelError>;
    fn publish(&self, endpoint: EndpointId, ports: &[PortRequest])
    -> Result<Vec<PublishedPort>, KernelError>;
    fn unpublish(&self, endpoint: EndpointId) -> Result<(), KernelError>;
    fn set_default_route(
        &self,
        sandbox: &str,
        v4: Option<Ipv4Addr>,
        v6: Option<Ipv6Addr>,
    ) -> Result<(), KernelError>;
    fn reconcile(&self, declared: &Declared) -> Result<Found, KernelError>;
    fn routes_and_links(&self) -> Result<Vec<IpNetwork>, KernelError>;
    fn egress_mtu(&self) -> Result<Option<Mtu>, KernelError>;
}
