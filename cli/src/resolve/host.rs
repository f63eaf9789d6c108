//! The half of a request that says what a container may use and see of its host.

use std::collections::{BTreeSet, HashMap};

use bollard::models::{
    DeviceMapping, HostConfig, HostConfigLogConfig, ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
    ThrottleDevice,
};

use super::container::Caller;
use super::network::some;
use super::{Invalid, files, lists, mounts, ports, units};
use crate::args::{Create, DeviceLimits, HostFlags, Limits, NetworkFlags};

/// The annotation that names a root file system instead of an image.
const ROOTFS: &str = "io.pontoon.rootfs";

pub(super) fn host_config(
    flags: &Create,
    mode: String,
    bindings: ports::Bindings,
    binds: Vec<String>,
    caller: &Caller<'_>,
) -> Result<HostConfig, Invalid> {
    let host = limits(&flags.limits);
    let host = device_limits(host, &flags.devices)?;
    let host = names(host, &flags.network);
    let host = surroundings(host, &flags.host, caller)?;
    let mut all = Vec::new();
    for text in &flags.host.mount {
        all.push(mounts::mount(text).map_err(Invalid)?);
    }
    let tmpfs = mounts::tmpfs_flags(&flags.host.tmpfs);
    Ok(HostConfig {
        network_mode: Some(mode),
        port_bindings: (!bindings.is_empty()).then_some(bindings),
        publish_all_ports: Some(flags.network.publish_all),
        binds: some(binds),
        mounts: some(all),
        tmpfs: (!tmpfs.is_empty()).then_some(tmpfs),
        auto_remove: Some(flags.process.rm),
        init: flags.process.init,
        container_id_file: flags.process.cidfile.clone(),
        restart_policy: restart(Some(flags.restart.restart.as_deref().unwrap_or("no")))?,
        ..host
    })
}

/// The part that `update` shares.
pub(crate) fn limits(flags: &Limits) -> HostConfig {
    HostConfig {
        blkio_weight: flags.blkio_weight,
        cpu_period: flags.cpu_period,
        cpu_quota: flags.cpu_quota,
        cpu_realtime_period: flags.cpu_rt_period,
        cpu_realtime_runtime: flags.cpu_rt_runtime,
        cpu_shares: flags.cpu_shares,
        nano_cpus: flags.cpus,
        cpuset_cpus: flags.cpuset_cpus.clone(),
        cpuset_mems: flags.cpuset_mems.clone(),
        memory: flags.memory,
        memory_reservation: flags.memory_reservation,
        memory_swap: flags.memory_swap,
        pids_limit: flags.pids_limit,
        ..HostConfig::default()
    }
}

fn device_limits(host: HostConfig, flags: &DeviceLimits) -> Result<HostConfig, Invalid> {
    let mut devices = Vec::new();
    for text in &flags.device {
        devices.push(device(text)?);
    }
    let throttles = |flags: &[String]| some(flags.iter().map(|text| throttle(text)).collect());
    Ok(HostConfig {
        devices: some(devices),
        device_cgroup_rules: some(flags.device_cgroup_rule.clone()),
        blkio_device_read_bps: throttles(&flags.device_read_bps),
        blkio_device_read_iops: throttles(&flags.device_read_iops),
        blkio_device_write_bps: throttles(&flags.device_write_bps),
        blkio_device_write_iops: throttles(&flags.device_write_iops),
        memory_swappiness: (flags.memory_swappiness != -1).then_some(flags.memory_swappiness),
        oom_kill_disable: flags.oom_kill_disable.then_some(true),
        oom_score_adj: flags.oom_score_adj,
        ulimits: some(flags.ulimit.iter().map(|text| ulimit(text)).collect()),
        ..host
    })
}

fn names(host: HostConfig, flags: &NetworkFlags) -> HostConfig {
    HostConfig {
        dns: some(flags.dns.clone()),
        dns_options: some(flags.dns_option.clone()),
        dns_search: some(flags.dns_search.clone()),
        extra_hosts: some(flags.add_host.clone()),
        links: some(flags.link.clone()),
        ..host
    }
}

fn surroundings(host: HostConfig, flags: &HostFlags, caller: &Caller<'_>) -> Result<HostConfig, Invalid> {
    let mut annotations = lists::map(&flags.annotation);
    if let Some(rootfs) = &flags.rootfs {
        annotations.insert(ROOTFS.to_owned(), mounts::absolute(rootfs, caller.cwd));
    }
    let shm_size = flags.shm_size.as_deref().map(units::bytes).transpose().map_err(Invalid)?;
    let storage = lists::pairs(&flags.storage_opt, "invalid storage option")?;
    let (cap_add, cap_drop) = capabilities(&flags.cap_add, &flags.cap_drop);
    let (security, paths) = security(&flags.security_opt)?;
    Ok(HostConfig {
        annotations: full(annotations),
        cap_add: some(cap_add),
        cap_drop: some(cap_drop),
        cgroup_parent: flags.cgroup_parent.clone(),
        cgroupns_mode: flags.cgroupns.as_deref().and_then(|mode| mode.parse().ok()),
        group_add: some(flags.group_add.clone()),
        ipc_mode: flags.ipc.clone(),
        log_config: Some(log_config(flags)?),
        pid_mode: flags.pid.clone(),
        privileged: Some(flags.privileged),
        readonly_rootfs: Some(flags.read_only),
        runtime: flags.runtime.clone(),
        security_opt: some(security),
        masked_paths: paths.then(Vec::new),
        readonly_paths: paths.then(Vec::new),
        shm_size,
        storage_opt: full(storage),
        sysctls: full(lists::map(&flags.sysctl)),
        userns_mode: flags.userns.clone(),
        uts_mode: flags.uts.clone(),
        volume_driver: flags.volume_driver.clone(),
        volumes_from: some(flags.volumes_from.clone()),
        ..host
    })
}

/// As the kernel names them, in order, each once; `ALL` stands for the rest, and what is added is not taken away.
fn capabilities(add: &[String], drop: &[String]) -> (Vec<String>, Vec<String>) {
    let tidy = |names: &[String]| {
        let named = names.iter().map(|name| name.trim().to_uppercase()).map(|name| match name.as_str() {
            "ALL" | "RESET" => name,
            _ if name.starts_with("CAP_") => name,
            _ => format!("CAP_{name}"),
        });
        let all: BTreeSet<String> = named.collect();
        if all.contains("ALL") { vec!["ALL".to_owned()] } else { all.into_iter().collect() }
    };
    let add = tidy(add);
    let drop = tidy(drop).into_iter().filter(|name| name == "ALL" || !add.contains(name)).collect();
    (add, drop)
}

fn full(map: HashMap<String, String>) -> Option<HashMap<String, String>> {
    (!map.is_empty()).then_some(map)
}

fn log_config(flags: &HostFlags) -> Result<HostConfigLogConfig, Invalid> {
    let driver = flags.log_driver.clone().unwrap_or_default();
    if driver == "none" && !flags.log_opt.is_empty() {
        return Err(Invalid(format!("invalid logging opts for driver {driver}")));
    }
    Ok(HostConfigLogConfig { typ: Some(driver), config: Some(lists::map(&flags.log_opt)) })
}

/// A seccomp profile is sent as its content; `systempaths=unconfined` shows what is hidden of /proc and /sys (the
/// flag behind the options).
fn security(flags: &[String]) -> Result<(Vec<String>, bool), Invalid> {
    let mut options = Vec::new();
    let mut paths = false;
    for flag in flags {
        let split = flag.split_once('=').or_else(|| flag.split_once(':'));
        match split {
            None if flag != "no-new-privileges" => {
                return Err(Invalid(format!("invalid --security-opt: {flag:?}")));
            }
            Some(("systempaths", "unconfined")) => paths = true,
            Some(("seccomp", profile)) if profile != "unconfined" && profile != "builtin" => {
                let content = files::read(profile)
                    .map_err(|e| Invalid(format!("opening seccomp profile ({profile}) failed: {e}")))?;
                let json: serde_json::Value = serde_json::from_str(&content).map_err(|e| {
                    Invalid(format!("compacting json for seccomp profile ({profile}) failed: {e}"))
                })?;
                options.push(format!("seccomp={json}"));
            }
            _ => options.push(flag.clone()),
        }
    }
    Ok((options, paths))
}

/// `no`, `always`, `unless-stopped`, `on-failure[:times]`.
pub(crate) fn restart(text: Option<&str>) -> Result<Option<RestartPolicy>, Invalid> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let (name, times) = match text.split_once(':') {
        Some((name, times)) if !times.contains(':') => (name, Some(times)),
        Some(_) => {
            return Err(Invalid::new(
                "invalid restart policy format: maximum retry count must be an integer",
            ));
        }
        None => (text, None),
    };
    if name.is_empty() {
        return Err(Invalid::new("invalid restart policy format: no policy provided before colon"));
    }
    let count = times.map(str::parse::<i64>).transpose();
    let count = count
        .map_err(|_| Invalid::new("invalid restart policy format: maximum retry count must be an integer"))?;
    let name: RestartPolicyNameEnum = name.parse().map_err(|_| {
        Invalid(format!(
            "invalid restart policy: unknown policy '{name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        ))
    })?;
    Ok(Some(RestartPolicy { name: Some(name), maximum_retry_count: Some(count.unwrap_or(0)) }))
}

/// `host[:container[:access]]`; a second part of only `r`, `w`, `m` is the access.
fn device(text: &str) -> Result<DeviceMapping, Invalid> {
    let access = |text: &str| !text.is_empty() && text.chars().all(|c| matches!(c, 'r' | 'w' | 'm'));
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, mode) = match parts[..] {
        [source] => (source, source, "rwm"),
        [source, second] if access(second) => (source, source, second),
        [source, target] => (source, target, "rwm"),
        [source, target, mode] if access(mode) => (source, target, mode),
        _ => return Err(Invalid(format!("invalid device specification: {text}"))),
    };
    Ok(DeviceMapping {
        path_on_host: Some(source.to_owned()),
        path_in_container: Some(target.to_owned()),
        cgroup_permissions: Some(mode.to_owned()),
    })
}

/// `path:rate`; the shape was checked when the flag was parsed.
fn throttle(text: &str) -> ThrottleDevice {
    let (path, rate) = text.rsplit_once(':').unwrap_or((text, "0"));
    ThrottleDevice { path: Some(path.to_owned()), rate: units::bytes(rate).ok() }
}

/// `name=soft[:hard]`; the shape was checked when the flag was parsed.
fn ulimit(text: &str) -> ResourcesUlimits {
    let (name, limits) = text.split_once('=').unwrap_or((text, ""));
    let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
    ResourcesUlimits { name: Some(name.to_owned()), soft: soft.parse().ok(), hard: hard.parse().ok() }
}
