//! The same container through `runc`: what it looks like from inside, and where it differs.

#![allow(clippy::unwrap_used)] // helpers beside the tests

mod common;

use std::collections::BTreeSet;

use common::{Place, read_all, within};
use netd_runtime::{Attach, Engine, ExecSpec, Process, capabilities};

/// Prints what a process in a container can know of it, one fact per line.
const LOOK: &str = "id -u; id -g; pwd; hostname; echo args $0 $@; env | sort | grep -v '^_='; \
    grep -E 'Cap|NoNewPrivs|Seccomp:' /proc/self/status; umask; ls /dev | sort; \
    awk '{print \"mount\", $5, $6}' /proc/self/mountinfo | sort -k2; \
    ls /proc/1/ns | sort; cat /proc/self/oom_score_adj; ulimit -n; ls /sys/firmware /proc/acpi 2>/dev/null; \
    echo x > /proc/sys/kernel/panic";

async fn look(engine: Engine, terminal: bool) -> (i32, BTreeSet<String>) {
    let place = Place::with(engine);
    let mut request = place.request(&["sh", "-c", LOOK, "zero", "one two", "three"]);
    request.spec.process.env.push("SOME=thing with blanks".to_owned());
    request.spec.process.user = "daemon".to_owned();
    request.spec.process.cwd = "/usr/lib".to_owned();
    request.spec.process.terminal = terminal;
    let (exit, out, err) = place.run(request).await.unwrap();
    place.assert_clean();
    (exit.code, out.lines().chain(err.lines()).map(|line| line.trim_end().to_owned()).collect())
}

/// A fact without the differences that are meant to be; `None` where all of it is one. The built-in runtime
/// - keeps devices shut by `nodev` on everything that can be written to, where runc has a devices cgroup, and so binds the
///   usual devices instead of making nodes;
/// - shows only those v1 cgroups that the container has limits in, and write-protects the directory of them.
fn without_meant(line: &str) -> Option<String> {
    const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
    let Some((target, options)) = line.strip_prefix("mount ").and_then(|mount| mount.split_once(' ')) else {
        return Some(line.to_owned());
    };
    if target.starts_with("/sys/fs/cgroup") || DEVICES.iter().any(|name| target == format!("/dev/{name}")) {
        return None;
    }
    // a masked file shows the options of the /dev that /dev/null is taken from
    if ["/proc/interrupts", "/proc/keys", "/proc/timer_list", "/proc/kcore", "/proc/sched_debug"]
        .contains(&target)
    {
        return Some(target.to_owned());
    }
    Some(format!("{target} {}", options.replace(",nodev", "")))
}

async fn assert_same(terminal: bool) {
    let (code, ours) = look(Engine::Builtin, terminal).await;
    let (runc_code, runcs) = look(Engine::Oci("runc".into()), terminal).await;
    let facts = |lines: &BTreeSet<String>| -> BTreeSet<String> {
        lines.iter().filter_map(|line| without_meant(line)).collect()
    };
    let (ours, runcs) = (facts(&ours), facts(&runcs));
    assert_eq!(ours.difference(&runcs).collect::<Vec<_>>(), Vec::<&String>::new(), "only ours");
    assert_eq!(runcs.difference(&ours).collect::<Vec<_>>(), Vec::<&String>::new(), "only runc's");
    assert_eq!(code, runc_code);
}

#[tokio::test]
async fn both_runtimes_make_the_same_container() {
    assert_same(false).await;
}

#[tokio::test]
async fn both_runtimes_give_a_terminal() {
    assert_same(true).await;
}

#[tokio::test]
async fn a_runc_container_lives_and_takes_guests() {
    let place = Place::with(Engine::Oci("runc".into()));
    let shim = place.runtime.create(place.request(&["sleep", "1000"])).await.unwrap();
    shim.start().await.unwrap();
    let process = Process {
        args: ["sh", "-c", "cat /proc/1/comm; hostname"].map(str::to_owned).to_vec(),
        env: vec!["PATH=/usr/bin".to_owned()],
        capabilities: capabilities::defaults(),
        ..Process::default()
    };
    let spec = ExecSpec { process, attach: Some(Attach::ALL), ..ExecSpec::default() };
    let mut exec = shim.exec(&spec).await.unwrap();
    assert_eq!(within(read_all(exec.stream.take().unwrap(), false)).await.0, "sleep\nbox\n");
    assert!(shim.stats().await.unwrap().pids >= 1);
    shim.pause().await.unwrap();
    shim.unpause().await.unwrap();
    common::remove(&shim).await;
    place.assert_clean();
}

#[tokio::test]
async fn errors_of_runtimes_are_passed_on() {
    let place = Place::with(Engine::Oci("runc".into()));
    let error = place.run(place.request(&["nosuch"])).await.unwrap_err();
    assert!(error.to_string().contains("exec: \"nosuch\": executable file not found in $PATH"), "{error}");
    assert_eq!(error.exit_code(), Some(127));
    place.assert_clean();
    let place = Place::with(Engine::Oci("/no/such/runtime".into()));
    let error = place.run(place.request(&["true"])).await.unwrap_err();
    assert!(error.to_string().contains("OCI runtime /no/such/runtime: no such file or directory"), "{error}");
    place.assert_clean();
}

#[tokio::test]
async fn crun_runs_or_says_why_not() {
    let place = Place::with(Engine::Oci("crun".into()));
    match place.run(place.request(&["true"])).await {
        Ok((exit, ..)) => assert_eq!(exit.code, 0),
        Err(error) => assert!(error.to_string().contains("hybrid"), "{error}"),
    }
    place.assert_clean();
}
