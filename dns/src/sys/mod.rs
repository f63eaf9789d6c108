//! System calls that the standard library and tokio don't have.

mod connect;
mod mmsg;

pub(crate) use connect::tcp_connect;
pub(crate) use mmsg::{Batch, Received};
