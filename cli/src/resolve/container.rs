//! The flags of `run` and `create`, to the request that makes a container.

use std::collections::BTreeMap;
use std::path::Path;

use bollard::models::{ContainerCreateBody, HealthConfig, NetworkingConfig};

use super::host::host_config;
use super::network::some;
use super::{Invalid, files, lists, mounts, network, ports};
use crate::args::{Create, HealthFlags};

/// What flags are read against: the caller's variables and working directory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller<'a> {
    pub(crate) variables: &'a BTreeMap<String, String>,
    pub(crate) cwd: &'a Path,
}

/// Whether somebody stays connected to the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stays {
    Attached,
    Detached,
}

/// The request, and what the caller does around it.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) body: ContainerCreateBody,
    pub(crate) name: Option<String>,
    pub(crate) platform: String,
    pub(crate) cidfile: Option<String>,
    pub(crate) auto_remove: bool,
}

/// Decides everything that flags can decide.
pub(crate) fn plan(flags: &Create, stays: Stays, caller: &Caller<'_>) -> Result<Plan, Invalid> {
    check(flags)?;
    let process = &flags.process;
    let (image, command) = image_and_command(flags);
    let ports = ports::ports(&flags.network.publish, &flags.network.expose)?;
    let networks = network::networks(&flags.network)?;
    let (binds, anonymous) = mounts::volumes(&flags.host.volume, caller.cwd);
    let attached = attached(&process.attach, stays, process.interactive);
    let environment =
        lists::environment(&files::read_all(&process.env_file)?, &process.env, caller.variables)?;
    let labels = lists::labels(&files::read_all(&process.label_file)?, &process.label)?;
    let host = host_config(flags, networks.mode.clone(), ports.bindings, binds, caller)?;
    let body = ContainerCreateBody {
        hostname: flags.network.hostname.clone(),
        domainname: flags.network.domainname.clone(),
        user: process.user.clone(),
        attach_stdin: Some(attached.stdin),
        attach_stdout: Some(attached.stdout),
        attach_stderr: Some(attached.stderr),
        exposed_ports: some(ports.exposed),
        tty: Some(process.tty),
        open_stdin: Some(process.interactive),
        stdin_once: Some(process.interactive && attached.stdin),
        env: some(environment),
        cmd: some(command),
        healthcheck: health(&flags.health)?,
        image: Some(image),
        volumes: some(anonymous),
        working_dir: process.workdir.clone(),
        entrypoint: process.entrypoint.clone().map(|entrypoint| vec![entrypoint]),
        labels: (!labels.is_empty()).then_some(labels),
        stop_signal: process.stop_signal.clone(),
        stop_timeout: process.stop_timeout,
        host_config: Some(host),
        networking_config: Some(NetworkingConfig { endpoints_config: Some(networks.endpoints) }),
        ..ContainerCreateBody::default()
    };
    Ok(Plan {
        body,
        name: flags.name.clone().filter(|name| !name.is_empty()),
        platform: flags.platform.clone().unwrap_or_default(),
        cidfile: process.cidfile.clone(),
        auto_remove: process.rm,
    })
}

/// The texts are Docker's; what is not in conflict here the daemon looks at again.
fn check(flags: &Create) -> Result<(), Invalid> {
    if !matches!(flags.pull.as_str(), "always" | "missing" | "never") {
        return Err(Invalid(format!(
            "invalid pull option: '{}': must be one of \"always\", \"missing\" or \"never\"",
            flags.pull
        )));
    }
    let restarts = flags.restart.restart.as_deref().is_some_and(|r| !r.is_empty() && r != "no");
    if flags.process.rm && restarts {
        return Err(Invalid::new("conflicting options: cannot specify both --restart and --rm"));
    }
    let shared = |mode: &Option<String>, more: &[&str]| match mode.as_deref() {
        None | Some("" | "host") => true,
        Some(mode) => {
            more.contains(&mode) || mode.strip_prefix("container:").is_some_and(|of| !of.is_empty())
        }
    };
    if !shared(&flags.host.pid, &[]) {
        return Err(Invalid::new("--pid: invalid PID mode"));
    }
    let host_only = |mode: &Option<String>| matches!(mode.as_deref(), None | Some("" | "host"));
    if !host_only(&flags.host.uts) {
        return Err(Invalid::new("--uts: invalid UTS mode"));
    }
    if !host_only(&flags.host.userns) {
        return Err(Invalid::new("--userns: invalid USER mode"));
    }
    if !matches!(flags.host.cgroupns.as_deref(), None | Some("" | "host" | "private")) {
        return Err(Invalid::new("--cgroupns: invalid CGROUP mode"));
    }
    if !(-1..=100).contains(&flags.devices.memory_swappiness) {
        let value = flags.devices.memory_swappiness;
        return Err(Invalid(format!("invalid value: {value}. Valid memory swappiness range is 0-100")));
    }
    Ok(())
}

/// With `--rootfs` there is no image: every word belongs to the command.
fn image_and_command(flags: &Create) -> (String, Vec<String>) {
    match (&flags.host.rootfs, flags.words.split_first()) {
        (None, Some((image, command))) => (image.clone(), command.to_vec()),
        _ => ("rootfs".to_owned(), flags.words.clone()),
    }
}

/// The streams that somebody is connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attached {
    pub(crate) stdin: bool,
    pub(crate) stdout: bool,
    pub(crate) stderr: bool,
}

fn attached(flags: &[String], stays: Stays, interactive: bool) -> Attached {
    let named = |name: &str| flags.iter().any(|flag| flag == name);
    match stays {
        Stays::Detached => Attached { stdin: false, stdout: false, stderr: false },
        Stays::Attached if flags.is_empty() => Attached { stdin: interactive, stdout: true, stderr: true },
        Stays::Attached => {
            Attached { stdin: named("stdin"), stdout: named("stdout"), stderr: named("stderr") }
        }
    }
}

fn health(flags: &HealthFlags) -> Result<Option<HealthConfig>, Invalid> {
    let times = [
        ("interval", flags.health_interval),
        ("timeout", flags.health_timeout),
        ("retries", flags.health_retries),
        ("start-period", flags.health_start_period),
        ("start-interval", flags.health_start_interval),
    ];
    let given = flags.health_cmd.is_some() || times.iter().any(|(_, time)| time.is_some());
    if flags.no_healthcheck {
        if given {
            return Err(Invalid::new("--no-healthcheck conflicts with --health-* options"));
        }
        let test = Some(vec!["NONE".to_owned()]);
        return Ok(Some(HealthConfig { test, ..HealthConfig::default() }));
    }
    if let Some((name, _)) = times.iter().find(|(_, time)| time.is_some_and(|t| t < 0)) {
        return Err(Invalid(format!("--health-{name} cannot be negative")));
    }
    Ok(given.then(|| HealthConfig {
        test: flags.health_cmd.clone().map(|command| vec!["CMD-SHELL".to_owned(), command]),
        interval: flags.health_interval,
        timeout: flags.health_timeout,
        retries: flags.health_retries,
        start_period: flags.health_start_period,
        start_interval: flags.health_start_interval,
    }))
}
