//! The command of the README tells its whole story, with `pontoon` and with `docker`.

use std::{path::Path, process::Command};

#[test]
fn the_quickstart_runs_to_its_end() {
    let test = std::env::current_exe().unwrap();
    let programs = test.ancestors().find(|dir| dir.join("netd").is_file()).expect("the programs are built");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/quickstart.sh");
    let output = Command::new("bash").arg(script).env("PONTOON_BIN", programs).output().unwrap();
    let story = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{story}\n--- stderr\n{errors}");
    assert!(story.contains("no link, namespace, mount, rule or process"), "{story}");
    assert!(story.contains("[docker] 8."), "the docker command line is needed: {errors}");
}
