//! Containers: what a request for one turns into. A request is validated and turned into typed values (`create`), kept
//! as a record, and carried out by the task that owns the container (`actor`), which starts it in phases that can each
//! undo themselves (`start`). Networks belong to [`crate::network`], processes to `netd-runtime`.

mod ask;
mod error;
mod policy;
mod stub;

pub use ask::{
    AttachAsk, AttachStream, CreateAsk, Done, ExecStarted, Framing, ListAsk, Logs, LogsAsk, Pending,
    RemoveAsk, StatsAsk, StatsStream, StopAsk, WaitCondition,
};
pub use error::ContainerError;
pub use policy::{Ask, Denied, Phase, Reason, Verdict, admit};
pub use stub::{Containers, Volumes};
