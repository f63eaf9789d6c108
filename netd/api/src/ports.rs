//! What is asked of `/containers/{id}/ports`.

use serde::{Deserialize, Serialize};

use crate::models;

/// The body of `POST /containers/{id}/ports`: what is to be published beside what is, in the form of
/// `HostConfig.PortBindings`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PortBindings {
    /// Addresses and ports of the host by port of the container, such as `80/tcp`.
    pub port_bindings: models::PortMap,
}
