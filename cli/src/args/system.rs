//! Images, the daemon and the machine, and what serves the shell.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum SystemCommand {
    /// Show what takes space on disk
    Df(SystemDf),
    /// Follow what happens, as it happens
    Events(Events),
    /// Show the state of the daemon and its machine
    Info(Info),
    /// Remove what nothing uses
    Prune(SystemPrune),
}

#[derive(Debug, Subcommand)]
pub(crate) enum DaemonCommand {
    /// Start the daemon in the background
    Start(DaemonStart),
    /// Stop the daemon; containers go on
    Stop(DaemonStop),
    /// Say whether the daemon answers
    Status,
}

#[derive(Debug, Args)]
pub(crate) struct DaemonStart {
    /// Path of the daemon's binary
    #[arg(long, value_name = "path")]
    pub(crate) netd: Option<PathBuf>,
    /// Where the daemon writes its log
    #[arg(long, value_name = "path")]
    pub(crate) log_file: Option<PathBuf>,
    /// How many seconds to wait until it answers
    #[arg(long, value_name = "int", default_value_t = 10)]
    pub(crate) timeout: u64,
    #[arg(value_name = "NETD_FLAGS", last = true)]
    pub(crate) flags: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct DaemonStop {
    /// How many seconds to wait until it is gone
    #[arg(long, value_name = "int", default_value_t = 10)]
    pub(crate) timeout: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Completion {
    #[arg(value_name = "SHELL", required = true)]
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct Man {
    #[arg(value_name = "DIRECTORY", required = true)]
    pub(crate) directory: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ImageLs {
    /// Show intermediate images too
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Show digests
    #[arg(long)]
    pub(crate) digests: bool,
    /// Show only what matches
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
    #[arg(value_name = "REPOSITORY[:TAG]")]
    pub(crate) reference: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// Print with a template: json, or a Go template
    #[arg(short, long, value_name = "string")]
    pub(crate) format: Option<String>,
    /// Also show sizes of containers
    #[arg(short, long)]
    pub(crate) size: bool,
    /// Only look at objects of this type
    #[arg(long = "type", value_name = "string")]
    pub(crate) kind: Option<String>,
    #[arg(value_name = "NAME|ID", required = true)]
    pub(crate) names: Vec<String>,
}

/// `inspect` behind a noun.
#[derive(Debug, Args)]
pub(crate) struct NounInspect {
    /// Print with a template: json, or a Go template
    #[arg(short, long, value_name = "string")]
    pub(crate) format: Option<String>,
    /// Also show sizes
    #[arg(short, long)]
    pub(crate) size: bool,
    /// Also show what is only worth showing on request
    #[arg(short, long)]
    pub(crate) verbose: bool,
    #[arg(value_name = "NAME|ID", required = true)]
    pub(crate) names: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Prune {
    /// Remove only what matches, such as "until=24h"
    #[arg(long, value_name = "filter")]
    pub(crate) filter: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Version {
    /// Print with a template: json, or a Go template
    #[arg(short, long, value_name = "string")]
    pub(crate) format: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Info {
    /// Print with a template: json, or a Go template
    #[arg(short, long, value_name = "string")]
    pub(crate) format: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Events {
    /// Show only what matches
    #[arg(short, long, value_name = "filter")]
    pub(crate) filter: Vec<String>,
    /// Print with a template: json, or a Go template
    #[arg(long, value_name = "string")]
    pub(crate) format: Option<String>,
    /// Begin with what happened at this time
    #[arg(long, value_name = "string")]
    pub(crate) since: Option<String>,
    /// End at this time
    #[arg(long, value_name = "string")]
    pub(crate) until: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SystemDf {
    /// Print with a template: table, json, or a Go template
    #[arg(long, value_name = "string")]
    pub(crate) format: Option<String>,
    /// Show every object
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SystemPrune {
    /// Also images that no container uses
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Remove only what matches
    #[arg(long, value_name = "filter")]
    pub(crate) filter: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Also volumes without a name
    #[arg(long)]
    pub(crate) volumes: bool,
}
