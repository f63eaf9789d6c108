//! What the daemon is told to do: flags and netd.json, read once, merged, checked and typed before anything is
//! started. Everything below takes its part of [`Config`] as a value; nobody reads a flag, a file or the environment
//! again, except [`load`] for what SIGHUP may change.

mod check;
mod file;
mod settings;

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use ipnetwork::{IpNetwork, Ipv4Network, Ipv6Network};
use libnet::{
    firewall::FirewallOptions,
    types::{IfName, Mtu},
};

pub use check::SettingError;
pub use file::FileError;
pub use settings::{Flags, Settings};

/// Where the settings are, unless `--config-file` says otherwise.
pub const DEFAULT_FILE: &str = "/etc/pontoon/netd.json";
/// The built-in runtime's name.
pub const BUILTIN_RUNTIME: &str = "pontoon";

/// Everything that the daemon is told, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where it listens.
    pub hosts: Vec<Listen>,
    /// State that survives a reboot.
    pub data_root: PathBuf,
    /// State that does not.
    pub exec_root: PathBuf,
    /// Where the process id is written.
    pub pidfile: Option<PathBuf>,
    /// Whom the unix socket belongs to, besides root.
    pub group: SocketGroup,
    /// How much is logged.
    pub log_level: LogLevel,
    /// Whether containers outlive a clean stop of the daemon.
    pub live_restore: bool,
    /// How long containers have to stop when the daemon does; `None` is for ever.
    pub shutdown_timeout: Option<Duration>,
    /// Where metrics are served.
    pub metrics: Option<SocketAddr>,
    /// The daemon's own labels.
    pub labels: Vec<String>,
    /// Networks.
    pub network: NetworkDefaults,
    /// Containers.
    pub container: ContainerDefaults,
    /// What the user should know: keys that change nothing here, doors that are open.
    pub warnings: Vec<String>,
}

/// A place to listen at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// `unix://PATH`.
    Unix(PathBuf),
    /// `tcp://ADDRESS:PORT`.
    Tcp(SocketAddr),
    /// `fd://`: the sockets that systemd hands over.
    Inherited,
}

/// Whom the unix socket belongs to, besides root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketGroup {
    /// The group `pontoon`, if there is one.
    Default,
    /// This one, and it must exist.
    Named(String),
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Decisions too.
    Debug,
    /// What is created and removed.
    Info,
    /// What works, but worse than it should.
    Warn,
    /// What someone must fix.
    Error,
}

/// What networks get unless they are told otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkDefaults {
    /// The network called `bridge`; `None` if there shall be none.
    pub bridge: Option<DefaultBridge>,
    /// Where subnets are taken from; empty means the built-in pools.
    pub pools: Vec<AddressPool>,
    /// Options of new networks, by driver.
    pub options: BTreeMap<String, BTreeMap<String, String>>,
    /// What containers get in their resolv.conf.
    pub dns: DnsDefaults,
    /// What `host-gateway` stands for; empty means the default bridge's gateways.
    pub host_gateway: Vec<IpAddr>,
    /// Whether forwarding is switched on.
    pub ip_forward: bool,
    /// What the firewall lets through besides published ports.
    pub firewall: FirewallOptions,
    /// Whether flows that NAT can't serve are spliced by the daemon.
    pub userland_proxy: bool,
}

/// The network called `bridge`.
#[derive(Clone, Debug, PartialEq)]
pub struct DefaultBridge {
    /// Its link; `None` means our own `pontoon0`, otherwise it exists already and is not ours to change.
    pub existing: Option<IfName>,
    /// The gateway's address with its prefix.
    pub bip: Option<Ipv4Network>,
    /// The same in IPv6.
    pub bip6: Option<Ipv6Network>,
    /// The part of the subnet that addresses are taken from.
    pub fixed_cidr: Option<Ipv4Network>,
    /// The same in IPv6.
    pub fixed_cidr_v6: Option<Ipv6Network>,
    /// Where the default route of containers points, if not to the bridge.
    pub gateway: Option<Ipv4Addr>,
    /// The same in IPv6.
    pub gateway_v6: Option<Ipv6Addr>,
    /// Whether it has IPv6.
    pub ipv6: bool,
    /// Whether its containers reach each other.
    pub icc: bool,
    /// The host address of published ports that name none.
    pub host_ip: Option<IpAddr>,
    /// Whether its packets leave under the host's address.
    pub masquerade: bool,
    /// Its MTU; `None` is that of the egress link.
    pub mtu: Option<Mtu>,
}

/// A pool that subnets are taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressPool {
    /// The pool.
    pub base: IpNetwork,
    /// Prefix length of each subnet.
    pub size: u8,
}

/// What containers get in their resolv.conf; empty means what the host has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DnsDefaults {
    /// Servers.
    pub servers: Vec<IpAddr>,
    /// Search domains.
    pub search: Vec<String>,
    /// Options.
    pub options: Vec<String>,
}

/// What containers get unless they are told otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerDefaults {
    /// The runtime's name: [`BUILTIN_RUNTIME`], or one of `runtimes`.
    pub runtime: String,
    /// OCI runtimes by name.
    pub runtimes: BTreeMap<String, OciRuntime>,
    /// The cgroup above all containers.
    pub cgroup_parent: String,
    /// The shim; `None` is `netd-shim` beside our own executable.
    pub shim: Option<PathBuf>,
    /// Whether containers get an init.
    pub init: bool,
    /// Whether processes may gain privileges.
    pub no_new_privileges: bool,
    /// Size of /dev/shm in bytes.
    pub shm_size: u64,
    /// Options of the json-file log driver.
    pub log_options: BTreeMap<String, String>,
    /// Whether links of the default bridge are told in the environment.
    pub link_variables: LinkVariables,
}

/// Whether a container finds its links in its environment, as it did before Docker 29.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkVariables {
    /// It does not.
    #[default]
    Absent,
    /// It does.
    Present,
}

/// An OCI runtime binary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OciRuntime {
    /// The program.
    pub path: PathBuf,
    /// What it is always called with.
    pub args: Vec<String>,
}

impl Config {
    /// This configuration with what may change while the daemon runs taken from `other`.
    #[must_use]
    pub fn reloaded(&self, other: &Self) -> Self {
        Self {
            log_level: other.log_level,
            live_restore: other.live_restore,
            shutdown_timeout: other.shutdown_timeout,
            labels: other.labels.clone(),
            ..self.clone()
        }
    }
}

/// The daemon can't be configured.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is at fault.
    #[error(transparent)]
    File(#[from] FileError),
    /// A value makes no sense.
    #[error(transparent)]
    Setting(#[from] SettingError),
}

/// Reads the configuration that the flags name.
///
/// # Errors
/// [`ConfigError`]: the file is missing though it was named, malformed, says what a flag says, or a value is wrong.
pub fn load(flags: &Flags) -> Result<Config, ConfigError> {
    let merged = file::merge(flags.config_file.clone(), content(&flags.config_file), &flags.settings)?;
    Ok(check::config(merged)?)
}

/// The file's content; the default file need not be there.
fn content(path: &Path) -> io::Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && path == Path::new(DEFAULT_FILE) => Ok(None),
        Err(error) => Err(error),
    }
}
