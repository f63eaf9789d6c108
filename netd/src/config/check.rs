//! From settings as written to a [`Config`] whose every value is legal. Pure: what depends on the machine (does the
//! group exist, is the data root writable) is found out at the start, not here.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf, str::FromStr, time::Duration};

use ipnetwork::IpNetwork;
use libnet::types::{IfName, Mtu};

use super::{
    AddressPool, BUILTIN_RUNTIME, Config, ContainerDefaults, DefaultBridge, DnsDefaults, Listen, LogLevel,
    NetworkDefaults, OciRuntime, SocketGroup,
    file::Merged,
    settings::{BridgeSettings, ContainerSettings, NetworkSettings, PoolSetting, Settings},
};

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
        labels: labels(settings.labels.unwrap_or_default())?,
        data_root: absolute("data-root", settings.data_root, "/var/lib/pontoon")?,
        exec_root: absolute("exec-root", settings.exec_root, "/run/pontoon")?,
        pidfile: settings.pidfile,
        group: settings.group.map_or(SocketGroup::Default, SocketGroup::Named),
        live_restore: settings.live_restore.unwrap_or(false),
        network: network(&settings.bridge, settings.network)?,
        container: container(settings.container)?,
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

fn labels(labels: Vec<String>) -> Checked<Vec<String>> {
    match labels.iter().find(|label| label.split_once('=').is_none_or(|(name, _)| name.is_empty())) {
        Some(label) => Err(wrong("labels", label, "bad attribute format")),
        None => Ok(labels),
    }
}

fn network(bridge: &BridgeSettings, said: NetworkSettings) -> Checked<NetworkDefaults> {
    let mut options = said.default_network_opts.unwrap_or_default();
    for option in said.default_network_opt.unwrap_or_default() {
        let mut parts = option.splitn(3, '=');
        let (Some(driver), Some(name), Some(value)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong(
                "default-network-opts",
                &option,
                "it should be of the form driver=option=value",
            ));
        };
        options.entry(driver.to_owned()).or_default().insert(name.to_owned(), value.to_owned());
    }
    Ok(NetworkDefaults {
        bridge: default_bridge(bridge)?,
        pools: pools(&said.default_address_pools.unwrap_or_default())?,
        options,
        dns: DnsDefaults {
            servers: addresses("dns", &said.dns.unwrap_or_default())?,
            search: search(said.dns_search.unwrap_or_default())?,
            options: said.dns_opts.unwrap_or_default(),
        },
        host_gateway: addresses("host-gateway-ips", &said.host_gateway_ips.unwrap_or_default())?,
        ip_forward: said.ip_forward.unwrap_or(true),
        userland_proxy: said.userland_proxy.unwrap_or(true),
    })
}

fn addresses(key: &'static str, texts: &[String]) -> Checked<Vec<IpAddr>> {
    texts.iter().map(|text| ip(key, text)).collect()
}

fn ip<A: FromStr>(key: &'static str, text: &str) -> Checked<A> {
    text.trim().parse().map_err(|_| wrong(key, &text, "IP address is not correctly formatted"))
}

fn search(domains: Vec<String>) -> Checked<Vec<String>> {
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let legal = |domain: &str| domain == "." || domain.trim_end_matches('.').split('.').all(label);
    match domains.iter().find(|domain| !legal(domain)) {
        Some(domain) => Err(wrong("dns-search", domain, "it is not a valid domain")),
        None => Ok(domains),
    }
}

fn pools(pools: &[PoolSetting]) -> Checked<Vec<AddressPool>> {
    let mut all: Vec<AddressPool> = Vec::new();
    for pool in pools {
        let key = "default-address-pools";
        let base: IpNetwork = cidr(key, &pool.base)?;
        let widest = if base.is_ipv4() { 32 } else { 128 };
        let size = u8::try_from(pool.size).ok().filter(|size| (base.prefix()..=widest).contains(size));
        let size = size.ok_or_else(|| {
            wrong(
                key,
                &pool.base,
                format!("the size {} must be between {} and {widest}", pool.size, base.prefix()),
            )
        })?;
        let base = IpNetwork::new(base.network(), base.prefix()).unwrap_or(base);
        if let Some(other) = all.iter().find(|other| overlap(other.base, base)) {
            return Err(wrong(key, &pool.base, format!("it overlaps with {}", other.base)));
        }
        all.push(AddressPool { base, size });
    }
    Ok(all)
}

fn overlap(a: IpNetwork, b: IpNetwork) -> bool {
    a.contains(b.network()) || b.contains(a.network())
}

fn cidr<N: FromStr>(key: &'static str, text: &str) -> Checked<N> {
    let invalid = || wrong(key, &text, "invalid CIDR address: it should be of the form 10.10.0.0/16");
    if !text.contains('/') {
        return Err(invalid());
    }
    text.trim().parse().map_err(|_| invalid())
}

fn default_bridge(said: &BridgeSettings) -> Checked<Option<DefaultBridge>> {
    fn given<T>(text: Option<&String>, read: impl Fn(&str) -> Checked<T>) -> Checked<Option<T>> {
        text.filter(|text| !text.is_empty()).map(|text| read(text)).transpose()
    }
    if said.bridge.as_deref() == Some("none") {
        return Ok(None);
    }
    let bridge = DefaultBridge {
        existing: given(said.bridge.as_ref(), |name| {
            name.parse::<IfName>().map_err(|error| wrong("bridge", &name, error.to_string()))
        })?,
        bip: given(said.bip.as_ref(), |text| cidr("bip", text))?,
        bip6: given(said.bip6.as_ref(), |text| cidr("bip6", text))?,
        fixed_cidr: given(said.fixed_cidr.as_ref(), |text| cidr("fixed-cidr", text))?,
        fixed_cidr_v6: given(said.fixed_cidr_v6.as_ref(), |text| cidr("fixed-cidr-v6", text))?,
        gateway: given(said.default_gateway.as_ref(), |text| ip("default-gateway", text))?,
        gateway_v6: given(said.default_gateway_v6.as_ref(), |text| ip("default-gateway-v6", text))?,
        ipv6: said.ipv6.unwrap_or(false),
        icc: said.icc.unwrap_or(true),
        host_ip: given(said.ip.as_ref(), |text| ip("ip", text))?,
        masquerade: said.ip_masq.unwrap_or(true),
        mtu: mtu(said.mtu.unwrap_or(0))?,
    };
    consistent(&bridge)?;
    Ok(Some(bridge))
}

fn mtu(bytes: i64) -> Checked<Option<Mtu>> {
    // dockerd reads 0 as "not said".
    if bytes == 0 {
        return Ok(None);
    }
    Mtu::try_from(bytes).map(Some).map_err(|error| wrong("mtu", &bytes, error.to_string()))
}

/// The addresses of the default bridge must lie within each other.
fn consistent(bridge: &DefaultBridge) -> Checked<()> {
    if let (Some(_), Some(bip)) = (&bridge.existing, bridge.bip) {
        let why = "bridge and bip are mutually exclusive: an existing bridge keeps its own address";
        return Err(wrong("bip", &bip, why));
    }
    if let Some(bip) = bridge.bip {
        if bip.prefix() < 31 && (bip.ip() == bip.network() || bip.ip() == bip.broadcast()) {
            let why = format!("it must be the address of a host in {}/{}", bip.network(), bip.prefix());
            return Err(wrong("bip", &bip, why));
        }
        within("fixed-cidr", bridge.fixed_cidr.map(Into::into), bip.into())?;
        within("default-gateway", bridge.gateway.map(|ip| IpAddr::from(ip).into()), bip.into())?;
    }
    if let Some(bip6) = bridge.bip6 {
        within("fixed-cidr-v6", bridge.fixed_cidr_v6.map(Into::into), bip6.into())?;
        within("default-gateway-v6", bridge.gateway_v6.map(|ip| IpAddr::from(ip).into()), bip6.into())?;
    }
    Ok(())
}

fn within(key: &'static str, part: Option<IpNetwork>, whole: IpNetwork) -> Checked<()> {
    let inside = |part: IpNetwork| part.prefix() >= whole.prefix() && whole.contains(part.network());
    match part {
        Some(part) if !inside(part) => Err(wrong(
            key,
            &part,
            format!("it is not within the bridge's subnet {}/{}", whole.network(), whole.prefix()),
        )),
        _ => Ok(()),
    }
}

fn container(said: ContainerSettings) -> Checked<ContainerDefaults> {
    let runtimes = runtimes(&said)?;
    let runtime =
        said.default_runtime.filter(|name| !name.is_empty()).unwrap_or_else(|| BUILTIN_RUNTIME.to_owned());
    if runtime != BUILTIN_RUNTIME && !runtimes.contains_key(&runtime) {
        return Err(wrong("default-runtime", &runtime, "specified default runtime does not exist"));
    }
    if let Some(driver) = said.log_driver.filter(|driver| driver != "json-file") {
        return Err(wrong("log-driver", &driver, "the only driver is json-file"));
    }
    let shm_size = said.default_shm_size.as_deref().unwrap_or("64m");
    Ok(ContainerDefaults {
        runtime,
        runtimes,
        cgroup_parent: said
            .cgroup_parent
            .filter(|path| !path.is_empty())
            .unwrap_or_else(|| "/pontoon".to_owned()),
        shim: said.shim,
        init: said.init.unwrap_or(false),
        no_new_privileges: said.no_new_privileges.unwrap_or(false),
        shm_size: netd_api::size::parse(shm_size)
            .map_err(|error| wrong("default-shm-size", &shm_size, error.to_string()))?,
        log_options: log_options(said.log_opts.unwrap_or_default(), &said.log_opt.unwrap_or_default())?,
    })
}

fn runtimes(said: &ContainerSettings) -> Checked<BTreeMap<String, OciRuntime>> {
    let mut all = BTreeMap::new();
    for (name, runtime) in said.runtimes.iter().flatten() {
        if runtime.path.is_empty() {
            return Err(wrong("runtimes", name, "a runtime needs a path"));
        }
        all.insert(
            name.clone(),
            OciRuntime { path: (&runtime.path).into(), args: runtime.runtime_args.clone() },
        );
    }
    for text in said.add_runtime.iter().flatten() {
        match text.split_once('=') {
            Some((name, path)) if !name.is_empty() && !path.is_empty() => {
                all.insert(name.to_owned(), OciRuntime { path: path.into(), args: Vec::new() });
            }
            _ => return Err(wrong("add-runtime", text, "it should be of the form name=path")),
        }
    }
    if all.contains_key(BUILTIN_RUNTIME) {
        return Err(wrong("runtimes", &BUILTIN_RUNTIME, "this name is that of the built-in runtime"));
    }
    Ok(all)
}

fn log_options(mut all: BTreeMap<String, String>, flags: &[String]) -> Checked<BTreeMap<String, String>> {
    for option in flags {
        let (key, value) =
            option.split_once('=').ok_or_else(|| wrong("log-opts", option, "it should be key=value"))?;
        all.insert(key.to_owned(), value.to_owned());
    }
    let known = [
        "max-size",
        "max-file",
        "labels",
        "labels-regex",
        "env",
        "env-regex",
        "tag",
        "compress",
        "mode",
        "max-buffer-size",
    ];
    match all.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(wrong("log-opts", key, "unknown log opt for json-file log driver")),
        None => Ok(all),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::Flags;
    use clap::Parser;

    fn checked(args: &[&str]) -> Checked<Config> {
        let settings = Flags::try_parse_from(["netd"].iter().chain(args)).unwrap().settings;
        config(Merged { settings, ignored: Vec::new() })
    }

    fn refused(args: &[&str]) -> String {
        checked(args).unwrap_err().to_string()
    }

    #[test]
    fn nothing_said_is_dockers_defaults() {
        let config = checked(&[]).unwrap();
        assert_eq!(config.hosts, [Listen::Unix("/run/pontoon/pontoon.sock".into())]);
        assert_eq!(config.data_root, PathBuf::from("/var/lib/pontoon"));
        let bridge = config.network.bridge.unwrap();
        assert!(bridge.icc && bridge.masquerade && !bridge.ipv6);
        assert_eq!((bridge.bip, bridge.mtu, bridge.existing), (None, None, None));
        assert_eq!(config.container.shm_size, 64 << 20);
        assert_eq!(config.container.runtime, "pontoon");
        assert_eq!(config.warnings, [""; 0]);
    }

    #[test]
    fn every_value_is_typed() {
        let config = checked(&[
            "--bip=10.10.0.1/16",
            "--fixed-cidr=10.10.4.0/24",
            "--icc=false",
            "--ip-masq=false",
            "--mtu=1400",
            "--ip=127.0.0.1",
            "--default-address-pool=base=10.99.0.0/16,size=24",
            "--dns=1.1.1.1",
            "--dns-search=example.com",
            "-H",
            "tcp://localhost:2375",
            "-H",
            "fd://",
            "-H",
            "unix:///a",
            "--add-runtime=runc=/usr/bin/runc",
            "--default-runtime=runc",
            "--log-opt=max-size=10m",
            "--shutdown-timeout=-1",
            "-D",
            "--default-network-opt=bridge=com.docker.network.driver.mtu=1234",
        ])
        .unwrap();
        let bridge = config.network.bridge.unwrap();
        assert_eq!(bridge.bip.unwrap().to_string(), "10.10.0.1/16");
        assert_eq!(bridge.mtu.unwrap().bytes(), 1400);
        assert!(!bridge.icc && !bridge.masquerade);
        assert_eq!(config.network.pools[0].size, 24);
        assert_eq!(config.network.options["bridge"]["com.docker.network.driver.mtu"], "1234");
        assert_eq!(config.hosts.len(), 3);
        assert_eq!(config.log_level, LogLevel::Debug);
        assert_eq!(config.shutdown_timeout, None);
        assert_eq!(config.container.runtimes["runc"].path, PathBuf::from("/usr/bin/runc"));
        assert!(config.warnings[0].contains("tcp://127.0.0.1:2375"));
        assert_eq!(checked(&["--bridge=none"]).unwrap().network.bridge, None);
    }

    #[test]
    fn nonsense_is_refused_with_its_name() {
        let table: &[(&[&str], &str)] = &[
            (
                &["--bip=10.0.0.1"],
                r#"invalid value "10.0.0.1" for "bip": invalid CIDR address: it should be of the form 10.10.0.0/16"#,
            ),
            (
                &["--bip=10.0.0.0/24"],
                r#"invalid value "10.0.0.0/24" for "bip": it must be the address of a host in 10.0.0.0/24"#,
            ),
            (
                &["--bip=10.0.0.1/24", "--fixed-cidr=10.1.0.0/25"],
                r#"invalid value "10.1.0.0/25" for "fixed-cidr": it is not within the bridge's subnet 10.0.0.0/24"#,
            ),
            (
                &["--bip=10.0.0.1/24", "--default-gateway=10.0.1.1"],
                r#"invalid value "10.0.1.1/32" for "default-gateway": it is not within the bridge's subnet 10.0.0.0/24"#,
            ),
            (
                &["-b", "br0", "--bip=10.0.0.1/24"],
                r#"invalid value "10.0.0.1/24" for "bip": bridge and bip are mutually exclusive: an existing bridge keeps its own address"#,
            ),
            (&["--mtu=-1"], r#"invalid value "-1" for "mtu": invalid MTU number: -1"#),
            (
                &["--ip=localhost"],
                r#"invalid value "localhost" for "ip": IP address is not correctly formatted"#,
            ),
            (&["--dns=8.8.8"], r#"invalid value "8.8.8" for "dns": IP address is not correctly formatted"#),
            (&["--dns-search=a..b"], r#"invalid value "a..b" for "dns-search": it is not a valid domain"#),
            (&["-l", "loud"], r#"invalid value "loud" for "log-level": invalid logging level"#),
            (
                &["-H", "/run/x.sock"],
                r#"invalid value "/run/x.sock" for "hosts": it should begin with unix://, tcp:// or fd://"#,
            ),
            (
                &["-H", "tcp://:2375"],
                r#"invalid value "tcp://:2375" for "hosts": it should be of the form tcp://127.0.0.1:2375"#,
            ),
            (&["--data-root=here"], r#"invalid value "here" for "data-root": the path must be absolute"#),
            (&["--label=a"], r#"invalid value "a" for "labels": bad attribute format"#),
            (
                &["--default-address-pool=base=10.0.0.0/16,size=8"],
                r#"invalid value "10.0.0.0/16" for "default-address-pools": the size 8 must be between 16 and 32"#,
            ),
            (
                &[
                    "--default-address-pool=base=10.0.0.0/8,size=24",
                    "--default-address-pool=base=10.1.0.0/16,size=24",
                ],
                r#"invalid value "10.1.0.0/16" for "default-address-pools": it overlaps with 10.0.0.0/8"#,
            ),
            (
                &["--default-runtime=kata"],
                r#"invalid value "kata" for "default-runtime": specified default runtime does not exist"#,
            ),
            (
                &["--add-runtime=pontoon=/x"],
                r#"invalid value "pontoon" for "runtimes": this name is that of the built-in runtime"#,
            ),
            (
                &["--log-driver=syslog"],
                r#"invalid value "syslog" for "log-driver": the only driver is json-file"#,
            ),
            (
                &["--shutdown-timeout=-2"],
                r#"invalid value "-2" for "shutdown-timeout": it should be -1 or a number of seconds"#,
            ),
        ];
        for (args, text) in table {
            assert_eq!(refused(args), *text);
        }
    }
}
