//! `pontoon netns …`.

use std::ffi::OsString;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum NetnsCommand {
    /// Make network namespaces
    Add(NetnsAdd),
    /// Put a network namespace into a network, as a container is
    Attach(NetnsAttach),
    /// Take a network namespace out of a network
    Detach(NetnsDetach),
    /// Run a command in a network namespace
    Exec(NetnsExec),
    /// Show everything that is in network namespaces
    Inspect(NetnsInspect),
    /// List network namespaces
    #[command(aliases = ["list"])]
    Ls(NetnsLs),
    /// Remove the names of network namespaces
    #[command(aliases = ["remove", "del"])]
    Rm(NetnsRm),
}

#[derive(Debug, Args)]
pub(crate) struct NetnsAdd {
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct NetnsAttach {
    /// Another name for the namespace in this network
    #[arg(long, value_name = "strings", value_delimiter = ',')]
    pub(crate) alias: Vec<String>,
    /// The network with the highest number has the default gateway
    #[arg(long, value_name = "int", allow_negative_numbers = true)]
    pub(crate) gw_priority: Option<i64>,
    /// Name of the interface in the namespace
    #[arg(long, value_name = "string")]
    pub(crate) interface: Option<String>,
    /// IPv4 address to have there
    #[arg(long, value_name = "string")]
    pub(crate) ip: Option<String>,
    /// IPv6 address to have there
    #[arg(long, value_name = "string")]
    pub(crate) ip6: Option<String>,
    /// Ethernet address to have there
    #[arg(long, value_name = "string")]
    pub(crate) mac_address: Option<String>,
    /// What containers find it by (as a rule, the name of the namespace)
    #[arg(long, value_name = "string")]
    pub(crate) name: Option<String>,
    /// Publish a port of the namespace on this host
    #[arg(short = 'p', long = "publish", value_name = "list")]
    pub(crate) ports: Vec<String>,
    #[arg(value_name = "NAMESPACE", required = true)]
    pub(crate) namespace: String,
    #[arg(value_name = "NETWORK", required = true)]
    pub(crate) network: String,
}

#[derive(Debug, Args)]
pub(crate) struct NetnsDetach {
    #[arg(value_name = "NAMESPACE", required = true)]
    pub(crate) namespace: String,
    #[arg(value_name = "NETWORK", required = true)]
    pub(crate) network: String,
}

#[derive(Debug, Args)]
pub(crate) struct NetnsExec {
    #[arg(value_name = "NAMESPACE COMMAND", num_args = 2.., required = true, trailing_var_arg = true)]
    pub(crate) words: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct NetnsInspect {
    /// Print with a template: json, or a Go template
    #[arg(short, long, value_name = "string")]
    pub(crate) format: Option<String>,
    #[arg(value_name = "NAMESPACE", required = true)]
    pub(crate) namespaces: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct NetnsLs {
    /// Also those without a name that processes live in
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Print with a template: table, "table TEMPLATE", json, or a Go template
    #[arg(long, value_name = "string")]
    pub(crate) format: Option<String>,
    /// Print names only
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct NetnsRm {
    /// Also where processes live in it, and where a name does not exist
    #[arg(short, long)]
    pub(crate) force: bool,
    #[arg(value_name = "NAMESPACE", required = true)]
    pub(crate) namespaces: Vec<String>,
}
