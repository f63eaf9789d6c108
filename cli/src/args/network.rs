//! `pontoon network …`.

use clap::{Args, Subcommand};

use super::{NounInspect, Prune, RecordCommand};

#[derive(Debug, Subcommand)]
pub(crate) enum NetworkCommand {
    /// Make a network
    Create(NetworkCreate),
    /// Plug a container into a network
    Connect(NetworkConnect),
    /// Unplug a container from a network
    Disconnect(NetworkDisconnect),
    /// Draw networks, who is in them, and which ports lead there
    Graph(NetworkGraph),
    /// Show everything the daemon knows about networks
    Inspect(NounInspect),
    /// List networks
    #[command(aliases = ["list"])]
    Ls(NetworkLs),
    /// Remove all networks that no container uses
    Prune(Prune),
    /// Manage the static records among a network's names
    #[command(subcommand)]
    Record(RecordCommand),
    /// Remove networks
    #[command(aliases = ["remove"])]
    Rm(NetworkRm),
}

#[derive(Debug, Args)]
pub(crate) struct NetworkCreate {
    /// Let containers be attached by hand
    #[arg(long)]
    pub(crate) attachable: bool,
    /// Addresses of other devices, which no container may get
    #[arg(long, value_name = "map")]
    pub(crate) aux_address: Vec<String>,
    /// Take the configuration from this network
    #[arg(long, value_name = "string")]
    pub(crate) config_from: Option<String>,
    /// Only keep the configuration, for other networks to copy
    #[arg(long)]
    pub(crate) config_only: bool,
    /// What makes the network
    #[arg(short, long, value_name = "string", default_value = "bridge")]
    pub(crate) driver: String,
    /// Address of the gateway in its subnet
    #[arg(long, value_name = "strings", value_delimiter = ',')]
    pub(crate) gateway: Vec<String>,
    /// Make the routing mesh of a swarm
    #[arg(long)]
    pub(crate) ingress: bool,
    /// No way out of this network
    #[arg(long)]
    pub(crate) internal: bool,
    /// Part of the subnet that addresses are given from
    #[arg(long, value_name = "strings", value_delimiter = ',')]
    pub(crate) ip_range: Vec<String>,
    /// What gives addresses
    #[arg(long, value_name = "string", default_value = "default")]
    pub(crate) ipam_driver: String,
    /// Options for what gives addresses
    #[arg(long, value_name = "map")]
    pub(crate) ipam_opt: Vec<String>,
    /// Give IPv4 addresses (on unless said otherwise)
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "")]
    pub(crate) ipv4: Option<bool>,
    /// Give IPv6 addresses
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "")]
    pub(crate) ipv6: Option<bool>,
    /// Label the network
    #[arg(long, value_name = "list")]
    pub(crate) label: Vec<String>,
    /// Options for the driver
    #[arg(short, long, value_name = "map")]
    pub(crate) opt: Vec<String>,
    /// How far the network reaches
    #[arg(long, value_name = "string")]
    pub(crate) scope: Option<String>,
    /// A subnet of the network, in CIDR form
    #[arg(long, value_name = "strings", value_delimiter = ',')]
    pub(crate) subnet: Vec<String>,
    #[arg(value_name = "NETWORK", required = true)]
    pub(crate) network: String,
}

#[derive(Debug, Args)]
pub(crate) struct NetworkConnect {
    /// Another name for the container in this network
    #[arg(long, value_name = "strings", value_delimiter = ',')]
    pub(crate) alias: Vec<String>,
    /// Options for the network's driver
    #[arg(long, value_name = "strings", value_delimiter = ',')]
    pub(crate) driver_opt: Vec<String>,
    /// The network with the highest number has the default gateway
    #[arg(long, value_name = "int", allow_negative_numbers = true)]
    pub(crate) gw_priority: Option<i64>,
    /// IPv4 address to have there
    #[arg(long, value_name = "string")]
    pub(crate) ip: Option<String>,
    /// IPv6 address to have there
    #[arg(long, value_name = "string")]
    pub(crate) ip6: Option<String>,
    /// Another container, under a name that only this one knows
    #[arg(long, value_name = "list")]
    pub(crate) link: Vec<String>,
    /// Link-local address to have there
    #[arg(long, value_name = "strings", value_delimiter = ',')]
    pub(crate) link_local_ip: Vec<String>,
    #[arg(value_name = "NETWORK", required = true)]
    pub(crate) network: String,
    #[arg(value_name = "CONTAINER", required = true)]
    pub(crate) container: String,
}

#[derive(Debug, Args)]
pub(crate) struct NetworkDisconnect {
    /// Also where the container is gone already
    #[arg(short, long)]
    pub(crate) force: bool,
    #[arg(value_name = "NETWORK", required = true)]
    pub(crate) network: String,
    #[arg(value_name = "CONTAINER", required = true)]
    pub(crate) container: String,
}

#[derive(Debug, Args)]
pub(crate) struct NetworkGraph {
    /// Also containers that do not run
    #[arg(short, long)]
    pub(crate) all: bool,
    /// How to draw: tree, svg, dot or json
    #[arg(long, value_name = "string")]
    pub(crate) format: Option<String>,
    #[arg(value_name = "NETWORK")]
    pub(crate) networks: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct NetworkLs {
    /// Show only what matches, such as "driver=bridge"
    #[arg(short, long, value_name = "filter")]
    pub(crate) filter: Vec<String>,
    /// Print with a template: table, "table TEMPLATE", json, or a Go template
    #[arg(long, value_name = "string")]
    pub(crate) format: Option<String>,
    /// Do not cut long values
    #[arg(long)]
    pub(crate) no_trunc: bool,
    /// Print IDs only
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct NetworkRm {
    /// A network that does not exist is no error
    #[arg(short, long)]
    pub(crate) force: bool,
    #[arg(value_name = "NETWORK", required = true)]
    pub(crate) networks: Vec<String>,
}
