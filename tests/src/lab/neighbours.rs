//! Other firewalls in a host of the lab: the real programs, started by `neighbours.sh`.

use std::fs;

use super::{host::Host, output::Output};

const FUNCTIONS: &str = include_str!("neighbours.sh");
const PATH: &str = "/run/lab/neighbours.sh";

impl Host {
    /// Runs a line of bash with the functions of `neighbours.sh`: `start_firewalld`, `start_dockerd`, `use_iptables` …
    /// What it starts goes on, until the host's processes end: the host must have its own.
    ///
    /// # Panics
    /// If the host's `/run` can't be written.
    #[track_caller]
    pub fn neighbours(&self, line: &str) -> Output {
        fs::write(self.path(PATH), FUNCTIONS).expect("the host's own /run is writable");
        self.sh(&format!(". {PATH}; {line}"))
    }
}
