//! What is known about a container, as it is kept on disk. The request is kept as it was sent (normalised), and read
//! anew at each start: what was legal at creation is legal then.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::PathBuf,
};

use jiff::Timestamp;
use libnet::types::{ContainerId, EndpointId, MacAddr, NetworkId};
use netd_api::models;
use serde::{Deserialize, Serialize};

use super::{create::NetworkMode, folded::Folded, policy::Phase};
use crate::network::{Durability, NetworkSummary};

/// A container.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) id: ContainerId,
    pub(super) name: String,
    pub(super) created: Timestamp,
    /// The image's id.
    pub(super) image_id: String,
    pub(super) config: Folded<models::ContainerConfig>,
    pub(super) host: Folded<models::HostConfig>,
    /// The networks it is in, or will be in when it runs, in the order in which it joined them.
    pub(super) endpoints: Vec<Endpoint>,
    /// Volumes that were made for it, or found: what `rm -v` and `inspect` look at.
    pub(super) volumes: Vec<VolumeUse>,
    pub(super) state: State,
    /// How often its restart policy has started it again since a user did.
    pub(super) restarts: u32,
    /// A user stopped it: `unless-stopped` leaves it alone.
    pub(super) stopped_by_user: bool,
}

/// Its state, as far as it outlives the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) phase: Phase,
    pub(super) pid: i32,
    pub(super) exit_code: i32,
    pub(super) oom_killed: bool,
    /// Why the last start failed.
    pub(super) error: String,
    pub(super) started: Option<Timestamp>,
    pub(super) finished: Option<Timestamp>,
}

/// A network that a container is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Endpoint {
    /// The network, once the container has joined it: another one of that name is not meant then, as in Docker.
    pub(super) network: Option<NetworkId>,
    /// The network's name, which says which one is meant until the container joins it.
    pub(super) network_name: String,
    pub(super) endpoint: EndpointId,
    #[serde(default)]
    pub(super) settings: EndpointSettings,
}

/// What the user said about it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct EndpointSettings {
    pub(super) v4: Option<Ipv4Addr>,
    pub(super) v6: Option<Ipv6Addr>,
    pub(super) link_local: Vec<IpAddr>,
    pub(super) mac: Option<MacAddr>,
    pub(super) aliases: Vec<String>,
    /// As written: `name` or `name:alias`; those of the default bridge are in `linked`.
    pub(super) links: Vec<String>,
    /// The links of the default bridge.
    pub(super) linked: Vec<Link>,
    pub(super) gw_priority: i64,
    pub(super) driver_opts: BTreeMap<String, String>,
}

/// A link of the default bridge: it leads to a container, whatever that is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Link {
    pub(super) alias: String,
    pub(super) to: ContainerId,
    /// What the other one was called when this one was started: so it is in its hosts file.
    pub(super) name: String,
}

/// A volume in a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct VolumeUse {
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) target: String,
    pub(super) anonymous: bool,
}

impl State {
    pub(super) fn created() -> Self {
        Self {
            phase: Phase::Created,
            pid: 0,
            exit_code: 0,
            oom_killed: false,
            error: String::new(),
            started: None,
            finished: None,
        }
    }
}

impl Endpoint {
    /// Whether it is in that network, or will be.
    pub(super) fn is_in(&self, network: &NetworkSummary) -> bool {
        self.network.map_or(self.network_name == network.name, |joined| joined == network.id)
    }
}

impl Record {
    /// Whether it is removed when it ends.
    pub(super) fn auto_remove(&self) -> bool {
        self.host.auto_remove == Some(true)
    }

    /// What `--rm` makes lives as long as the machine is up.
    pub(super) fn durability(&self) -> Durability {
        if self.auto_remove() { Durability::Live } else { Durability::Durable }
    }

    /// Whether it has a terminal.
    pub(super) fn tty(&self) -> bool {
        self.config.tty == Some(true)
    }

    /// The value of a label.
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.config.labels.as_ref()?.get(name).map(String::as_str)
    }

    /// The image as the user named it.
    pub(super) fn image(&self) -> &str {
        self.config.image.as_deref().unwrap_or_default()
    }

    /// HostConfig.NetworkMode.
    pub(super) fn network_mode(&self) -> &str {
        self.host.network_mode.as_deref().unwrap_or("bridge")
    }

    /// Whose network it has.
    pub(super) fn mode(&self) -> NetworkMode {
        match self.network_disabled() {
            true => NetworkMode::None,
            false => NetworkMode::read(self.network_mode()),
        }
    }

    /// Whether it is to have a loopback interface and nothing else, whatever its network mode says.
    pub(super) fn network_disabled(&self) -> bool {
        self.config.network_disabled == Some(true)
    }

    /// What runs in it: program and arguments.
    pub(super) fn command(&self) -> Vec<String> {
        // `--entrypoint ""` is kept as one empty word: it says that there is none.
        let entrypoint = self.config.entrypoint.iter().flatten().filter(|word| !word.is_empty());
        entrypoint.chain(self.config.cmd.iter().flatten()).cloned().collect()
    }
}
