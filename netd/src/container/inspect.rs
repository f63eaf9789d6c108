//! `docker inspect`: everything that is known of a container, as Docker shows it, with the fields of older API versions
//! that the models lack.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use netd_api::{
    models,
    time::{NEVER, rfc3339},
};
use serde_json::{Value, json};

use super::{
    ContainerError, Containers,
    create::{self, Access, Logging, NetworkMode, Source, WantedMount},
    links,
    list::{Map, wanted_ports},
    policy::Phase,
    record::{Endpoint, Record},
};
use crate::network::EndpointView;

impl Containers {
    /// Everything that is known of it.
    ///
    /// # Errors
    /// [`ContainerError::NotFound`] and [`ContainerError::Ambiguous`].
    #[allow(clippy::unused_async, reason = "sizes are to be read from the disk")]
    pub async fn inspect(&self, reference: &str, _size: bool) -> Result<Value, ContainerError> {
        let container = self.find(reference)?;
        let record = container.record();
        let endpoints = self.parts.networks.endpoints(container.id);
        let response = self.describe(&record, &endpoints);
        let mut value = serde_json::to_value(response).unwrap_or_default();
        value["NetworkSettings"] = network_settings(self, &record, &endpoints);
        if let Some(host) = value.get_mut("HostConfig") {
            complete_host(host);
        }
        Ok(value)
    }

    fn describe(&self, record: &Record, endpoints: &[EndpointView]) -> models::ContainerInspectResponse {
        let id = record.id;
        let data = self.parts.paths.data(id);
        let file = |name: &str| {
            if record.state.started.is_none() { String::new() } else { data.join(name).display().to_string() }
        };
        let mut command = record.command().into_iter();
        let wanted = create::read(record, &self.parts.defaults).ok();
        let logged = wanted.is_some_and(|wanted| matches!(wanted.logging, Logging::JsonFile { .. }));
        let log = if logged { self.parts.paths.log(id).display().to_string() } else { String::new() };
        let mut host = record.host.whole();
        host.network_mode = Some(record.network_mode().to_owned());
        host.links = links::shown(&self.registry, record);
        let ports = exposed(record, endpoints);
        models::ContainerInspectResponse {
            id: Some(id.to_string()),
            created: Some(rfc3339(record.created)),
            path: Some(command.next().unwrap_or_default()),
            args: Some(command.collect()),
            state: Some(state(record)),
            image: Some(record.image_id.clone()),
            resolv_conf_path: Some(file("resolv.conf")),
            hostname_path: Some(file("hostname")),
            hosts_path: Some(file("hosts")),
            log_path: Some(log),
            name: Some(format!("/{}", record.name)),
            restart_count: Some(i64::from(record.restarts)),
            driver: Some("overlay2".to_owned()),
            platform: Some("linux".to_owned()),
            mount_label: Some(String::new()),
            process_label: Some(String::new()),
            app_armor_profile: Some(String::new()),
            exec_ids: Some(self.execs.of(id)).filter(|execs| !execs.is_empty()),
            host_config: Some(host),
            graph_driver: Some(models::DriverData {
                name: "overlay2".to_owned(),
                data: HashMap::from([
                    ("UpperDir".to_owned(), data.join("upper").display().to_string()),
                    ("WorkDir".to_owned(), data.join("work").display().to_string()),
                ]),
            }),
            mounts: Some(mounts(self, record)),
            config: Some(models::ContainerConfig {
                exposed_ports: ports,
                ..models::ContainerConfig::clone(&record.config)
            }),
            ..Default::default()
        }
    }
}

fn state(record: &Record) -> models::ContainerState {
    use models::ContainerStateStatusEnum as Status;
    let state = &record.state;
    let time = |at: Option<Timestamp>| at.map_or_else(|| NEVER.to_owned(), rfc3339);
    let status = match state.phase {
        Phase::Created => Status::CREATED,
        Phase::Running | Phase::Stopping => Status::RUNNING,
        Phase::Paused => Status::PAUSED,
        Phase::Restarting => Status::RESTARTING,
        Phase::Exited => Status::EXITED,
        Phase::Removing => Status::REMOVING,
    };
    models::ContainerState {
        status: Some(status),
        running: Some(state.phase.is_running()),
        paused: Some(state.phase == Phase::Paused),
        restarting: Some(state.phase == Phase::Restarting),
        oom_killed: Some(state.oom_killed),
        dead: Some(false),
        pid: Some(i64::from(if state.phase.has_process() { state.pid } else { 0 })),
        exit_code: Some(i64::from(state.exit_code)),
        error: Some(state.error.clone()),
        started_at: Some(time(state.started)),
        finished_at: Some(time(state.finished)),
        health: None,
    }
}

/// Exposed and published ports alike, as Docker lists them under Config.
fn exposed(record: &Record, _endpoints: &[EndpointView]) -> Option<Vec<String>> {
    let ports = wanted_ports(record).exposed;
    let texts: Vec<_> = ports.iter().map(|(port, proto)| format!("{port}/{proto}")).collect();
    (!texts.is_empty()).then_some(texts)
}

/// NetworkSettings in both shapes: per network, and at the top for clients before API 1.52.
fn network_settings(containers: &Containers, record: &Record, endpoints: &[EndpointView]) -> Value {
    let networks = &containers.parts.networks;
    let running = record.state.phase.has_process();
    let shared = matches!(record.mode(), NetworkMode::Container(_));
    let sandbox = running && !shared;
    let key = match record.mode() {
        _ if !sandbox => String::new(),
        NetworkMode::Host => "/var/run/docker/netns/default".to_owned(),
        _ => format!("/run/netns/pontoon-{}", record.id.short(12)),
    };
    let bridge = endpoints.iter().find(|endpoint| endpoint.network_name == "bridge");
    json!({
        // Of the user's own, as in Docker: ours is the network's business.
        "Bridge": bridge.and_then(|_| networks.lent_default_bridge()).map(|link| link.to_string()).unwrap_or_default(),
        "SandboxID": if sandbox { record.id.to_string() } else { String::new() },
        "SandboxKey": key,
        "Ports": ports(record, endpoints, running),
        "HairpinMode": false,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": null,
        "SecondaryIPv6Addresses": null,
        "EndpointID": bridge.map(|it| it.endpoint.to_string()).unwrap_or_default(),
        "Gateway": bridge.and_then(|it| it.gateway_v4).map(|ip| ip.to_string()).unwrap_or_default(),
        "GlobalIPv6Address": bridge.and_then(|it| it.v6).map(|net| net.ip().to_string()).unwrap_or_default(),
        "GlobalIPv6PrefixLen": bridge.and_then(|it| it.v6).map_or(0, |net| u32::from(net.prefix())),
        "IPAddress": bridge.and_then(|it| it.v4).map(|net| net.ip().to_string()).unwrap_or_default(),
        "IPPrefixLen": bridge.and_then(|it| it.v4).map_or(0, |net| u32::from(net.prefix())),
        "IPv6Gateway": bridge.and_then(|it| it.gateway_v6).map(|ip| ip.to_string()).unwrap_or_default(),
        "MacAddress": bridge.and_then(|it| it.mac).map(|mac| mac.to_string()).unwrap_or_default(),
        "Networks": self::networks(containers, record, endpoints),
    })
}

/// `{"80/tcp": [{"HostIp", "HostPort"}]}`; exposed ports that are not published are null.
fn ports(record: &Record, endpoints: &[EndpointView], running: bool) -> Value {
    let mut all = serde_json::Map::new();
    if !running {
        return Value::Object(all);
    }
    for (port, proto) in wanted_ports(record).exposed {
        all.insert(format!("{port}/{proto}"), Value::Null);
    }
    all.extend(bindings(endpoints).into_iter().map(|(port, bindings)| (port, json!(bindings))));
    Value::Object(all)
}

/// The ports that are published, by the port inside.
pub(super) fn bindings(endpoints: &[EndpointView]) -> BTreeMap<String, Vec<models::PortBinding>> {
    let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for port in endpoints.iter().flat_map(|endpoint| &endpoint.ports) {
        let binding = models::PortBinding {
            host_ip: Some(port.host_ip.to_string()),
            host_port: Some(port.host_port.map(|port| port.to_string()).unwrap_or_default()),
        };
        all.entry(format!("{}/{}", port.container, port.proto)).or_default().push(binding);
    }
    all
}

/// The endpoints of a container: what was asked for and, while it runs, what there is.
pub(super) fn networks(
    containers: &Containers,
    record: &Record,
    endpoints: &[EndpointView],
) -> Map<models::EndpointSettings> {
    let view = |endpoint: &Endpoint| endpoints.iter().find(|view| view.endpoint == endpoint.endpoint);
    let running = record.state.phase.has_process();
    record
        .endpoints
        .iter()
        .map(|endpoint| {
            let view = view(endpoint).filter(|_| running);
            let name = view.map_or(&endpoint.network_name, |view| &view.network_name);
            let mut shown = endpoint_settings(endpoint, view);
            if record.state.started.is_some() && !running {
                ended(containers, record, endpoint, &mut shown);
            }
            (name.clone(), shown)
        })
        .collect()
}

/// An endpoint of a container that has run keeps its names, and what Ethernet address it had is not said.
fn ended(
    containers: &Containers,
    record: &Record,
    endpoint: &Endpoint,
    shown: &mut models::EndpointSettings,
) {
    shown.mac_address = Some(String::new());
    let hostname = record.config.hostname.as_deref().unwrap_or_default();
    let aliases = &endpoint.settings.aliases;
    let Ok(network) = containers.parts.network_of(endpoint) else { return };
    let names = containers.parts.networks.names_of(network.id, (record.id, &record.name), aliases, hostname);
    shown.dns_names = Some(names).filter(|names| !names.is_empty());
}

/// One endpoint: what was asked for and what there is.
pub(super) fn endpoint_settings(
    endpoint: &Endpoint,
    view: Option<&EndpointView>,
) -> models::EndpointSettings {
    let asked = &endpoint.settings;
    let some = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
    let addressed = asked.v4.is_some() || asked.v6.is_some() || !asked.link_local.is_empty();
    let ipam = addressed.then(|| models::EndpointIpamConfig {
        ipv4_address: asked.v4.map(|ip| ip.to_string()),
        ipv6_address: asked.v6.map(|ip| ip.to_string()),
        link_local_ips: some(&asked.link_local.iter().map(ToString::to_string).collect()),
    });
    let text = |text: Option<String>| Some(text.unwrap_or_default());
    let mac = view.and_then(|view| view.mac).or(asked.mac);
    models::EndpointSettings {
        ipam_config: ipam,
        links: some(&asked.links),
        mac_address: text(mac.map(|mac| mac.to_string())),
        aliases: some(&asked.aliases),
        driver_opts: (!asked.driver_opts.is_empty()).then(|| asked.driver_opts.clone().into_iter().collect()),
        gw_priority: Some(asked.gw_priority),
        network_id: text(endpoint.network.map(|network| network.to_string())),
        endpoint_id: text(view.map(|view| view.endpoint.to_string())),
        gateway: text(view.and_then(|view| view.gateway_v4).map(|ip| ip.to_string())),
        ip_address: text(view.and_then(|view| view.v4).map(|net| net.ip().to_string())),
        ip_prefix_len: Some(view.and_then(|view| view.v4).map_or(0, |net| i64::from(net.prefix()))),
        ipv6_gateway: text(view.and_then(|view| view.gateway_v6).map(|ip| ip.to_string())),
        global_ipv6_address: text(view.and_then(|view| view.v6).map(|net| net.ip().to_string())),
        global_ipv6_prefix_len: Some(view.and_then(|view| view.v6).map_or(0, |net| i64::from(net.prefix()))),
        dns_names: view.map(|view| view.dns_names.clone()).filter(|names| !names.is_empty()),
    }
}

/// What is mounted into it, besides what every container has.
pub(super) fn mounts(containers: &Containers, record: &Record) -> Vec<models::MountPoint> {
    let Ok(wanted) = create::read(record, &containers.parts.defaults) else { return Vec::new() };
    wanted.mounts.iter().map(|mount| mount_point(record, mount)).collect()
}

fn mount_point(record: &Record, mount: &WantedMount) -> models::MountPoint {
    let target = mount.target.display().to_string();
    let volume = record.volumes.iter().find(|volume| volume.target == target);
    let (kind, source, name, driver) = match &mount.source {
        Source::Bind { path, .. } => ("bind", path.display().to_string(), None, None),
        Source::Tmpfs(_) => ("tmpfs", String::new(), None, None),
        Source::Volume { .. } => (
            "volume",
            volume.map(|volume| volume.path.display().to_string()).unwrap_or_default(),
            volume.map(|volume| volume.name.clone()),
            Some("local".to_owned()),
        ),
    };
    let bind = kind == "bind";
    let propagation = if bind && mount.propagation.is_empty() { "rprivate" } else { &mount.propagation };
    models::MountPoint {
        typ: Some(kind.to_owned()),
        name,
        source: Some(source),
        destination: Some(target),
        driver,
        mode: Some(mount.mode.clone()),
        rw: Some(mount.access == Access::ReadWrite),
        propagation: Some(propagation.to_owned()),
    }
}

/// Fields of HostConfig that programs index without looking.
fn complete_host(host: &mut Value) {
    let Value::Object(host) = host else { return };
    let defaults = json!({
        "Binds": null, "NetworkMode": "bridge", "PortBindings": {},
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}, "AutoRemove": false, "Links": null,
        "PublishAllPorts": false, "Privileged": false, "Memory": 0, "NanoCpus": 0, "Runtime": "pontoon",
        "LogConfig": {"Type": "json-file", "Config": {}}, "Dns": [], "DnsOptions": [], "DnsSearch": [], "ExtraHosts": null,
        "CapAdd": null, "CapDrop": null, "ReadonlyRootfs": false, "SecurityOpt": null,
    });
    if let Value::Object(defaults) = defaults {
        for (key, value) in defaults {
            let slot = host.entry(key).or_insert(Value::Null);
            if slot.is_null() || matches!(slot.as_str(), Some("")) {
                *slot = value;
            }
        }
    }
}
