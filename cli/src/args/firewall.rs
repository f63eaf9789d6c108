//! `pontoon firewall …` and `pontoon doctor`.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum FirewallCommand {
    /// Show the firewall as the kernel has it, explained, and what it counted
    Show(FirewallShow),
}

#[derive(Debug, Args)]
pub(crate) struct FirewallShow {
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[arg(value_name = "CONTAINER|NETWORK")]
    pub(crate) object: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Put right what differs from what is declared
    #[arg(long)]
    pub(crate) fix: bool,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
