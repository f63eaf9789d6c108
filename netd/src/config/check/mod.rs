//! From settings as written to a [`Config`] whose every value is legal. Pure: what depends on the machine (does the
//! group exist, is the data root writable) is found out at the start, not here.

mod bridge;
mod containers;
mod networks;

use std::{net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use super::{Config, Listen, LogLevel, SocketGroup, file::Merged, settings::Settings};

/// A value makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid value \"{value}\" for \"{key}\": {why}")]
pub struct SettingError {
    key: &'static str,
    value: String,
    why: String,
}

type Checked<T> = Result<T, SettingError>;

fn wrong(key: &'static str, value: &impl ToString, why: impl Into<String>) -> SettingError {
    SettingError { key, value: value.to_string(), why: why.into() }
}

pub(super) fn config(merged: Merged) -> Checked<Config> {
    let Merged { settings, ignored } = merged;
    let hosts = hosts(settings.hosts.as_deref())?;
    let mut warnings: Vec<String> =
        ignored.iter().map(|key| format!("the directive \"{key}\" has no effect in this daemon")).collect();
    warnings.extend(hosts.iter().filter_map(open_door));
    Ok(Config {
        hosts,
        log_level: log_level(&settings)?,
        shutdown_timeout: shutdown_timeout(settings.shutdown_timeout.unwrap_or(15))?,
        metrics: settings.metrics_addr.as_deref().map(metrics).transpose()?,
        labels: labels(settings.labels.unwrap_or_default())?,
        data_root: absolute("data-root", settings.data_root, "/var/lib/pontoon")?,
        exec_root: absolute("exec-root", settings.exec_root, "/run/pontoon")?,
        pidfile: settings.pidfile,
        group: settings.group.map_or(SocketGroup::Default, SocketGroup::Named),
        live_restore: settings.live_restore.unwrap_or(false),
        network: networks::network(&settings.bridge, settings.network)?,
        container: containers::container(settings.container)?,
        warnings,
    })
}

fn open_door(host: &Listen) -> Option<String> {
    match host {
        Listen::Tcp(address) => Some(format!(
            "the API on tcp://{address} has no authentication: whoever reaches it has root access to this machine"
        )),
        Listen::Unix(_) | Listen::Inherited => None,
    }
}

fn hosts(said: Option<&[String]>) -> Checked<Vec<Listen>> {
    match said {
        None | Some([]) => Ok(vec![Listen::Unix(netd_api::extras::DEFAULT_SOCKET.into())]),
        Some(hosts) => hosts.iter().map(|host| listen(host)).collect(),
    }
}

fn listen(host: &str) -> Checked<Listen> {
    let wrong = |why: &str| wrong("hosts", &host, why);
    let (scheme, rest) = host.split_once("://").unwrap_or(("", host));
    match (scheme, rest) {
        ("unix", "") => Ok(Listen::Unix(netd_api::extras::DEFAULT_SOCKET.into())),
        ("unix", path) if path.starts_with('/') => Ok(Listen::Unix(path.into())),
        ("unix", _) => Err(wrong("the path of a socket must be absolute")),
        ("fd", _) => Ok(Listen::Inherited),
        ("tcp", address) => {
            let address = address.trim_end_matches('/').replace("localhost:", "127.0.0.1:");
            address
                .parse()
                .map(Listen::Tcp)
                .map_err(|_| wrong("it should be of the form tcp://127.0.0.1:2375"))
        }
        _ => Err(wrong("it should begin with unix://, tcp:// or fd://")),
    }
}

fn absolute(key: &'static str, said: Option<PathBuf>, default: &str) -> Checked<PathBuf> {
    let path = said.filter(|path| !path.as_os_str().is_empty()).unwrap_or_else(|| default.into());
    if path.is_absolute() { Ok(path) } else { Err(wrong(key, &path.display(), "the path must be absolute")) }
}

fn log_level(settings: &Settings) -> Checked<LogLevel> {
    let level = match settings.log_level.as_deref() {
        None | Some("info") => LogLevel::Info,
        Some("debug") => LogLevel::Debug,
        Some("warn") => LogLevel::Warn,
        Some("error" | "fatal") => LogLevel::Error,
        Some(other) => return Err(wrong("log-level", &other, "invalid logging level")),
    };
    Ok(if settings.debug == Some(true) { LogLevel::Debug } else { level })
}

fn shutdown_timeout(seconds: i64) -> Checked<Option<Duration>> {
    match seconds {
        -1 => Ok(None),
        _ => match u64::try_from(seconds) {
            Ok(seconds) => Ok(Some(Duration::from_secs(seconds))),
            Err(_) => Err(wrong("shutdown-timeout", &seconds, "it should be -1 or a number of seconds")),
        },
    }
}

fn metrics(address: &str) -> Checked<SocketAddr> {
    let numeric = address.replace("localhost:", "127.0.0.1:");
    numeric.parse().map_err(|_| wrong("metrics-addr", &address, "it should be of the form 127.0.0.1:9323"))
}

fn labels(labels: Vec<String>) -> Checked<Vec<String>> {
    match labels.iter().find(|label| label.split_once('=').is_none_or(|(name, _)| name.is_empty())) {
        Some(label) => Err(wrong("labels", label, "bad attribute format")),
        None => Ok(labels),
    }
}

fn ip<A: FromStr>(key: &'static str, text: &str) -> Checked<A> {
    text.trim().parse().map_err(|_| wrong(key, &text, "IP address is not correctly formatted"))
}

fn cidr<N: FromStr>(key: &'static str, text: &str) -> Checked<N> {
    let invalid = || wrong(key, &text, "invalid CIDR address: it should be of the form 10.10.0.0/16");
    if !text.contains('/') {
        return Err(invalid());
    }
    text.trim().parse().map_err(|_| invalid())
}

#[cfg(test)]
mod tests;
