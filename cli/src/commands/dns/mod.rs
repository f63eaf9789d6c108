//! `pontoon dns`.

mod egress;
mod log;
mod ls;
mod query;

use crate::args::DnsCommand;
use crate::context::Context;
use crate::error::CliError;

pub(crate) async fn run(command: &DnsCommand, context: &Context<'_>) -> Result<(), CliError> {
    match command {
        DnsCommand::Egress(args) => egress::run(args, context).await,
        DnsCommand::Log(args) => log::run(args, context).await,
        DnsCommand::Ls(args) => ls::run(args, context).await,
        DnsCommand::Query(args) => query::run(args, context).await,
    }
}
