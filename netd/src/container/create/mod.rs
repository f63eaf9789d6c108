//! From a request to typed values: everything that `docker run` can ask of a container is read here, before anything
//! is made. What makes no sense is refused with Docker's text; what is not done here is refused too, or warned of where
//! the container works the same without it. Pure, but for nothing.

mod command;
mod limits;
mod mounts;
mod networks;
pub(super) mod ports;
mod rights;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use netd_api::{extras::ROOTFS_ANNOTATION, models};
use netd_runtime::{Device, Resources, Rlimit, Seccomp};

pub(super) use self::{
    command::add_variables,
    command::signal,
    limits::{Logging, restart},
    mounts::{Access, Missing, Source, WantedMount, local_driver, volume_name},
    networks::{NetworkMode, Wanted as WantedNetworks, canonical, link_parts, settings},
    ports::{Ports, read as ports},
    rights::{Space, Spaces, capabilities},
};
use super::{ContainerError, error::invalid, folded::Folded, record::Record, restart::RestartPolicy};
use crate::{
    config::ContainerDefaults,
    names::{DnsSettings, EgressPolicy},
    network::Traffic,
};

/// How long a container has to end when it is told to, unless it says otherwise.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// A request as typed values, without what concerns networks at creation only.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) args: Vec<String>,
    pub(super) cwd: String,
    pub(super) hostname: String,
    pub(super) domainname: String,
    pub(super) env: Vec<String>,
    pub(super) rootfs: Rootfs,
    pub(super) mounts: Vec<WantedMount>,
    pub(super) ports: Ports,
    pub(super) mode: NetworkMode,
    pub(super) dns: DnsSettings,
    pub(super) extra_hosts: Vec<(String, String)>,
    pub(super) resources: Resources,
    pub(super) rlimits: Vec<Rlimit>,
    pub(super) capabilities: Vec<String>,
    pub(super) no_new_privileges: bool,
    pub(super) seccomp: Seccomp,
    pub(super) all_paths: bool,
    pub(super) spaces: Spaces,
    pub(super) devices: Vec<Device>,
    pub(super) sysctls: BTreeMap<String, String>,
    pub(super) restart: RestartPolicy,
    pub(super) logging: Logging,
    pub(super) stop_signal: i32,
    /// `None` waits for ever.
    pub(super) stop_timeout: Option<Duration>,
    /// The OCI runtime, unless it is the built-in one.
    pub(super) oci_runtime: Option<PathBuf>,
    pub(super) init: bool,
    pub(super) shm_size: u64,
    pub(super) cgroup_parent: Option<String>,
    pub(super) oom_score_adj: Option<i32>,
    pub(super) volumes_from: Vec<(String, Access)>,
    pub(super) egress: Option<EgressPolicy>,
    pub(super) traffic: Traffic,
}

/// Where the root file system comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rootfs {
    /// The built-in image.
    Host,
    /// A directory of the machine.
    Dir(PathBuf),
}

/// Reads a record's request.
pub(super) fn read(record: &Record, defaults: &ContainerDefaults) -> Result<Wanted, ContainerError> {
    let (config, host) = (&record.config, &record.host);
    refuse(config, host)?;
    let mode = record.mode();
    let hostname = config.hostname.clone().unwrap_or_default();
    let domainname = config.domainname.clone().unwrap_or_default();
    for name in [&hostname, &domainname] {
        command::check_hostname(name)?;
    }
    let egress = networks::egress(config, &mode)?;
    let rights = rights::rights(host, defaults.no_new_privileges)?;
    let own_network = !matches!(mode, NetworkMode::Host);
    let oci_runtime = oci_runtime(host.runtime.as_deref(), defaults)?;
    Ok(Wanted {
        args: command::args(config)?,
        cwd: command::cwd(config)?,
        env: command::env(config, &hostname, None)?,
        rootfs: rootfs(host)?,
        mounts: mounts::read(config, host)?,
        ports: ports::read(config, host)?,
        dns: networks::dns(host)?,
        extra_hosts: networks::extra_hosts(host)?,
        resources: limits::resources(host)?,
        rlimits: limits::rlimits(host)?,
        capabilities: rights.capabilities,
        no_new_privileges: rights.no_new_privileges,
        seccomp: rights.seccomp,
        all_paths: rights.all_paths,
        spaces: rights::spaces(host)?,
        devices: rights::devices(host)?,
        sysctls: rights::sysctls(host, own_network)?,
        restart: restart(host.restart_policy.as_ref(), record.auto_remove())?,
        logging: limits::logging(host.log_config.as_ref(), &defaults.log_options)?,
        stop_signal: stop_signal(config)?,
        stop_timeout: stop_timeout(config.stop_timeout),
        oci_runtime,
        init: host.init.unwrap_or(defaults.init),
        shm_size: shm_size(host, defaults)?,
        cgroup_parent: host.cgroup_parent.clone().filter(|parent| !parent.is_empty()),
        oom_score_adj: oom_score_adj(host)?,
        volumes_from: volumes_from(host)?,
        traffic: networks::traffic(config, &mode)?,
        egress,
        mode,
        hostname,
        domainname,
    })
}

/// What a request says about networks. `called` is the name of the network that is named so, or so begins its id.
pub(super) fn networks(
    body: &models::ContainerCreateBody,
    called: impl Fn(&str) -> String,
) -> Result<WantedNetworks, ContainerError> {
    networks::read(body, called)
}

/// What is asked for and can't be had, and would matter.
fn refuse(config: &models::ContainerConfig, host: &models::HostConfig) -> Result<(), ContainerError> {
    fn some<T>(list: Option<&Vec<T>>) -> bool {
        list.is_some_and(|list| !list.is_empty())
    }
    let weights = some(host.blkio_weight_device.as_ref());
    let rates = [
        &host.blkio_device_read_bps,
        &host.blkio_device_write_bps,
        &host.blkio_device_read_iops,
        &host.blkio_device_write_iops,
    ];
    let blkio = weights || rates.iter().any(|rate| some(rate.as_ref()));
    let check = config.healthcheck.as_ref().and_then(|check| check.test.as_deref());
    let health =
        check.is_some_and(|test| !matches!(test.first().map(String::as_str), None | Some("" | "NONE")));
    let missing = [
        (blkio, "block I/O limits per device"),
        (host.blkio_weight.is_some_and(|weight| weight > 0), "block I/O weights"),
        (host.cpu_realtime_runtime.is_some_and(|time| time > 0), "real-time CPU limits"),
        (host.oom_kill_disable == Some(true), "disabling the out-of-memory killer"),
        (host.storage_opt.as_ref().is_some_and(|options| !options.is_empty()), "storage options"),
        (health, "health checks"),
    ];
    if let Some((_, what)) = missing.iter().find(|(asked, _)| *asked) {
        return Err(ContainerError::NotImplemented(format!("{what} are not supported by this daemon")));
    }
    Ok(())
}

/// What is asked for, can't be had, and changes nothing that a program would notice.
pub(super) fn warnings(host: &Folded<models::HostConfig>) -> Vec<String> {
    let swappiness = host.memory_swappiness.is_some_and(|value| value >= 0);
    let asked = [
        (swappiness, "Memory swappiness is not set by this daemon. Memory swappiness discarded."),
        (
            host.cpu_count.is_some_and(|count| count > 0)
                || host.cpu_percent.is_some_and(|percent| percent > 0),
            "CPU count and percent are limits of another operating system and are discarded.",
        ),
        (
            host.network_mode.as_deref() == Some("host")
                && (host.publish_all_ports == Some(true)
                    || host.ports().is_some_and(|ports| !ports.is_empty())),
            "Published ports are discarded when using host network mode",
        ),
    ];
    asked.iter().filter(|(asked, _)| *asked).map(|(_, text)| (*text).to_owned()).collect()
}

fn rootfs(host: &models::HostConfig) -> Result<Rootfs, ContainerError> {
    match host.annotations.as_ref().and_then(|annotations| annotations.get(ROOTFS_ANNOTATION)) {
        None => Ok(Rootfs::Host),
        Some(dir) if dir.starts_with('/') => Ok(Rootfs::Dir(dir.into())),
        Some(dir) => invalid(format!("invalid root directory '{dir}': it must be an absolute path")),
    }
}

fn oci_runtime(name: Option<&str>, defaults: &ContainerDefaults) -> Result<Option<PathBuf>, ContainerError> {
    let name = name.filter(|name| !name.is_empty()).unwrap_or(&defaults.runtime);
    if name == crate::config::BUILTIN_RUNTIME {
        return Ok(None);
    }
    if let Some(runtime) = defaults.runtimes.get(name) {
        return Ok(Some(runtime.path.clone()));
    }
    match name {
        // Known by their names, wherever they are installed.
        "runc" | "crun" | "youki" => Ok(Some(name.into())),
        _ => invalid(format!("unknown or invalid runtime name: {name}")),
    }
}

fn stop_signal(config: &models::ContainerConfig) -> Result<i32, ContainerError> {
    let text = config.stop_signal.as_deref().unwrap_or_default();
    if text.is_empty() { Ok(nix::libc::SIGTERM) } else { signal(text) }
}

/// Negative is for ever.
pub(super) fn stop_timeout(seconds: Option<i64>) -> Option<Duration> {
    match seconds {
        None => Some(STOP_TIMEOUT),
        Some(seconds) => u64::try_from(seconds).ok().map(Duration::from_secs),
    }
}

fn shm_size(host: &models::HostConfig, defaults: &ContainerDefaults) -> Result<u64, ContainerError> {
    match host.shm_size.unwrap_or(0) {
        0 => Ok(defaults.shm_size),
        size => u64::try_from(size).or_else(|_| invalid("SHM size can not be less than 0")),
    }
}

fn oom_score_adj(host: &models::HostConfig) -> Result<Option<i32>, ContainerError> {
    let score = host.oom_score_adj.unwrap_or(0);
    match i32::try_from(score) {
        Ok(0) => Ok(None),
        Ok(score) if (-1000..=1000).contains(&score) => Ok(Some(score)),
        _ => invalid(format!("Invalid value {score}, range for oom score adj is [-1000, 1000]")),
    }
}

/// `--volumes-from NAME[:ro|rw]`.
fn volumes_from(host: &models::HostConfig) -> Result<Vec<(String, Access)>, ContainerError> {
    let read = |text: &String| {
        let (name, mode) = text.split_once(':').unwrap_or((text, "rw"));
        match mode {
            "rw" | "z" | "Z" => Ok((name.to_owned(), Access::ReadWrite)),
            "ro" => Ok((name.to_owned(), Access::ReadOnly)),
            _ => invalid(format!("invalid mode for volumes-from: {mode}")),
        }
    };
    host.volumes_from.iter().flatten().map(read).collect()
}
