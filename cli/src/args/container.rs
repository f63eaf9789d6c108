//! The verbs for containers, except `run` and `create`.

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(crate) struct Containers {
    #[arg(value_name = "CONTAINER", required = true)]
    pub(crate) containers: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Attach {
    /// Keys that leave the container without ending it
    #[arg(long, value_name = "string")]
    pub(crate) detach_keys: Option<String>,
    /// Do not connect the standard input
    #[arg(long)]
    pub(crate) no_stdin: bool,
    /// Hand received signals on to the process (on unless said otherwise)
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "")]
    pub(crate) sig_proxy: Option<bool>,
    #[arg(value_name = "CONTAINER", required = true)]
    pub(crate) container: String,
}

#[derive(Debug, Args)]
pub(crate) struct Exec {
    /// Run the command in the background
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// Keys that leave the command without ending it
    #[arg(long, value_name = "string")]
    pub(crate) detach_keys: Option<String>,
    /// Set a variable of the environment
    #[arg(short, long, value_name = "list")]
    pub(crate) env: Vec<String>,
    /// Set the variables that this file lists
    #[arg(long, value_name = "list")]
    pub(crate) env_file: Vec<String>,
    /// Keep the standard input open
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Give the command all privileges
    #[arg(long)]
    pub(crate) privileged: bool,
    /// Give the command a terminal
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// Who the command runs as: name or number, with group if wanted
    #[arg(short, long, value_name = "string")]
    pub(crate) user: Option<String>,
    /// The command's working directory
    #[arg(short, long, value_name = "string")]
    pub(crate) workdir: Option<String>,
    #[arg(value_name = "CONTAINER COMMAND", num_args = 2.., required = true, trailing_var_arg = true)]
    pub(crate) words: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Kill {
    /// The signal to send
    #[arg(short, long, value_name = "string")]
    pub(crate) signal: Option<String>,
    #[arg(value_name = "CONTAINER", required = true)]
    pub(crate) containers: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Show extra details of log drivers
    #[arg(long)]
    pub(crate) details: bool,
    /// Go on as more is printed
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Begin at this time, such as "2013-01-02T13:23:37Z" or "42m" for 42 minutes ago
    #[arg(long, value_name = "string")]
    pub(crate) since: Option<String>,
    /// How many of the last lines
    #[arg(short = 'n', long, value_name = "string", default_value = "all", allow_hyphen_values = true)]
    pub(crate) tail: String,
    /// Show when each line was printed
    #[arg(short, long)]
    pub(crate) timestamps: bool,
    /// End at this time, such as "2013-01-02T13:23:37Z" or "42m" for 42 minutes ago
    #[arg(long, value_name = "string")]
    pub(crate) until: Option<String>,
    #[arg(value_name = "CONTAINER", required = true)]
    pub(crate) container: String,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Port {
    #[command(subcommand)]
    pub(crate) command: Option<PortCommand>,
    #[arg(value_name = "CONTAINER", required = true)]
    pub(crate) container: Option<String>,
    #[arg(value_name = "PRIVATE_PORT[/PROTO]")]
    pub(crate) port: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PortCommand {
    /// Publish more ports of a container, running or not
    Add(PortChange),
    /// List the published ports of a container
    #[command(aliases = ["list"])]
    Ls(PortLs),
    /// Take published ports of a container back
    #[command(aliases = ["remove"])]
    Rm(PortChange),
}

#[derive(Debug, Args)]
pub(crate) struct PortChange {
    #[arg(value_name = "CONTAINER", required = true)]
    pub(crate) container: String,
    /// As behind `-p`: `[ip:][host port or range]:container port or range[/proto]`
    #[arg(value_name = "PORT", required = true)]
    pub(crate) ports: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PortLs {
    #[arg(value_name = "CONTAINER", required = true)]
    pub(crate) container: String,
    #[arg(value_name = "PRIVATE_PORT[/PROTO]")]
    pub(crate) port: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Ps {
    /// Show all containers, not only running ones
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Show only what matches
    #[arg(short, long, value_name = "filter")]
    pub(crate) filter: Vec<String>,
    /// Print with a template: table, "table TEMPLATE", json, or a Go template
    #[arg(long, value_name = "string")]
    pub(crate) format: Option<String>,
    /// Show the last ones that were made, in any state
    #[arg(short = 'n', long, value_name = "int", default_value_t = -1, allow_negative_numbers = true)]
    pub(crate) last: i64,
    /// Show the one that was made last, in any state
    #[arg(short, long)]
    pub(crate) latest: bool,
    /// Do not cut long values
    #[arg(long)]
    pub(crate) no_trunc: bool,
    /// Print IDs only
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Show sizes
    #[arg(short, long)]
    pub(crate) size: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Rename {
    #[arg(value_name = "CONTAINER", required = true)]
    pub(crate) container: String,
    #[arg(value_name = "NEW_NAME", required = true)]
    pub(crate) name: String,
}

#[derive(Debug, Args)]
pub(crate) struct Stop {
    /// The signal to send
    #[arg(short, long, value_name = "string")]
    pub(crate) signal: Option<String>,
    /// Seconds to wait before killing
    #[arg(short = 't', long = "timeout", alias = "time", value_name = "int", allow_negative_numbers = true)]
    pub(crate) timeout: Option<i32>,
    #[arg(value_name = "CONTAINER", required = true)]
    pub(crate) containers: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// Kill the container if it runs
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Remove the link, not the container
    #[arg(short, long)]
    pub(crate) link: bool,
    /// Also its volumes without a name
    #[arg(short, long)]
    pub(crate) volumes: bool,
    #[arg(value_name = "CONTAINER", required = true)]
    pub(crate) containers: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Start {
    /// Connect outputs, and hand signals on
    #[arg(short, long)]
    pub(crate) attach: bool,
    /// Keys that leave the container without ending it
    #[arg(long, value_name = "string")]
    pub(crate) detach_keys: Option<String>,
    /// Connect the standard input
    #[arg(short, long)]
    pub(crate) interactive: bool,
    #[arg(value_name = "CONTAINER", required = true)]
    pub(crate) containers: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Stats {
    /// Show all containers, not only running ones
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Print with a template: table, "table TEMPLATE", json, or a Go template
    #[arg(long, value_name = "string")]
    pub(crate) format: Option<String>,
    /// Show once, don't go on
    #[arg(long)]
    pub(crate) no_stream: bool,
    /// Do not cut long values
    #[arg(long)]
    pub(crate) no_trunc: bool,
    #[arg(value_name = "CONTAINER")]
    pub(crate) containers: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Top {
    #[arg(value_name = "CONTAINER", required = true, num_args = 1.., trailing_var_arg = true)]
    pub(crate) words: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    #[command(flatten)]
    pub(crate) limits: super::Limits,
    #[command(flatten)]
    pub(crate) restart: super::RestartFlag,
    #[arg(value_name = "CONTAINER", required = true)]
    pub(crate) containers: Vec<String>,
}
