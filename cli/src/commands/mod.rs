//! What each command does: one file per verb, in the folder of its noun.

mod completion;
mod container;
mod daemon;
mod dns;
mod doctor;
mod firewall;
mod image;
mod inspect;
mod man;
mod netns;
mod network;
mod prompt;
mod system;

use crate::args::{
    Command, ContainerCommand, ContainerVerb, FirewallCommand, ImageCommand, NetworkCommand, SystemCommand,
};
use crate::context::Context;
use crate::error::CliError;

/// Runs one command.
pub(crate) async fn run(command: &Command, context: &Context<'_>) -> Result<(), CliError> {
    match command {
        Command::Verb(verb) => verb_of_container(verb, context).await,
        Command::Ps(args) => container::ls::run(args, context).await,
        Command::Images(args) => image::ls::run(args, context).await,
        Command::Inspect(args) => inspect::any(args, context).await,
        Command::Version(args) => system::version::run(args, context).await,
        Command::Info(args) => system::info::run(args, context).await,
        Command::Events(args) => system::events::run(args, context).await,
        Command::Container(command) => match command {
            ContainerCommand::Verb(verb) => verb_of_container(verb, context).await,
            ContainerCommand::Ls(args) => container::ls::run(args, context).await,
            ContainerCommand::Inspect(args) => inspect::of(inspect::Kind::Container, args, context).await,
            ContainerCommand::Prune(args) => container::prune::run(args, context).await,
        },
        Command::Netns(command) => netns::run(command, context).await,
        Command::Network(command) => of_network(command, context).await,
        Command::Dns(command) => dns::run(command, context).await,
        Command::Firewall(FirewallCommand::Show(args)) => firewall::show::run(args, context).await,
        Command::Doctor(args) => doctor::run(args, context).await,
        Command::Image(command) => match command {
            ImageCommand::Ls(args) => image::ls::run(args, context).await,
            ImageCommand::Inspect(args) => inspect::of(inspect::Kind::Image, args, context).await,
        },
        Command::System(command) => match command {
            SystemCommand::Df(args) => system::df::run(args, context).await,
            SystemCommand::Events(args) => system::events::run(args, context).await,
            SystemCommand::Info(args) => system::info::run(args, context).await,
            SystemCommand::Prune(args) => system::prune::run(args, context).await,
        },
        Command::Daemon(command) => daemon::run(command, context).await,
        Command::Completion(args) => completion::run(args),
        Command::Man(args) => man::run(args),
    }
}

async fn of_network(command: &NetworkCommand, context: &Context<'_>) -> Result<(), CliError> {
    match command {
        NetworkCommand::Create(args) => network::create::run(args, context).await,
        NetworkCommand::Connect(args) => network::connect::run(args, context).await,
        NetworkCommand::Disconnect(args) => network::disconnect::run(args, context).await,
        NetworkCommand::Graph(args) => network::graph::run(args, context).await,
        NetworkCommand::Inspect(args) => inspect::of(inspect::Kind::Network, args, context).await,
        NetworkCommand::Ls(args) => network::ls::run(args, context).await,
        NetworkCommand::Prune(args) => network::prune::run(args, context).await,
        NetworkCommand::Record(command) => network::record::run(command, context).await,
        NetworkCommand::Rm(args) => network::rm::run(args, context).await,
    }
}

async fn verb_of_container(verb: &ContainerVerb, context: &Context<'_>) -> Result<(), CliError> {
    match verb {
        ContainerVerb::Run(args) => container::run::run(args, context).await,
        ContainerVerb::Create(args) => container::create::run(args, context).await,
        ContainerVerb::Exec(args) => container::exec::run(args, context).await,
        ContainerVerb::Attach(args) => container::attach::run(args, context).await,
        ContainerVerb::Kill(args) => container::kill::run(args, context).await,
        ContainerVerb::Logs(args) => container::logs::run(args, context).await,
        ContainerVerb::Pause(args) => container::pause::run(args, context).await,
        ContainerVerb::Port(args) => container::port::run(args, context).await,
        ContainerVerb::Rename(args) => container::rename::run(args, context).await,
        ContainerVerb::Restart(args) => container::restart::run(args, context).await,
        ContainerVerb::Rm(args) => container::rm::run(args, context).await,
        ContainerVerb::Start(args) => container::start::run(args, context).await,
        ContainerVerb::Stats(args) => container::stats::run(args, context).await,
        ContainerVerb::Stop(args) => container::stop::run(args, context).await,
        ContainerVerb::Top(args) => container::top::run(args, context).await,
        ContainerVerb::Unpause(args) => container::unpause::run(args, context).await,
        ContainerVerb::Update(args) => container::update::run(args, context).await,
        ContainerVerb::Wait(args) => container::wait::run(args, context).await,
    }
}

/// What is done to one of several objects: prints its name, and goes on with the next whatever happens.
#[derive(Default)]
pub(crate) struct Each {
    errors: Vec<CliError>,
}

impl Each {
    /// The name on stdout, or the error kept for the end.
    pub(crate) fn done<E: Into<CliError>>(
        &mut self,
        name: &str,
        result: Result<(), E>,
    ) -> Result<(), CliError> {
        match result {
            Ok(()) => crate::output::line(name),
            Err(error) => {
                self.errors.push(error.into());
                Ok(())
            }
        }
    }

    /// All errors as one.
    pub(crate) fn end(self) -> Result<(), CliError> {
        if self.errors.is_empty() { Ok(()) } else { Err(CliError::Several(self.errors)) }
    }
}
