//! What a request about containers can fail with. Texts that Docker's users know are Docker's to the letter; the docker
//! CLI reads its exit codes 126 and 127 from some of them.

use std::{io, path::PathBuf};

use libnet::store::StoreError;
use netd_runtime::{BundleError, RuntimeError};

use super::policy::Denied;
use crate::{error::Kind, image::ImageError, network::NetworkError};

/// A request about containers failed.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// No container of that name or id.
    #[error("No such container: {0}")]
    NotFound(String),
    /// Several ids begin so.
    #[error("multiple IDs found with provided prefix: {0}")]
    Ambiguous(String),
    /// Its image.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// No such exec.
    #[error("No such exec instance: {0}")]
    NoExec(String),
    /// No such volume.
    #[error("get {0}: no such volume")]
    NoVolume(String),
    /// The name has forbidden characters.
    #[error("Invalid container name ({0}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")]
    InvalidName(String),
    /// The name is taken.
    #[error(
        "Conflict. The container name \"/{name}\" is already in use by container \"{id}\". You have to remove (or rename) that container to be able to reuse that name."
    )]
    NameTaken {
        /// The name.
        name: String,
        /// Who has it.
        id: String,
    },
    /// The request makes no sense; the text says what.
    #[error("{0}")]
    Invalid(String),
    /// The object's state forbids it.
    #[error("{0}")]
    Conflict(String),
    /// Something else that the request needs is not there.
    #[error("{0}")]
    Missing(String),
    /// Docker does it, we don't.
    #[error("{0}")]
    NotImplemented(String),
    /// The container's state forbids it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// A filter.
    #[error(transparent)]
    Filter(#[from] netd_api::FilterError),
    /// A time.
    #[error(transparent)]
    Time(#[from] netd_api::time::TimeError),
    /// Its networks.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// What was asked for can't be made into a bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The runtime could not.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The state can't be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file of the container.
    #[error("failed to {action} {path}")]
    File {
        /// What was to be done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something that a new container needs is not there: the request is wrong, not its address.
    #[error(transparent)]
    Unmet(Box<ContainerError>),
    /// What a new container asks of a network.
    #[error("invalid config for network {network}")]
    NetworkConfig {
        /// The network, as it was named.
        network: String,
        /// What is wrong.
        #[source]
        source: Box<ContainerError>,
    },
    /// A link that can't be made now; the text is Docker's, and says why.
    #[error("{0}")]
    Link(String),
    /// Its networks, at a start.
    #[error("failed to set up container networking")]
    Networking(#[source] Box<ContainerError>),
    /// Another container that this one depends on.
    #[error("{what}")]
    Other {
        /// For what it is needed.
        what: String,
        /// What is wrong with it.
        #[source]
        source: Box<ContainerError>,
    },
    /// The task that owns the container is gone, and the container is not: the daemon is ending.
    #[error("the daemon is shutting down")]
    Closing,
}

impl ContainerError {
    /// Of which kind the failure is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::NotFound(_) | Self::NoExec(_) | Self::NoVolume(_) | Self::Missing(_) => Kind::NotFound,
            Self::Ambiguous(_)
            | Self::InvalidName(_)
            | Self::Invalid(_)
            | Self::Unmet(_)
            | Self::Filter(_)
            | Self::Time(_)
            | Self::Bundle(_) => Kind::InvalidParameter,
            Self::NameTaken { .. } | Self::Conflict(_) | Self::Denied(_) => Kind::Conflict,
            Self::NotImplemented(_) => Kind::NotImplemented,
            Self::Network(error) => error.kind(),
            Self::Image(error) => error.kind(),
            Self::Other { source, .. } | Self::NetworkConfig { source, .. } | Self::Networking(source) => {
                source.kind()
            }
            // dockerd answers 400 where the command is at fault and 500 otherwise.
            Self::Runtime(error) if error.exit_code().is_some() => Kind::InvalidParameter,
            Self::Closing => Kind::Unavailable,
            Self::Link(_) | Self::Runtime(_) | Self::Store(_) | Self::File { .. } => Kind::System,
        }
    }

    /// What is wrong with the endpoint of a new container, as Docker heads it; anything else is left as it is.
    pub(super) fn in_network(self, network: &str) -> Self {
        match self {
            Self::Network(NetworkError::InvalidEndpoint(_)) => {
                Self::NetworkConfig { network: network.to_owned(), source: Box::new(self) }
            }
            other => other,
        }
    }

    pub(super) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}

/// `Err(Invalid)` with this text.
pub(super) fn invalid<T>(text: impl Into<String>) -> Result<T, ContainerError> {
    Err(ContainerError::Invalid(text.into()))
}
