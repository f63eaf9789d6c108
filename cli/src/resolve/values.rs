//! Values that are checked while flags are parsed, with Docker's error texts. A function takes the text of one flag
//! and gives back what is kept of it.

use std::net::IpAddr;

type Checked = Result<String, String>;

/// `name:address` or `name=address`; the address may be `host-gateway`, and a v6 one may stand in brackets.
pub(crate) fn add_host(text: &str) -> Checked {
    let bad = || format!("bad format for add-host: \"{text}\"");
    let at = text.find(['=', ':']).ok_or_else(bad)?;
    let (name, address) = (&text[..at], &text[at + 1..]);
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(bad());
    }
    if address == "host-gateway" {
        return Ok(format!("{name}:{address}"));
    }
    let bare = address.strip_prefix('[').and_then(|a| a.strip_suffix(']')).unwrap_or(address);
    match bare.parse::<IpAddr>() {
        Ok(_) => Ok(format!("{name}:{bare}")),
        Err(_) => Err(format!("invalid IP address in add-host: \"{address}\"")),
    }
}

/// `key=value`, or nothing.
pub(crate) fn filter(text: &str) -> Checked {
    if text.is_empty() || text.contains('=') {
        return Ok(text.to_owned());
    }
    Err("bad format of filter (expected name=value)".to_owned())
}

pub(crate) fn attach(text: &str) -> Checked {
    let stream = text.to_ascii_lowercase();
    match stream.as_str() {
        "stdin" | "stdout" | "stderr" => Ok(stream),
        _ => Err("valid streams are STDIN, STDOUT and STDERR".to_owned()),
    }
}

/// `name[:alias]`; what `docker inspect` shows (`/a:/b/alias`) is read too.
pub(crate) fn link(text: &str) -> Checked {
    if text.is_empty() {
        return Err("empty string specified for links".to_owned());
    }
    match text.split(':').count() {
        1 | 2 => Ok(text.to_owned()),
        _ => Err(format!("bad format for links: {text}")),
    }
}

pub(crate) fn ip_address(text: &str) -> Checked {
    match text.trim().parse::<IpAddr>() {
        Ok(address) => Ok(address.to_string()),
        Err(_) => Err(format!("IP address is not correctly formatted: {text}")),
    }
}

/// A domain to search in; `.` alone says none.
pub(crate) fn dns_search(text: &str) -> Checked {
    let domain = text.trim();
    if domain == "." {
        return Ok(domain.to_owned());
    }
    let label = |l: &str| {
        !l.is_empty()
            && l.len() <= 63
            && l.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
            && !l.starts_with('-')
    };
    let name = domain.strip_suffix('.').unwrap_or(domain);
    let lettered = name.chars().any(|c| c.is_ascii_alphabetic());
    if name.len() < 256 && lettered && name.split('.').all(label) {
        Ok(domain.to_owned())
    } else {
        Err(format!("{domain} is not a valid domain"))
    }
}

pub(crate) fn env(text: &str) -> Checked {
    if text.is_empty() || text.starts_with('=') {
        return Err(format!("invalid environment variable: {text}"));
    }
    Ok(text.to_owned())
}

pub(crate) fn label(text: &str) -> Checked {
    let name = text.split_once('=').map_or(text, |(name, _)| name);
    if name.is_empty() {
        return Err(format!("invalid label '{text}': empty name"));
    }
    if name.contains(char::is_whitespace) {
        return Err(format!("label '{name}' contains whitespaces"));
    }
    Ok(text.to_owned())
}

/// What a container may set: its own namespaces' settings, nothing of the host.
pub(crate) fn sysctl(text: &str) -> Checked {
    const NAMES: [&str; 7] = [
        "kernel.msgmax",
        "kernel.msgmnb",
        "kernel.msgmni",
        "kernel.sem",
        "kernel.shmall",
        "kernel.shmmax",
        "kernel.shmmni",
    ];
    let name = text.split_once('=').map(|(name, _)| name);
    match name {
        Some(name)
            if NAMES.contains(&name)
                || name == "kernel.shm_rmid_forced"
                || name.starts_with("net.")
                || name.starts_with("fs.mqueue.") =>
        {
            Ok(text.to_owned())
        }
        _ => Err(format!("sysctl '{text}' is not allowed")),
    }
}

/// `name=soft[:hard]`.
pub(crate) fn ulimit(text: &str) -> Checked {
    const NAMES: [&str; 15] = [
        "as",
        "core",
        "cpu",
        "data",
        "fsize",
        "locks",
        "memlock",
        "msgqueue",
        "nice",
        "nofile",
        "nproc",
        "rss",
        "rtprio",
        "rttime",
        "sigpending",
    ];
    let Some((name, limits)) = text.split_once('=').filter(|(_, limits)| !limits.contains('=')) else {
        return Err(format!("invalid ulimit argument: {text}"));
    };
    if !NAMES.contains(&name) && name != "stack" {
        return Err(format!("invalid ulimit type: {name}"));
    }
    let parts: Vec<&str> = limits.split(':').collect();
    if parts.len() > 2 {
        return Err(format!(
            "too many limit value arguments - {limits}, can only have up to two, `soft[:hard]`"
        ));
    }
    let mut values = Vec::new();
    for part in parts {
        let no_number = || format!("strconv.ParseInt: parsing {part:?}: invalid syntax");
        values.push(part.parse::<i64>().map_err(|_| no_number())?);
    }
    match values[..] {
        [soft, hard] if hard != -1 && soft > hard => {
            Err(format!("ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"))
        }
        _ => Ok(text.to_owned()),
    }
}

/// `path:rate`, where the rate is a size or a count.
pub(crate) fn device_rate(text: &str) -> Checked {
    match text.split_once(':') {
        Some((path, rate)) if path.starts_with("/dev/") && super::units::bytes(rate).is_ok() => {
            Ok(text.to_owned())
        }
        Some((path, _)) if !path.starts_with("/dev/") => Err(format!("bad format for device path: {text}")),
        _ => Err(format!("bad format: {text}")),
    }
}

/// A Go `bool`: what `--flag=…` may say.
pub(crate) fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!("strconv.ParseBool: parsing {text:?}: invalid syntax")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_name_and_address() {
        assert_eq!(add_host("a:10.0.0.1"), Ok("a:10.0.0.1".to_owned()));
        assert_eq!(add_host("a=[::1]"), Ok("a:::1".to_owned()));
        assert_eq!(add_host("a:host-gateway"), Ok("a:host-gateway".to_owned()));
        assert_eq!(add_host("foo"), Err("bad format for add-host: \"foo\"".to_owned()));
        assert_eq!(add_host("foo:bar"), Err("invalid IP address in add-host: \"bar\"".to_owned()));
    }

    #[test]
    fn what_is_refused_says_why() {
        type Check = fn(&str) -> Checked;
        let table: [(Check, &str, &str); 11] = [
            (filter, "x", "bad format of filter (expected name=value)"),
            (link, "a:b:c", "bad format for links: a:b:c"),
            (attach, "foo", "valid streams are STDIN, STDOUT and STDERR"),
            (ip_address, "300.1.1.1", "IP address is not correctly formatted: 300.1.1.1"),
            (dns_search, "a b", "a b is not a valid domain"),
            (env, "", "invalid environment variable: "),
            (label, "", "invalid label '': empty name"),
            (sysctl, "x", "sysctl 'x' is not allowed"),
            (ulimit, "x", "invalid ulimit argument: x"),
            (ulimit, "foo=1", "invalid ulimit type: foo"),
            (ulimit, "nofile=9:1", "ulimit soft limit must be less than or equal to hard limit: 9 > 1"),
        ];
        for (check, text, expected) in table {
            assert_eq!(check(text), Err(expected.to_owned()), "{text}");
        }
        assert_eq!(boolean("foo"), Err("strconv.ParseBool: parsing \"foo\": invalid syntax".to_owned()));
    }
}
