//! The command line as parsed: flags and words as the user gave them, with nothing decided yet. What they mean is
//! [`crate::resolve`]'s; how they are shown and refused is [`crate::help`]'s and [`crate::usage`]'s.

mod container;
mod create;
mod dns;
mod firewall;
mod netns;
mod network;
mod system;

use clap::{Args, Parser, Subcommand};

pub(crate) use container::*;
pub(crate) use create::*;
pub(crate) use dns::*;
pub(crate) use firewall::*;
pub(crate) use netns::*;
pub(crate) use network::*;
pub(crate) use system::*;

/// Container networks that stay out of the way
#[derive(Debug, Parser)]
#[command(
    name = "pontoon",
    version,
    disable_help_flag = true,
    disable_help_subcommand = true,
    disable_version_flag = true,
    args_override_self = true,
    subcommand_required = false,
    subcommand_value_name = "COMMAND"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Options that stand before the command.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Address of the daemon's socket
    #[arg(short = 'H', long, value_name = "string")]
    pub(crate) host: Option<String>,
    /// Turn on debug mode
    #[arg(short = 'D', long)]
    pub(crate) debug: bool,
    /// How much to log: debug, info, warn, error or fatal
    #[arg(short = 'l', long, value_name = "string", default_value = "info")]
    pub(crate) log_level: String,
    /// Show the version and quit
    #[arg(short = 'v', long)]
    pub(crate) version: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(flatten)]
    Verb(ContainerVerb),
    /// List containers
    Ps(Ps),
    /// List images
    Images(ImageLs),
    /// Show everything the daemon knows about containers, networks, images
    Inspect(Inspect),
    /// Show the versions of client and daemon
    Version(Version),
    /// Show the state of the daemon and its machine
    Info(Info),
    /// Follow what happens, as it happens
    Events(Events),
    /// Manage containers
    #[command(subcommand)]
    Container(ContainerCommand),
    /// Manage networks
    #[command(subcommand)]
    Network(NetworkCommand),
    /// Look at network namespaces, make them, work in them
    #[command(subcommand)]
    Netns(NetnsCommand),
    /// Look at names as containers see them
    #[command(subcommand)]
    Dns(DnsCommand),
    /// Look at the firewall
    #[command(subcommand)]
    Firewall(FirewallCommand),
    /// Look for what does not work on this machine, and put it right
    Doctor(Doctor),
    /// Manage images
    #[command(subcommand)]
    Image(ImageCommand),
    /// Manage the machine's share of Pontoon
    #[command(subcommand)]
    System(SystemCommand),
    /// Start, stop or look at the daemon
    #[command(subcommand)]
    Daemon(DaemonCommand),
    /// Print the completion script of a shell
    Completion(Completion),
    /// Write manual pages
    #[command(hide = true)]
    Man(Man),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ContainerCommand {
    #[command(flatten)]
    Verb(ContainerVerb),
    /// List containers
    #[command(aliases = ["list", "ps"])]
    Ls(Ps),
    /// Show everything the daemon knows about containers
    Inspect(NounInspect),
    /// Remove all containers that do not run
    Prune(Prune),
}

/// The verbs that stand both behind `pontoon` and behind `pontoon container`.
#[derive(Debug, Subcommand)]
pub(crate) enum ContainerVerb {
    /// Make a container and run it
    Run(Box<Run>),
    /// Make a container without starting it
    Create(Box<Create>),
    /// Run another command in a running container
    Exec(Exec),
    /// Connect this terminal to a running container
    Attach(Attach),
    /// Send a signal to containers
    Kill(Kill),
    /// Show what a container printed
    Logs(Logs),
    /// Freeze all processes of containers
    Pause(Containers),
    /// List the published ports of a container
    Port(Port),
    /// Give a container another name
    Rename(Rename),
    /// Stop containers and start them again
    Restart(Stop),
    /// Remove containers
    #[command(aliases = ["remove"])]
    Rm(Rm),
    /// Start containers that were created or stopped
    Start(Start),
    /// Show what containers use, live
    Stats(Stats),
    /// Stop running containers
    Stop(Stop),
    /// List the processes of a container
    Top(Top),
    /// Let frozen containers go on
    Unpause(Containers),
    /// Change limits and restart policy of containers
    Update(Update),
    /// Wait until containers stop, then print their exit codes
    Wait(Containers),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ImageCommand {
    /// List images
    #[command(aliases = ["list"])]
    Ls(ImageLs),
    /// Show everything the daemon knows about images
    Inspect(NounInspect),
}
