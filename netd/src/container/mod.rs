//! Containers: what a request for one turns into. A request is validated and turned into typed values (`create`), kept
//! as a record, and carried out by the task that owns the container (`actor`), which starts it in phases that can each
//! undo themselves (`start`). Networks belong to [`crate::network`], processes to `netd-runtime`.

mod actor;
mod ask;
mod bindings;
mod create;
mod error;
mod examine;
mod execs;
mod folded;
mod inspect;
mod link_env;
mod links;
mod list;
mod logs;
mod name;
mod parts;
mod policy;
mod record;
mod recovered;
mod registry;
mod restart;
mod service;
mod spec;
mod start;
mod streams;
mod volumes;
mod words;

pub use ask::{
    AttachAsk, AttachStream, CreateAsk, Done, ExecStarted, Framing, ListAsk, Logs, LogsAsk, Pending,
    RemoveAsk, StatsAsk, StatsStream, StopAsk, WaitCondition,
};
pub use bindings::PortsAsk;
pub use error::ContainerError;
pub use policy::{Ask, Denied, Phase, Reason, Verdict, admit};
pub use service::Containers;
pub use volumes::Volumes;

pub(crate) use parts::{Parts, Paths, remove_tree};
pub(crate) use recovered::{Known, Recovered};
