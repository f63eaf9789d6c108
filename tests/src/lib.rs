//! The lab in which everything of Pontoon that touches a kernel is tested: hosts that are namespaces, a netd for each,
//! LAN hosts beside them. Nothing of it touches the namespace of the machine that it runs on.
//!
//! ```no_run
//! let lab = tests::Lab::new();
//! let machine = lab.machine("a"); // a host with its own netd
//! let client = machine.lan("client"); // joined to it by a cable
//! machine.pontoon(["run", "-d", "-p", "8080:80", "host", "sleep", "100"]).ok();
//! client.exec(["ping", "-c1", &client.gateway()]).ok();
//! ```

mod lab;

pub use lab::{
    etc::OwnEtc,
    golden::Golden,
    host::{Host, Lan},
    machine::{Clean, HostKind, Machine, NetdOptions},
    output::{Output, Process, has_word},
    probe::{Place, Probe, Servers},
    resolver::resolver,
    sniffer::Sniffer,
    wait::{ANSWER, SILENCE, eventually, until},
};

use std::{
    cell::Cell,
    process,
    sync::atomic::{AtomicU32, Ordering},
};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A set of hosts that belong to one test. Names of what it makes outside of namespaces (cgroups, folders) carry its tag.
#[derive(Debug)]
pub struct Lab {
    tag: String,
    machines: Cell<u32>,
}

impl Lab {
    /// An empty lab.
    ///
    /// # Panics
    /// If the test is not run by root: namespaces need it.
    pub fn new() -> Self {
        assert!(nix::unistd::geteuid().is_root(), "the lab makes namespaces: run the tests as root");
        let tag = format!("{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self { tag, machines: Cell::new(0) }
    }

    /// A host: a network and a mount namespace with a `/run`, a `/sys` and a `resolv.conf` of their own.
    pub fn host(&self, name: &str) -> Host {
        Host::new(&self.next(name), lab::host::Processes::Shared)
    }

    /// A host with processes of its own and a running netd.
    pub fn machine(&self, name: &str) -> Machine {
        self.machine_with(name, NetdOptions::default())
    }

    /// A host with processes of its own and a netd started with `options`.
    pub fn machine_with(&self, name: &str, options: NetdOptions) -> Machine {
        Machine::new(&self.next(name), options)
    }

    fn next(&self, name: &str) -> String {
        self.machines.set(self.machines.get() + 1);
        format!("{name}-{}-{}", self.tag, self.machines.get())
    }
}

impl Default for Lab {
    fn default() -> Self {
        Self::new()
    }
}
