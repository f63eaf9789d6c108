//! Looks after containers: processes that are gone without a word, and ports that somebody else has by now.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
};

use libnet::{
    host::{Area, Finding},
    ports::{HostPort, PortRequest, holder},
};

use super::{Containers, list::wanted_ports, registry::Container};

impl Containers {
    /// What is found of all containers.
    pub async fn examine(&self) -> Vec<Finding> {
        let all = self.registry.all();
        let mut findings = processes(&all);
        let wanted: Vec<_> = all.iter().filter(|container| !container.phase().has_process()).collect();
        let wanted: Vec<_> = wanted
            .into_iter()
            .map(|container| container.record())
            .flat_map(|record| {
                wanted_ports(&record).requests.into_iter().map(move |port| (record.name.clone(), port))
            })
            .collect();
        // Whoever has a port is looked for in all of /proc.
        let ports = tokio::task::spawn_blocking(move || ports(&wanted)).await;
        findings.extend(ports.unwrap_or_default());
        findings
    }
}

fn processes(all: &[Arc<Container>]) -> Vec<Finding> {
    let running: Vec<_> = all.iter().filter(|container| container.phase().has_process()).collect();
    let gone = |container: &&&Arc<Container>| {
        let shim = container.shim();
        shim.is_none_or(|shim| !Path::new(&format!("/proc/{}", shim.pid())).exists())
    };
    let wrong = |container: &&Arc<Container>| {
        let name = &container.record().name;
        let what = format!("container {name} is said to run, and its process is gone");
        Finding::wrong(Area::Containers, what, format!("pontoon restart {name}"))
    };
    let found: Vec<Finding> = running.iter().filter(gone).map(wrong).collect();
    match found.is_empty() {
        true => vec![Finding::ok(Area::Containers, format!("{} run, each with its shim", running.len()))],
        false => found,
    }
}

/// Ports that containers which don't run would want, and can't have.
fn ports(wanted: &[(String, PortRequest)]) -> Vec<Finding> {
    let taken = |(name, request): &(String, PortRequest)| {
        let HostPort::Exactly(port) = request.host else { return None };
        let ip = request.host_ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let address = SocketAddr::new(ip, port.get());
        // What we hold ourselves is another container's.
        let process = holder(address, request.proto).filter(|process| process.pid != std::process::id())?;
        let what = format!(
            "port {address}/{}, which container {name} wants when it starts, is held by {} (pid {})",
            request.proto, process.name, process.pid
        );
        let advice = format!("stop {}, or publish another port: pontoon port rm {name} …", process.name);
        Some(Finding::note(Area::Ports, what, advice))
    };
    wanted.iter().filter_map(taken).collect()
}
