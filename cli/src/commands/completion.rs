//! `pontoon completion SHELL`.

use crate::args::Completion;
use crate::error::CliError;
use crate::output;

pub(super) fn run(args: &Completion) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::help::command(), "pontoon", &mut script);
    output::bytes(output::To::Stdout, &script)
}
