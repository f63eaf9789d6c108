//! What a network permits: choices between two, each with its own name, so that no call reads `true, false, true`.

use serde::{Deserialize, Serialize};

/// Whether packets leave the network for anywhere but its own host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Internal {
    /// Containers reach the rest of the world through the host.
    #[default]
    No,
    /// Containers reach each other and the gateway address, nothing else.
    Yes,
}

/// Whether containers of one network reach each other (Docker's "inter-container communication").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Icc {
    /// They do.
    #[default]
    Allowed,
    /// They reach each other's published ports only.
    Denied,
}

/// Whether packets that leave the network carry the host's address instead of the container's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Masquerade {
    /// They carry the host's.
    #[default]
    Yes,
    /// They keep the container's.
    No,
}

/// What addresses a container may send from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Spoof {
    /// Those that it was given.
    #[default]
    Deny,
    /// Any, of its neighbours too.
    Allow,
}

/// What a container may send out of its networks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Egress {
    /// Anything.
    #[default]
    Open,
    /// Anything, and what it is gets noted.
    Learn,
    /// What was allowed, nothing else.
    Deny,
}
