//! The daemon from outside: a real netd in a host of the lab, spoken to over its socket byte by byte, so that what is
//! tested is what goes over the wire and not what a client library makes of it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests say what they saw by panicking")]

mod daemon;
mod events;
mod life;
mod negotiation;
mod refusals;
mod wire;
