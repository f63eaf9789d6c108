//! The bridge driver, pure: names and marks of what it makes, and the plans for networks and endpoints.

mod compare;
mod endpoint;
pub(crate) mod names;
mod network;
mod publish;
mod shape;
mod step;
#[cfg(test)]
mod tests;

pub(crate) use compare::{Difference, InUse, compare};
pub(crate) use endpoint::{Circumstances, Fate, Telling, attach, detach, flags, within};
pub(crate) use network::{
    BRIDGE_PORTS, create, lent_keys, loopback_settings, remove, setting_steps, settings,
};
pub(crate) use publish::{ask_for_loopback, reaches_loopback, relayed, requests};
pub(crate) use shape::{Detour, Limit, limits, unlimited};
pub(crate) use step::{Hang, Inside, Join, Parting, Step};
