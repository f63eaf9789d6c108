//! What the machine and this daemon are: the answers of `docker version` and `docker info`. Reading the machine is the
//! shell ([`Facts::read`]); putting the answers together is pure.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
};

use nix::sys::utsname::{UtsName, uname};

use netd_api::{
    models,
    version::{NEWEST, OLDEST},
};

use crate::{config::Config, image::architecture, network::Driver};

/// What does not change while the daemon runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    kernel: String,
    hostname: String,
    operating_system: String,
    os_version: String,
    machine: String,
    processors: i64,
    memory: i64,
    cgroup: Cgroup,
    /// The daemon's own identity, kept in its data root.
    id: String,
}

/// How the kernel's control groups are mounted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Cgroup {
    /// Controllers in hierarchies of their own, or a mixture.
    #[default]
    V1,
    /// One hierarchy.
    V2,
}

/// The daemon's identity can't be read or kept.
#[derive(Debug, thiserror::Error)]
#[error("cannot keep the daemon's identity in {}: {source}", path.display())]
pub struct IdentityError {
    path: PathBuf,
    source: io::Error,
}

/// The daemon's identity: made up once, kept in the data root, under Docker's own name for that file.
///
/// # Errors
/// If it can be neither read nor written.
pub fn identity(data_root: &Path, random: impl FnOnce(&mut [u8])) -> Result<String, IdentityError> {
    let path = data_root.join("engine-id");
    match fs::read_to_string(&path) {
        Ok(id) if !id.trim().is_empty() => return Ok(id.trim().to_owned()),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(IdentityError { path, source }),
    }
    let mut bytes = [0; 16];
    random(&mut bytes);
    let id = uuid(bytes);
    match fs::write(&path, &id) {
        Ok(()) => Ok(id),
        Err(source) => Err(IdentityError { path, source }),
    }
}

/// These random bits as a UUID of version 4 (RFC 9562).
fn uuid(bytes: [u8; 16]) -> String {
    let bits = u128::from_be_bytes(bytes) & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// What is counted when someone asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Containers that run, paused ones included.
    pub running: usize,
    /// Containers that are paused.
    pub paused: usize,
    /// Containers that don't run.
    pub stopped: usize,
    /// Who listens to events.
    pub listeners: usize,
    /// Descriptors that are open.
    pub descriptors: usize,
}

/// What is so at this moment.
#[derive(Clone, Debug)]
pub struct Present {
    /// How many of what.
    pub counts: Counts,
    /// The drivers that networks can have on this kernel.
    pub drivers: Vec<Driver>,
    /// Whether the kernel forwards IPv4 packets.
    pub forwards_v4: bool,
    /// What time it is.
    pub time: jiff::Timestamp,
}

impl Facts {
    /// Looks at the machine. What can't be read is left empty: none of it is worth failing for.
    pub fn read(id: String) -> Self {
        let name = uname().ok();
        let text = |text: Option<&std::ffi::OsStr>| {
            text.map_or_else(String::new, |t| t.to_string_lossy().into_owned())
        };
        let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        let v2 = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
        Self {
            kernel: text(name.as_ref().map(UtsName::release)),
            hostname: text(name.as_ref().map(UtsName::nodename)),
            machine: text(name.as_ref().map(UtsName::machine)),
            operating_system: os_release(&release, "PRETTY_NAME").unwrap_or_else(|| "Linux".to_owned()),
            os_version: os_release(&release, "VERSION_ID").unwrap_or_default(),
            processors: std::thread::available_parallelism().map_or(1, |n| n.get() as i64),
            memory: mem_total(&fs::read_to_string("/proc/meminfo").unwrap_or_default()),
            cgroup: if v2 { Cgroup::V2 } else { Cgroup::V1 },
            id,
        }
    }

    /// The daemon's own identity.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The answer of `docker version`.
    pub fn version(&self) -> models::SystemVersion {
        let ours = env!("CARGO_PKG_VERSION");
        let details = HashMap::from(
            [
                ("ApiVersion", NEWEST.to_string()),
                ("MinAPIVersion", OLDEST.to_string()),
                ("Os", "linux".to_owned()),
                ("Arch", architecture().to_owned()),
                ("KernelVersion", self.kernel.clone()),
                ("Experimental", "false".to_owned()),
                ("GitCommit", String::new()),
                ("GoVersion", String::new()),
                ("BuildTime", String::new()),
            ]
            .map(|(key, value)| (key.to_owned(), value)),
        );
        let engine = models::SystemVersionComponents {
            name: "Engine".to_owned(),
            version: ours.to_owned(),
            details: Some(details),
        };
        models::SystemVersion {
            platform: Some(models::SystemVersionPlatform { name: "Pontoon".to_owned() }),
            components: Some(vec![engine]),
            version: Some(ours.to_owned()),
            api_version: Some(NEWEST.to_string()),
            min_api_version: Some(OLDEST.to_string()),
            git_commit: Some(String::new()),
            go_version: Some(String::new()),
            os: Some("linux".to_owned()),
            arch: Some(architecture().to_owned()),
            kernel_version: Some(self.kernel.clone()),
            experimental: Some(false),
            build_time: Some(String::new()),
        }
    }

    /// The answer of `docker info`.
    pub fn info(&self, config: &Config, now: &Present) -> models::SystemInfo {
        let Present { counts, drivers, forwards_v4, time } = now;
        let count = |number: usize| Some(i64::try_from(number).unwrap_or(i64::MAX));
        let path = |path: &Path| Some(path.display().to_string());
        models::SystemInfo {
            id: Some(self.id.clone()),
            containers: count(counts.running + counts.stopped),
            containers_running: count(counts.running - counts.paused.min(counts.running)),
            containers_paused: count(counts.paused),
            containers_stopped: count(counts.stopped),
            images: Some(1),
            driver: Some("overlayfs".to_owned()),
            driver_status: Some(Vec::new()),
            docker_root_dir: path(&config.data_root),
            plugins: Some(plugins(drivers)),
            debug: Some(config.log_level == crate::config::LogLevel::Debug),
            nfd: count(counts.descriptors),
            n_goroutines: Some(0),
            n_events_listener: count(counts.listeners),
            system_time: Some(netd_api::time::rfc3339(*time)),
            logging_driver: Some("json-file".to_owned()),
            cgroup_driver: Some(models::SystemInfoCgroupDriverEnum::CGROUPFS),
            cgroup_version: Some(match self.cgroup {
                Cgroup::V1 => models::SystemInfoCgroupVersionEnum::_1,
                Cgroup::V2 => models::SystemInfoCgroupVersionEnum::_2,
            }),
            name: Some(self.hostname.clone()),
            labels: Some(config.labels.clone()),
            experimental_build: Some(false),
            server_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            index_server_address: Some("https://index.docker.io/v1/".to_owned()),
            runtimes: Some(runtimes(config)),
            default_runtime: Some(config.container.runtime.clone()),
            swarm: Some(swarm()),
            live_restore_enabled: Some(config.live_restore),
            init_binary: Some("netd-shim".to_owned()),
            security_options: Some(vec!["name=seccomp,profile=builtin".to_owned()]),
            default_address_pools: pools(config),
            firewall_backend: Some(models::FirewallInfo {
                driver: Some("nftables".to_owned()),
                info: Some(vec![vec!["Table".to_owned(), "inet pontoon".to_owned()]]),
            }),
            ipv4_forwarding: Some(*forwards_v4),
            warnings: Some(warnings(config, *forwards_v4)),
            ..self.machine()
        }
    }

    fn machine(&self) -> models::SystemInfo {
        models::SystemInfo {
            memory_limit: Some(true),
            swap_limit: Some(true),
            cpu_cfs_period: Some(true),
            cpu_cfs_quota: Some(true),
            cpu_shares: Some(true),
            cpu_set: Some(true),
            pids_limit: Some(true),
            oom_kill_disable: Some(self.cgroup == Cgroup::V1),
            kernel_version: Some(self.kernel.clone()),
            operating_system: Some(self.operating_system.clone()),
            os_version: Some(self.os_version.clone()),
            os_type: Some("linux".to_owned()),
            architecture: Some(self.machine.clone()),
            ncpu: Some(self.processors),
            mem_total: Some(self.memory),
            ..Default::default()
        }
    }
}

/// Docker warned of bridged frames that pass no firewall, too, until its version 27.4.
fn warnings(config: &Config, forwards_v4: bool) -> Vec<String> {
    let mut warnings = config.warnings.clone();
    if !forwards_v4 {
        warnings.push("WARNING: IPv4 forwarding is disabled".to_owned());
    }
    warnings
}

fn plugins(drivers: &[Driver]) -> models::PluginsInfo {
    let list = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect());
    models::PluginsInfo {
        volume: list(&["local"]),
        network: list(&drivers.iter().map(|driver| driver.as_str()).collect::<Vec<_>>()),
        authorization: None,
        log: list(&["json-file"]),
    }
}

fn runtimes(config: &Config) -> HashMap<String, models::Runtime> {
    let builtin = models::Runtime { path: Some("netd-shim".to_owned()), ..Default::default() };
    let others = config.container.runtimes.iter().map(|(name, runtime)| {
        let args = Some(runtime.args.clone()).filter(|args| !args.is_empty());
        let path = Some(runtime.path.display().to_string());
        (name.clone(), models::Runtime { path, runtime_args: args, status: None })
    });
    std::iter::once((crate::config::BUILTIN_RUNTIME.to_owned(), builtin)).chain(others).collect()
}

fn swarm() -> models::SwarmInfo {
    models::SwarmInfo {
        node_id: Some(String::new()),
        node_addr: Some(String::new()),
        local_node_state: Some(models::LocalNodeState::INACTIVE),
        control_available: Some(false),
        error: Some(String::new()),
        ..Default::default()
    }
}

fn pools(config: &Config) -> Option<Vec<models::SystemInfoDefaultAddressPools>> {
    let pools = config.network.pools.iter().map(|pool| models::SystemInfoDefaultAddressPools {
        base: Some(pool.base.to_string()),
        size: Some(i64::from(pool.size)),
    });
    Some(pools.collect::<Vec<_>>()).filter(|pools| !pools.is_empty())
}

/// One variable of os-release(5).
fn os_release(text: &str, name: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
    Some(value.trim().trim_matches(['"', '\'']).to_owned())
}

/// `MemTotal` of proc_meminfo(5), in bytes.
fn mem_total(text: &str) -> i64 {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib: Option<i64> = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
    kib.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_describes_itself() {
        let release =
            "NAME=\"Debian GNU/Linux\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID='12'\n";
        assert_eq!(os_release(release, "PRETTY_NAME").unwrap(), "Debian GNU/Linux 12 (bookworm)");
        assert_eq!(os_release(release, "VERSION_ID").unwrap(), "12");
        assert_eq!(os_release(release, "BUILD_ID"), None);
        assert_eq!(mem_total("MemFree: 1 kB\nMemTotal:       16384 kB\n"), 16384 * 1024);
        assert_eq!(mem_total(""), 0);
    }

    #[test]
    fn the_identity_stays() {
        let dir = tempfile::tempdir().unwrap();
        let first = identity(dir.path(), |bytes| bytes.fill(0xff)).unwrap();
        assert_eq!(first, "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(identity(dir.path(), |_| panic!("made up twice")).unwrap(), first);
        assert!(identity(&dir.path().join("missing"), |_| {}).is_err());
    }

    #[test]
    fn version_says_what_is_spoken() {
        let facts = Facts::read("id".to_owned());
        let version = facts.version();
        assert_eq!(version.api_version.as_deref(), Some("1.50"));
        assert_eq!(version.min_api_version.as_deref(), Some("1.24"));
        assert!(!version.kernel_version.unwrap().is_empty());
    }
}
