//! How a process becomes a container.
//!
//! The daemon fills in a [`ContainerSpec`]; [`bundle()`] turns it into an OCI bundle (pure). [`Runtime::create`] has one
//! small process per container forked, the shim (`netd-shim`), which runs the bundle with the runtime built in here, or
//! hands it to any OCI runtime binary ([`Engine`]). The shim keeps stdio or the terminal, the logs and the DNS sockets,
//! waits for the container's process, records its exit, and survives the daemon: [`Runtime::adopt`] finds it again.
//!
//! # Where the built-in runtime differs from `runc`
//! The same bundle gives the same view from inside (`tests/oci.rs` compares them), but for this:
//! - A container that can't mount has its devices shut by `nodev` on everything that it can write to; `runc` always uses
//!   a devices cgroup, and joining a v1 cgroup costs 8 to 13 ms. With CAP_SYS_ADMIN, partial device permissions, device
//!   rules or a bind of the host's `/dev` an eBPF program on the v2 group keeps Docker's rules, or else the v1 cgroup.
//! - A process is born in its v2 cgroup, and joins only those v1 hierarchies that a limit needs; `/sys/fs/cgroup` shows
//!   those alone.
//! - A filter knows the machine's own architecture only: 32-bit programs are killed where a filter is loaded.
//! - Limits that need CAP_SYS_RESOURCE are set as far as the machine's root may.
//!
//! # What holds whatever happens
//! - Mounts exist in the container's mount namespace alone, so nothing can be left mounted on the host.
//! - A container dies with its shim, a shim never with the daemon. A container whose daemon dies before the start removes
//!   itself. The exit is on disk before anybody is told.
//! - An attached client that reads slowly holds the container back instead of losing its output.
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
pub use shim::run_spawner;
pub use spec::{
    ContainerSpec, Device, Mount, MountSource, Namespace, Netns, Process, Resources, Rlimit, Rootfs, Seccomp,
    Writable,
};
