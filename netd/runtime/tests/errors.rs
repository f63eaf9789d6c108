//! Whatever goes wrong: a clear text with the key words that clients look for, and nothing left.

#![allow(clippy::expect_used)] // helpers beside the tests

mod common;

use std::path::PathBuf;

use common::Place;
use netd_runtime::{
    CreateRequest, Mount, MountSource, Netns, Resources, Rootfs, Runtime, RuntimeConfig, RuntimeError,
};

/// Creates and starts, which must fail; gives the text and the exit code.
async fn fails(change: impl FnOnce(&mut CreateRequest)) -> (String, Option<i32>) {
    let place = Place::new();
    let mut request = place.request(&["true"]);
    change(&mut request);
    let error = place.run(request).await.expect_err("must fail");
    place.assert_clean();
    (error.to_string(), error.exit_code())
}

fn command(args: &[&str]) -> Vec<String> {
    args.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn commands_that_can_not_run() {
    let cases: &[(&str, &str, i32)] = &[
        ("nosuch", "exec: \"nosuch\": executable file not found in $PATH", 127),
        ("/no/such", "exec: \"/no/such\": stat /no/such: no such file or directory", 127),
        ("/etc/passwd", "exec: \"/etc/passwd\": permission denied", 126),
        ("/etc", "exec: \"/etc\": is a directory: permission denied", 126),
    ];
    for (name, text, code) in cases {
        let (message, exit) = fails(|request| request.spec.process.args = command(&[name])).await;
        assert!(message.contains(text), "{message}");
        assert_eq!(exit, Some(*code), "{name}");
    }
}

#[tokio::test]
async fn users_that_do_not_exist() {
    let (message, exit) = fails(|request| request.spec.process.user = "nosuch".to_owned()).await;
    assert!(message.contains("unable to find user nosuch: no matching entries in passwd file"), "{message}");
    assert_eq!(exit, None);
    let (message, _) = fails(|request| request.spec.process.user = "root:nosuch".to_owned()).await;
    assert!(message.contains("unable to find group nosuch: no matching entries in group file"), "{message}");
}

#[tokio::test]
async fn things_that_are_missing() {
    let (message, _) = fails(|request| request.spec.netns = Netns::Path("/run/netns/no-such".into())).await;
    assert!(message.contains("/run/netns/no-such") && message.contains("no such file"), "{message}");
    let (message, _) = fails(|request| request.spec.rootfs = Rootfs::Dir("/no/such/root".into())).await;
    assert!(message.contains("/no/such/root") && message.contains("no such file"), "{message}");
    let bind = Mount {
        target: "/x".into(),
        source: MountSource::Bind("/no/such/source".into()),
        options: Vec::new(),
    };
    let (message, _) = fails(|request| request.spec.mounts.push(bind)).await;
    assert!(message.contains("bind source path does not exist: /no/such/source"), "{message}");
    let (message, _) = fails(|request| request.log.as_mut().unwrap().path = "/no/such/log".into()).await;
    assert!(message.contains("cannot open the log /no/such/log: no such file or directory"), "{message}");
    let (message, _) =
        fails(|request| request.spec.writable.as_mut().unwrap().upper = "/no/such/upper".into()).await;
    assert!(message.contains("/no/such/upper"), "{message}");
}

#[tokio::test]
async fn directories_that_can_not_be() {
    let (message, _) = fails(|request| request.dir = PathBuf::from("/proc/no/such")).await;
    assert!(message.contains("cannot make the directory /proc/no/such"), "{message}");
    let (message, _) = fails(|request| request.spec.process.cwd = "/etc/passwd".to_owned()).await;
    assert!(message.contains("/etc/passwd") && message.contains("not a directory"), "{message}");
}

#[tokio::test]
async fn settings_that_are_wrong() {
    let (message, _) =
        fails(|request| drop(request.spec.sysctls.insert("vm.swappiness".to_owned(), "1".to_owned()))).await;
    assert!(message.contains("invalid container specification"), "{message}");
    let (message, _) = fails(|request| request.spec.process.args.clear()).await;
    assert!(message.contains("invalid container specification"), "{message}");
    let cpuset = Resources { cpuset_cpus: Some("4000".to_owned()), ..Resources::default() };
    let (message, _) = fails(|request| request.spec.resources = cpuset).await;
    assert!(message.contains("cpuset"), "{message}");
}

#[tokio::test]
async fn a_shim_that_is_not_there() {
    let place = Place::new();
    let config = RuntimeConfig { shim: "/no/such/shim".into(), cgroup_parent: "/x".to_owned() };
    let error = Runtime::new(config).create(place.request(&["true"])).await.unwrap_err();
    assert!(matches!(error, RuntimeError::Spawn { .. }), "{error}");
    place.assert_clean();
}
