//! Container networks on one Linux host: bridges, veth pairs, network namespaces, addresses, firewall, published
//! ports. No HTTP, no containers, no DNS: a caller hands in namespaces and values and gets kernel state.
//!
//! Read top-down: [`types`] are values, plans are pure decisions over them, effects apply plans, `sys` makes syscalls.

mod bridge;
pub mod conntrack;
pub mod firewall;
#[doc(hidden)]
pub mod fuzzing;
pub mod host;
pub mod ipam;
mod link;
pub mod netns;
pub mod observe;
mod parent;
mod plan;
pub mod ports;
pub mod store;
mod sys;
pub mod types;
