//! Where the daemon listens: `unix:///path`, or a path.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where the daemon listens unless somebody says otherwise.
const DEFAULT: &str = "/run/pontoon/pontoon.sock";

/// A unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Host(PathBuf);

/// An address that this client can't speak to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HostError {
    /// Another transport.
    #[error(
        "unable to connect to {0:?}: this client speaks to unix sockets only (unix:///path/to/pontoon.sock)"
    )]
    Transport(String),
    /// Neither.
    #[error("unable to parse docker host `{0}`")]
    Malformed(String),
}

impl Host {
    /// The first that is given: the flag, our variable, Docker's, the default.
    pub(crate) fn choose(
        flag: Option<&str>,
        pontoon_host: Option<&str>,
        docker_host: Option<&str>,
    ) -> Result<Self, HostError> {
        let given = [flag, pontoon_host, docker_host].into_iter().flatten().find(|text| !text.is_empty());
        given.unwrap_or(DEFAULT).parse()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl std::str::FromStr for Host {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        match text.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') => Ok(Self(path.into())),
            Some(("unix", _)) => Err(HostError::Malformed(text.to_owned())),
            Some(_) => Err(HostError::Transport(text.to_owned())),
            None if text.starts_with('/') => Ok(Self(text.into())),
            None => Err(HostError::Malformed(text.to_owned())),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unix://{}", self.0.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_wins_and_an_empty_variable_is_none() {
        let choose = |a, b, c| Host::choose(a, b, c).map(|h| h.to_string());
        assert_eq!(choose(Some("/a"), Some("unix:///b"), None).unwrap(), "unix:///a");
        assert_eq!(choose(None, Some(""), Some("unix:///c")).unwrap(), "unix:///c");
        assert_eq!(choose(None, None, None).unwrap(), "unix:///run/pontoon/pontoon.sock");
        assert!(choose(Some("tcp://1.2.3.4:1"), None, None).is_err());
        assert!(choose(Some("x"), None, None).is_err());
    }
}
