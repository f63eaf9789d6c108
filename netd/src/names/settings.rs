//! What a container, or the daemon for all of them, says about name resolution.

use std::net::IpAddr;

use dns::resolv_conf::Overrides;
use serde::{Deserialize, Serialize};

use crate::config::DnsDefaults;

/// `--dns`, `--dns-search` and `--dns-option`; an empty list means "not given".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DnsSettings {
    /// Servers, asked from the container's namespace.
    pub servers: Vec<IpAddr>,
    /// Search domains; a single `.` means none.
    pub search: Vec<String>,
    /// Options of resolv.conf.
    pub options: Vec<String>,
}

impl DnsSettings {
    /// These settings; where they are silent, the daemon's.
    #[must_use]
    pub fn or(&self, defaults: &DnsDefaults) -> Self {
        let pick =
            |own: &Vec<String>, default: &Vec<String>| if own.is_empty() { default } else { own }.clone();
        let servers = if self.servers.is_empty() { &defaults.servers } else { &self.servers };
        Self {
            servers: servers.clone(),
            search: pick(&self.search, &defaults.search),
            options: pick(&self.options, &defaults.options),
        }
    }

    pub(crate) fn overrides(&self) -> Overrides {
        Overrides {
            nameservers: self.servers.clone(),
            search: self.search.clone(),
            options: self.options.clone(),
        }
    }
}
