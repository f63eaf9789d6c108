//! Help in Docker's layout: usage, what it does, aliases, commands or options, with the type behind each flag. The
//! words are our own.

use std::ffi::OsString;

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, Command, CommandFactory};

use crate::args::Cli;
use crate::resolve::{mounts, network, values};

/// The command line as clap knows it, with what Docker's flags can and derived ones can't: `--flag=false`, values that
/// begin with a dash, checks with Docker's texts, `--help` without `-h`.
pub(crate) fn command() -> Command {
    finish(Cli::command(), true)
}

fn finish(command: Command, top: bool) -> Command {
    let command = command
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .disable_version_flag(true)
        .args_override_self(true)
        .mut_args(finish_arg)
        .mut_subcommands(|below| finish(below, false));
    let command = if command.get_arguments().any(|arg| arg.get_id() == "publish") {
        check_run(command)
    } else {
        command
    };
    let help = Arg::new("help").long("help").action(ArgAction::HelpLong).help("Print usage");
    command.arg(if top { help.short('h') } else { help.hide(true) })
}

fn finish_arg(arg: Arg) -> Arg {
    if arg.is_positional() {
        return arg;
    }
    match arg.get_action() {
        ArgAction::SetTrue => arg
            .action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .default_value("false")
            .value_name("")
            .value_parser(values::boolean),
        ArgAction::Set | ArgAction::Append if arg.is_require_equals_set() => {
            arg.value_parser(values::boolean)
        }
        ArgAction::Set | ArgAction::Append => {
            let arg = arg.allow_hyphen_values(true);
            match check(arg.get_id().as_str()) {
                Some(parser) => arg.value_parser(parser),
                None => arg,
            }
        }
        _ => arg,
    }
}

/// Flags whose values Docker's CLI checks while it reads them.
fn check(id: &str) -> Option<ValueParser> {
    let parser: fn(&str) -> Result<String, String> = match id {
        "add_host" => values::add_host,
        "filter" => values::filter,
        "link" => values::link,
        "dns" => values::ip_address,
        "dns_search" => values::dns_search,
        "env" => values::env,
        "label" => values::label,
        "sysctl" => values::sysctl,
        "ulimit" => values::ulimit,
        "device_read_bps" | "device_read_iops" | "device_write_bps" | "device_write_iops" => {
            values::device_rate
        }
        "mount" => |text| mounts::mount(text).map(|_| text.to_owned()),
        "shm_size" => |text| crate::resolve::units::bytes(text).map(|_| text.to_owned()),
        _ => return None,
    };
    Some(ValueParser::new(parser))
}

/// `--network` and `-a` mean one thing to `run` and another elsewhere: their checks are put where they belong.
fn check_run(command: Command) -> Command {
    command
        .mut_arg("network", |arg| {
            arg.value_parser(|text: &str| network::parse(text).map(|_| text.to_owned()))
        })
        .mut_arg("attach", |arg| arg.value_parser(values::attach))
}

/// The command that a command line names, with the words that lead to it.
pub(crate) fn named<'c>(top: &'c Command, words: &[OsString]) -> (String, &'c Command) {
    let mut path = top.get_name().to_owned();
    let mut command = top;
    let mut words = words.iter().skip(1);
    while let Some(word) = words.next() {
        let Some(word) = word.to_str() else { break };
        if matches!(word, "-H" | "--host" | "-l" | "--log-level") {
            words.next();
            continue;
        }
        if word.starts_with('-') {
            if command.get_subcommands().next().is_none() {
                break;
            }
            continue;
        }
        let Some(below) = command.find_subcommand(word) else { break };
        path = format!("{path} {}", below.get_name());
        command = below;
    }
    (path, command)
}

/// Whether a command does nothing but lead to others. `port` does both.
pub(crate) fn is_group(command: &Command) -> bool {
    command.get_subcommands().next().is_some() && command.get_positionals().next().is_none()
}

/// The line behind `Usage:`.
pub(crate) fn usage(path: &str, command: &Command) -> String {
    let mut usage = path.to_owned();
    if is_group(command) {
        if path == "pontoon" {
            usage.push_str(" [OPTIONS]");
        }
        return usage + " COMMAND";
    }
    if options(command).next().is_some() {
        usage.push_str(" [OPTIONS]");
    }
    for arg in command.get_positionals() {
        usage.push(' ');
        usage.push_str(&positional(arg));
    }
    usage
}

fn positional(arg: &Arg) -> String {
    let name = arg.get_value_names().and_then(|names| names.first()).map_or("", |name| name.as_str());
    match (arg.get_id().as_str(), name) {
        ("words", "IMAGE") => return "IMAGE [COMMAND] [ARG...]".to_owned(),
        ("words", "CONTAINER COMMAND") => return "CONTAINER COMMAND [ARG...]".to_owned(),
        ("words", "NAMESPACE COMMAND") => return "NAMESPACE COMMAND [ARG...]".to_owned(),
        ("words", _) => return "CONTAINER [ps OPTIONS]".to_owned(),
        ("flags", _) => return "[-- NETD_FLAGS...]".to_owned(),
        _ => {}
    }
    let many = matches!(arg.get_action(), ArgAction::Append);
    match (arg.is_required_set(), many) {
        (true, true) => format!("{name} [{name}...]"),
        (true, false) => name.to_owned(),
        (false, true) => format!("[{name}...]"),
        (false, false) => format!("[{name}]"),
    }
}

/// The whole page.
pub(crate) fn page(path: &str, command: &Command, width: usize) -> String {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let mut out = format!("Usage:  {}\n\n{about}\n", usage(path, command));
    let aliases: Vec<String> = aliases(path, command);
    if aliases.len() > 1 {
        out.push_str(&format!("\nAliases:\n  {}\n", aliases.join(", ")));
    }
    out.push_str(&commands(command));
    out.push_str(&flags(path, command, width));
    if command.get_subcommands().next().is_some() {
        out.push_str(&format!("\nRun '{path} COMMAND --help' for more information on a command.\n"));
    }
    out
}

/// Every way to call it, as Docker lists them.
fn aliases(path: &str, command: &Command) -> Vec<String> {
    let (above, _) = path.rsplit_once(' ').unwrap_or((path, ""));
    let mut all: Vec<String> = Vec::new();
    if !is_group(command) && above == "pontoon" && is_container_verb(command.get_name()) {
        let noun = if command.get_name() == "ps" { "ls" } else { command.get_name() };
        all.push(format!("pontoon container {noun}"));
    }
    all.push(path.to_owned());
    all.extend(command.get_all_aliases().map(|alias| format!("{above} {alias}")));
    all
}

fn is_container_verb(name: &str) -> bool {
    let verbs = Cli::command();
    let container = verbs.find_subcommand("container");
    name == "ps" || container.is_some_and(|c| c.find_subcommand(name).is_some() && !matches!(name, "inspect"))
}

fn commands(command: &Command) -> String {
    let shown: Vec<&Command> = command.get_subcommands().filter(|c| !c.is_hide_set()).collect();
    let mut out = String::new();
    let width = shown.iter().map(|c| c.get_name().len()).max().unwrap_or(0);
    let groups = [("Management Commands", true), ("Commands", false)];
    for (title, group) in groups {
        let mut of_group: Vec<&&Command> = shown.iter().filter(|c| is_group(c) == group).collect();
        of_group.sort_by_key(|c| c.get_name().to_owned());
        if !of_group.is_empty() {
            out.push_str(&format!("\n{title}:\n"));
        }
        for below in of_group {
            let about = below.get_about().map(ToString::to_string).unwrap_or_default();
            out.push_str(&format!("  {:width$}  {about}\n", below.get_name()));
        }
    }
    out
}

fn options(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| !arg.is_positional() && !arg.is_hide_set())
}

fn flags(path: &str, command: &Command, width: usize) -> String {
    let mut all: Vec<&Arg> = options(command).collect();
    all.sort_by_key(|arg| arg.get_long().unwrap_or_default().to_owned());
    if all.is_empty() {
        return String::new();
    }
    let heads: Vec<String> = all.iter().map(|arg| flag_head(arg)).collect();
    let column = heads.iter().map(String::len).max().unwrap_or(0) + 3;
    let mut out = format!("\n{}:\n", if path == "pontoon" { "Global Options" } else { "Options" });
    for (arg, head) in all.iter().zip(heads) {
        let text = flag_text(arg);
        let room = width.saturating_sub(column).max(24);
        for (i, line) in wrapped(&text, room).iter().enumerate() {
            let head = if i == 0 { head.as_str() } else { "" };
            out.push_str(&format!("{head:column$}{line}\n"));
        }
    }
    out
}

fn flag_head(arg: &Arg) -> String {
    let short = arg.get_short().map_or("    ".to_owned(), |c| format!("-{c}, "));
    let kind = arg.get_value_names().and_then(|names| names.first()).map_or("", |name| name.as_str());
    let takes = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append) && !kind.is_empty();
    let kind = if takes { format!(" {}", kind.to_lowercase()) } else { String::new() };
    format!("  {short}--{}{kind}", arg.get_long().unwrap_or_default())
}

fn flag_text(arg: &Arg) -> String {
    let text = arg.get_help().map(ToString::to_string).unwrap_or_default();
    match arg.get_default_values().first().and_then(|value| value.to_str()) {
        None | Some("false" | "") => text,
        Some(value) if value.parse::<i64>().is_ok() => format!("{text} (default {value})"),
        Some(value) => format!("{text} (default {value:?})"),
    }
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        let line = &mut lines[last];
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            line.push_str(if line.is_empty() { "" } else { " " });
            line.push_str(word);
        }
    }
    lines
}
