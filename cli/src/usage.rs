//! What a user reads whose command line can't be read: Docker's texts and exit codes for clap's errors.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command};

use crate::error::Ending;
use crate::help;

/// Docker's code for flags that it does not know or understand.
const BAD_FLAG: u8 = 125;

/// Help goes to stdout; anything else is an ending.
pub(crate) enum Said {
    Help(String),
    Refused(Ending),
}

/// What to say about an error of clap's.
pub(crate) fn say(error: &clap::Error, top: &Command, words: &[OsString], width: usize) -> Said {
    let (path, command) = help::named(top, words);
    let of = Of { path: &path, command };
    let refused = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            return Said::Help(help::page(&path, command, width));
        }
        ErrorKind::MissingSubcommand => return Said::Help(help::page(&path, command, width)),
        ErrorKind::InvalidSubcommand => of.unknown_command(&context(error, ContextKind::InvalidSubcommand)),
        ErrorKind::UnknownArgument => of.unknown_argument(&context(error, ContextKind::InvalidArg)),
        ErrorKind::MissingRequiredArgument | ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            of.wrong_count()
        }
        // A word that is neither behind a container nor a command of `port`.
        ErrorKind::ArgumentConflict if !context(error, ContextKind::InvalidSubcommand).is_empty() => {
            of.wrong_count()
        }
        ErrorKind::TooManyValues if !context(error, ContextKind::InvalidArg).starts_with('-') => {
            of.wrong_count()
        }
        ErrorKind::InvalidValue | ErrorKind::NoEquals
            if context(error, ContextKind::InvalidValue).is_empty()
                && context(error, ContextKind::InvalidArg).starts_with('-') =>
        {
            of.needs_argument(&context(error, ContextKind::InvalidArg), words)
        }
        _ => of.invalid_value(error),
    };
    Said::Refused(refused)
}

fn context(error: &clap::Error, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.first().cloned().unwrap_or_default(),
        _ => String::new(),
    }
}

/// The command that the user meant.
struct Of<'a> {
    path: &'a str,
    command: &'a Command,
}

impl Of<'_> {
    fn flag_error(&self, text: &str) -> Ending {
        let (path, usage) = (self.path, help::usage(self.path, self.command));
        let text = format!("{text}\n\nUsage:  {usage}\n\nRun '{path} --help' for more information");
        Ending { text: Some(text), code: BAD_FLAG }
    }

    fn unknown_command(&self, word: &str) -> Ending {
        let path = self.path;
        let usage = if path == "pontoon" { String::new() } else { format!("Usage:  {path}\n\n") };
        let text = format!(
            "pontoon: unknown command: {path} {word}\n\n{usage}Run '{path} --help' for more information"
        );
        Ending { text: Some(text), code: 1 }
    }

    /// A flag that does not exist, or a word too many.
    fn unknown_argument(&self, word: &str) -> Ending {
        if word.starts_with("--") {
            let flag = word.split('=').next().unwrap_or(word);
            return self.flag_error(&format!("unknown flag: {flag}"));
        }
        match word.strip_prefix('-').and_then(|letters| letters.chars().next()) {
            Some(letter) => self.flag_error(&format!("unknown shorthand flag: '{letter}' in {word}")),
            None if help::is_group(self.command) => self.unknown_command(word),
            None => self.wrong_count(),
        }
    }

    fn wrong_count(&self) -> Ending {
        let (path, usage) = (self.path, help::usage(self.path, self.command));
        let counts = counts(self.command);
        let text = format!(
            "pontoon: '{path}' {counts}\n\nUsage:  {usage}\n\nRun '{path} --help' for more information"
        );
        Ending { text: Some(text), code: 1 }
    }

    /// `flag needs an argument: --network`, or `'p' in -p`.
    fn needs_argument(&self, shown: &str, words: &[OsString]) -> Ending {
        let long = shown.split([' ', '=']).next().unwrap_or(shown);
        let arg = self.find(long);
        let last = words.last().and_then(|word| word.to_str()).unwrap_or_default();
        match arg.and_then(Arg::get_short) {
            Some(letter) if !last.starts_with("--") && last.ends_with(letter) => {
                self.flag_error(&format!("flag needs an argument: '{letter}' in {last}"))
            }
            _ => self.flag_error(&format!("flag needs an argument: {long}")),
        }
    }

    fn invalid_value(&self, error: &clap::Error) -> Ending {
        let shown = context(error, ContextKind::InvalidArg);
        let value = context(error, ContextKind::InvalidValue);
        let long = shown.split([' ', '=', '[']).next().unwrap_or(&shown);
        let Some(arg) = self.find(long) else {
            let text = error.to_string();
            let text = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
            return self.flag_error(&text);
        };
        let name = match (arg.get_short(), arg.get_long()) {
            (Some(short), Some(long)) => format!("-{short}, --{long}"),
            (_, Some(long)) => format!("--{long}"),
            _ => long.to_owned(),
        };
        let why = std::error::Error::source(error).map(ToString::to_string);
        let why = why.map(|why| go_number(&why, &value)).unwrap_or_else(|| "invalid value".to_owned());
        self.flag_error(&format!("invalid argument {value:?} for \"{name}\" flag: {why}"))
    }

    fn find(&self, shown: &str) -> Option<&Arg> {
        let long = shown.strip_prefix("--");
        let short = shown.strip_prefix('-').and_then(|s| s.chars().next());
        self.command.get_arguments().find(|arg| match long {
            Some(long) => arg.get_long() == Some(long),
            None => short.is_some() && arg.get_short() == short,
        })
    }
}

/// Rust's words for a number that is none, as Go's.
fn go_number(why: &str, value: &str) -> String {
    if why.starts_with("invalid digit") || why.starts_with("cannot parse integer") {
        return format!("strconv.ParseInt: parsing {value:?}: invalid syntax");
    }
    if why.contains("too large") || why.contains("too small") || why.contains("not in ") {
        return format!("strconv.ParseInt: parsing {value:?}: value out of range");
    }
    why.to_owned()
}

/// `requires 1 argument`, `requires at least 2 arguments`, …
fn counts(command: &Command) -> String {
    let (mut least, mut most) = (0, Some(0));
    for arg in command.get_positionals() {
        let many = matches!(arg.get_action(), ArgAction::Append);
        let own = arg.get_num_args().map_or(1, |range| range.min_values()).max(1);
        least += if arg.is_required_set() { own } else { 0 };
        most = if many { None } else { most.map(|most| most + 1) };
    }
    let arguments = |n: usize| if n == 1 { "argument" } else { "arguments" };
    match (least, most) {
        (0, Some(0)) => "accepts no arguments".to_owned(),
        (least, Some(most)) if least == most => format!("requires {least} {}", arguments(least)),
        (0, Some(most)) => format!("requires at most {most} {}", arguments(most)),
        (least, Some(most)) => {
            format!("requires at least {least} and at most {most} {}", arguments(most))
        }
        (least, None) => format!("requires at least {least} {}", arguments(least)),
    }
}
