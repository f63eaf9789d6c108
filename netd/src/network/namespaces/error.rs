//! Why a namespace can't be attached or detached.

use libnet::{netns::ReferenceError, types::IfName};

use crate::{error::Kind, network::Driver};

/// A request about a namespace failed.
#[derive(Debug, thiserror::Error)]
pub enum NamespaceError {
    /// It leads nowhere.
    #[error(transparent)]
    Reference(ReferenceError),
    /// The daemon lives in it.
    #[error("network namespace {0} is the host's own, which no network has an end in")]
    Own(String),
    /// A container lives in it.
    #[error(
        "network namespace {namespace} is that of container {container}: use \"pontoon network connect NETWORK {container}\""
    )]
    Container {
        /// The reference.
        namespace: String,
        /// The container's name.
        container: String,
    },
    /// `host` and `none` have no ends.
    #[error("a network namespace can't be attached to network {network}: its driver is {driver}")]
    Driver {
        /// The network's name.
        network: String,
        /// Its driver.
        driver: Driver,
    },
    /// The network would be a second way out.
    #[error(
        "network namespace {namespace} has a default route already ({route}), and network {network} would be a second one: delete it, or attach the namespace to an internal network"
    )]
    DefaultRoute {
        /// The reference.
        namespace: String,
        /// The network's name.
        network: String,
        /// As `ip route` shows it.
        route: String,
    },
    /// Somebody made an interface of that name there.
    #[error("interface {name} exists in network namespace {namespace} already")]
    InterfaceTaken {
        /// The reference.
        namespace: String,
        /// The interface.
        name: IfName,
    },
    /// It is not there.
    #[error("network namespace {namespace} is not attached to the network {network}")]
    NotConnected {
        /// The reference.
        namespace: String,
        /// The network's name.
        network: String,
    },
}

impl NamespaceError {
    /// Of which kind the failure is.
    pub(in crate::network) fn kind(&self) -> Kind {
        match self {
            Self::Reference(ReferenceError::Malformed(_) | ReferenceError::NoNamespace(_)) => {
                Kind::InvalidParameter
            }
            Self::Reference(ReferenceError::Open { .. }) => Kind::System,
            Self::Reference(_) | Self::NotConnected { .. } => Kind::NotFound,
            Self::Own(_) | Self::Container { .. } | Self::Driver { .. } => Kind::Forbidden,
            Self::DefaultRoute { .. } | Self::InterfaceTaken { .. } => Kind::Conflict,
        }
    }
}
