//! What runs: entrypoint and command, environment, working directory, from the request and the image.

use netd_api::models;

use crate::container::{ContainerError, error::invalid};

/// Where programs are looked for, as in Docker's own default.
pub(in crate::container) const PATH: &str =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The program and its arguments.
pub(in crate::container) fn args(config: &models::ContainerConfig) -> Result<Vec<String>, ContainerError> {
    // `--entrypoint ""` arrives as one empty word: no entrypoint.
    let entrypoint = config.entrypoint.iter().flatten();
    let bare = matches!(config.entrypoint.as_deref(), Some([only]) if only.is_empty());
    let words = entrypoint.filter(|_| !bare).chain(config.cmd.iter().flatten());
    let args: Vec<_> = words.cloned().collect();
    if args.first().is_none_or(String::is_empty) {
        return invalid("no command specified");
    }
    if args.iter().any(|arg| arg.contains('\0')) {
        return invalid("invalid command: it contains a NUL byte");
    }
    Ok(args)
}

/// The environment: defaults first, what the user says last; of two values of one name the later one holds. A name
/// without `=` takes a default away.
pub(in crate::container) fn env(
    config: &models::ContainerConfig,
    hostname: &str,
    home: Option<&str>,
) -> Result<Vec<String>, ContainerError> {
    let mut all = vec![PATH.to_owned(), format!("HOSTNAME={hostname}")];
    if config.tty == Some(true) {
        all.push("TERM=xterm".to_owned());
    }
    all.extend(home.map(|home| format!("HOME={home}")));
    for pair in config.env.iter().flatten() {
        let (name, value) =
            pair.split_once('=').map_or((pair.as_str(), None), |(name, value)| (name, Some(value)));
        if name.is_empty() || pair.contains('\0') {
            return invalid(format!("invalid environment variable: {pair}"));
        }
        let position = all.iter().position(|known| known.split('=').next() == Some(name));
        match (position, value) {
            (Some(position), Some(_)) => pair.clone_into(&mut all[position]),
            (Some(position), None) => drop(all.remove(position)),
            (None, Some(_)) => all.push(pair.clone()),
            (None, None) => {}
        }
    }
    Ok(all)
}

/// Where the process starts.
pub(in crate::container) fn cwd(config: &models::ContainerConfig) -> Result<String, ContainerError> {
    match config.working_dir.as_deref().unwrap_or_default() {
        "" => Ok("/".to_owned()),
        dir if dir.starts_with('/') => Ok(dir.to_owned()),
        dir => invalid(format!("the working directory '{dir}' is invalid, it needs to be an absolute path")),
    }
}

/// Host and domain name: 63 bytes per label, as the kernel and RFC 1123 want it.
pub(in crate::container) fn check_hostname(name: &str) -> Result<(), ContainerError> {
    let legal = |label: &str| {
        let inside = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        !label.is_empty() && label.len() <= 63 && label.chars().all(inside) && !label.starts_with('-')
    };
    if name.is_empty() || name.len() <= 64 && name.split('.').all(legal) {
        Ok(())
    } else {
        invalid(format!("invalid hostname format: {name}"))
    }
}

/// A signal by name or number: `SIGTERM`, `TERM`, `15`.
pub(in crate::container) fn signal(text: &str) -> Result<i32, ContainerError> {
    let wrong = || ContainerError::Invalid(format!("Invalid signal: {text}"));
    if let Ok(number) = text.parse::<i32>() {
        return if (1..=64).contains(&number) { Ok(number) } else { Err(wrong()) };
    }
    let upper = text.to_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(offset) = name.strip_prefix("RTMIN") {
        return real_time(34, offset).ok_or_else(wrong);
    }
    if let Some(offset) = name.strip_prefix("RTMAX") {
        return real_time(64, offset).ok_or_else(wrong);
    }
    let name = match name {
        "CLD" => "CHLD",
        "POLL" => "IO",
        name => name,
    };
    format!("SIG{name}").parse::<nix::sys::signal::Signal>().map(|signal| signal as i32).map_err(|_| wrong())
}

/// `RTMIN+3`, `RTMAX-1`.
fn real_time(base: i32, offset: &str) -> Option<i32> {
    let offset = if offset.is_empty() { 0 } else { offset.parse().ok()? };
    Some(base + offset).filter(|number| (34..=64).contains(number))
}

/// Adds variables that give way to those that are there.
pub(in crate::container) fn add_variables(env: &mut Vec<String>, more: Vec<String>) {
    for pair in more {
        let name = pair.split('=').next();
        if !env.iter().any(|known| known.split('=').next() == name) {
            env.push(pair);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(config: serde_json::Value) -> models::ContainerConfig {
        serde_json::from_value(config).unwrap()
    }

    #[test]
    fn entrypoint_and_command_make_the_arguments() {
        let read = |value| args(&config(value));
        assert_eq!(read(json!({"Entrypoint": ["sh", "-c"], "Cmd": ["true"]})).unwrap(), ["sh", "-c", "true"]);
        assert_eq!(read(json!({"Entrypoint": [""], "Cmd": ["true"]})).unwrap(), ["true"]);
        for nothing in [json!({}), json!({"Cmd": []}), json!({"Cmd": [""]})] {
            assert_eq!(read(nothing).unwrap_err().to_string(), "no command specified");
        }
    }

    #[test]
    fn the_later_value_holds() {
        let asked = config(json!({"Env": ["A=1", "PATH=/x", "HOSTNAME", "A=2", "UNSET"]}));
        assert_eq!(env(&asked, "h", None).unwrap(), ["PATH=/x", "A=2"]);
        assert!(env(&config(json!({"Env": ["=1"]})), "h", None).is_err());
        assert!(env(&config(json!({"Tty": true})), "h", None).unwrap().contains(&"TERM=xterm".to_owned()));
    }

    #[test]
    fn signals_have_names_and_numbers() {
        for (text, number) in [
            ("SIGTERM", 15),
            ("kill", 9),
            ("9", 9),
            ("RTMIN+3", 37),
            ("SIGRTMAX-1", 63),
            ("CLD", 17),
            ("USR1", 10),
        ] {
            assert_eq!(signal(text).unwrap(), number, "{text}");
        }
        for text in ["", "0", "65", "SIGNOPE", "RTMIN+40", "-1"] {
            assert_eq!(signal(text).unwrap_err().to_string(), format!("Invalid signal: {text}"));
        }
    }

    #[test]
    fn names_and_directories_are_checked() {
        assert!(check_hostname("").is_ok() && check_hostname("web-1.example.org").is_ok());
        assert!(check_hostname("a b").is_err() && check_hostname(&"x".repeat(65)).is_err());
        assert!(cwd(&config(json!({"WorkingDir": "rel"}))).is_err());
        assert_eq!(cwd(&config(json!({}))).unwrap(), "/");
    }
}
