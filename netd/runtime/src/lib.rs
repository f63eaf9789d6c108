//! How a process becomes a container.
//!
//! The daemon fills in a [`ContainerSpec`]; [`bundle()`] turns it into an OCI bundle (pure). [`Runtime::create`] starts
//! one small process per container, the shim (`netd-shim`), which runs the bundle with the runtime built in here, or
//! hands it to any OCI runtime binary ([`Engine`]). The shim keeps stdio or the terminal, the logs and the DNS sockets,
//! waits for the container's process, records its exit, and survives the daemon: [`Runtime::adopt`] finds it again.
//!
//! The crate knows nothing of networks or HTTP: a network namespace comes in as a path, ids are text.

mod bundle;
pub mod capabilities;
mod cgroup;
mod client;
mod error;
mod fdpass;
mod init;
mod launch;
mod logs;
mod lower;
mod protocol;
mod reason;
mod seccomp;
mod shim;
mod spec;
mod sys;

pub use bundle::bundle;
pub use client::{
    Adopted, Attach, CreateRequest, Engine, Exec, ExecSpec, Exit, LogTarget, Runtime, RuntimeConfig, Shim,
    ShimState, Stats, Stdin, Top,
};
pub use error::{BundleError, Fault, LaunchError, RuntimeError};
pub use logs::{LogEntry, LogQuery, format_time, read_logs};
pub use shim::run_shim;
pub use spec::{
    ContainerSpec, Device, Mount, MountSource, Namespace, Netns, Process, Resources, Rlimit, Rootfs, Seccomp,
    Writable,
};
