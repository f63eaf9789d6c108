//! The networking of one host: networks, sandboxes, endpoints.

mod sandbox;
mod spec;

pub use sandbox::Sandbox;
pub use spec::{
    AttachedEndpoint, BridgeNetwork, Declared, DeclaredEndpoint, DeclaredSandbox, DefaultRoute, EndpointSpec,
    HostConfig, Report,
};

use ipnetwork::IpNetwork;

use crate::{
    ports::{PortRequest, PublishedPort},
    types::{EndpointId, Mtu, NetworkId},
};

/// An operation on the network of a host failed; what it had begun was undone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// No network of this id was created on, or adopted by, this host.
    #[error("network {0:?} is not on this host")]
    UnknownNetwork(NetworkId),
    /// No endpoint of this id is attached.
    #[error("endpoint {0:?} is not attached")]
    UnknownEndpoint(EndpointId),
    /// The endpoint is attached already.
    #[error("endpoint {0:?} is already attached")]
    Attached(EndpointId),
    /// A namespace has that name already.
    #[error("sandbox {0} already exists")]
    SandboxExists(String),
    /// Not made yet.
    #[error("{0} is not supported")]
    Unsupported(&'static str),
}

/// The networking of the namespace that [`Host::open`] was called in.
#[derive(Debug)]
pub struct Host(());

#[allow(missing_docs, clippy::missing_errors_doc)]
impl Host {
    /// Opens the sockets and looks at the kernel; changes nothing.
    pub fn open(_config: HostConfig) -> Result<Self, HostError> {
        Ok(Self(()))
    }

    /// Makes the bridge of a network, or adopts the one that is there, and opens the firewall for it.
    pub fn create_network(&self, _network: &BridgeNetwork) -> Result<(), HostError> {
        Err(HostError::Unsupported("create_network"))
    }

    /// Removes what `create_network` made.
    pub fn remove_network(&self, id: NetworkId) -> Result<(), HostError> {
        Err(HostError::UnknownNetwork(id))
    }

    /// A namespace from the pool, named.
    pub fn open_sandbox(&self, _name: &str) -> Result<Sandbox, HostError> {
        Err(HostError::Unsupported("open_sandbox"))
    }

    /// A namespace that an earlier daemon made.
    pub fn adopt_sandbox(&self, _name: &str) -> Result<Sandbox, HostError> {
        Err(HostError::Unsupported("adopt_sandbox"))
    }

    /// Ends a sandbox with all its endpoints.
    pub fn close_sandbox(&self, _sandbox: Sandbox) -> Result<(), HostError> {
        Err(HostError::Unsupported("close_sandbox"))
    }

    /// Joins a sandbox to a network.
    pub fn attach(
        &self,
        _sandbox: &Sandbox,
        _endpoint: &EndpointSpec,
    ) -> Result<AttachedEndpoint, HostError> {
        Err(HostError::Unsupported("attach"))
    }

    /// Takes a running sandbox out of a network.
    pub fn detach(&self, _sandbox: &Sandbox, endpoint: EndpointId) -> Result<(), HostError> {
        Err(HostError::UnknownEndpoint(endpoint))
    }

    /// Takes over an endpoint that an earlier daemon attached. Its ports are asked for exactly, as they were.
    pub fn adopt_endpoint(&self, _sandbox: &Sandbox, _endpoint: &EndpointSpec) -> Result<(), HostError> {
        Err(HostError::Unsupported("adopt_endpoint"))
    }

    /// Publishes more ports of an endpoint.
    pub fn publish(
        &self,
        endpoint: EndpointId,
        _ports: &[PortRequest],
    ) -> Result<Vec<PublishedPort>, HostError> {
        Err(HostError::UnknownEndpoint(endpoint))
    }

    /// Takes all published ports of an endpoint back.
    pub fn unpublish(&self, endpoint: EndpointId) -> Result<(), HostError> {
        Err(HostError::UnknownEndpoint(endpoint))
    }

    /// Compares what is there with what is declared, and applies the difference.
    pub fn reconcile(&self, _declared: &Declared) -> Result<Report, HostError> {
        Ok(Report::default())
    }

    /// Every subnet that addresses and routes of the host cover, default routes left out.
    pub fn routes_and_links(&self) -> Result<Vec<IpNetwork>, HostError> {
        Ok(Vec::new())
    }

    /// The MTU of the link that the default route leads through.
    pub fn egress_mtu(&self) -> Result<Option<Mtu>, HostError> {
        Ok(None)
    }

    /// Ends this handle; networks and sandboxes stay.
    pub fn shutdown(self) {}

    /// Removes everything of ours from this host.
    pub fn clear(&self) -> Result<(), HostError> {
        Ok(())
    }
}
