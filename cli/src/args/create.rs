//! The flags that make a container: `run` and `create` share them.

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Run in the background and print the container's ID
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// Keys that leave the container without ending it
    #[arg(long, value_name = "string")]
    pub(crate) detach_keys: Option<String>,
    /// Hand received signals on to the process (on unless said otherwise)
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "")]
    pub(crate) sig_proxy: Option<bool>,
    #[command(flatten)]
    pub(crate) create: Create,
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Name of the container
    #[arg(long, value_name = "string")]
    pub(crate) name: Option<String>,
    /// Platform, where the daemon has several
    #[arg(long, value_name = "string")]
    pub(crate) platform: Option<String>,
    /// When to pull the image: always, missing or never
    #[arg(long, value_name = "string", default_value = "missing")]
    pub(crate) pull: String,
    /// Say nothing about pulling
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) process: ProcessFlags,
    #[command(flatten)]
    pub(crate) network: NetworkFlags,
    #[command(flatten)]
    pub(crate) host: HostFlags,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) devices: DeviceLimits,
    #[command(flatten)]
    pub(crate) health: HealthFlags,
    #[command(flatten)]
    pub(crate) restart: RestartFlag,
    /// The image, the command and its arguments
    #[arg(value_name = "IMAGE", required = true, num_args = 1.., trailing_var_arg = true)]
    pub(crate) words: Vec<String>,
}

/// What runs, and how it is talked to.
#[derive(Debug, Args)]
pub(crate) struct ProcessFlags {
    /// Connect stdin, stdout or stderr
    #[arg(short, long, value_name = "list")]
    pub(crate) attach: Vec<String>,
    /// Write the container's ID to this file
    #[arg(long, value_name = "string")]
    pub(crate) cidfile: Option<String>,
    /// Run this instead of what the image says
    #[arg(long, value_name = "string")]
    pub(crate) entrypoint: Option<String>,
    /// Set a variable of the environment
    #[arg(short, long, value_name = "list")]
    pub(crate) env: Vec<String>,
    /// Set the variables that this file lists
    #[arg(long, value_name = "list")]
    pub(crate) env_file: Vec<String>,
    /// Run a small init that reaps processes and hands signals on
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "")]
    pub(crate) init: Option<bool>,
    /// Keep the standard input open
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Label the container
    #[arg(short, long, value_name = "list")]
    pub(crate) label: Vec<String>,
    /// Set the labels that this file lists
    #[arg(long, value_name = "list")]
    pub(crate) label_file: Vec<String>,
    /// Remove the container when it exits
    #[arg(long)]
    pub(crate) rm: bool,
    /// Signal that stops the container
    #[arg(long, value_name = "string")]
    pub(crate) stop_signal: Option<String>,
    /// Seconds between stopping and killing
    #[arg(long, value_name = "int", allow_negative_numbers = true)]
    pub(crate) stop_timeout: Option<i64>,
    /// Give the process a terminal
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// Who the process runs as: name or number, with group if wanted
    #[arg(short, long, value_name = "string")]
    pub(crate) user: Option<String>,
    /// The process's working directory
    #[arg(short, long, value_name = "string")]
    pub(crate) workdir: Option<String>,
}

/// How it is reached, and what it reaches.
#[derive(Debug, Args)]
pub(crate) struct NetworkFlags {
    /// Add a line to /etc/hosts: name:address
    #[arg(long, value_name = "list")]
    pub(crate) add_host: Vec<String>,
    /// Ask this DNS server
    #[arg(long, value_name = "list")]
    pub(crate) dns: Vec<String>,
    /// Option for resolv.conf
    #[arg(long, alias = "dns-opt", value_name = "list")]
    pub(crate) dns_option: Vec<String>,
    /// Domain to search in
    #[arg(long, value_name = "list")]
    pub(crate) dns_search: Vec<String>,
    /// NIS domain of the container
    #[arg(long, value_name = "string")]
    pub(crate) domainname: Option<String>,
    /// Port that the container serves, or a range
    #[arg(long, value_name = "list")]
    pub(crate) expose: Vec<String>,
    /// Host name of the container
    #[arg(short = 'h', long, value_name = "string")]
    pub(crate) hostname: Option<String>,
    /// IPv4 address to have
    #[arg(long, value_name = "string")]
    pub(crate) ip: Option<String>,
    /// IPv6 address to have
    #[arg(long, value_name = "string")]
    pub(crate) ip6: Option<String>,
    /// Another container, under a name that only this one knows
    #[arg(long, value_name = "list")]
    pub(crate) link: Vec<String>,
    /// Link-local address to have
    #[arg(long, value_name = "list")]
    pub(crate) link_local_ip: Vec<String>,
    /// MAC address to have
    #[arg(long, value_name = "string")]
    pub(crate) mac_address: Option<String>,
    /// Network to be in, once for each
    #[arg(long, alias = "net", value_name = "network")]
    pub(crate) network: Vec<String>,
    /// Another name for the container in its network
    #[arg(long, alias = "net-alias", value_name = "list")]
    pub(crate) network_alias: Vec<String>,
    /// Publish a port or a range on the host
    #[arg(short, long, value_name = "list")]
    pub(crate) publish: Vec<String>,
    /// Publish all exposed ports on free ports of the host
    #[arg(short = 'P', long)]
    pub(crate) publish_all: bool,
}

/// What it may do, and what it sees of the host.
#[derive(Debug, Args)]
pub(crate) struct HostFlags {
    /// Hand a note on to the runtime: key=value
    #[arg(long, value_name = "map")]
    pub(crate) annotation: Vec<String>,
    /// Add a capability
    #[arg(long, value_name = "list")]
    pub(crate) cap_add: Vec<String>,
    /// Take a capability away
    #[arg(long, value_name = "list")]
    pub(crate) cap_drop: Vec<String>,
    /// Cgroup above the container's
    #[arg(long, value_name = "string")]
    pub(crate) cgroup_parent: Option<String>,
    /// Cgroup namespace: host or private
    #[arg(long, value_name = "string")]
    pub(crate) cgroupns: Option<String>,
    /// Also be in this group
    #[arg(long, value_name = "list")]
    pub(crate) group_add: Vec<String>,
    /// IPC namespace
    #[arg(long, value_name = "string")]
    pub(crate) ipc: Option<String>,
    /// What keeps the output
    #[arg(long, value_name = "string")]
    pub(crate) log_driver: Option<String>,
    /// Option for what keeps the output
    #[arg(long, value_name = "list")]
    pub(crate) log_opt: Vec<String>,
    /// Attach a file system: type=…,source=…,target=…
    #[arg(long, value_name = "mount")]
    pub(crate) mount: Vec<String>,
    /// PID namespace
    #[arg(long, value_name = "string")]
    pub(crate) pid: Option<String>,
    /// Give the container all privileges
    #[arg(long)]
    pub(crate) privileged: bool,
    /// Make the root file system read-only
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Use this directory as root file system, without an image
    #[arg(long, value_name = "dir")]
    pub(crate) rootfs: Option<String>,
    /// OCI runtime for this container
    #[arg(long, value_name = "string")]
    pub(crate) runtime: Option<String>,
    /// Security option
    #[arg(long, value_name = "list")]
    pub(crate) security_opt: Vec<String>,
    /// Size of /dev/shm
    #[arg(long, value_name = "bytes")]
    pub(crate) shm_size: Option<String>,
    /// Option for what stores the container
    #[arg(long, value_name = "list")]
    pub(crate) storage_opt: Vec<String>,
    /// Kernel setting: name=value
    #[arg(long, value_name = "map")]
    pub(crate) sysctl: Vec<String>,
    /// Mount a tmpfs here
    #[arg(long, value_name = "list")]
    pub(crate) tmpfs: Vec<String>,
    /// User namespace
    #[arg(long, value_name = "string")]
    pub(crate) userns: Option<String>,
    /// UTS namespace
    #[arg(long, value_name = "string")]
    pub(crate) uts: Option<String>,
    /// Mount a directory, file or volume: source:target, options behind another colon
    #[arg(short, long, value_name = "list")]
    pub(crate) volume: Vec<String>,
    /// What makes volumes
    #[arg(long, value_name = "string")]
    pub(crate) volume_driver: Option<String>,
    /// Mount what this container mounts
    #[arg(long, value_name = "list")]
    pub(crate) volumes_from: Vec<String>,
}

/// Limits that `update` can change too.
#[derive(Debug, Args)]
pub(crate) struct Limits {
    /// Weight of block I/O, 10 to 1000, or 0 for none
    #[arg(long, value_name = "uint16")]
    pub(crate) blkio_weight: Option<u16>,
    /// Period of the CPU quota, in microseconds
    #[arg(long, value_name = "int")]
    pub(crate) cpu_period: Option<i64>,
    /// CPU time per period, in microseconds
    #[arg(long, value_name = "int", allow_negative_numbers = true)]
    pub(crate) cpu_quota: Option<i64>,
    /// Real-time period, in microseconds
    #[arg(long, value_name = "int")]
    pub(crate) cpu_rt_period: Option<i64>,
    /// Real-time per period, in microseconds
    #[arg(long, value_name = "int")]
    pub(crate) cpu_rt_runtime: Option<i64>,
    /// Weight among those that want the CPU
    #[arg(short, long, value_name = "int")]
    pub(crate) cpu_shares: Option<i64>,
    /// How many CPUs
    #[arg(long, value_name = "decimal", value_parser = crate::resolve::units::nano_cpus)]
    pub(crate) cpus: Option<i64>,
    /// Which CPUs: 0-3, or 0,1
    #[arg(long, value_name = "string")]
    pub(crate) cpuset_cpus: Option<String>,
    /// Which memory nodes: 0-3, or 0,1
    #[arg(long, value_name = "string")]
    pub(crate) cpuset_mems: Option<String>,
    /// How much memory
    #[arg(short, long, value_name = "bytes", value_parser = crate::resolve::units::bytes)]
    pub(crate) memory: Option<i64>,
    /// How much memory when it gets scarce
    #[arg(long, value_name = "bytes", value_parser = crate::resolve::units::bytes)]
    pub(crate) memory_reservation: Option<i64>,
    /// How much memory and swap together, -1 for any
    #[arg(long, value_name = "bytes", allow_hyphen_values = true, value_parser = crate::resolve::units::swap_bytes)]
    pub(crate) memory_swap: Option<i64>,
    /// How many processes, -1 for any
    #[arg(long, value_name = "int", allow_negative_numbers = true)]
    pub(crate) pids_limit: Option<i64>,
}

/// Limits that only stand at creation.
#[derive(Debug, Args)]
pub(crate) struct DeviceLimits {
    /// Give the container a device of the host
    #[arg(long, value_name = "list")]
    pub(crate) device: Vec<String>,
    /// Rule for devices: type major:minor access
    #[arg(long, value_name = "list")]
    pub(crate) device_cgroup_rule: Vec<String>,
    /// Reading rate of a device, bytes per second: path:rate
    #[arg(long, value_name = "list")]
    pub(crate) device_read_bps: Vec<String>,
    /// Reading rate of a device, operations per second: path:rate
    #[arg(long, value_name = "list")]
    pub(crate) device_read_iops: Vec<String>,
    /// Writing rate of a device, bytes per second: path:rate
    #[arg(long, value_name = "list")]
    pub(crate) device_write_bps: Vec<String>,
    /// Writing rate of a device, operations per second: path:rate
    #[arg(long, value_name = "list")]
    pub(crate) device_write_iops: Vec<String>,
    /// How willingly to swap, 0 to 100
    #[arg(long, value_name = "int", default_value_t = -1, allow_negative_numbers = true)]
    pub(crate) memory_swappiness: i64,
    /// Do not kill when out of memory
    #[arg(long)]
    pub(crate) oom_kill_disable: bool,
    /// How willingly to kill when out of memory, -1000 to 1000
    #[arg(long, value_name = "int", allow_negative_numbers = true)]
    pub(crate) oom_score_adj: Option<i64>,
    /// Limit of a resource: name=soft or name=soft:hard
    #[arg(long, value_name = "ulimit")]
    pub(crate) ulimit: Vec<String>,
}

/// Health checks.
#[derive(Debug, Args)]
pub(crate) struct HealthFlags {
    /// Command that tells whether the container is healthy
    #[arg(long, value_name = "string")]
    pub(crate) health_cmd: Option<String>,
    /// Time between two checks
    #[arg(long, value_name = "duration", value_parser = crate::resolve::units::nanoseconds)]
    pub(crate) health_interval: Option<i64>,
    /// How many failures in a row make it unhealthy
    #[arg(long, value_name = "int")]
    pub(crate) health_retries: Option<i64>,
    /// Time between two checks while it starts
    #[arg(long, value_name = "duration", value_parser = crate::resolve::units::nanoseconds)]
    pub(crate) health_start_interval: Option<i64>,
    /// Time to start in before failures count
    #[arg(long, value_name = "duration", value_parser = crate::resolve::units::nanoseconds)]
    pub(crate) health_start_period: Option<i64>,
    /// How long one check may take
    #[arg(long, value_name = "duration", value_parser = crate::resolve::units::nanoseconds)]
    pub(crate) health_timeout: Option<i64>,
    /// Check nothing, whatever the image says
    #[arg(long)]
    pub(crate) no_healthcheck: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RestartFlag {
    /// When to start again: no, on-failure, on-failure:times, always or unless-stopped
    #[arg(long, value_name = "string")]
    pub(crate) restart: Option<String>,
}
