//! What a request can fail with, and of which kind a failure is. Each part of the engine has an error enum of its own,
//! which says what failed on which object; [`EngineError`] is their sum, as the handlers see it. The kind is all that
//! an HTTP status depends on; `http::status` is the one map from kinds to statuses.

use std::{error::Error, fmt::Write as _};

use crate::{container::ContainerError, image::ImageError, network::NetworkError};

/// Kinds of failure, as Docker tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It is so already: start of a running container, stop of a stopped one.
    NotModified,
    /// The request makes no sense: malformed, unknown or contradictory.
    InvalidParameter,
    /// The object is not there.
    NotFound,
    /// The object is in a state, or has a name, that forbids it now.
    Conflict,
    /// It is never allowed.
    Forbidden,
    /// It is used up or not ready; later it may work.
    Unavailable,
    /// It is not done here.
    NotImplemented,
    /// The machine said no.
    System,
}

/// A request failed.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The request itself is wrong.
    #[error("{0}")]
    BadRequest(String),
    /// The filters of the request are wrong.
    #[error(transparent)]
    Filter(#[from] netd_api::FilterError),
    /// A time in the request is wrong.
    #[error(transparent)]
    Time(#[from] netd_api::time::TimeError),
    /// Networks.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// Containers.
    #[error(transparent)]
    Container(#[from] ContainerError),
    /// An image is not there.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// This daemon does not do that.
    #[error("{0}")]
    NotImplemented(String),
}

impl EngineError {
    /// Of which kind the failure is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::BadRequest(_) | Self::Filter(_) | Self::Time(_) => Kind::InvalidParameter,
            Self::Network(error) => error.kind(),
            Self::Container(error) => error.kind(),
            Self::Image(error) => error.kind(),
            Self::NotFound(_) => Kind::NotFound,
            Self::NotImplemented(_) => Kind::NotImplemented,
        }
    }
}

/// The error and what caused it, joined by ": ". A cause that its effect has already quoted is not said twice.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            let _ = write!(text, ": {said}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Example {
        #[error("failed to open the door")]
        Door(#[source] Box<Example>),
        #[error("the house is closed: {0}")]
        Quoting(#[source] Box<Example>),
        #[error("no key")]
        Key,
    }

    #[test]
    fn causes_are_said_once() {
        let door = Example::Door(Box::new(Example::Key));
        assert_eq!(chain(&door), "failed to open the door: no key");
        assert_eq!(
            chain(&Example::Quoting(Box::new(door))),
            "the house is closed: failed to open the door: no key"
        );
    }
}
