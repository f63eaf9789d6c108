//! What a change to the directory costs when it holds one endpoint and when it holds ten thousand: it is part of
//! every attach. Run: `cargo bench -p dns --bench changes`.
#![allow(clippy::print_stdout, missing_docs)] // A program for people.

use std::net::Ipv4Addr;
use std::time::Instant;

use dns::{Directory, Host, View};

const CHANGES: u32 = 1_000;

fn main() {
    // Test runners start benches too, and want nothing of them.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    for size in [1, 100, 1_000, 10_000] {
        let directory = Directory::new();
        directory.update(|editor| {
            editor.set_zone("n", "web");
            for i in 0..size {
                editor.set_host(&"n".into(), id(i), host(i));
                editor.set_view(id(i), view());
            }
        });
        let started = Instant::now();
        for i in 0..CHANGES {
            let id = id(size + i);
            directory.update(|editor| {
                editor.set_host(&"n".into(), id.as_str(), host(size + i));
                editor.set_view(id.as_str(), view());
            });
            directory.update(|editor| {
                editor.remove_host(&"n".into(), &id.as_str().into());
                editor.remove_view(&id.into());
            });
        }
        println!("{size:>6} endpoints: {:>9.1?} to add and remove one", started.elapsed() / CHANGES);
    }
}

fn id(i: u32) -> String {
    format!("{i:064x}")
}

/// A name of its own, as every container has, and one that all share, as the replicas of a service do.
fn host(i: u32) -> Host {
    let names = vec![format!("c{i}"), format!("{i:012x}"), format!("service{}", i % 100)];
    Host { names, v4: Some(Ipv4Addr::from(0x0a00_0000 + i)), v6: None, ..Host::default() }
}

fn view() -> View {
    View { zones: vec!["n".into()], ..View::default() }
}
