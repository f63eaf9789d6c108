//! System calls that the standard library and tokio don't have.

mod connect;
mod leave;
mod mmsg;
#[cfg(test)]
mod tests;

pub(crate) use connect::tcp_connect;
pub(crate) use leave::Leave;
pub(crate) use mmsg::{Batch, Received};
