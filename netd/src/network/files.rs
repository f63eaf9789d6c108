//! The files that tell a container about names: resolv.conf as docker.md 1.9 has it, and hosts.

use std::net::IpAddr;

use dns::resolv_conf::Ipv6;

use super::{EndpointView, FilesAsk, FilesView, NetworkError, Space, inner::Inner};
use crate::names::{HostEntry, hosts};

/// Stands for the host itself in `--add-host`.
const HOST_GATEWAY: &str = "host-gateway";

impl Inner {
    pub(super) fn files(&self, ask: &FilesAsk) -> Result<FilesView, NetworkError> {
        let endpoints = self.state().views(ask.container);
        let dns = ask.dns.or(&self.config.defaults.dns);
        let named = endpoints.iter().any(|endpoint| !endpoint.dns_names.is_empty());
        let v6 = if endpoints.iter().any(|endpoint| endpoint.v6.is_some()) { Ipv6::Yes } else { Ipv6::No };
        let restricted = self.watch(ask.container).is_some();
        let resolv_conf = match ask.space {
            Space::Machine => self.names.machine(&dns),
            Space::Own if named || restricted => self.names.internal(&dns).text,
            Space::Own => self.names.plain(&dns, v6),
        };
        let mut extra = Vec::new();
        for (name, address) in &ask.extra_hosts {
            let ips = self.extra_host(name, address)?;
            extra.extend(ips.into_iter().map(|ip| HostEntry::new(ip, name)));
        }
        extra.extend(ask.links.iter().cloned());
        // Names that a user adds may replace the machine's, so that its file is not taken over then.
        if ask.space == Space::Machine && extra.is_empty() {
            return Ok(FilesView { resolv_conf, hosts: None });
        }
        let own = endpoints.iter().flat_map(EndpointView::addresses);
        let own: Vec<_> = own.map(|ip| HostEntry::own(ip, &ask.hostname, &ask.domain)).collect();
        Ok(FilesView { resolv_conf, hosts: Some(hosts(&extra, &own)) })
    }

    fn extra_host(&self, name: &str, address: &str) -> Result<Vec<IpAddr>, NetworkError> {
        if address == HOST_GATEWAY {
            let ips = self.host_gateway();
            let none = || NetworkError::HostGateway;
            return if ips.is_empty() { Err(none()) } else { Ok(ips) };
        }
        let wrong =
            |_| NetworkError::Invalid(format!("invalid IP address in add-host: \"{name}:{address}\""));
        address.parse().map(|ip| vec![ip]).map_err(wrong)
    }

    /// What the configuration says; else the default bridge's own addresses.
    fn host_gateway(&self) -> Vec<IpAddr> {
        if !self.config.defaults.host_gateway.is_empty() {
            return self.config.defaults.host_gateway.clone();
        }
        let state = self.state();
        let bridge = state.networks().find(|record| record.name == "bridge");
        bridge.into_iter().flat_map(|record| record.subnets().filter_map(|subnet| subnet.gateway)).collect()
    }
}
