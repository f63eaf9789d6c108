//! `pontoon netns …`.

use std::ffi::OsString;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum NetnsCommand {
    /// Make network namespaces
    Add(NetnsAdd),
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
