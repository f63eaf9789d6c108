//! The command of the README tells its whole story, with `pontoon` and with `docker`.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/quickstart.sh")
}

/// With `--keep`, what the shell on the stage is told comes from the standard input: it finds the story's containers.
#[test]
fn the_quickstart_runs_to_its_end_and_keeps_its_stage_until_told() {
    let test = std::env::current_exe().unwrap();
    let programs = test.ancestors().find(|dir| dir.join("netd").is_file()).expect("the programs are built");
    let mut quickstart = Command::new("bash");
    quickstart.arg(script()).arg("--keep").env("PONTOON_BIN", programs);
    quickstart.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut quickstart = quickstart.spawn().unwrap();
    let asked = b"echo kept: $(pontoon ps --format '{{.Names}}' | sort) $(curl -sS 127.0.0.1:8080)\nexit\n";
    quickstart.stdin.take().unwrap().write_all(asked).unwrap();
    let output = quickstart.wait_with_output().unwrap();
    let story = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{story}\n--- stderr\n{errors}");
    assert!(story.contains("kept: c1 c2 c3 c4 c5 the page of c1"), "{story}");
    assert!(story.contains("no link, namespace, mount, rule or process"), "{story}");
    assert!(story.contains("[docker] 8."), "the docker command line is needed: {errors}");
}

#[test]
fn an_unknown_option_is_refused_before_anything_is_made() {
    let output = Command::new("bash").arg(script()).arg("--kep").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "quickstart: unknown option: --kep; usage: examples/quickstart.sh [--keep]\n"
    );
}
