//! A container's life through the public API, on the real kernel.

mod common;

use common::{Place, read_all, remove, started, within};
use netd_runtime::{Attach, Fault, RuntimeError, ShimState};

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
