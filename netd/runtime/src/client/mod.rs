//! The daemon's side: starting shims, finding them again, and talking to them. Everything here is asynchronous and
//! small; what takes privileges or time happens in the shim.

mod runtime;
mod shim;
mod values;

pub use runtime::{Adopted, Runtime, RuntimeConfig};
pub use shim::{Exec, Shim};
pub use values::{Attach, CreateRequest, Engine, ExecSpec, Exit, LogTarget, ShimState, Stats, Stdin, Top};
