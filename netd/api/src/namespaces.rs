//! `/pontoon/namespaces`: network namespaces that are no container's, in networks. Pontoon's own; Docker has nothing like
//! it. Fields are written as Docker writes its own.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::models;

/// The path of the list.
pub const PATH: &str = "/pontoon/namespaces";

/// The body of `POST /pontoon/namespaces/attach`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Attach {
    /// A name in `/run/netns`, a path, or the number of a process.
    pub namespace: String,
    /// Name or id of the network.
    pub network: String,
    /// What others find it by; as a rule it is called as it is pointed at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Addresses, aliases, MAC address, driver options, as for a container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_config: Option<models::EndpointSettings>,
    /// Published ports, as for a container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_bindings: Option<models::PortMap>,
}

/// The body of `POST /pontoon/namespaces/detach`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Detach {
    /// As it was attached, or in any other way.
    pub namespace: String,
    /// Name or id of the network.
    pub network: String,
}

/// The answer to `POST /pontoon/namespaces/attach`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Attached {
    /// The namespace as it is now.
    pub namespace: Namespace,
    /// What is not as its user might expect.
    pub warnings: Vec<String>,
}

/// A namespace in networks: an entry of `GET /pontoon/namespaces`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Namespace {
    /// What stands for it where a container has its id.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// As it was pointed at when it was attached first.
    pub namespace: String,
    /// What the kernel calls it (`net:[INODE]`).
    pub inode: u64,
    /// Its endpoints by the name of their network, as a container has them.
    pub networks: HashMap<String, models::EndpointSettings>,
    /// Its published ports: `{"80/tcp": [{"HostIp", "HostPort"}]}`.
    pub ports: BTreeMap<String, Vec<models::PortBinding>>,
}
