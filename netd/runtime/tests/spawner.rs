//! The process that shims are forked from: containers need it to begin, and not any longer.

mod common;

use std::fs;

use common::{Place, eventually, remove, started};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Fields of `/proc/<pid>/stat` behind the name: state, parent.
fn stat(pid: i32) -> Option<(String, i32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}

fn has_ended(pid: i32) -> bool {
    stat(pid).is_none_or(|(state, _)| state == "Z")
}

#[tokio::test]
async fn a_spawner_that_was_killed_is_replaced_and_containers_go_on() {
    let place = Place::new();
    let before = started(&place, &["sleep", "1000"]).await;
    let (_, spawner) = stat(before.shim_pid()).unwrap();
    assert_eq!(fs::read_to_string(format!("/proc/{spawner}/comm")).unwrap(), "netd-spawner\n");
    kill(Pid::from_raw(spawner), Signal::SIGKILL).unwrap();
    eventually(|| has_ended(spawner), || "the spawner lives".to_owned());

    let after = started(&place, &["sleep", "1000"]).await;
    assert_ne!(stat(after.shim_pid()).unwrap().1, spawner);
    remove(&before).await;
    remove(&after).await;
    place.assert_clean();
}

#[tokio::test]
async fn it_ends_with_its_daemon_and_collects_no_zombies() {
    let mut place = Place::new();
    let shims = [started(&place, &["sleep", "1000"]).await, started(&place, &["sleep", "1000"]).await];
    let (_, spawner) = stat(shims[0].shim_pid()).unwrap();
    assert_eq!(stat(shims[1].shim_pid()).unwrap().1, spawner, "one for all");
    remove(&shims[0]).await;
    let first = shims[0].shim_pid();
    eventually(|| stat(first).is_none(), || "a shim that ended is a zombie".to_owned());

    // As when a daemon ends: the other container goes on.
    place.runtime = Place::new().runtime.clone();
    eventually(|| has_ended(spawner), || "the spawner outlives its daemon".to_owned());
    assert!(!has_ended(shims[1].shim_pid()));
    remove(&shims[1]).await;
    place.assert_clean();
}

/// What is bound into a container is looked for where the daemon would look.
#[tokio::test]
async fn shims_see_the_mounts_of_their_daemon() {
    let place = Place::new();
    let shim = started(&place, &["sleep", "1000"]).await;
    let mounts = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/mnt")).unwrap();
    assert_eq!(mounts(&shim.shim_pid().to_string()), mounts("self"));
    assert_ne!(mounts(&shim.pid().to_string()), mounts("self"));
    let seen = fs::read_to_string(format!("/proc/{}/mountinfo", shim.pid())).unwrap();
    let root = seen.lines().filter(|line| line.split(' ').nth(4) == Some("/")).count();
    assert_eq!(root, 1, "the root file system covers nothing: {seen}");
    remove(&shim).await;
    place.assert_clean();
}
