//! What the networks of a daemon need to know from outside, besides what each request says.

use std::path::PathBuf;

use crate::config::NetworkDefaults;

/// Settings of the networks.
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// The keys of netd.json that concern networks.
    pub defaults: NetworkDefaults,
    /// The host's resolv.conf.
    pub resolv_conf: PathBuf,
    /// Where files for namespaces that have names are, as `ip netns` mounts them: `/etc/netns`.
    pub namespace_files: PathBuf,
    /// The daemon's lasting identity: its own /48 for automatic IPv6 subnets is made of it.
    pub identity: [u8; 32],
}
