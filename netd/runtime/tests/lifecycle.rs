//! A container's life through the public API, on the real kernel.

mod common;

use common::{Place, eventually, read_all, remove, started, within};
use netd_runtime::{Adopted, Attach, LogQuery, ShimState, Stdin, read_logs};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[tokio::test]
async fn a_command_runs_and_leaves_nothing() {
    let place = Place::new();
    let (exit, out, err) = place.run(place.request(&["true"])).await.unwrap();
    assert_eq!((exit.code, out.as_str(), err.as_str()), (0, "", ""));
    place.assert_clean();
}

#[tokio::test]
async fn the_exit_code_is_the_commands_own() {
    let place = Place::new();
    let (exit, out, err) =
        place.run(place.request(&["sh", "-c", "echo out; echo err >&2; exit 7"])).await.unwrap();
    assert_eq!((exit.code, out.as_str(), err.as_str()), (7, "out\n", "err\n"));
}

#[tokio::test]
async fn a_container_waits_to_be_started_and_can_be_killed() {
    let place = Place::new();
    let shim = place.runtime.create(place.request(&["sleep", "1000"])).await.unwrap();
    assert_eq!(shim.state().await.unwrap(), ShimState::Created);
    shim.start().await.unwrap();
    assert_eq!(shim.state().await.unwrap(), ShimState::Running);
    assert!(shim.start().await.is_err());
    assert!(shim.delete().await.is_err(), "a running container is not removed");
    shim.kill(15).await.unwrap();
    shim.kill(9).await.unwrap();
    let exit = within(shim.wait()).await.unwrap();
    assert_eq!(exit.code, 137);
    assert_eq!(shim.state().await.unwrap(), ShimState::Exited(exit));
    assert!(shim.kill(9).await.is_err());
    shim.delete().await.unwrap();
    place.assert_clean();
}

#[tokio::test]
async fn a_container_that_was_never_started_is_removed() {
    let place = Place::new();
    let shim = place.runtime.create(place.request(&["sleep", "1000"])).await.unwrap();
    shim.delete().await.unwrap();
    place.assert_clean();
}

#[tokio::test]
async fn input_reaches_the_process_and_ends_with_the_client() {
    let place = Place::new();
    let mut request = place.request(&["cat"]);
    request.stdin = Stdin::Once;
    let shim = place.runtime.create(request).await.unwrap();
    let mut stream = shim.attach(Attach::ALL).await.unwrap();
    shim.start().await.unwrap();
    let text = "line\n".repeat(200_000);
    let (mut reader, mut writer) = stream.split();
    let mut got = Vec::new();
    let write = async {
        writer.write_all(text.as_bytes()).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    within(async { tokio::join!(write, async { reader.read_to_end(&mut got).await.unwrap() }) }).await;
    assert!(got.len() > text.len(), "all of it came back, in frames: {} of {}", got.len(), text.len());
    assert_eq!(within(shim.wait()).await.unwrap().code, 0);
    shim.delete().await.unwrap();
}

#[tokio::test]
async fn input_stays_open_for_the_next_client() {
    let place = Place::new();
    let mut request = place.request(&["sh", "-c", "read a; read b; echo $a-$b"]);
    request.stdin = Stdin::Open;
    let shim = place.runtime.create(request).await.unwrap();
    shim.start().await.unwrap();
    let mut first = shim.attach(Attach::ALL).await.unwrap();
    first.write_all(b"one\n").await.unwrap();
    first.shutdown().await.unwrap();
    drop(first);
    let mut second = shim.attach(Attach::ALL).await.unwrap();
    second.write_all(b"two\n").await.unwrap();
    let (out, _) = within(read_all(second, false)).await;
    assert_eq!(out, "one-two\n");
    within(shim.wait()).await.unwrap();
    shim.delete().await.unwrap();
}

#[tokio::test]
async fn a_terminal_is_one() {
    let place = Place::new();
    let mut request = place.request(&["sh", "-c", "tty; stty size; test -e /dev/console && echo console"]);
    request.spec.process.terminal = true;
    request.spec.process.console_size = Some((33, 77));
    let (exit, out, _) = place.run(request).await.unwrap();
    assert_eq!(exit.code, 0, "{out}");
    assert_eq!(out, "/dev/pts/0\r\n33 77\r\nconsole\r\n");
}

#[tokio::test]
async fn a_terminal_can_be_resized() {
    let place = Place::new();
    let mut request = place.request(&["sh", "-c", "read x; stty size"]);
    request.spec.process.terminal = true;
    request.stdin = Stdin::Open;
    let shim = place.runtime.create(request).await.unwrap();
    shim.start().await.unwrap();
    shim.resize(10, 20).await.unwrap();
    let mut stream = shim.attach(Attach::ALL).await.unwrap();
    stream.write_all(b"go\n").await.unwrap();
    let (out, _) = within(read_all(stream, true)).await;
    assert!(out.ends_with("10 20\r\n"), "{out:?}");
    within(shim.wait()).await.unwrap();
    shim.delete().await.unwrap();
}

#[tokio::test]
async fn logs_are_written_read_and_followed() {
    let place = Place::new();
    let mut request = place.request(&["sh", "-c", "echo a; echo b >&2; printf c; read x; echo d"]);
    request.stdin = Stdin::Open;
    let target = request.log.clone().unwrap();
    let shim = place.runtime.create(request).await.unwrap();
    shim.start().await.unwrap();
    let query = LogQuery { stdout: true, stderr: true, follow: true, ..LogQuery::default() };
    let mut entries = read_logs(&target, query, Some(shim.clone()));
    let mut lines = Vec::new();
    for _ in 0..2 {
        lines.push(within(entries.recv()).await.unwrap().unwrap().line);
    }
    lines.sort();
    assert_eq!(lines, ["a\n", "b\n"]);
    let mut stream = shim.attach(Attach { stdin: true, stdout: false, stderr: false }).await.unwrap();
    stream.write_all(b"\n").await.unwrap();
    assert_eq!(within(entries.recv()).await.unwrap().unwrap().line, "cd\n");
    assert!(within(entries.recv()).await.is_none(), "the log ends with the container");
    let query = LogQuery { stderr: true, tail: Some(5), ..LogQuery::default() };
    let mut errors = read_logs(&target, query, None);
    assert_eq!(within(errors.recv()).await.unwrap().unwrap().line, "b\n");
    assert!(within(errors.recv()).await.is_none());
    shim.delete().await.unwrap();
}

#[tokio::test]
async fn following_survives_rotation() {
    let place = Place::new();
    let script = "for i in $(seq 1 300); do echo line $i; sleep 0.001; done";
    let mut request = place.request(&["sh", "-c", script]);
    let mut target = request.log.clone().unwrap();
    (target.max_size, target.max_files) = (Some(4000), 10);
    request.log = Some(target.clone());
    let shim = place.runtime.create(request).await.unwrap();
    let query = LogQuery { stdout: true, follow: true, ..LogQuery::default() };
    let mut entries = read_logs(&target, query, Some(shim.clone()));
    shim.start().await.unwrap();
    for number in 1..=300 {
        let entry = within(entries.recv()).await.unwrap().unwrap();
        assert_eq!(entry.line, format!("line {number}\n"));
    }
    assert!(within(entries.recv()).await.is_none());
    let query = LogQuery { stdout: true, tail: Some(60), ..LogQuery::default() };
    let mut last = read_logs(&target, query, None);
    assert_eq!(within(last.recv()).await.unwrap().unwrap().line, "line 241\n");
    shim.delete().await.unwrap();
}

#[tokio::test]
async fn the_next_daemon_adopts_a_container() {
    let place = Place::new();
    let mut request = place.request(&["sh", "-c", "read x; exit 3"]);
    request.stdin = Stdin::Open;
    let (ours, _theirs) = std::os::unix::net::UnixDatagram::pair().unwrap();
    request.dns = vec![ours.into()];
    let dir = request.dir.clone();
    let first = place.runtime.create(request).await.unwrap();
    first.start().await.unwrap();
    let Adopted::Running(second, ShimState::Running) = place.runtime.adopt(&dir).await.unwrap() else {
        panic!("it runs")
    };
    assert_eq!(second.pid(), first.pid());
    assert_eq!(second.dns_sockets().await.unwrap().len(), 1);
    second.attach(Attach::ALL).await.unwrap().write_all(b"\n").await.unwrap();
    assert_eq!(within(second.wait()).await.unwrap().code, 3);
    let Adopted::Running(third, _) = place.runtime.adopt(&dir).await.unwrap() else {
        panic!("its shim lives")
    };
    assert_eq!(within(third.wait()).await.unwrap().code, 3);
    third.delete().await.unwrap();
    assert!(matches!(place.runtime.adopt(&dir).await.unwrap(), Adopted::Gone));
    place.assert_clean();
}

#[tokio::test]
async fn a_killed_shim_takes_its_container_along_and_is_swept() {
    let place = Place::new();
    let request = place.request(&["sleep", "1000"]);
    let dir = request.dir.clone();
    let shim = place.runtime.create(request).await.unwrap();
    shim.start().await.unwrap();
    let process = std::path::PathBuf::from(format!("/proc/{}", shim.pid()));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(shim.shim_pid()), nix::sys::signal::Signal::SIGKILL)
        .unwrap();
    assert!(within(shim.wait()).await.is_err());
    assert!(matches!(place.runtime.adopt(&dir).await.unwrap(), Adopted::Gone));
    let gone = || !process.join("root/etc").exists();
    eventually(gone, || "the process lives on".to_owned());
    place.assert_clean();
}

#[tokio::test]
async fn a_recorded_exit_outlives_its_shim() {
    let place = Place::new();
    let request = place.request(&["sh", "-c", "exit 5"]);
    let dir = request.dir.clone();
    let shim = place.runtime.create(request).await.unwrap();
    shim.start().await.unwrap();
    within(shim.wait()).await.unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(shim.shim_pid()), nix::sys::signal::Signal::SIGKILL)
        .unwrap();
    eventually(
        || !std::path::Path::new(&format!("/proc/{}/exe", shim.shim_pid())).exists(),
        || "alive".to_owned(),
    );
    let Adopted::Exited(exit) = place.runtime.adopt(&dir).await.unwrap() else { panic!("its exit is known") };
    assert_eq!(exit.code, 5);
    place.assert_clean();
}

#[tokio::test]
async fn processes_are_frozen_and_thawed() {
    let place = Place::new();
    let shim = started(&place, &["sleep", "1000"]).await;
    shim.pause().await.unwrap();
    assert_eq!(shim.state().await.unwrap(), ShimState::Paused);
    assert!(shim.pause().await.is_err());
    shim.unpause().await.unwrap();
    assert_eq!(shim.state().await.unwrap(), ShimState::Running);
    remove(&shim).await;
    place.assert_clean();
}

#[tokio::test]
async fn processes_are_listed_and_measured() {
    let place = Place::new();
    let shim = started(&place, &["sh", "-c", "sleep 1000 & wait"]).await;
    let listed = || {
        let shim = shim.clone();
        async move { shim.top("").await.unwrap() }
    };
    let top = within(async {
        loop {
            let top = listed().await;
            // Until it has executed, the child is one more `sh`.
            if top.processes.iter().any(|row| row.last().unwrap() == "sleep 1000") {
                break top;
            }
        }
    })
    .await;
    assert_eq!((top.titles.last().unwrap().as_str(), top.processes.len()), ("CMD", 2), "{top:?}");
    let stats = shim.stats().await.unwrap();
    assert_eq!(stats.pids, 2);
    assert!(stats.memory_usage > 0);
    remove(&shim).await;
}

#[tokio::test]
async fn init_reaps_and_passes_signals_on() {
    let place = Place::new();
    let mut request = place.request(&[
        "sh",
        "-c",
        "trap 'exit 9' TERM; echo $$; (sleep 0.01 &) ; while :; do sleep 0.01; done",
    ]);
    request.spec.init = true;
    let shim = place.runtime.create(request).await.unwrap();
    let mut stream = shim.attach(Attach::ALL).await.unwrap();
    shim.start().await.unwrap();
    let mut buffer = [0; 64];
    let length = within(stream.read(&mut buffer)).await.unwrap();
    assert_eq!(&buffer[8..length], b"2\n", "process 1 is ours");
    shim.kill(15).await.unwrap();
    assert_eq!(within(shim.wait()).await.unwrap().code, 9);
    shim.delete().await.unwrap();
    place.assert_clean();
}

#[test]
fn a_container_whose_daemon_dies_before_the_start_removes_itself() {
    let place = Place::new();
    let request = place.request(&["sleep", "1000"]);
    let daemon = tokio::runtime::Runtime::new().unwrap();
    let shim = daemon.block_on(place.runtime.create(request)).unwrap();
    assert!(!place.leftovers().is_empty());
    drop(shim);
    daemon.shutdown_timeout(common::DEADLINE);
    place.assert_clean();
}

#[tokio::test]
async fn a_container_outlives_the_daemon_that_started_it() {
    let place = Place::new();
    let request = place.request(&["sleep", "1000"]);
    let dir = request.dir.clone();
    let runtime = place.runtime.clone();
    let start = move || {
        let daemon = tokio::runtime::Runtime::new().unwrap();
        daemon.block_on(async { runtime.create(request).await.unwrap().start().await.unwrap() });
        daemon.shutdown_timeout(common::DEADLINE);
    };
    tokio::task::spawn_blocking(start).await.unwrap();
    let Adopted::Running(shim, _) = place.runtime.adopt(&dir).await.unwrap() else { panic!("it runs") };
    assert_eq!(shim.state().await.unwrap(), ShimState::Running);
    remove(&shim).await;
    place.assert_clean();
}

#[tokio::test]
async fn many_containers_start_side_by_side() {
    let place = std::sync::Arc::new(Place::new());
    let tasks: Vec<_> = (0..24)
        .map(|number: i32| {
            let place = std::sync::Arc::clone(&place);
            tokio::spawn(async move {
                let request = place.request(&["sh", "-c", &format!("echo {number}; exit {number}")]);
                let (exit, out, _) = place.run(request).await.unwrap();
                assert_eq!((exit.code, out), (number, format!("{number}\n")));
            })
        })
        .collect();
    for task in tasks {
        within(task).await.unwrap();
    }
    place.assert_clean();
}

#[tokio::test]
async fn a_client_that_does_not_read_loses_nothing_and_one_that_leaves_stops_nothing() {
    let place = Place::new();
    let shim = place.runtime.create(place.request(&["sh", "-c", "seq 1 100000"])).await.unwrap();
    let stream = shim.attach(Attach::ALL).await.unwrap();
    let leaver = shim.attach(Attach::ALL).await.unwrap();
    shim.start().await.unwrap();
    drop(leaver);
    let (out, _) = within(read_all(stream, false)).await;
    assert_eq!(out.lines().count(), 100_000);
    assert_eq!(within(shim.wait()).await.unwrap().code, 0);
    shim.delete().await.unwrap();
}
