//! The settings as a user writes them: the flags of the command line and the keys of netd.json are one structure, so
//! that what can be said in one place can be said in the other, by the name that dockerd gives it. Nothing here is
//! checked beyond its type; [`super::Config`] is made of it.

use std::{collections::BTreeMap, path::PathBuf};

use clap::{Args, Parser};
use serde::{Deserialize, Serialize};

/// The command line.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "netd",
    about = "The Pontoon daemon: containers and their networks behind the Docker Engine API",
    version,
    disable_version_flag = true
)]
pub struct Flags {
    /// Daemon configuration file
    #[arg(long, value_name = "FILE", default_value = super::DEFAULT_FILE)]
    pub config_file: PathBuf,
    /// Validate the configuration and exit
    #[arg(long)]
    pub validate: bool,
    /// Print version information and quit
    #[arg(short = 'v', long, action = clap::ArgAction::Version)]
    version: Option<bool>,
    /// Everything that the configuration file may say as well.
    #[command(flatten)]
    pub settings: Settings,
}

/// What may be set by a flag or in the file; `None` is "not said".
#[derive(Clone, Debug, Default, PartialEq, Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Daemon")]
pub struct Settings {
    /// Daemon socket(s) to connect to: unix://PATH, tcp://ADDRESS:PORT or fd://
    #[arg(short = 'H', long = "host", value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hosts: Option<Vec<String>>,
    /// Root directory of persistent state [default: /var/lib/pontoon]
    #[arg(long, value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_root: Option<PathBuf>,
    /// Root directory of state that ends with the machine's run [default: /run/pontoon]
    #[arg(long, value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exec_root: Option<PathBuf>,
    /// Path to use for the daemon's PID file
    #[arg(short = 'p', long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pidfile: Option<PathBuf>,
    /// Group of the unix socket [default: pontoon, where it exists]
    #[arg(short = 'G', long, value_name = "GROUP")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Enable debug mode: more is logged
    #[arg(short = 'D', long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub debug: Option<bool>,
    /// Logging level: debug, info, warn, error or fatal [default: info]
    #[arg(short = 'l', long, value_name = "LEVEL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_level: Option<String>,
    /// Keep containers running over a clean stop of the daemon
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live_restore: Option<bool>,
    /// Seconds that containers have to stop when the daemon does [default: 15]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shutdown_timeout: Option<i64>,
    /// Address and port to serve metrics on, for Prometheus to read at /metrics
    #[arg(long, value_name = "ADDRESS:PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_addr: Option<String>,
    /// Set key=value labels of the daemon
    #[arg(long = "label", value_name = "KEY=VALUE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,

    /// The default bridge.
    #[command(flatten)]
    #[serde(flatten)]
    pub bridge: BridgeSettings,
    /// All networks.
    #[command(flatten)]
    #[serde(flatten)]
    pub network: NetworkSettings,
    /// Containers.
    #[command(flatten)]
    #[serde(flatten)]
    pub container: ContainerSettings,
}

/// What may be set of the network called `bridge`.
#[derive(Clone, Debug, Default, PartialEq, Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Default bridge")]
pub struct BridgeSettings {
    /// Attach containers to an existing bridge; "none" for no default network
    #[arg(short = 'b', long, value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bridge: Option<String>,
    /// IPv4 CIDR of the default bridge: its address and its subnet
    #[arg(long, value_name = "CIDR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bip: Option<String>,
    /// IPv6 CIDR of the default bridge
    #[arg(long, value_name = "CIDR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bip6: Option<String>,
    /// IPv4 subnet for fixed IPs
    #[arg(long, value_name = "CIDR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixed_cidr: Option<String>,
    /// IPv6 subnet for fixed IPs
    #[arg(long, value_name = "CIDR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixed_cidr_v6: Option<String>,
    /// Default gateway IPv4 address of containers on the default bridge
    #[arg(long, value_name = "IP")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_gateway: Option<String>,
    /// Default gateway IPv6 address of containers on the default bridge
    #[arg(long, value_name = "IP")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_gateway_v6: Option<String>,
    /// Enable IPv6 on the default bridge
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<bool>,
    /// Enable inter-container communication on the default bridge [default: true]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icc: Option<bool>,
    /// Host IP of port publishing on the default bridge [default: 0.0.0.0]
    #[arg(long, value_name = "IP")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// Enable IP masquerading on the default bridge [default: true]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_masq: Option<bool>,
    /// MTU of the default bridge [default: that of the egress link]
    #[arg(long, value_name = "BYTES", allow_negative_numbers = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<i64>,
}

/// What may be set of all networks.
#[derive(Clone, Debug, Default, PartialEq, Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Networks")]
pub struct NetworkSettings {
    /// Default address pools for node specific local networks: base=10.10.0.0/16,size=24
    #[arg(long = "default-address-pool", value_name = "POOL", value_parser = PoolSetting::parse)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_address_pools: Option<Vec<PoolSetting>>,
    /// Default network options: DRIVER=OPTION=VALUE
    #[arg(long = "default-network-opt", value_name = "DRIVER=OPTION=VALUE")]
    #[serde(skip)]
    pub default_network_opt: Option<Vec<String>>,
    /// The same in the file.
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_network_opts: Option<BTreeMap<String, BTreeMap<String, String>>>,
    /// DNS server to use
    #[arg(long, value_name = "IP")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns: Option<Vec<String>>,
    /// DNS options to use
    #[arg(long = "dns-opt", value_name = "OPTION")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_opts: Option<Vec<String>>,
    /// DNS search domains to use
    #[arg(long, value_name = "DOMAIN")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_search: Option<Vec<String>>,
    /// IP address that the special 'host-gateway' string in --add-host resolves to
    #[arg(long = "host-gateway-ip", value_name = "IP")]
    #[serde(
        skip_serializing_if = "Option::is_none",
        alias = "host-gateway-ip",
        deserialize_with = "one_or_many"
    )]
    pub host_gateway_ips: Option<Vec<String>>,
    /// Enable forwarding of packets [default: true]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_forward: Option<bool>,
    /// Let others reach published ports at containers' own addresses
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_direct_routing: Option<bool>,
    /// Let packets with this firewall mark into bridge networks: MARK or MARK/MASK
    #[arg(long, value_name = "MARK")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bridge_accept_fwmark: Option<String>,
    /// Reach published ports where NAT can't, such as `[::1]` for an IPv4 container [default: true]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub userland_proxy: Option<bool>,
}

/// What may be set of containers.
#[derive(Clone, Debug, Default, PartialEq, Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Containers")]
pub struct ContainerSettings {
    /// Default OCI runtime; "pontoon" is built in [default: pontoon]
    #[arg(long, value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_runtime: Option<String>,
    /// Register an additional OCI compatible runtime: NAME=PATH
    #[arg(long = "add-runtime", value_name = "NAME=PATH")]
    #[serde(skip)]
    pub add_runtime: Option<Vec<String>>,
    /// The same in the file.
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtimes: Option<BTreeMap<String, RuntimeSetting>>,
    /// Parent cgroup of all containers [default: /pontoon]
    #[arg(long, value_name = "PATH")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup_parent: Option<String>,
    /// The program that stays with each container [default: netd-shim beside netd]
    #[arg(long, value_name = "PATH")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shim: Option<PathBuf>,
    /// Run an init in containers to forward signals and reap processes
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<bool>,
    /// Set no-new-privileges by default for new containers
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_new_privileges: Option<bool>,
    /// Default shm size for containers [default: 64m]
    #[arg(long, value_name = "BYTES")]
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "text_or_number")]
    pub default_shm_size: Option<String>,
    /// Default driver for container logs: json-file [default: json-file]
    #[arg(long, value_name = "DRIVER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_driver: Option<String>,
    /// Default log driver options for containers: max-size=10m, max-file=3
    #[arg(long = "log-opt", value_name = "KEY=VALUE")]
    #[serde(skip)]
    pub log_opt: Option<Vec<String>>,
    /// The same in the file.
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_opts: Option<BTreeMap<String, String>>,
}

/// One of the pools that subnets are taken from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolSetting {
    /// The pool.
    pub base: String,
    /// Prefix length of each subnet taken from it.
    pub size: i64,
}

/// One OCI runtime.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RuntimeSetting {
    /// The program; looked up on the PATH if it is a bare name.
    pub path: String,
    /// What it is always called with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub runtime_args: Vec<String>,
}

impl PoolSetting {
    /// Reads `base=10.10.0.0/16,size=24`.
    fn parse(text: &str) -> Result<Self, String> {
        let (mut base, mut size) = (None, None);
        for part in text.split(',') {
            match part.split_once('=') {
                Some(("base", value)) => base = Some(value.to_owned()),
                Some(("size", value)) => {
                    size = Some(value.parse().map_err(|_| format!("invalid size value: {value}"))?);
                }
                _ => return Err(format!("invalid default address pool field: {part}")),
            }
        }
        match (base, size) {
            (Some(base), Some(size)) => Ok(Self { base, size }),
            _ => Err("it should be of the form base=10.10.0.0/16,size=24".to_owned()),
        }
    }
}

/// `host-gateway-ip` is one address in old files, a list in new ones.
fn one_or_many<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        One(String),
        Many(Vec<String>),
    }
    Ok(Option::deserialize(from)?.map(|either| match either {
        Either::One(one) => vec![one],
        Either::Many(many) => many,
    }))
}

/// Sizes are texts with a unit, or plain numbers.
fn text_or_number<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Number(u64),
    }
    Ok(Option::deserialize(from)?.map(|either| match either {
        Either::Text(text) => text,
        Either::Number(number) => number.to_string(),
    }))
}
