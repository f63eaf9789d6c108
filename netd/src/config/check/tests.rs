use super::*;
use crate::config::settings::Flags;
use clap::Parser;
use proptest::prelude::*;

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
        "--allow-direct-routing",
        "--bridge-accept-fwmark=0x1/0xff",
        "--default-network-opt=bridge=com.docker.network.driver.mtu=1234",
    ])
    .unwrap();
    let bridge = config.network.bridge.unwrap();
    assert_eq!(bridge.bip.unwrap().to_string(), "10.10.0.1/16");
    assert_eq!(bridge.mtu.unwrap().bytes(), 1400);
    assert!(!bridge.icc && !bridge.masquerade);
    let firewall = config.network.firewall;
    assert_eq!(firewall.accept_mark.unwrap().to_string(), "0x1/0xff");
    assert_eq!(firewall.direct_routing, libnet::firewall::DirectRouting::Allowed);
    assert_eq!(config.network.pools[0].size, 24);
    assert_eq!(config.network.options["bridge"]["com.docker.network.driver.mtu"], "1234");
    assert_eq!(config.hosts.len(), 3);
    assert_eq!(config.log_level, LogLevel::Debug);
    assert_eq!(config.shutdown_timeout, None);
    assert_eq!(config.container.runtimes["runc"].path, PathBuf::from("/usr/bin/runc"));
    assert!(config.warnings[0].contains("tcp://127.0.0.1:2375"));
    assert_eq!(checked(&["--bridge=none"]).unwrap().network.bridge, None);
}

/// Each of these command lines, and what it is refused with.
#[track_caller]
fn assert_refused(table: &[(&[&str], &str)]) {
    for (args, text) in table {
        assert_eq!(refused(args), *text);
    }
}

#[test]
fn nonsense_about_the_default_bridge_is_refused_with_its_name() {
    assert_refused(&[
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
        (
            &["--bridge-accept-fwmark=x"],
            r#"invalid value "x" for "bridge-accept-fwmark": invalid firewall mark "x""#,
        ),
        (&["--mtu=-1"], r#"invalid value "-1" for "mtu": invalid MTU number: -1"#),
        (&["--mtu=1000", "--ipv6"], r#"invalid value "1000" for "mtu": IPv6 needs 1280 at least"#),
        (&["--ip=localhost"], r#"invalid value "localhost" for "ip": IP address is not correctly formatted"#),
    ]);
}

#[test]
fn nonsense_is_refused_with_its_name() {
    assert_refused(&[
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
    ]);
}

/// What a user may write as one value: near misses of everything that is read here.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{1,3}(\\.[0-9]{1,3}){0,4}(/[0-9]{1,3})?",
        "[0-9a-f:]{0,12}(/[0-9]{1,3})?",
        "(unix|tcp|fd|http)?(://)?[a-z0-9:./\\[\\]]{0,12}",
        "[a-z0-9.=,-]{0,20}",
        "-?[0-9]{1,20}",
        ".{0,8}",
    ]
}

proptest! {
    #[test]
    fn no_value_is_too_strange(key in prop::sample::select(TEXTS), value in value()) {
        let file = serde_json::json!({ key: value });
        let settings: Settings = serde_json::from_value(file).unwrap();
        if let Err(error) = config(Merged { settings, ignored: Vec::new() }) {
            prop_assert!(error.to_string().contains(key), "{}", error);
        }
    }

    #[test]
    fn a_pool_never_gives_subnets_larger_than_itself(prefix in 0..=32_u8, size in -4..140_i64) {
        let pool = format!("--default-address-pool=base=10.0.0.0/{prefix},size={size}");
        let fits = size >= i64::from(prefix) && size <= 32;
        prop_assert_eq!(checked(&[&pool]).is_ok(), fits);
    }
}

/// Keys whose value is one text.
const TEXTS: &[&str] = &[
    "bip",
    "bip6",
    "fixed-cidr",
    "fixed-cidr-v6",
    "default-gateway",
    "default-gateway-v6",
    "ip",
    "bridge",
    "log-level",
    "data-root",
    "exec-root",
    "default-runtime",
    "default-shm-size",
    "log-driver",
    "cgroup-parent",
];
