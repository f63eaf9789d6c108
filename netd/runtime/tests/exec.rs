//! Processes that join a running container.

mod common;

use common::{Place, read_all, remove, started, within};
use netd_runtime::{Attach, ExecSpec, Fault, Process, RuntimeError, capabilities};
use tokio::io::AsyncWriteExt as _;

fn spec(args: &[&str]) -> ExecSpec {
    let process = Process {
        args: args.iter().map(ToString::to_string).collect(),
        env: vec!["PATH=/usr/bin:/bin".to_owned()],
        capabilities: capabilities::defaults(),
        ..Process::default()
    };
    ExecSpec { process, attach: Some(Attach::ALL), ..ExecSpec::default() }
}

#[tokio::test]
async fn a_second_process_sees_the_container() {
    let place = Place::new();
    let shim = started(&place, &["sleep", "1000"]).await;
    let script = "hostname; cat /proc/1/comm; for n in mnt uts ipc pid net cgroup; do \
                  test $(readlink /proc/1/ns/$n) = $(readlink /proc/self/ns/$n) || echo other $n; done; echo bad >&2; exit 4";
    let mut exec = shim.exec(&spec(&["sh", "-c", script])).await.unwrap();
    let (out, err) = within(read_all(exec.stream.take().unwrap(), false)).await;
    assert_eq!((out.as_str(), err.as_str()), ("box\nsleep\n", "bad\n"));
    assert_eq!(within(exec.wait()).await.unwrap(), 4);
    remove(&shim).await;
    place.assert_clean();
}

#[tokio::test]
async fn input_and_terminal_work_as_for_the_first_process() {
    let place = Place::new();
    let shim = started(&place, &["sleep", "1000"]).await;
    let mut exec = shim.exec(&spec(&["cat"])).await.unwrap();
    let mut stream = exec.stream.take().unwrap();
    stream.write_all(b"hello").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(within(read_all(stream, false)).await.0, "hello");
    assert_eq!(within(exec.wait()).await.unwrap(), 0);

    let mut with_terminal = spec(&["sh", "-c", "tty; stty size; read x; stty size"]);
    with_terminal.process.terminal = true;
    with_terminal.process.console_size = Some((5, 6));
    let mut exec = shim.exec(&with_terminal).await.unwrap();
    let mut stream = exec.stream.take().unwrap();
    exec.resize(7, 8).await.unwrap();
    stream.write_all(b"\n").await.unwrap();
    let (out, _) = within(read_all(stream, true)).await;
    assert!(out.contains("/dev/pts/0\r\n") && out.ends_with("7 8\r\n"), "{out:?}");
    remove(&shim).await;
}

#[tokio::test]
async fn a_detached_process_can_be_killed_and_waited_for() {
    let place = Place::new();
    let shim = started(&place, &["sleep", "1000"]).await;
    let exec = shim.exec(&ExecSpec { attach: None, ..spec(&["sleep", "2000"]) }).await.unwrap();
    assert!(exec.stream.is_none());
    assert!(std::fs::read_to_string(format!("/proc/{}/cmdline", exec.pid())).unwrap().contains("2000"));
    exec.kill(9).await.unwrap();
    assert_eq!(within(exec.wait()).await.unwrap(), 137);
    remove(&shim).await;
}

#[tokio::test]
async fn errors_say_what_docker_says() {
    let place = Place::new();
    let shim = started(&place, &["sleep", "1000"]).await;
    let RuntimeError::Launch(error) = shim.exec(&spec(&["nosuch"])).await.unwrap_err() else {
        panic!("launch")
    };
    assert_eq!(error.fault, Fault::NotFound);
    assert!(error.text.contains("exec: \"nosuch\": executable file not found in $PATH"), "{error}");
    let mut unknown = spec(&["true"]);
    unknown.process.user = "nosuch".to_owned();
    let error = shim.exec(&unknown).await.unwrap_err().to_string();
    assert!(error.contains("unable to find user nosuch: no matching entries in passwd file"), "{error}");
    remove(&shim).await;
}

#[tokio::test]
async fn added_processes_end_with_the_container() {
    let place = Place::new();
    let shim = started(&place, &["sleep", "1000"]).await;
    let exec = shim.exec(&spec(&["sleep", "2000"])).await.unwrap();
    shim.kill(9).await.unwrap();
    within(shim.wait()).await.unwrap();
    assert_eq!(within(exec.wait()).await.unwrap(), 137);
    shim.delete().await.unwrap();
    place.assert_clean();
}
