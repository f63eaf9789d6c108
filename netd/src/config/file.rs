//! netd.json: Docker's daemon.json by another name. A key that nobody knows is an error, so that a typing mistake is
//! not a silent default; a key said by a flag as well is an error, so that it is never unclear which one holds.

use std::{collections::BTreeSet, io, path::PathBuf};

use serde_json::{Map, Value};

use super::settings::Settings;

/// Keys that dockerd has and that change nothing here: accepted, with a warning.
const IGNORED: &[&str] = &[
    "allow-nondistributable-artifacts",
    "api-cors-header",
    "builder",
    "cdi-spec-dirs",
    "containerd",
    "containerd-namespace",
    "containerd-plugin-namespace",
    "cpu-rt-period",
    "cpu-rt-runtime",
    "default-cgroupns-mode",
    "default-ipc-mode",
    "default-ulimits",
    "exec-opts",
    "experimental",
    "features",
    "firewall-backend",
    "http-proxy",
    "https-proxy",
    "init-path",
    "insecure-registries",
    "ip-forward-no-drop",
    "ip6tables",
    "iptables",
    "log-format",
    "max-concurrent-downloads",
    "max-concurrent-uploads",
    "max-download-attempts",
    "min-api-version",
    "network-control-plane-mtu",
    "network-diagnostic-port",
    "no-proxy",
    "node-generic-resources",
    "oom-score-adjust",
    "proxies",
    "raw-logs",
    "registry-mirrors",
    "storage-driver",
    "storage-opts",
    "swarm-default-advertise-addr",
    "tlscacert",
    "tlscert",
    "tlskey",
    "userland-proxy-path",
];

/// Keys that dockerd has, and whose protection would be missed if they were ignored.
const REFUSED: &[&str] = &[
    "authorization-plugins",
    "cluster-advertise",
    "cluster-store",
    "cluster-store-opts",
    "rootless",
    "seccomp-profile",
    "selinux-enabled",
    "tls",
    "tlsverify",
    "userns-remap",
];

/// The file can't be used.
#[derive(Debug, thiserror::Error)]
#[error("unable to configure the daemon with file {}: {problem}", path.display())]
pub struct FileError {
    path: PathBuf,
    problem: Problem,
}

/// What is wrong with it; the texts are dockerd's where it has one.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("{0}")]
    Unreadable(io::Error),
    #[error("invalid JSON: {0}")]
    Malformed(serde_json::Error),
    #[error("the following directives don't match any configuration option: {0}")]
    Unknown(String),
    #[error("the following directives are not supported by this daemon: {0}")]
    Refused(String),
    #[error("the following directives are specified both as a flag and in the configuration file: {0}")]
    Twice(String),
    #[error("invalid value for \"{key}\": {source}")]
    Value { key: String, source: serde_json::Error },
}

/// Flags and file together, and what of the file means nothing here.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Merged {
    pub(super) settings: Settings,
    pub(super) ignored: Vec<String>,
}

/// Merges what the file says, if there is one, with what the flags say.
pub(super) fn merge(
    path: PathBuf,
    content: io::Result<Option<String>>,
    flags: &Settings,
) -> Result<Merged, FileError> {
    let merged = match content {
        Ok(None) => return Ok(Merged { settings: flags.clone(), ignored: Vec::new() }),
        Ok(Some(text)) => read(&text).and_then(|file| join(file, flags)),
        Err(error) => Err(Problem::Unreadable(error)),
    };
    merged.map_err(|problem| FileError { path, problem })
}

fn read(text: &str) -> Result<Map<String, Value>, Problem> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim().is_empty() {
        Ok(Map::new())
    } else {
        serde_json::from_str(text).map_err(Problem::Malformed)
    }
}

fn join(file: Map<String, Value>, flags: &Settings) -> Result<Merged, Problem> {
    let known = known_keys();
    let foreign: Vec<&String> = file.keys().filter(|key| !known.contains(key.as_str())).collect();
    let listed = |list: &[&str]| -> Vec<String> {
        foreign.iter().filter(|key| list.contains(&key.as_str())).map(|key| (*key).clone()).collect()
    };
    let (ignored, refused) = (listed(IGNORED), listed(REFUSED));
    if foreign.len() > ignored.len() + refused.len() {
        let unknown =
            foreign.iter().filter(|key| !IGNORED.contains(&key.as_str()) && !REFUSED.contains(&key.as_str()));
        return Err(Problem::Unknown(unknown.map(|key| key.as_str()).collect::<Vec<_>>().join(", ")));
    }
    // A protection that is switched off is not missed.
    let refused: Vec<_> = refused.into_iter().filter(|key| !means_off(&file[key])).collect();
    if !refused.is_empty() {
        return Err(Problem::Refused(refused.join(", ")));
    }
    let said = said(flags);
    let twice: Vec<String> = said
        .iter()
        .filter_map(|(key, flag)| {
            Some(format!("{key}: (from flag: {}, from file: {})", plain(flag), plain(file.get(key)?)))
        })
        .collect();
    if !twice.is_empty() {
        return Err(Problem::Twice(twice.join(", ")));
    }
    let mut settings = typed(file)?;
    overlay(&mut settings, flags)?;
    Ok(Merged { settings, ignored })
}

/// The keys that [`Settings`] has: those that it writes once every one of them is said.
fn known_keys() -> BTreeSet<&'static str> {
    BTreeSet::from([
        "hosts",
        "data-root",
        "exec-root",
        "pidfile",
        "group",
        "debug",
        "log-level",
        "live-restore",
        "shutdown-timeout",
        "metrics-addr",
        "labels",
        "bridge",
        "bip",
        "bip6",
        "fixed-cidr",
        "fixed-cidr-v6",
        "default-gateway",
        "default-gateway-v6",
        "ipv6",
        "icc",
        "ip",
        "ip-masq",
        "mtu",
        "default-address-pools",
        "default-network-opts",
        "dns",
        "dns-opts",
        "dns-search",
        "host-gateway-ip",
        "host-gateway-ips",
        "ip-forward",
        "allow-direct-routing",
        "bridge-accept-fwmark",
        "userland-proxy",
        "default-runtime",
        "runtimes",
        "cgroup-parent",
        "shim",
        "init",
        "no-new-privileges",
        "default-shm-size",
        "log-driver",
        "log-opts",
    ])
}

fn means_off(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// What the flags say, by the file's keys. Runtimes, options of log drivers and of networks add up and never collide.
fn said(flags: &Settings) -> Map<String, Value> {
    match serde_json::to_value(flags) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => format!("[{}]", list.iter().map(plain).collect::<Vec<_>>().join(" ")),
        other => other.to_string(),
    }
}

fn typed(file: Map<String, Value>) -> Result<Settings, Problem> {
    // One key at a time first, as serde does not say which key it stumbled over.
    for (key, value) in &file {
        let alone = Map::from_iter([(key.clone(), value.clone())]);
        serde_json::from_value::<Settings>(Value::Object(alone))
            .map_err(|source| Problem::Value { key: key.clone(), source })?;
    }
    serde_json::from_value(Value::Object(file)).map_err(Problem::Malformed)
}

/// Puts what the flags say over what the file says; they never say the same.
fn overlay(settings: &mut Settings, flags: &Settings) -> Result<(), Problem> {
    let mut all = said(settings);
    all.extend(said(flags));
    *settings = serde_json::from_value(Value::Object(all)).map_err(Problem::Malformed)?;
    settings.network.default_network_opt.clone_from(&flags.network.default_network_opt);
    settings.container.add_runtime.clone_from(&flags.container.add_runtime);
    settings.container.log_opt.clone_from(&flags.container.log_opt);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::Flags;
    use clap::Parser;

    fn flags(args: &[&str]) -> Settings {
        Flags::try_parse_from(["netd"].iter().chain(args)).unwrap().settings
    }

    fn with(text: &str, args: &[&str]) -> Result<Merged, String> {
        merge("/etc/pontoon/netd.json".into(), Ok(Some(text.to_owned())), &flags(args))
            .map_err(|e| e.to_string())
    }

    fn refused(text: &str, args: &[&str]) -> String {
        let said = with(text, args).unwrap_err();
        said.strip_prefix("unable to configure the daemon with file /etc/pontoon/netd.json: ")
            .unwrap()
            .to_owned()
    }

    #[test]
    fn flags_and_file_add_up() {
        let merged =
            with(r#"{"bip":"10.10.0.1/16","icc":false,"experimental":true}"#, &["--mtu", "1400", "-D"])
                .unwrap();
        assert_eq!(merged.settings.bridge.bip.as_deref(), Some("10.10.0.1/16"));
        assert_eq!(merged.settings.bridge.icc, Some(false));
        assert_eq!(merged.settings.bridge.mtu, Some(1400));
        assert_eq!(merged.settings.debug, Some(true));
        assert_eq!(merged.ignored, ["experimental"]);
        for nothing in ["", "  \n", "{}", "\u{feff}{}"] {
            assert_eq!(with(nothing, &[]).unwrap(), Merged::default(), "{nothing:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(
            refused(r#"{"colour":"red","shape":1,"bip":"10.0.0.1/8"}"#, &[]),
            "the following directives don't match any configuration option: colour, shape"
        );
        assert_eq!(
            refused(r#"{"bip":"10.0.0.1/8"}"#, &["--bip", "10.1.0.1/16"]),
            "the following directives are specified both as a flag and in the configuration file: \
             bip: (from flag: 10.1.0.1/16, from file: 10.0.0.1/8)"
        );
        assert_eq!(
            refused(r#"{"hosts":["unix:///a","unix:///b"]}"#, &["-H", "unix:///c"]),
            "the following directives are specified both as a flag and in the configuration file: \
             hosts: (from flag: [unix:///c], from file: [unix:///a unix:///b])"
        );
        assert_eq!(
            refused(r#"{"mtu":"big"}"#, &[]),
            r#"invalid value for "mtu": invalid type: string "big", expected i64"#
        );
        assert!(
            refused(r#"{"mtu":"#, &[]).starts_with("invalid JSON: EOF"),
            "{}",
            refused(r#"{"mtu":"#, &[])
        );
        assert!(refused("[]", &[]).starts_with("invalid JSON: "));
        assert_eq!(
            refused(r#"{"tlsverify":true,"userns-remap":""}"#, &[]),
            "the following directives are not supported by this daemon: tlsverify"
        );
    }

    #[test]
    fn every_key_of_the_settings_is_known() {
        let all = flags(&[
            "-H",
            "unix:///s",
            "--data-root=/d",
            "--exec-root=/e",
            "-p/p",
            "-Gg",
            "-D",
            "-ldebug",
            "--live-restore",
            "--shutdown-timeout=1",
            "--metrics-addr=1",
            "--label=a=b",
            "-bb",
            "--bip=1",
            "--bip6=1",
            "--fixed-cidr=1",
            "--fixed-cidr-v6=1",
            "--default-gateway=1",
            "--default-gateway-v6=1",
            "--ipv6",
            "--icc=false",
            "--ip=1",
            "--ip-masq",
            "--mtu=1",
            "--default-address-pool=base=10.0.0.0/8,size=24",
            "--dns=1",
            "--dns-opt=a",
            "--dns-search=b",
            "--host-gateway-ip=1",
            "--ip-forward",
            "--allow-direct-routing",
            "--bridge-accept-fwmark=1",
            "--userland-proxy",
            "--default-runtime=runc",
            "--cgroup-parent=/x",
            "--shim=/s",
            "--init",
            "--no-new-privileges",
            "--default-shm-size=1m",
            "--log-driver=json-file",
        ]);
        let known = known_keys();
        for key in said(&all).keys() {
            assert!(known.contains(key.as_str()), "{key}");
        }
        // The ones without a flag of the same shape, and the old name of one.
        let without_flag = ["default-network-opts", "runtimes", "log-opts", "host-gateway-ip"];
        assert_eq!(said(&all).len() + without_flag.len(), known.len());
    }

    #[test]
    fn the_old_spelling_of_host_gateway_works() {
        let merged = with(r#"{"host-gateway-ip":"10.0.0.9"}"#, &[]).unwrap();
        assert_eq!(merged.settings.network.host_gateway_ips, Some(vec!["10.0.0.9".to_owned()]));
        assert_eq!(
            with(r#"{"default-shm-size":1048576}"#, &[])
                .unwrap()
                .settings
                .container
                .default_shm_size
                .as_deref(),
            Some("1048576")
        );
    }
}
