//! From words to requests, and to the errors that Docker's users know.

use std::collections::BTreeMap;
use std::path::Path;

use clap::FromArgMatches;
use serde_json::{Value, json};

use super::container::{Caller, Stays, plan};
use crate::args::{Cli, Command, ContainerVerb, Create};

fn create(words: &str) -> Box<Create> {
    let words = ["pontoon", "create"].into_iter().chain(words.split_whitespace());
    let matches = crate::help::command().try_get_matches_from(words).unwrap();
    match Cli::from_arg_matches(&matches).unwrap().command {
        Some(Command::Verb(ContainerVerb::Create(create))) => create,
        other => panic!("{other:?}"),
    }
}

fn request(words: &str) -> Result<Value, String> {
    let variables = BTreeMap::from([("HOME".to_owned(), "/root".to_owned())]);
    let caller = Caller { variables: &variables, cwd: Path::new("/here") };
    let plan = plan(&create(words), Stays::Attached, &caller).map_err(|error| error.0)?;
    Ok(full(serde_json::to_value(plan.body).unwrap()))
}

/// Without what says nothing.
fn full(value: Value) -> Value {
    let says = |value: &Value| {
        !matches!(value, Value::Null | Value::Bool(false)) && value != "" && *value != json!({})
    };
    match value {
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(k, v)| (k, full(v))).filter(|(_, v)| says(v)).collect())
        }
        other => other,
    }
}

#[test]
fn without_flags_little_is_asked_for() {
    let expected = json!({
        "AttachStdout": true, "AttachStderr": true, "Cmd": ["true"], "Image": "host",
        "HostConfig": {"NetworkMode": "default", "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}},
    });
    assert_eq!(request("host true").unwrap(), expected);
}

#[test]
fn each_flag_says_what_docker_s_does() {
    let table = [
        ("-it host", "/OpenStdin", json!(true)),
        ("-it host", "/StdinOnce", json!(true)),
        ("-it host", "/Tty", json!(true)),
        ("-a stdout -i host", "/StdinOnce", Value::Null),
        ("-e A=b -e HOME -e NOBODY host", "/Env", json!(["A=b", "HOME=/root"])),
        ("--entrypoint sh host -c x", "/Entrypoint", json!(["sh"])),
        ("host sh -c -it --rm", "/Cmd", json!(["sh", "-c", "-it", "--rm"])),
        ("--rm=true host", "/HostConfig/AutoRemove", json!(true)),
        ("--rm --rm=false host", "/HostConfig/AutoRemove", Value::Null),
        ("--rootfs ./root sh", "/HostConfig/Annotations", json!({"io.pontoon.rootfs": "/here/root"})),
        ("--rootfs ./root sh -c x", "/Cmd", json!(["sh", "-c", "x"])),
        ("--net web --net-alias a host", "/NetworkingConfig/EndpointsConfig/web/Aliases", json!(["a"])),
        (
            "--network web --ip 10.0.0.9 host",
            "/NetworkingConfig/EndpointsConfig/web/IPAMConfig/IPv4Address",
            json!("10.0.0.9"),
        ),
        (
            "--network name=web,alias=A,gw-priority=-1 host",
            "/NetworkingConfig/EndpointsConfig/web/Aliases",
            json!(["a"]),
        ),
        (
            "--network name=web,alias=A,gw-priority=-1 host",
            "/NetworkingConfig/EndpointsConfig/web/GwPriority",
            json!(-1),
        ),
        ("--network one --network two host", "/HostConfig/NetworkMode", json!("one")),
        ("--network container:c host", "/HostConfig/NetworkMode", json!("container:c")),
        ("--link c:d host", "/HostConfig/Links", json!(["c:d"])),
        ("--network web --link c:d host", "/NetworkingConfig/EndpointsConfig/web/Links", json!(["c:d"])),
        ("-p 8080:80 host", "/HostConfig/PortBindings/80~1tcp/0/HostPort", json!("8080")),
        ("-p published=8080,target=80 host", "/HostConfig/PortBindings/80~1tcp/0/HostPort", json!("8080")),
        ("-p 8000-8010:80 host", "/HostConfig/PortBindings/80~1tcp/0/HostPort", json!("8000-8010")),
        ("-P --expose 7 host", "/HostConfig/PublishAllPorts", json!(true)),
        ("--add-host a=[::1] host", "/HostConfig/ExtraHosts", json!(["a:::1"])),
        ("--dns 8.8.8.8 --dns-opt ndots:1 host", "/HostConfig/DnsOptions", json!(["ndots:1"])),
        ("-v ./a:/b -v vol:/c -v /d host", "/HostConfig/Binds", json!(["/here/a:/b", "vol:/c"])),
        ("--tmpfs /t:size=1m host", "/HostConfig/Tmpfs", json!({"/t": "size=1m"})),
        ("-m 64m --memory-swap -1 host", "/HostConfig/MemorySwap", json!(-1)),
        ("--cpus 0.5 host", "/HostConfig/NanoCpus", json!(500_000_000)),
        ("--cap-add net_admin --cap-drop all host", "/HostConfig/CapAdd", json!(["CAP_NET_ADMIN"])),
        ("--cap-add net_admin --cap-drop all host", "/HostConfig/CapDrop", json!(["ALL"])),
        ("--init=false host", "/HostConfig/Init", Value::Null),
        ("--restart on-failure:3 host", "/HostConfig/RestartPolicy/MaximumRetryCount", json!(3)),
        (
            "--ulimit nofile=1:2 host",
            "/HostConfig/Ulimits",
            json!([{"Name": "nofile", "Soft": 1, "Hard": 2}]),
        ),
        ("--device /dev/null:/dev/x:r host", "/HostConfig/Devices/0/CgroupPermissions", json!("r")),
        ("--log-opt max-size=1m host", "/HostConfig/LogConfig/Config", json!({"max-size": "1m"})),
        ("--security-opt systempaths=unconfined host", "/HostConfig/MaskedPaths", json!([])),
        ("--health-cmd x --health-interval 3s host", "/Healthcheck/Interval", json!(3_000_000_000_i64)),
        ("--no-healthcheck host", "/Healthcheck/Test", json!(["NONE"])),
        ("--label a=b --label c host", "/Labels", json!({"a": "b", "c": ""})),
    ];
    for (words, pointer, expected) in table {
        let request = request(words).unwrap();
        let found = request.pointer(pointer).cloned().unwrap_or_default();
        let expected = full(expected);
        assert_eq!(found, expected, "{words}: {pointer}\n{request:#}");
    }
}

#[test]
fn what_can_not_be_meant_is_refused_with_docker_s_text() {
    let table = [
        (
            "--network-alias x --network name=a,alias=b i",
            "conflicting options: cannot specify both --network-alias and per-network alias",
        ),
        (
            "--ip 1.1.1.1 --network name=a,ip=1.1.1.2 i",
            "conflicting options: cannot specify both --ip and per-network IPv4 address",
        ),
        ("--network a --network a i", "network \"a\" is specified multiple times"),
        (
            "--network host --network a i",
            "conflicting options: cannot attach both user-defined and non-user-defined network-modes",
        ),
        (
            "--network bridge --network-alias x i",
            "network-scoped aliases are only supported for user-defined networks",
        ),
        ("--mac-address zz i", "zz is not a valid mac address"),
        ("--network-alias x i", "network-scoped aliases are only supported for user-defined networks"),
        ("-p a i", "invalid containerPort: a"),
        ("-p 99999:80 i", "invalid hostPort: 99999"),
        ("-p 80-82:1-2 i", "invalid ranges specified for container and host Ports: 1-2 and 80-82"),
        ("-p 1.2.3:1:2 i", "invalid IP address: 1.2.3"),
        ("-p [::1]:80 i", "invalid IP address [:: address [::: missing ']' in address"),
        ("-p 80/foo i", "invalid proto: foo"),
        (
            "--expose a i",
            "invalid range format for --expose: a, error: strconv.ParseUint: parsing \"a\": invalid syntax",
        ),
        ("--env-file /nope/x i", "open /nope/x: no such file or directory"),
        ("--rm --restart always i", "conflicting options: cannot specify both --restart and --rm"),
        ("--restart on-failure:x i", "invalid restart policy format: maximum retry count must be an integer"),
        ("--pid foo i", "--pid: invalid PID mode"),
        ("--uts foo i", "--uts: invalid UTS mode"),
        ("--pull x i", "invalid pull option: 'x': must be one of \"always\", \"missing\" or \"never\""),
        ("--storage-opt a i", "invalid storage option"),
        ("--health-interval -3s i", "--health-interval cannot be negative"),
        ("--no-healthcheck --health-cmd x i", "--no-healthcheck conflicts with --health-* options"),
        ("--memory-swappiness 101 i", "invalid value: 101. Valid memory swappiness range is 0-100"),
        ("--security-opt foo i", "invalid --security-opt: \"foo\""),
        ("--log-driver none --log-opt a=b i", "invalid logging opts for driver none"),
    ];
    for (words, expected) in table {
        assert_eq!(request(words).unwrap_err(), expected, "{words}");
    }
}
