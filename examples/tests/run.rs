//! Every example does what it says, and ends.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test may")]

use std::process::Command;

fn run(program: &str) -> String {
    let output = Command::new(program).output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{out}\n{err}");
    out
}

#[test]
fn two_namespaces() {
    let said = run(env!("CARGO_BIN_EXE_two_namespaces"));
    assert!(said.contains("left asks 10.0.0.2:80: right greets 10.0.0.1\n"), "{said}");
}

#[test]
fn bridge_of_three() {
    let said = run(env!("CARGO_BIN_EXE_bridge_of_three"));
    assert!(said.contains("10.9.0.2 asks 10.9.0.3: 10.9.0.3 greets 10.9.0.2\n"), "{said}");
    assert!(said.contains("the host asks 10.9.0.2: 10.9.0.2 greets 10.9.0.1\n"), "{said}");
}

#[test]
fn published_port() {
    let said = run(env!("CARGO_BIN_EXE_published_port"));
    assert!(said.contains("the LAN asks 192.0.2.1:8080: the container greets 192.0.2.2\n"), "{said}");
    assert!(said.contains("the host asks 127.0.0.1:8080: the container greets "), "{said}");
    assert!(said.contains("unpublished, the LAN gets: connect to 192.0.2.1:8080: "), "{said}");
}

#[test]
fn addresses() {
    let said = run(env!("CARGO_BIN_EXE_addresses"));
    assert!(
        said.contains(
            "leases: 192.168.0.128, 192.168.0.129\n192.168.0.128 given back; next: 192.168.0.130\n"
        ),
        "{said}"
    );
}
