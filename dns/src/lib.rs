//! Names and addresses of containers.
//!
//! A [`Directory`] holds the immutable [`Snapshot`] of all names; [`answer()`] is a pure function of that snapshot,
//! the asker and the question; a [`Server`] is a small UDP and TCP loop around it for one sandbox, which also
//! forwards what is not ours to [`Upstreams`]; [`Shared`] is what all servers have in common, first of all a cache. [`resolv_conf`] reads the host's file and writes the container's.
//!
//! This crate knows no namespaces, no networks and no containers: the sockets are handed in, and so is the way
//! to reach an upstream ([`Dial`]). What it is told comes from netd's names.
//!
//! Reading order: `types` and `snapshot` (values), `answer` (decisions), `wire` (bytes), `cache` (what upstreams
//! said), `forward`, `shared` and `server` (effects), `sys` (system calls).

mod answer;
mod cache;
mod cow_map;
mod dial;
mod forward;
mod framing;
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod metrics;
mod query_log;
pub mod resolv_conf;
mod server;
mod shared;
mod snapshot;
mod sys;
mod types;
mod upstream;
mod wire;

pub use answer::{ForwardTo, LOCAL_TTL, Verdict, answer};
pub use dial::{Dial, LocalDial};
pub use gate::{Gate, Judged, OpenGate, Told};
pub use metrics::{Counts, Latency};
pub use query_log::{Asked, Outcome};
pub use server::{Limits, Replied, Server, ServerConfig};
pub use shared::{CacheSize, Shared, SharedLimits};
pub use snapshot::{Directory, RecordError, Snapshot, SnapshotEditor};
pub use types::{
    AskerId, BareNames, Forward, Host, HostId, Protocol, Service, StaticData, StaticRecord, View, ZoneId,
};
pub use upstream::{DialFrom, Upstream, Upstreams};

/// The wire library, for callers of [`answer()`].
pub use hickory_proto;
