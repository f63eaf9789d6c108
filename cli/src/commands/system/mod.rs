//! The daemon as a whole, and the machine's share of Pontoon.

pub(super) mod df;
pub(super) mod events;
pub(super) mod info;
pub(super) mod prune;
pub(super) mod version;
