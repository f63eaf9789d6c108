//! `pontoon dns …` and `pontoon network record …`.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum DnsCommand {
    /// Show what a container of restricted egress tried to reach
    Egress(DnsEgress),
    /// Follow what a container asks, as it asks, and what its egress is refused
    Log(DnsLog),
    /// List the names that containers can ask for
    #[command(aliases = ["list"])]
    Ls(DnsLs),
    /// Ask as a container would
    Query(DnsQuery),
}

#[derive(Debug, Args)]
pub(crate) struct DnsEgress {
    /// Print with a template: json, or a Go template
    #[arg(long, value_name = "string")]
    pub(crate) format: Option<String>,
    /// Print only the entries of io.pontoon.egress.allow that would let all of it through
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[arg(value_name = "CONTAINER", required = true)]
    pub(crate) container: String,
}

#[derive(Debug, Args)]
pub(crate) struct DnsLog {
    /// Go on for ever, which is what happens anyway
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Print with a template: json, or a Go template
    #[arg(long, value_name = "string")]
    pub(crate) format: Option<String>,
    #[arg(value_name = "CONTAINER", required = true)]
    pub(crate) container: String,
}

#[derive(Debug, Args)]
pub(crate) struct DnsLs {
    /// Only the names that this container sees
    #[arg(long = "as", value_name = "container")]
    pub(crate) asker: Option<String>,
    /// Only the names of this network
    #[arg(long = "network", value_name = "network")]
    pub(crate) in_network: Option<String>,
    /// Print with a template: table, "table TEMPLATE", json, or a Go template
    #[arg(long, value_name = "string")]
    pub(crate) format: Option<String>,
    /// Print names only
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DnsQuery {
    /// The container that asks
    #[arg(long = "as", value_name = "container", required = true)]
    pub(crate) asker: String,
    /// Print with a template: json, or a Go template
    #[arg(long, value_name = "string")]
    pub(crate) format: Option<String>,
    #[arg(value_name = "NAME", required = true)]
    pub(crate) name: String,
    #[arg(value_name = "TYPE")]
    pub(crate) kind: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RecordCommand {
    /// Add a record to the names of a network
    Add(RecordAdd),
    /// List the records of a network
    #[command(aliases = ["list"])]
    Ls(RecordLs),
    /// Remove records from the names of a network
    #[command(aliases = ["remove"])]
    Rm(RecordRm),
}

#[derive(Debug, Args)]
pub(crate) struct RecordAdd {
    /// How many seconds clients may keep it
    #[arg(long, value_name = "int")]
    pub(crate) ttl: Option<u32>,
    #[arg(value_name = "NETWORK", required = true)]
    pub(crate) network: String,
    #[arg(value_name = "NAME", required = true)]
    pub(crate) name: String,
    #[arg(value_name = "TYPE", required = true)]
    pub(crate) kind: String,
    #[arg(value_name = "VALUE", required = true)]
    pub(crate) value: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RecordLs {
    /// Print with a template: table, "table TEMPLATE", json, or a Go template
    #[arg(long, value_name = "string")]
    pub(crate) format: Option<String>,
    /// Print names only
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[arg(value_name = "NETWORK", required = true)]
    pub(crate) network: String,
}

#[derive(Debug, Args)]
pub(crate) struct RecordRm {
    #[arg(value_name = "NETWORK", required = true)]
    pub(crate) network: String,
    #[arg(value_name = "NAME", required = true)]
    pub(crate) name: String,
    #[arg(value_name = "TYPE")]
    pub(crate) kind: Option<String>,
    #[arg(value_name = "VALUE")]
    pub(crate) value: Vec<String>,
}
