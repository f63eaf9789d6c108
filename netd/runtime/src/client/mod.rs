//! The daemon's side: starting shims, finding them again, and talking to them. Everything here is asynchronous and
//! small; what takes privileges or time happens in the shim.

mod link;
mod program;
mod runtime;
mod shim;
mod spawner;
mod top;
mod values;

pub(crate) use link::socket_path;
pub use runtime::{Adopted, Runtime, RuntimeConfig};
pub use shim::{Exec, Shim};
pub use values::{Attach, CreateRequest, Engine, ExecSpec, Exit, LogTarget, ShimState, Stats, Stdin, Top};

/// When a process was started, in clock ticks since boot; 0 if there is none.
pub(crate) fn start_ticks(pid: i32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // field 22; the second one, the name, may hold anything, but ends with the last parenthesis
    text.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(19)?.parse().ok()).unwrap_or(0)
}
