//! Starts that must fail with a clear text, and ends that must leave nothing behind.

use std::{
    fs,
    os::unix::{
        fs::PermissionsExt as _,
        net::{UnixDatagram, UnixListener},
    },
    process::Stdio,
};

use nix::sys::signal::Signal;
use tests::{Host, Lab, Process, eventually};

use super::{
    daemon::{Daemon, SOCKET, words},
    wire,
};

/// What a netd that can't start says.
#[track_caller]
fn refusal(host: &Host, args: &[&str]) -> String {
    let said = host.exec(words(args)).fails(1);
    let last = said.lines().last().unwrap_or_default();
    last.strip_prefix("netd: ").unwrap_or_else(|| panic!("{said:?}")).to_owned()
}

fn file(host: &Host, path: &str, text: &str) {
    fs::create_dir_all(host.path(path).parent().unwrap()).unwrap();
    fs::write(host.path(path), text).unwrap();
}

#[test]
fn a_configuration_that_makes_no_sense_is_refused() {
    let host = Lab::new().host("config");
    let config = "/run/lab/netd.json";
    let by_file = |text: &str, args: &[&str]| {
        file(&host, config, text);
        refusal(&host, &[&["--config-file", config], args].concat())
    };
    let prefix = format!("unable to configure the daemon with file {config}: ");
    assert_eq!(
        by_file(r#"{"bipp":"10.0.0.1/8"}"#, &[]),
        format!("{prefix}the following directives don't match any configuration option: bipp")
    );
    assert!(by_file("{", &[]).starts_with(&format!("{prefix}invalid JSON: ")));
    assert_eq!(
        by_file(r#"{"icc":false}"#, &["--icc=true"]),
        format!(
            "{prefix}the following directives are specified both as a flag and in the configuration file: icc: (from flag: true, from file: false)"
        )
    );
    assert!(
        by_file(r#"{"bip":"10.0.0.0/24"}"#, &["--validate"]).contains("it must be the address of a host")
    );
    assert!(refusal(&host, &["--config-file", "/nope.json"]).contains("/nope.json: No such file"));
    assert!(refusal(&host, &["--dns", "nameserver"]).contains("IP address is not correctly formatted"));
    assert!(host.exec(words(&["--bip"])).fails(2).contains("--bip"));
    file(&host, config, r#"{"bip":"10.10.0.1/16"}"#);
    let valid = host.exec(words(&["--config-file", config, "--validate"]));
    assert_eq!(valid.ok(), "configuration OK");
    assert!(!host.path("/run/pontoon").exists(), "looking at a configuration makes nothing");
}

#[test]
fn a_place_that_is_not_ours_is_left_alone() {
    let host = Lab::new().host("places");
    host.sh("mkdir -p /run/lab/ro && mount -t tmpfs -o ro tmpfs /run/lab/ro").ok();
    assert_eq!(
        refusal(&host, &["--data-root", "/run/lab/ro"]),
        "the data root /run/lab/ro is not writable: Read-only file system (os error 30)"
    );
    file(&host, "/run/lab/precious", "text");
    assert_eq!(
        refusal(&host, &["-H", "unix:///run/lab/precious"]),
        "/run/lab/precious exists and is not a socket: remove it, or choose another path with --host"
    );
    assert_eq!(fs::read_to_string(host.path("/run/lab/precious")).unwrap(), "text");
    let _stranger = UnixListener::bind(host.path("/run/lab/stranger.sock")).unwrap();
    assert_eq!(
        refusal(&host, &["-H", "unix:///run/lab/stranger.sock"]),
        "another process is listening on /run/lab/stranger.sock: stop it, or choose another path with --host"
    );
    assert!(refusal(&host, &["-H", "fd://"]).starts_with("no sockets found via socket activation"));
    assert!(
        refusal(&host, &["-H", "tcp://192.0.2.1:2375"])
            .starts_with("cannot listen on tcp://192.0.2.1:2375: ")
    );
    assert!(refusal(&host, &["--group", "nobody-knows-it"]).ends_with("there is no such group"));
    let nobody = ["setpriv", "--reuid", "65534", "--clear-groups"];
    let said = host.exec([&nobody[..], &words(&[])].concat()).fails(1);
    assert_eq!(
        said,
        "netd: netd needs to be started with root privileges: it makes network namespaces, links and mounts"
    );
    let shimless =
        host.exec([env!("CARGO_BIN_EXE_netd"), "--data-root", "/run/lab/data", "--shim", "/nope"]).fails(1);
    assert_eq!(shimless, "netd: the shim /nope is missing: install it beside netd, or name it with --shim");
    assert!(!host.path(SOCKET).exists(), "a daemon that did not start leaves no socket");
}

#[test]
fn one_daemon_per_host() {
    let mut first = Daemon::start(&["--pidfile", "/run/lab/netd.pid"]);
    let second = refusal(&first.host, &[]);
    assert!(second.starts_with(&format!("another process is listening on {SOCKET}")), "{second}");
    let second =
        refusal(&first.host, &["-H", "unix:///run/lab/second.sock", "--data-root", "/run/lab/second"]);
    assert!(second.contains("owns this host"), "{second}");
    assert!(!first.host.path("/run/lab/second.sock").exists());
    let second = refusal(&first.host, &["-p", "/run/lab/netd.pid", "-H", "unix:///run/lab/second.sock"]);
    assert!(second.contains("is still running"), "{second}");
    assert_eq!(first.get("/_ping").status, 200, "the first one has not noticed");
    first.signal(Signal::SIGTERM);
    assert!(first.ended_well());
    assert!(!first.host.path("/run/lab/netd.pid").exists());
}

#[test]
fn a_socket_is_private_goes_with_a_clean_end_and_is_replaced_after_a_crash() {
    let mut daemon = Daemon::start(&[]);
    assert_eq!(fs::metadata(daemon.socket()).unwrap().permissions().mode() & 0o777, 0o660);
    daemon.signal(Signal::SIGKILL);
    assert!(!daemon.ended_well());
    assert!(daemon.socket().exists());
    daemon.again(&[]);
    assert_eq!(daemon.get("/_ping").status, 200);
    let mut stream = daemon.open("/events");
    daemon.signal(Signal::SIGINT);
    assert!(daemon.ended_well(), "a client that listens for ever does not keep it from ending");
    assert!(!daemon.socket().exists());
    let end = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| stream.piece()));
    assert!(end.is_err() || end.unwrap().is_none());
}

#[test]
fn some_settings_change_while_it_runs() {
    let config = "/run/lab/netd.json";
    let mut daemon = Daemon::start(&[]);
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended_well());
    file(&daemon.host, config, r#"{"log-level":"error"}"#);
    daemon.again(&["--config-file", config]);
    daemon.get("/nope");
    assert!(!daemon.log().contains("no such page"));
    let info = || daemon.get("/info").json();
    assert_eq!((&info()["LiveRestoreEnabled"], &info()["Labels"]), (&false.into(), &serde_json::json!([])));
    let before = info()["DefaultAddressPools"].clone();
    let changed = r#"{"log-level":"debug","live-restore":true,"labels":["a=b"],"default-address-pools":[{"base":"10.9.0.0/16","size":24}]}"#;
    file(&daemon.host, config, changed);
    daemon.signal(Signal::SIGHUP);
    // The last that is told of it, at the new level.
    eventually("it is read again", || {
        if daemon.log().contains("configuration reloaded") { Ok(()) } else { Err(daemon.log()) }
    });
    daemon.get("/nope");
    eventually("more is logged", || {
        if daemon.log().contains("no such page") { Ok(()) } else { Err(daemon.log()) }
    });
    assert_eq!((&info()["LiveRestoreEnabled"], &info()["Labels"][0]), (&true.into(), &"a=b".into()));
    assert_eq!(info()["DefaultAddressPools"], before, "pools don't change under networks");
    file(&daemon.host, config, "{");
    daemon.signal(Signal::SIGHUP);
    eventually("the mistake is told", || {
        if daemon.log().contains("configuration not reloaded") { Ok(()) } else { Err(daemon.log()) }
    });
    assert_eq!(daemon.get("/_ping").status, 200);
}

#[test]
fn it_listens_on_tcp_and_on_what_systemd_hands_over() {
    let host = Lab::new().host("sockets");
    fs::create_dir_all(host.path("/run/lab")).unwrap();
    let heard = UnixDatagram::bind(host.path("/run/lab/notify")).unwrap();
    let activate = "import os, socket, sys\n\
        s = socket.socket(socket.AF_UNIX); s.bind('/run/lab/given.sock'); s.listen()\n\
        os.dup2(s.fileno(), 3); os.set_inheritable(3, True)\n\
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', NOTIFY_SOCKET='/run/lab/notify')\n\
        os.execv(sys.argv[1], sys.argv[1:])";
    let netd = words(&["-H", "fd://", "-H", "tcp://127.0.0.1:2375"]);
    let (mut command, _) = host.command([&["python3", "-c", activate][..], &netd].concat());
    let mut netd = Process { child: command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap() };
    let mut text = [0; 64];
    let mut told = || {
        let length = heard.recv(&mut text).unwrap();
        String::from_utf8_lossy(&text[..length]).into_owned()
    };
    heard.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    assert_eq!(told(), "READY=1");
    assert_eq!(wire::request(&host.path("/run/lab/given.sock"), "GET", "/_ping", None, "").status, 200);
    host.exec(["curl", "-sS", "--fail", "http://127.0.0.1:2375/_ping"]).ok();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(netd.child.id().cast_signed()), Signal::SIGTERM)
        .unwrap();
    assert_eq!(told(), "STOPPING=1");
    assert!(netd.child.wait().unwrap().success());
    assert!(host.path("/run/lab/given.sock").exists(), "what was handed over is not ours to remove");
}
