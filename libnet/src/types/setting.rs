//! Kernel settings.

use serde::{Deserialize, Serialize};

/// A kernel setting of a network namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Its path below `/proc/sys/net`: `ipv4/conf/eth0/arp_notify`. Names of interfaces may contain dots, so that it is
    /// written with slashes.
    pub key: String,
    /// The value, as the kernel reads it.
    pub value: String,
}

impl Setting {
    /// This key with this value.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.into() }
    }
}
